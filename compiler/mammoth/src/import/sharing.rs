//! Patterns of sharing from the ids of all tasks: what `FULL`, `SRC_GROUP` and the others give for every one of them.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::named;

/// Words that name sets of languages in every experiment.
const RESERVED: &[&str] = &["all", "each", "self"];

/// One shared id of every task: a stack, or an adapter.
#[derive(Debug)]
pub(super) struct Column<'t> {
    /// Source, target, id.
    pub(super) rows: Vec<(&'t str, &'t str, &'t str)>,
}

/// Groupings that the patterns need: the first has no name.
#[derive(Debug, Default)]
pub(super) struct Groupings {
    /// Of each: language -> MAMMOTH's name of its group.
    all: Vec<BTreeMap<String, String>>,
}

impl Groupings {
    /// The groupings with names and members, as they are declared.
    pub(super) fn declared(&self, codes: &BTreeSet<&str>) -> Vec<(String, Grouped)> {
        let mut declared = Vec::new();
        for (at, grouping) in self.all.iter().enumerate() {
            declared.push((name(at), grouped(grouping, codes)));
        }
        declared
    }

    /// A grouping in which a map from languages to groups fits.
    fn holding(&mut self, wanted: &BTreeMap<&str, &str>) -> usize {
        let fits = |grouping: &BTreeMap<String, String>| {
            wanted
                .iter()
                .all(|(language, group)| grouping.get(*language).is_none_or(|known| known == group))
        };
        let at = self.all.iter().position(fits).unwrap_or(self.all.len());
        if at == self.all.len() {
            self.all.push(BTreeMap::new());
        }
        if let Some(grouping) = self.all.get_mut(at) {
            let owned =
                |(language, group): (&&str, &&str)| ((*language).to_owned(), (*group).to_owned());
            grouping.extend(wanted.iter().map(owned));
        }
        at
    }
}

fn name(at: usize) -> String {
    if at == 0 { String::new() } else { format!("grouping{}", at + 1) }
}

/// Groups of languages.
#[derive(Debug)]
pub(super) struct Grouped {
    /// Groups with their members.
    pub(super) groups: BTreeMap<String, Vec<String>>,
    /// Groups that MAMMOTH calls otherwise, with that name.
    pub(super) renamed: BTreeMap<String, String>,
}

/// Groups with their members; names that are taken get numbers.
pub(super) fn grouped(group_of: &BTreeMap<String, String>, codes: &BTreeSet<&str>) -> Grouped {
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let mut taken: BTreeSet<String> = RESERVED.iter().map(|word| (*word).to_owned()).collect();
    taken.extend(codes.iter().map(|code| (*code).to_owned()));
    for group in group_of.values() {
        if !names.contains_key(group.as_str()) {
            let plain = named(group);
            let is_code = taken.contains(&plain) && !names.values().any(|name| *name == plain);
            let plain = if is_code { format!("{plain}_group") } else { plain };
            let numbered = (2..).map(|number| format!("{plain}_{number}"));
            let mut free = std::iter::once(plain.clone()).chain(numbered);
            let free = free.find(|name| !taken.contains(name)).unwrap_or(plain);
            taken.insert(free.clone());
            names.insert(group, free);
        }
    }
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (language, group) in group_of {
        let name = names.get(group.as_str()).cloned().unwrap_or_default();
        groups.entry(name).or_default().push(language.clone());
    }
    let renamed = names.into_iter().filter(|(other, name)| *other != name.as_str());
    let renamed = renamed.map(|(other, name)| (name, other.to_owned())).collect();
    Grouped { groups, renamed }
}

