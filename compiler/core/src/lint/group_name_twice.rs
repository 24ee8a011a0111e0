//! Two groupings call different sets of languages alike.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Lint, Subject, warning};
use crate::ir::experiment::Grouping;

pub(super) const LINT: Lint = warning(
    "mmc::lint::group_name_twice",
    "two groupings call different sets of languages alike",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let mut known: BTreeMap<&str, (&Grouping, BTreeSet<&str>)> = BTreeMap::new();
    let mut found = Vec::new();
    // Clusters are numbered; that two clusterings have a `group0` each means nothing.
    let named = subject.experiment.groupings.iter().filter(|known| known.clustering.is_none());
    for grouping in named {
        for (group, members) in groups(grouping) {
            match known.get(group) {
                Some((other, languages)) if *languages != members => found.push(Found {
                    message: format!(
                        "group `{group}` is {} in `{}` and {} in `{}`",
                        words(languages),
                        other.name,
                        words(&members),
                        grouping.name
                    ),
                    label: "one of the two",
                    span: grouping.span,
                    help: "`GROUP` and the pair algebra tell them apart by the grouping, readers do not: give one another name".into(),
                }),
                Some(_) => {}
                None => drop(known.insert(group, (grouping, members))),
            }
        }
    }
    found
}

fn groups(grouping: &Grouping) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (language, group) in &grouping.group_of {
        groups.entry(group).or_default().insert(language);
    }
    groups
}

fn words(languages: &BTreeSet<&str>) -> String {
    super::listed(&languages.iter().copied().collect::<Vec<_>>())
}
