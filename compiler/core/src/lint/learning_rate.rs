//! The peak of the learning rate is far out of the usual.

use mmc_plan::{Optimizer, Schedule};

use super::{Found, Lint, Subject, warning};

/// Peaks of Adam that are known to work on Transformers lie within these.
const USUAL: std::ops::RangeInclusive<f64> = 1e-6..=1e-2;

pub(super) const LINT: Lint = warning(
    "mmc::lint::learning_rate",
    "the peak of the learning rate is far out of the usual",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let training = &subject.experiment.training;
    let (Optimizer::Adamw { lr, .. } | Optimizer::Adam { lr, .. }) = training.value.optimizer
    else {
        return Vec::new();
    };
    // Schedules that divide by the root of the width take a factor, not a peak.
    let is_factor =
        matches!(training.value.schedule, Schedule::Noam { .. } | Schedule::Rsqrt { .. });
    if USUAL.contains(&lr) || is_factor {
        return Vec::new();
    }
    vec![Found {
        message: format!("a learning rate of {lr} at its peak is far from what Adam is used with"),
        label: "of this training",
        span: training.span,
        help: "usual peaks are 1e-4 to 1e-3".into(),
    }]
}
