//! A device has nothing to do.

use super::{Found, Lint, Subject, counted, listed, warning};

pub(super) const LINT: Lint = warning("mmc::lint::idle_rank", "a device has nothing to do", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let idle: Vec<String> = subject
        .plan
        .ranks
        .iter()
        .enumerate()
        .filter(|(_, rank)| rank.lanes.is_empty())
        .map(|(number, _)| number.to_string())
        .collect();
    if idle.is_empty() {
        return Vec::new();
    }
    vec![Found {
        message: format!("{} without a lane: {}", counted(idle.len(), "rank"), listed(&idle)),
        label: "of this cluster",
        span: subject.experiment.cluster.span,
        help: "book fewer devices, or raise `lanes` in `training` to a multiple of them".into(),
    }]
}
