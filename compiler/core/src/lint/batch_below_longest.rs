//! Segments that the filter lets through do not fit a batch.

use mmc_plan::Transform;

use super::{Found, Lint, Subject, warning};
use crate::ir::experiment::TransformWish;

pub(super) const LINT: Lint = warning(
    "mmc::lint::batch_below_longest",
    "segments that the filter lets through do not fit a batch",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let batch = subject.plan.training.batch_tokens;
    let mut found = Vec::new();
    for block in &subject.experiment.task_blocks {
        for wish in &block.transforms {
            if let TransformWish::Plain(Transform::FilterTooLong { source, target }) = wish.value
                && source.max(target) >= batch
            {
                found.push(Found {
                    message: format!("segments of {} pieces pass, but a batch holds {batch} tokens", source.max(target)),
                    label: "lets them through",
                    span: wish.span,
                    help: "one such segment would be a batch of its own, or none: lower the bound, or raise `batch`".into(),
                });
            }
        }
    }
    found
}
