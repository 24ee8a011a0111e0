//! `languages` lists and `language` blocks to languages with attributes and codes in other schemes.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::program::Program;
use super::read::Reader;
use super::section::{Field, Known, Section};
use crate::ir::experiment::Language;
use crate::languages as registry;
use crate::suggest;
use crate::template::SCHEMES;

/// Words of the pair algebra, which no language, group or value may be called.
pub const RESERVED: &[&str] = &["all", "each", "self"];

/// Attributes that every language may have; others stand in its block `attributes`.
pub(crate) const ATTRIBUTES: &[&str] = &["family", "name", "script"];

const KNOWN: Known =
    Known { values: ATTRIBUTES, blocks: &["aliases", "attributes"], not_built: &[] };

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
        let Some((text, span)) = section.value(field).and_then(|value| word(value, field, reader))
        else {
            continue;
        };
        let value = match *field {
            // A family of the registry brings the path down to it.
            "family" => registry::family(&text).map_or(text, str::to_owned),
            "script" if !is_script(&text) => {
                let help = suggest::help(
                    &text,
                    registry::scripts(),
                    "scripts are codes of ISO 15924: `Latn`, `Cyrl`, `Arab`",
                );
                reader.report(ResolveError::UnknownName { kind: "script", word: text, span, help });
                continue;
            }
            _ => text,
        };
        if value.is_empty() {
            // What the registry says is wrong here, and nothing takes its place.
            language.attributes.remove(*field);
        } else {
            language.attributes.insert((*field).to_owned(), value);
        }
    }
    if let Some(own) = section.block("attributes") {
        own_attributes(own, language, reader);
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

/// A word, or text in quotes.
fn word<'a>(value: &'a Expr, field: &str, reader: &mut Reader<'_, 'a>) -> Option<(String, Span)> {
    match &value.kind {
        ExprKind::Name(word) if field != "name" => Some((word.clone(), value.span)),
        _ => reader.text(value, field).map(|(text, span)| (text.to_owned(), span)),
    }
}

/// `attributes { region = north  status = "endangered" }`.
fn own_attributes<'a>(section: &Section<'a>, language: &mut Language, reader: &mut Reader<'_, 'a>) {
    for (name, span, field) in section.fields() {
        if ATTRIBUTES.contains(&name) {
            let help = format!("write `{name}` beside `attributes`, not in it");
            let what = "an attribute of one's own";
            reader.report(ResolveError::Reserved { word: name.to_owned(), what, span, help });
            continue;
        }
        let text = match field {
            Field::Value(value) => word(value, name, reader),
            Field::Block(_) => {
                let (field, found) = (name.to_owned(), "a block".to_owned());
                let expected = "a word".to_owned();
                reader.report(ResolveError::WrongType { field, expected, found, span, help: None });
                None
            }
        };
        if let Some((text, _)) = text {
            language.attributes.insert(name.to_owned(), text);
        }
    }
}

/// Four letters, the first a capital: scripts that the registry does not list exist.
fn is_script(code: &str) -> bool {
    code.len() == 4
        && code.bytes().enumerate().all(|(at, byte)| {
            if at == 0 { byte.is_ascii_uppercase() } else { byte.is_ascii_lowercase() }
        })
}

/// A language with what the registry knows of its code.
fn known(code: &str, span: Span) -> Language {
    let mut language = Language {
        code: code.to_owned(),
        attributes: BTreeMap::new(),
        aliases: BTreeMap::new(),
        span,
    };
    let Some(meaning) = registry::meaning(code) else { return language };
    let row = meaning.row;
    let script = meaning.script.or(row.scripts.first().copied());
    let attributes = [("family", Some(row.family)), ("script", script), ("name", Some(row.name))];
    for (key, value) in attributes {
        language.attributes.extend(value.map(|value| (key.to_owned(), value.to_owned())));
    }
    // A corpus that calls a language by its macro-language's code does so in file names, too.
    let iso3 = meaning.macro_code.filter(|written| *written == code).unwrap_or(row.iso3);
    let flores =
        script.and_then(|script| row.flores.iter().copied().find(|code| code.ends_with(script)));
    let aliases = [
        ("iso1", row.iso1),
        ("iso3", Some(iso3)),
        ("macro", row.macro_language.or(Some(row.iso3))),
        ("flores", flores),
        ("opus", Some(row.opus)),
    ];
    for (key, value) in aliases {
        language.aliases.extend(value.map(|value| (key.to_owned(), value.to_owned())));
    }
    language
}

/// Codes, for suggestions.
pub(crate) fn codes(languages: &BTreeMap<String, Language>) -> impl Iterator<Item = &str> + Clone {
    languages.keys().map(String::as_str)
}

/// The attributes that some language has: the common ones first, then users' own.
pub(crate) fn attributes(languages: &BTreeMap<String, Language>) -> Vec<&str> {
    let names = languages.values().flat_map(|language| language.attributes.keys());
    let own: BTreeSet<&str> =
        names.map(String::as_str).filter(|name| !ATTRIBUTES.contains(name)).collect();
    ATTRIBUTES.iter().copied().chain(own).collect()
}

/// Values of an attribute, for suggestions and sets.
pub(crate) fn attribute_values<'l>(
    languages: &'l BTreeMap<String, Language>,
    attribute: &str,
) -> BTreeSet<&'l str> {
    languages.values().flat_map(|language| language.values(attribute)).collect()
}
