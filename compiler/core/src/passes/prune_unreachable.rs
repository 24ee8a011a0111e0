//! Drops modules that no task uses, and renumbers the rest.

use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::ids::ModuleId;
use crate::ir::module::{ModuleGraph, Program};

#[expect(clippy::unnecessary_wraps, reason = "the signature of all passes")]
pub(super) fn run(
    mut graph: ModuleGraph,
    _: &Program<'_>,
    _: &mut Diagnostics,
) -> Result<ModuleGraph, Halt> {
    let used: Vec<bool> = graph.users().iter().map(|users| !users.is_empty()).collect();
    let mut next = 0;
    let renamed: Vec<ModuleId> = used
        .iter()
        .map(|used| {
            let id = ModuleId::at(next);
            next += usize::from(*used);
            id
        })
        .collect();
    for path in &mut graph.paths {
        let way = path.encoder.iter_mut().chain(&mut path.bridge).chain(&mut path.decoder);
        let inside =
            path.adapters.iter_mut().flat_map(|(stack, ids)| [stack].into_iter().chain(ids));
        for id in way.chain(inside) {
            *id = renamed.get(id.index()).copied().unwrap_or(*id);
        }
    }
    let mut at = used.iter();
    graph.modules.retain(|_| at.next().copied().unwrap_or(true));
    Ok(graph)
}
