//! Sets every module's number of parameters, by the formulas of [`mmc_plan::ModuleSpec::parameters`].

use mmc_plan::{ModelSpec, ModuleKind, Norm};

use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::module::{ModuleGraph, Program};

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
        module.parameters = parameters(&program.experiment.model, &module.kind, &rows);
    }
    Ok(graph)
}

/// Parameters of a module; `rows` answers the size of a vocabulary.
fn parameters(model: &ModelSpec, kind: &ModuleKind, rows: &dyn Fn(&str) -> u64) -> u64 {
    let (d, f) = (u64::from(model.dim), u64::from(model.ffn));
    let attention = 4 * d * d + 4 * d;
    let feed_forward = 2 * d * f + f + d;
    // A layer norm has a scale and a shift.
    let norm = 2 * d;
    let closing = if model.norm == Norm::Pre { norm } else { 0 };
    match kind {
        ModuleKind::Embedding { vocabulary } | ModuleKind::Head { vocabulary } => {
            rows(vocabulary) * d
        }
        ModuleKind::EncoderStack { layers } => {
            u64::from(*layers) * (attention + feed_forward + 2 * norm) + closing
        }
        ModuleKind::DecoderStack { layers } => {
            u64::from(*layers) * (2 * attention + feed_forward + 3 * norm) + closing
        }
    }
}
