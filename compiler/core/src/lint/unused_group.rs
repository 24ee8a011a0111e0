//! No language of a group is in a task.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Lint, Subject, warning};

pub(super) const LINT: Lint =
    warning("mmc::lint::unused_group", "no language of a group is in a task", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
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
                help: "add directions of its languages, or remove it".into(),
            });
        }
    }
    found
}
