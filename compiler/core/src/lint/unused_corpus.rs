//! No task reads a corpus.

use std::collections::BTreeSet;

use super::{Found, Lint, Subject, warning};

pub(super) const LINT: Lint = warning("mmc::lint::unused_corpus", "no task reads a corpus", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let used: BTreeSet<usize> =
        subject.experiment.task_blocks.iter().map(|block| block.corpus.value).collect();
    let corpora = subject.experiment.corpora.iter().enumerate();
    corpora
        .filter(|(at, _)| !used.contains(at))
        .map(|(_, corpus)| Found {
            message: format!("no task reads corpus `{}`", corpus.name),
            label: "never read",
            span: corpus.span,
            help: "name it in a `tasks` block, or remove it".into(),
        })
        .collect()
}
