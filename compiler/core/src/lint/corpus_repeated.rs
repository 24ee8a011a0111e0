//! A corpus is read more often than text can teach.

use super::{Found, Lint, Subject, counted, listed, warning};
use crate::ir::task::SHARE_PARTS;

/// Times that a corpus may be read: beyond, more steps are better spent on more text (Muennighoff et al. 2023).
const MOST_EPOCHS: u128 = 16;

pub(super) const LINT: Lint =
    warning("mmc::lint::corpus_repeated", "a corpus is read more often than text can teach", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
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
            (
                tokens * u128::from(task.share)
                    / (lines * u128::from(subject.experiment.curriculum.value.line_tokens.max(1))),
                task.name.as_str(),
            )
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
        help: "train shorter, or give small corpora less weight (a larger temperature)".into(),
    }]
}
