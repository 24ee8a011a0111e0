//! Passes: they keep the type (module graph to module graph); a stage changes it. One table, in order.

mod check_shapes;
mod count_parameters;
mod estimate_costs;
mod prune_unreachable;

use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::module::{ModuleGraph, Program};

pub use check_shapes::ShapeError;

/// One pass.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Its name, as in `mmc passes` and `--emit-stage`.
    pub name: &'static str,
    /// Why it exists.
    pub why: &'static str,
    /// What it does.
    pub run: fn(ModuleGraph, &Program<'_>, &mut Diagnostics) -> Result<ModuleGraph, Halt>,
}

/// All passes in the order in which they run.
pub static PASSES: &[Pass] = &[
    Pass {
        name: "prune_unreachable",
        why: "a module that no task reaches would be stored and never trained",
        run: prune_unreachable::run,
    },
    Pass {
        name: "check_shapes",
        why: "what one module gives must be what the next one takes",
        run: check_shapes::run,
    },
    Pass {
        name: "count_parameters",
        why: "placement weighs modules by their size",
        run: count_parameters::run,
    },
    Pass {
        name: "estimate_costs",
        why: "memory and time are known before a device is booked",
        run: estimate_costs::run,
    },
];

/// Runs all passes; `observe` is told each one's name and the graph after it.
pub fn run(
    mut graph: ModuleGraph,
    program: &Program<'_>,
    diagnostics: &mut Diagnostics,
    observe: &mut dyn FnMut(&Pass, &ModuleGraph),
) -> Result<ModuleGraph, Halt> {
    for pass in PASSES {
        graph = (pass.run)(graph, program, diagnostics)?;
        observe(pass, &graph);
    }
    Ok(graph)
}
