//! A task is so rare that it may never run.

use super::{Found, Lint, Subject, counted, listed, warning};
use crate::ir::task::SHARE_PARTS;

pub(super) const LINT: Lint =
    warning("mmc::lint::unsampled_task", "a task is so rare that it may never run", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let runs = u128::from(subject.plan.training.steps) * subject.plan.lanes.len() as u128;
    let rare: Vec<&str> = subject
        .table
        .tasks
        .iter()
        .filter(|task| u128::from(task.share) * runs < u128::from(SHARE_PARTS))
        .map(|task| task.name.as_str())
        .collect();
    if rare.is_empty() {
        return Vec::new();
    }
    vec![Found {
        message: format!(
            "{} in {runs} turns not run once on average: {}",
            counted(rare.len(), "task"),
            listed(&rare)
        ),
        label: "weights are made here",
        span: subject.experiment.curriculum.span,
        help:
            "flatten the weights (a smaller temperature), train longer, or take the directions out"
                .into(),
    }]
}