/// The pattern that gives all ids; none: no pattern does.
pub(super) fn pattern(column: &Column<'_>, groupings: &mut Groupings) -> Option<String> {
    type Rule = fn(&(&str, &str, &str)) -> bool;
    let plain: [(&str, Rule); 3] = [
        ("FULL", |(_, _, id)| *id == "full"),
        ("SRC_LANGUAGE", |(source, _, id)| source == id),
        ("TGT_LANGUAGE", |(_, target, id)| target == id),
    ];
    if let Some((word, _)) = plain.iter().find(|(_, rule)| column.rows.iter().all(rule)) {
        return Some((*word).to_owned());
    }
    let source = column.rows.iter().map(|(source, _, id)| (*source, *id));
    let target = column.rows.iter().map(|(_, target, id)| (*target, *id));
    for (word, found) in [("SRC_GROUP", function(source)), ("TGT_GROUP", function(target))] {
        if let Some(group_of) = found {
            let at = groupings.holding(&group_of);
            return Some(if at == 0 { word.to_owned() } else { format!("{word}({})", name(at)) });
        }
    }
    let directions = column.rows.iter().map(|(source, target, id)| ((*source, *target), *id));
    let pairs = column
        .rows
        .iter()
        .map(|(source, target, id)| ((*source.min(target), *source.max(target)), *id));
    if is_one_to_one(pairs) {
        return Some("PAIR".to_owned());
    }
    is_one_to_one(directions).then(|| "TASK".to_owned())
}

/// A map, when every key has one value.
fn function<'k>(
    rows: impl Iterator<Item = (&'k str, &'k str)>,
) -> Option<BTreeMap<&'k str, &'k str>> {
    let mut found = BTreeMap::new();
    for (key, value) in rows {
        if *found.entry(key).or_insert(value) != value {
            return None;
        }
    }
    Some(found)
}

/// Whether every key has one value of its own.
fn is_one_to_one<'k, K: Ord>(rows: impl Iterator<Item = (K, &'k str)>) -> bool {
    let mut found: BTreeMap<K, &str> = BTreeMap::new();
    for (key, value) in rows {
        if *found.entry(key).or_insert(value) != value {
            return false;
        }
    }
    let values: BTreeSet<&str> = found.values().copied().collect();
    values.len() == found.len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Column, Grouped, Groupings, pattern};

    fn of(rows: &[&str], groupings: &mut Groupings) -> Option<String> {
        let rows = rows.iter().filter_map(|row| {
            let mut words = row.split(' ');
            Some((words.next()?, words.next()?, words.next()?))
        });
        pattern(&Column { rows: rows.collect() }, groupings)
    }

    #[test]
    fn ids_follow_from_patterns() {
        let mut none = Groupings::default();
        assert_eq!(of(&["de en full", "en fi full"], &mut none).as_deref(), Some("FULL"));
        assert_eq!(of(&["de en de", "en fi en"], &mut none).as_deref(), Some("SRC_LANGUAGE"));
        assert_eq!(of(&["de en en", "en fi fi"], &mut none).as_deref(), Some("TGT_LANGUAGE"));
        let tasks = ["de en x", "en de y", "de fi z", "fi de u", "en fi v"];
        assert_eq!(of(&tasks, &mut none).as_deref(), Some("TASK"));
        let pairs = ["de en x", "en de x", "de fi z", "fi de z", "en fi v"];
        assert_eq!(of(&pairs, &mut none).as_deref(), Some("PAIR"));
        assert_eq!(of(&["de en x", "en de x", "de fi z", "fi en z"], &mut none), None);
        assert!(none.declared(&BTreeSet::new()).is_empty());
    }

    #[test]
    fn groups_that_contradict_each_other_are_two_groupings() {
        let mut groupings = Groupings::default();
        let first = ["de en west", "en fi west", "fi de no.rth"];
        assert_eq!(of(&first, &mut groupings).as_deref(), Some("SRC_GROUP"));
        let same = ["de en west", "de fi no.rth", "fi en west"];
        assert_eq!(of(&same, &mut groupings).as_deref(), Some("TGT_GROUP"));
        let other = ["de en a", "en fi b", "fi de a", "en de b"];
        assert_eq!(of(&other, &mut groupings).as_deref(), Some("SRC_GROUP(grouping2)"));
        let declared = groupings.declared(&["west"].into());
        assert_eq!(declared.len(), 2);
        let (name, Grouped { groups, renamed }) = &declared[0];
        assert_eq!(renamed["no_rth"], "no.rth");
        assert_eq!(name, "");
        assert_eq!(groups["no_rth"], ["fi"]);
        assert_eq!(groups["west_group"], ["de", "en"]);
    }
}
