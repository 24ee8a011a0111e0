//! A language is in no task.

use std::collections::BTreeSet;

use super::{Found, Lint, Subject, warning};

pub(super) const LINT: Lint =
    warning("mmc::lint::unused_language", "a language is in no task", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let tasks = &subject.table.tasks;
    let spoken: BTreeSet<&str> =
        tasks.iter().flat_map(|task| [task.source.as_str(), task.target.as_str()]).collect();
    let silent = subject.experiment.languages.iter();
    silent
        .filter(|language| !spoken.contains(language.code.as_str()))
        .map(|language| Found {
            message: format!("no task has language `{}`", language.code),
            label: "in no direction with text",
            span: language.span,
            help: "add directions with it, or remove it".into(),
        })
        .collect()
}
