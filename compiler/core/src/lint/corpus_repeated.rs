//! A corpus is read more often than text can teach.

use super::corpus_worn_out;
use super::{Found, Lint, Subject, counted, listed, warning};
use crate::ir::task::SHARE_PARTS;

/// Times that a corpus may be read: beyond, more steps are better spent on more text (Muennighoff et al. 2023).
const MOST_EPOCHS: u128 = 16;

pub(super) const LINT: Lint =
    warning("mmc::lint::corpus_repeated", "a corpus is read more often than text can teach", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let is_repeated = |epochs: u128| epochs > MOST_EPOCHS && epochs <= corpus_worn_out::MOST_EPOCHS;
    let repeated = epochs(subject).filter(|(epochs, _)| is_repeated(*epochs));
    let help = "train shorter, or give small corpora less weight (a larger temperature)";
    finding(subject, repeated.collect(), help)
}

/// How often each task's text is read, predicted.
pub(super) fn epochs<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (u128, &'a str)> {
    let training = &subject.plan.training;
    let tokens = u128::from(training.steps)
        * u128::from(training.accumulate)
        * u128::from(training.batch_tokens)
        * subject.plan.lanes.len() as u128;
    let line_tokens = u128::from(subject.experiment.curriculum.value.line_tokens.max(1));
    let tasks = subject.table.tasks.iter();
    tasks.map(move |task| {
        let lines = u128::from(task.corpus.train.lines.max(1)) * u128::from(SHARE_PARTS);
        (tokens * u128::from(task.share) / (lines * line_tokens), task.name.as_str())
    })
}

/// One finding for all tasks whose text is read too often.
pub(super) fn finding(
    subject: &Subject<'_>,
    mut tasks: Vec<(u128, &str)>,
    help: &'static str,
) -> Vec<Found> {
    tasks.sort_by(|a, b| b.cmp(a));
    let Some((most, _)) = tasks.first() else { return Vec::new() };
    let names: Vec<&str> = tasks.iter().map(|(_, name)| *name).collect();
    vec![Found {
        message: format!(
            "text of {} read up to about {most} times: {}",
            counted(names.len(), "task"),
            listed(&names)
        ),
        label: "by this training",
        span: subject.experiment.training.span,
        help: help.into(),
    }]
}
