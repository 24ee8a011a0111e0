//! No language of a group is in a task.

use std::collections::BTreeMap;

use super::{Found, Lint, Subject, warning};

pub(super) const LINT: Lint =
    warning("mmc::lint::unused_group", "no language of a group is in a task", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let spoken = &subject.plan.languages;
    let mut found = Vec::new();
    for grouping in &subject.experiment.groupings {
        let mut groups: BTreeMap<&str, bool> = BTreeMap::new();
        for (language, group) in &grouping.group_of {
            *groups.entry(group).or_default() |= spoken.contains_key(language);
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
