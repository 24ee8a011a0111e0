//! `groups` to groupings: language -> group.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::ast::ExprKind;

use mmc_syntax::source::Span;

use super::derived::{Derived, Ground, derived};
use super::error::ResolveError;
use super::languages::{RESERVED, attributes, codes};
use super::program::{GroupingEntry, Members, Program};
use super::read::{Reader, arguments, head};
use super::section::{Field, Section};
use crate::ir::experiment::{Grouping, Language};
use crate::suggest;

/// Groupings that may be called like an attribute: those by it.
const BY: &str = "by";

/// All groupings, in order of name.
pub(crate) fn resolve<'a>(
    program: &Program<'a>,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Vec<Grouping> {
    let mut groupings: Vec<Grouping> = Vec::new();
    for entry in &program.groupings {
        let (name, span) = entry.label.unwrap_or(("groups", entry.span));
        check_name(name, span, entry, ground, reader);
        let found = match &entry.members {
            Members::Listed(section) => {
                let group_of = listed(section, ground.languages, reader);
                Derived { group_of, clustering: None }
            }
            Members::Derived(value) => {
                let found = derived(name, value, ground, reader).unwrap_or_default();
                check_groups(&found, span, ground, reader);
                found
            }
        };
        let Derived { group_of, clustering } = found;
        groupings.push(Grouping { name: name.to_owned(), group_of, clustering, span });
    }
    groupings.sort_by(|a, b| a.name.cmp(&b.name));
    groupings
}

/// `family.slavic` is a family: a grouping of that name must be the one by families.
fn check_name<'a>(
    name: &str,
    span: Span,
    entry: &GroupingEntry<'a>,
    ground: Ground<'_>,
    reader: &mut Reader<'_, 'a>,
) {
    let is_by_it = matches!(&entry.members, Members::Derived(value)
    if head(value).is_some_and(|(word, _)| word == BY)
        && arguments(value).first().is_some_and(|argument| {
            matches!(&argument.value.kind, ExprKind::Name(word) if word == name)
        }));
    if attributes(ground.languages).contains(&name) && !is_by_it {
        let help =
            format!("`{name}.x` stands for the languages whose {name} is `x`: choose another name");
        let word = name.to_owned();
        reader.report(ResolveError::Reserved { word, what: "a grouping", span, help });
    }
}

/// Groups that were found are called neither like a language nor like a value.
fn check_groups(found: &Derived, span: Span, ground: Ground<'_>, reader: &mut Reader<'_, '_>) {
    let groups: BTreeSet<&String> = found.group_of.values().collect();
    for group in groups {
        if RESERVED.contains(&group.as_str())
            || ground.languages.contains_key(group)
            || reader.scope.knows(group)
        {
            let help =
                "a language, a `let` or a `param` has this name; rename that, or list the groups";
            let (word, help) = (group.clone(), help.to_owned());
            reader.report(ResolveError::Reserved { word, what: "a group", span, help });
        }
    }
}

fn listed<'a>(
    section: &Section<'a>,
    languages: &BTreeMap<String, Language>,
    reader: &mut Reader<'_, 'a>,
) -> BTreeMap<String, String> {
    let mut group_of: BTreeMap<String, String> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (group, span, field) in section.fields() {
        if RESERVED.contains(&group) || languages.contains_key(group) || reader.scope.knows(group) {
            let help = "a group needs a name of its own: no language, `let`, `param` or word of the pair algebra";
            let (word, help) = (group.to_owned(), help.to_owned());
            reader.report(ResolveError::Reserved { word, what: "a group", span, help });
        }
        let Field::Value(value) = field else {
            reader.report(ResolveError::WrongType {
                field: group.to_owned(),
                expected: "a list of languages".to_owned(),
                found: "a block".to_owned(),
                span,
                help: Some(format!("write `{group} = [cs, pl]`")),
            });
            continue;
        };
        let Some(value) = reader.follow(value) else { continue };
        let ExprKind::List(members) = &value.kind else {
            reader.wrong_type(group, "a list of languages", value);
            continue;
        };
        for member in members {
            let ExprKind::Name(code) = &member.kind else {
                reader.wrong_type(group, "languages", member);
                continue;
            };
            if !languages.contains_key(code) {
                reader.report(ResolveError::UnknownLanguage {
                    word: code.clone(),
                    span: member.span,
                    help: suggest::help(code, codes(languages), "declare it: `languages ...`"),
                });
            } else if let Some(first) = places.insert(code.as_str(), member.span) {
                reader.report(ResolveError::Duplicate {
                    what: "group member".to_owned(),
                    word: code.clone(),
                    span: member.span,
                    first,
                    help: "a language is in one group of a grouping; a second grouping has a name: `groups typology { ... }`".to_owned(),
                });
            } else {
                group_of.insert(code.clone(), group.to_owned());
            }
        }
    }
    group_of
}
