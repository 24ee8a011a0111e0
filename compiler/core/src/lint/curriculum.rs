//! Steps, shares and devices that do not fit each other.

use mmc_plan::Schedule;

use super::{Found, Subject, counted, listed};
use crate::ir::task::SHARE_PARTS;

/// Pieces of a line, assumed where nothing is known: sentences of newspapers and parliaments have 20 to 30.
const TOKENS_PER_LINE: u128 = 25;
/// Times that a corpus may be read.
const MOST_EPOCHS: u128 = 100;

pub(super) fn idle_rank(subject: &Subject<'_>) -> Vec<Found> {
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
        help: "book fewer devices, or raise `lanes` in `training` to a multiple of them",
    }]
}

pub(super) fn warmup_longer_than_training(subject: &Subject<'_>) -> Vec<Found> {
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
        help: "shorten `warmup` to a tenth of `steps` or less, or train longer",
    }]
}

pub(super) fn unsampled_task(subject: &Subject<'_>) -> Vec<Found> {
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
        help: "flatten the weights (a smaller temperature), train longer, or take the directions out",
    }]
}

pub(super) fn corpus_repeated(subject: &Subject<'_>) -> Vec<Found> {
    let training = &subject.plan.training;
    let tokens = u128::from(training.steps)
        * u128::from(training.accumulate)
        * u128::from(training.batch_tokens)
        * subject.plan.lanes.len() as u128;
    let mut repeated: Vec<(u128, &str)> = subject
        .table
        .tasks
        .iter()
        .map(|task| {
            let lines = u128::from(task.corpus.train.lines.max(1)) * u128::from(SHARE_PARTS);
            (tokens * u128::from(task.share) / (lines * TOKENS_PER_LINE), task.name.as_str())
        })
        .filter(|(epochs, _)| *epochs > MOST_EPOCHS)
        .collect();
    repeated.sort_by(|a, b| b.cmp(a));
    let Some((most, _)) = repeated.first() else { return Vec::new() };
    let names: Vec<&str> = repeated.iter().map(|(_, name)| *name).collect();
    vec![Found {
        message: format!(
            "text of {} read up to about {most} times: {}",
            counted(names.len(), "task"),
            listed(&names)
        ),
        label: "by this training",
        span: subject.experiment.training.span,
        help: "train shorter, or give small corpora less weight (a larger temperature)",
    }]
}
