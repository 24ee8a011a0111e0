//! A group is called like a language's code.

use std::collections::BTreeSet;

use super::{Found, Lint, Subject, warning};
use crate::languages;

pub(super) const LINT: Lint = warning(
    "mmc::lint::group_named_like_language",
    "a group is called like a language's code",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for grouping in &subject.experiment.groupings {
        let groups: BTreeSet<&String> = grouping.group_of.values().collect();
        for group in groups {
            let Some(meaning) = languages::meaning(group) else { continue };
            found.push(Found {
                message: format!("group `{group}` is called like the code of {}", meaning.row.name),
                label: "in these groups",
                span: grouping.span,
                help: "readers of module names will take it for the language: give it another name"
                    .into(),
            });
        }
    }
    found
}
