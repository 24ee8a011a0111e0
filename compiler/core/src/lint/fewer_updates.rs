//! Aligned lanes update modules less often, and no learning rate makes up for it.

use mmc_plan::Coupling;

use super::{Found, Lint, Subject, note};

/// Least saving of what is synchronised, in percent, at which updates are noticeably fewer.
const LEAST: u64 = 10;

pub(super) const LINT: Lint = note(
    "mmc::lint::fewer_updates",
    "aligned lanes update modules less often, and no learning rate makes up for it",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let curriculum = &subject.experiment.curriculum;
    let is_aligned = curriculum.value.schedule == Coupling::Aligned;
    let lr_scale = subject.experiment.training.value.lr_scale;
    let Some(bytes) = subject.plan.synchronised else { return Vec::new() };
    let saved = bytes.independent.saturating_sub(bytes.aligned).saturating_mul(100);
    let saved = saved.checked_div(bytes.independent).unwrap_or(0);
    if !is_aligned || saved < LEAST || !lr_scale.is_none() {
        return Vec::new();
    }
    vec![Found {
        message: format!(
            "aligned lanes synchronise {saved} % less: their modules are updated less often, with more text at a time"
        ),
        label: "lanes agree on tasks",
        span: curriculum.span,
        help: "let learning rates go by the lanes of an update, with `lr` that of one lane: `lr_scale = linear`, or `sqrt`".into(),
    }]
}
