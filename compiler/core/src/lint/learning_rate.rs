//! The peak of the learning rate is far out of the usual.

use mmc_plan::{Optimizer, Schedule};
use mmc_syntax::source::Span;

use super::{Found, Lint, Subject, warning};

/// Peaks of Adam that are known to work on Transformers lie within these.
const USUAL: std::ops::RangeInclusive<f64> = 1e-6..=1e-2;

/// Millionths of a millionth are told.
const DIGITS: f64 = 1e12;

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
    // Of a module that all lanes train, and of one that a lane trains.
    let lanes = u32::try_from(subject.plan.lanes.len()).unwrap_or(u32::MAX);
    let factors = [training.value.lr_scale.factor(lanes), 1.0];
    all.chain(own).filter_map(|found| unusual(found, factors)).collect()
}

fn unusual(
    (optimizer, label, span): (&Optimizer, &'static str, Span),
    factors: [f64; 2],
) -> Option<Found> {
    let (Optimizer::Adamw { lr, .. } | Optimizer::Adam { lr, .. }) = *optimizer else {
        return None;
    };
    let peaks = factors.map(|factor| libm::round(lr * factor * DIGITS) / DIGITS);
    let peak = peaks.into_iter().find(|peak| !USUAL.contains(peak))?;
    Some(Found {
        message: format!(
            "a learning rate of {peak} at its peak is far from what Adam is used with"
        ),
        label,
        span,
        help: if peak > lr {
            "it is that of a module which all lanes train; usual peaks are 1e-4 to 1e-3".into()
        } else {
            "usual peaks are 1e-4 to 1e-3".into()
        },
    })
}
