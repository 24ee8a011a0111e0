//! Declarations that nothing uses.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Subject};

pub(super) fn unused_corpus(subject: &Subject<'_>) -> Vec<Found> {
    let used: BTreeSet<usize> =
        subject.experiment.task_blocks.iter().map(|block| block.corpus.value).collect();
    let corpora = subject.experiment.corpora.iter().enumerate();
    corpora
        .filter(|(at, _)| !used.contains(at))
        .map(|(_, corpus)| Found {
            message: format!("no task reads corpus `{}`", corpus.name),
            label: "never read",
            span: corpus.span,
            help: "name it in a `tasks` block, or remove it",
        })
        .collect()
}

pub(super) fn unused_tokenizer(subject: &Subject<'_>) -> Vec<Found> {
    let used: BTreeSet<usize> =
        subject.experiment.task_blocks.iter().map(|block| block.tokenizer.value).collect();
    let tokenizers = subject.experiment.tokenizers.iter().enumerate();
    tokenizers
        .filter(|(at, _)| !used.contains(at))
        .map(|(_, tokenizer)| Found {
            message: format!("no task uses tokenizer `{}`", tokenizer.name),
            label: "never used",
            span: tokenizer.span,
            help: "name it among the `transforms` of a `tasks` block, or remove it",
        })
        .collect()
}

pub(super) fn unused_group(subject: &Subject<'_>) -> Vec<Found> {
    let spoken: BTreeSet<&str> = subject
        .table
        .tasks
        .iter()
        .flat_map(|task| [task.source.as_str(), task.target.as_str()])
        .collect();
    let mut found = Vec::new();
    for grouping in &subject.experiment.groupings {
        let mut groups: BTreeMap<&str, bool> = BTreeMap::new();
        for (language, group) in &grouping.group_of {
            *groups.entry(group).or_default() |= spoken.contains(language.as_str());
        }
        for (group, _) in groups.into_iter().filter(|(_, used)| !used) {
            found.push(Found {
                message: format!("no language of group `{group}` is in a task"),
                label: "in these groups",
                span: grouping.span,
                help: "add directions of its languages, or remove it",
            });
        }
    }
    found
}
