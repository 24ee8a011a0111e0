//! A rank trains nothing.

use super::{Found, Lint, Subject, counted, listed, warning};

pub(super) const LINT: Lint =
    warning("mmc::lint::frozen_rank", "a rank holds frozen modules alone", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let plan = subject.plan;
    let Some(freeze) = &subject.experiment.freeze else { return Vec::new() };
    let is_frozen = |name: &String| plan.modules.get(name).is_some_and(|module| module.frozen);
    let still = plan
        .ranks
        .iter()
        .enumerate()
        .filter(|(_, rank)| !rank.lanes.is_empty() && rank.modules.iter().all(is_frozen));
    let names: Vec<String> = still.map(|(number, _)| number.to_string()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    vec![Found {
        message: format!(
            "{} without anything to train: {}",
            counted(names.len(), "rank"),
            listed(&names)
        ),
        label: "leaves them nothing",
        span: freeze.span,
        help: "take the tasks out whose modules are all frozen, or freeze less".into(),
    }]
}
