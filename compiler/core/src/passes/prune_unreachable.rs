//! Drops modules that no task uses, and renumbers the rest.

use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::ids::ModuleId;
use crate::ir::module::{ModuleGraph, Program, TaskPath, renumber};

#[expect(clippy::unnecessary_wraps, reason = "the signature of all passes")]
pub(super) fn run(
    mut graph: ModuleGraph,
    _: &Program<'_>,
    _: &mut Diagnostics,
) -> Result<ModuleGraph, Halt> {
    let mut used = vec![false; graph.modules.len()];
    for module in graph.paths.iter().flat_map(TaskPath::steps) {
        if let Some(used) = used.get_mut(module.index()) {
            *used = true;
        }
    }
    if used.iter().all(|used| *used) {
        return Ok(graph);
    }
    let mut next = 0;
    let renamed: Vec<ModuleId> = used
        .iter()
        .map(|used| {
            let id = ModuleId::at(next);
            next += usize::from(*used);
            id
        })
        .collect();
    renumber(&mut graph.paths, &renamed);
    let mut at = used.iter();
    graph.modules.retain(|_| at.next().copied().unwrap_or(true));
    Ok(graph)
}
