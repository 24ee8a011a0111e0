//! No task uses a tokenizer.

use std::collections::BTreeSet;

use super::{Found, Lint, Subject, warning};

pub(super) const LINT: Lint =
    warning("mmc::lint::unused_tokenizer", "no task uses a tokenizer", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let used: BTreeSet<usize> =
        subject.experiment.task_blocks.iter().map(|block| block.tokenizer.value).collect();
    let tokenizers = subject.experiment.tokenizers.iter().enumerate();
    tokenizers
        .filter(|(at, _)| !used.contains(at))
        .map(|(_, tokenizer)| Found {
            message: format!("no task uses tokenizer `{}`", tokenizer.name),
            label: "never used",
            span: tokenizer.span,
            help: "name it among the `transforms` of a `tasks` block, or remove it".into(),
        })
        .collect()
}
