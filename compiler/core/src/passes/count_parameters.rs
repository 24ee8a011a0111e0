//! Sets every module's number of parameters, by the formulas of [`mmc_plan::ModuleSpec::parameters`].

use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::module::{ModuleGraph, Program};
use crate::size;

#[expect(clippy::unnecessary_wraps, reason = "the signature of all passes")]
pub(super) fn run(
    mut graph: ModuleGraph,
    program: &Program<'_>,
    _: &mut Diagnostics,
) -> Result<ModuleGraph, Halt> {
    let rows = |vocabulary: &str| {
        program.table.vocabularies.get(vocabulary).map_or(0, |spec| u64::from(spec.size()))
    };
    for module in &mut graph.modules {
        module.parameters =
            size::module(&program.experiment.model, &module.kind, &rows).parameters();
    }
    Ok(graph)
}
