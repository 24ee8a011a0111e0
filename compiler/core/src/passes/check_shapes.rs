//! Checks every path: an embedding, then at least one layer of its side; causal tasks have one side.
//!
//! All modules have the model's width, so that any two of a path fit.

use miette::Diagnostic;
use mmc_plan::{ModuleKind, TaskKind};
use mmc_syntax::source::Span;
use thiserror::Error;

use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::ids::ModuleId;
use crate::ir::module::{ModuleGraph, Program};

/// What can be wrong with shapes.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[expect(
    missing_docs,
    reason = "every variant is described, with examples, in the registry of codes"
)]
pub enum ShapeError {
    #[error("the {side} of `{task}` has no stack")]
    #[diagnostic(code(mmc::model::no_stack))]
    NoStack {
        side: &'static str,
        task: String,
        #[label("this direction")]
        span: Span,
        #[help]
        help: &'static str,
    },
}

pub(super) fn run(
    graph: ModuleGraph,
    program: &Program<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<ModuleGraph, Halt> {
    for (task, path) in program.table.tasks.iter().zip(&graph.paths) {
        for (side, ids) in [("encoder", &path.encoder), ("decoder", &path.decoder)] {
            let is_needed = side == "decoder" || task.kind != TaskKind::Causal;
            if is_needed && !has_stack(&graph, ids) {
                diagnostics.report(ShapeError::NoStack {
                    side,
                    task: task.name.clone(),
                    span: task.span,
                    help: "give it at least one layer",
                });
            }
        }
    }
    diagnostics.checkpoint()?;
    Ok(graph)
}

fn has_stack(graph: &ModuleGraph, ids: &[ModuleId]) -> bool {
    ids.iter().filter_map(|id| graph.module(*id)).any(|module| match module.kind {
        ModuleKind::EncoderStack { layers, .. } | ModuleKind::DecoderStack { layers, .. } => {
            layers > 0
        }
        ModuleKind::Embedding { .. }
        | ModuleKind::Head { .. }
        | ModuleKind::Adapter { .. }
        | ModuleKind::Bridge => false,
    })
}
