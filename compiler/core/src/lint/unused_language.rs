//! A language is in no task.

use super::{Found, Lint, Subject, warning};

pub(super) const LINT: Lint =
    warning("mmc::lint::unused_language", "a language is in no task", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let silent = subject.experiment.languages.iter();
    silent
        .filter(|language| !subject.plan.languages.contains_key(&language.code))
        .map(|language| Found {
            message: format!("no task has language `{}`", language.code),
            label: "in no direction with text",
            span: language.span,
            help: "add directions with it, or remove it".into(),
        })
        .collect()
}
