//! The peak of the learning rate is far out of the usual.

use mmc_plan::{Optimizer, Schedule};
use mmc_syntax::source::Span;

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
    // Schedules that divide by the root of the width take a factor, not a peak.
    if matches!(training.value.schedule, Schedule::Noam { .. } | Schedule::Rsqrt { .. }) {
        return Vec::new();
    }
    let own = subject.experiment.optimizers.iter();
    let own = own.map(|(selector, optimizer)| (optimizer, "of these modules", selector.span));
    let all = std::iter::once((&training.value.optimizer, "of this training", training.span));
    all.chain(own).filter_map(unusual).collect()
}

fn unusual((optimizer, label, span): (&Optimizer, &'static str, Span)) -> Option<Found> {
    let (Optimizer::Adamw { lr, .. } | Optimizer::Adam { lr, .. }) = *optimizer else {
        return None;
    };
    (!USUAL.contains(&lr)).then(|| Found {
        message: format!("a learning rate of {lr} at its peak is far from what Adam is used with"),
        label,
        span,
        help: "usual peaks are 1e-4 to 1e-3".into(),
    })
}
