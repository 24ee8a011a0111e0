//! The learning rate never reaches its peak.

use mmc_plan::Schedule;

use super::{Found, Lint, Subject, warning};

pub(super) const LINT: Lint = warning(
    "mmc::lint::warmup_longer_than_training",
    "the learning rate never reaches its peak",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let training = &subject.experiment.training;
    let warmup = match training.value.schedule {
        Schedule::InverseSqrt { warmup }
        | Schedule::Linear { warmup, .. }
        | Schedule::Cosine { warmup, .. }
        | Schedule::Noam { warmup }
        | Schedule::Rsqrt { warmup } => warmup,
        Schedule::Constant | Schedule::Decay { .. } => return Vec::new(),
    };
    let steps = training.value.steps;
    if warmup < steps {
        return Vec::new();
    }
    vec![Found {
        message: format!(
            "a warm-up of {warmup} steps is not over when training ends after {steps}"
        ),
        label: "of this training",
        span: training.span,
        help: "shorten `warmup` to a tenth of `steps` or less, or train longer".into(),
    }]
}
