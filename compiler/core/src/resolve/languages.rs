//! `languages` lists and `language` blocks to languages with attributes and codes in other schemes.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::ast::ExprKind;
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::program::Program;
use super::read::Reader;
use super::section::{Known, Section};
use crate::ir::experiment::Language;
use crate::stdlib;
use crate::template::SCHEMES;

/// Words of the pair algebra, which no language, group or value may be called.
pub(crate) const RESERVED: &[&str] = &["all", "each", "self"];

const KNOWN: Known =
    Known { values: &["family", "name", "script"], blocks: &["aliases"], not_built: &[] };

/// All languages, by code.
pub(crate) fn resolve<'a>(
    program: &Program<'a>,
    reader: &mut Reader<'_, 'a>,
) -> BTreeMap<String, Language> {
    let mut languages: BTreeMap<String, Language> = BTreeMap::new();
    for code in &program.codes {
        let Some(first) = languages.get(&code.text) else {
            let language = known(&code.text, code.span);
            languages.insert(code.text.clone(), language);
            continue;
        };
        reader.report(ResolveError::Duplicate {
            what: "language".to_owned(),
            word: code.text.clone(),
            span: code.span,
            first: first.span,
            help: "name each language once".to_owned(),
        });
    }
    for declared in program.declared("language") {
        let code = declared.name;
        declared.section.check(&KNOWN, reader.diagnostics);
        let language =
            languages.entry(code.to_owned()).or_insert_with(|| known(code, declared.span));
        read(&declared.section, language, reader);
    }
    for language in languages.values() {
        let word = language.code.as_str();
        if RESERVED.contains(&word) || reader.scope.knows(word) {
            let help = if RESERVED.contains(&word) {
                "`all`, `each` and `self` are words of the pair algebra"
            } else {
                "a `let` or `param` has this name; rename that"
            };
            let (word, help) = (word.to_owned(), help.to_owned());
            reader.report(ResolveError::Reserved {
                word,
                what: "a language",
                span: language.span,
                help,
            });
        }
    }
    languages
}

fn read<'a>(section: &Section<'a>, language: &mut Language, reader: &mut Reader<'_, 'a>) {
    for field in KNOWN.values {
        let Some(value) = section.value(field) else { continue };
        let text = match &value.kind {
            ExprKind::Name(word) if *field != "name" => Some(word.clone()),
            _ => reader.text(value, field).map(|(text, _)| text.to_owned()),
        };
        if let Some(text) = text {
            language.attributes.insert((*field).to_owned(), text);
        }
    }
    let Some(aliases) = section.block("aliases") else { return };
    let known = Known { values: SCHEMES, blocks: &[], not_built: &[] };
    aliases.check(&known, reader.diagnostics);
    for scheme in SCHEMES {
        let Some((text, _)) = aliases.value(scheme).and_then(|value| reader.text(value, scheme))
        else {
            continue;
        };
        language.aliases.insert((*scheme).to_owned(), text.to_owned());
    }
}

/// A language with what the library knows of its code: ISO 639-1, ISO 639-3 or FLORES-200.
fn known(code: &str, span: Span) -> Language {
    let mut language = Language {
        code: code.to_owned(),
        attributes: BTreeMap::new(),
        aliases: BTreeMap::new(),
        span,
    };
    let Some(row) = stdlib::language(code) else { return language };
    let attributes = [("family", row.family), ("script", row.script), ("name", row.name)];
    for (key, value) in attributes {
        language.attributes.insert(key.to_owned(), value.to_owned());
    }
    let aliases =
        [("iso1", row.iso1), ("iso3", row.iso3), ("flores", row.flores), ("opus", row.iso1)];
    for (key, value) in aliases {
        if value != "-" {
            language.aliases.insert(key.to_owned(), value.to_owned());
        }
    }
    // OPUS falls back to ISO 639-3 where there is no two-letter code.
    language.aliases.entry("opus".to_owned()).or_insert_with(|| row.iso3.to_owned());
    language
}

/// Codes, for suggestions.
pub(crate) fn codes(languages: &BTreeMap<String, Language>) -> impl Iterator<Item = &str> + Clone {
    languages.keys().map(String::as_str)
}

/// Values of an attribute, for suggestions and sets.
pub(crate) fn attribute_values<'l>(
    languages: &'l BTreeMap<String, Language>,
    attribute: &str,
) -> BTreeSet<&'l str> {
    languages
        .values()
        .filter_map(|language| language.attributes.get(attribute))
        .map(String::as_str)
        .collect()
}
