//! The faults of placement.

use miette::{Diagnostic, LabeledSpan};
use mmc_syntax::source::Span;
use thiserror::Error;

/// What can be wrong with lanes, wishes and memory.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[expect(
    missing_docs,
    reason = "every variant is described, with examples, in the registry of codes"
)]
pub enum PlaceError {
    #[error("rank {rank} needs {needed}, but its device has {capacity}")]
    #[diagnostic(code(mmc::place::memory))]
    Memory {
        rank: u32,
        needed: String,
        capacity: String,
        #[label("of this cluster")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("no placement keeps {wishes}")]
    #[diagnostic(code(mmc::place::infeasible))]
    Infeasible {
        wishes: String,
        #[label(collection)]
        places: Vec<LabeledSpan>,
        #[help]
        help: String,
    },
    #[error("this wish is about no task")]
    #[diagnostic(
        code(mmc::place::no_task),
        help("tasks are the directions of `tasks` blocks that have text; `mmc plan` lists them")
    )]
    NoTask {
        #[label("no task has such a direction, or is split")]
        span: Span,
    },
    #[error("{lanes} lanes are more than {limit}, the most that a plan may have")]
    #[diagnostic(code(mmc::place::too_many_lanes))]
    TooManyLanes {
        lanes: u32,
        limit: u32,
        #[label("lanes")]
        span: Span,
        #[help]
        help: &'static str,
    },
}
