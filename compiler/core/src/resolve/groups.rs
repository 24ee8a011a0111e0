//! `groups` to groupings: language -> group.

use std::collections::BTreeMap;

use mmc_syntax::ast::ExprKind;

use super::error::ResolveError;
use super::languages::{RESERVED, codes};
use super::program::{GroupingEntry, Members, Program};
use super::read::Reader;
use super::section::{Field, Section};
use super::values::describe;
use crate::ir::experiment::{Grouping, Language};
use crate::suggest;

/// All groupings, in order of name.
pub(crate) fn resolve<'a>(
    program: &Program<'a>,
    languages: &BTreeMap<String, Language>,
    reader: &mut Reader<'_, 'a>,
) -> Vec<Grouping> {
    let mut groupings: Vec<Grouping> = Vec::new();
    for entry in &program.groupings {
        let (name, span) = entry.label.unwrap_or(("groups", entry.span));
        let group_of = match &entry.members {
            Members::Listed(section) => listed(section, languages, reader),
            Members::Derived(value) => {
                derived(entry, value, reader);
                BTreeMap::new()
            }
        };
        groupings.push(Grouping { name: name.to_owned(), group_of, span });
    }
    groupings.sort_by(|a, b| a.name.cmp(&b.name));
    groupings
}

fn derived(entry: &GroupingEntry<'_>, value: &mmc_syntax::ast::Expr, reader: &mut Reader<'_, '_>) {
    if let ExprKind::Call { callee, .. } = &value.kind {
        let help = Some("list the groups: `groups { slavic = [cs, pl] }`".to_owned());
        let construct = format!("`groups = {}(...)`", describe(callee).replace('`', ""));
        reader.report(ResolveError::NotBuilt { construct, span: value.span, help });
    } else {
        reader.report(ResolveError::WrongType {
            field: entry.label.map_or("groups", |(word, _)| word).to_owned(),
            expected: "groups".to_owned(),
            found: describe(value),
            span: value.span,
            help: Some("write `groups { slavic = [cs, pl] }`".to_owned()),
        });
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
