//! Reads values of a configuration and collects what is written and what is wrong.

use std::collections::BTreeMap;

use mmc_core::suggest;
use mmc_syntax::{SourceId, Span};

use super::Imported;
use super::error::ImportError;
use super::writer::Writer;
use crate::yaml::{Id, Tree, Value};

/// Everything that the parts of the import share.
pub(super) struct Reader<'a> {
    pub(super) tree: &'a Tree,
    source: SourceId,
    text: &'a str,
    pub(super) out: Writer,
    faults: Vec<ImportError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(tree: &'a Tree, source: SourceId, text: &'a str) -> Self {
        Self { tree, source, text, out: Writer::default(), faults: Vec::new() }
    }

    pub(super) fn finish(self) -> Imported {
        Imported { text: self.out.text, origins: self.out.origins, faults: self.faults }
    }

    /// A value at the top.
    pub(super) fn top(&self, key: &str) -> Option<Id> {
        self.tree.get(self.tree.root(), key)
    }

    /// The place of a key at the top, or the beginning.
    pub(super) fn place(&self, key: &str) -> Span {
        self.tree.entry(self.tree.root(), key).map_or_else(
            || Span::new(self.source.start(), self.source.start()),
            |(key, _)| self.tree.span(key),
        )
    }

    /// A scalar as it stands in the file: what a person meant by `no` or `1e-4`.
    pub(super) fn word(&self, id: Id) -> String {
        if let Some(text) = self.tree.text(id) {
            return text.to_owned();
        }
        let span = self.tree.span(id);
        let at = |place: u32| (place.saturating_sub(self.source.start())) as usize;
        self.text.get(at(span.start)..at(span.end)).unwrap_or_default().trim().to_owned()
    }

    /// A number; `1e-4` too, which YAML 1.1 takes for a text.
    pub(super) fn number(&mut self, key: &str, id: Id) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "numbers of configurations are small")]
        let found = match self.tree.value(id) {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            Value::Text(text) => text.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Time(_) | Value::List(_) | Value::Map(_) => None,
        };
        if found.is_none_or(|number| !number.is_finite()) {
            self.wrong(key, "a number", id);
            return None;
        }
        found
    }

    /// A number at the top, as it is written in an experiment.
    pub(super) fn top_number(&mut self, key: &str) -> Option<f64> {
        let id = self.top(key)?;
        if *self.tree.value(id) == Value::Null {
            return None;
        }
        self.number(key, id)
    }

    /// Whether a switch is on; a missing one is off.
    pub(super) fn is_on(&self, map: Id, key: &str) -> bool {
        self.tree.get(map, key).is_some_and(|id| self.tree.value(id).is_truthy())
    }

    /// The items of a list; a scalar is a list of one.
    pub(super) fn items(&self, id: Id) -> Vec<Id> {
        match self.tree.value(id) {
            Value::List(items) => items.clone(),
            Value::Null => Vec::new(),
            Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Time(_)
            | Value::Text(_)
            | Value::Map(_) => vec![id],
        }
    }

    /// A map's entries; reports when it is none.
    pub(super) fn map(&mut self, key: &str, id: Id) -> Vec<(Id, Id)> {
        match self.tree.value(id) {
            Value::Map(entries) => entries.clone(),
            Value::Null => Vec::new(),
            Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Time(_)
            | Value::Text(_)
            | Value::List(_) => {
                self.wrong(key, "a mapping", id);
                Vec::new()
            }
        }
    }

    /// The languages of a vocabulary mapping, with their places, in order.
    pub(super) fn codes(&mut self, key: &'static str) -> BTreeMap<String, Span> {
        let Some(id) = self.top(key) else {
            let start = Span::new(self.source.start(), self.source.start());
            self.missing(key, start, "it names the languages: `src_vocab: {de: de.vocab}`");
            return BTreeMap::new();
        };
        let mut codes = BTreeMap::new();
        for (code, _) in self.map(key, id) {
            let word = self.word(code);
            let span = self.tree.span(code);
            if is_name(&word) {
                codes.insert(word, span);
            } else {
                self.wrong(key, "codes that begin with a letter and hold letters, digits, `_` and single hyphens", code);
            }
        }
        codes
    }

    pub(super) fn wrong(&mut self, key: &str, expected: &'static str, id: Id) {
        let value = self.tree.value(id);
        let found = if matches!(value, Value::Text(_) | Value::Int(_) | Value::Float(_)) {
            format!("`{}`", self.word(id))
        } else {
            value.kind().to_owned()
        };
        let (key, span) = (key.to_owned(), self.tree.span(id));
        let help = "correct the value, or leave the key out for its default".to_owned();
        self.faults.push(ImportError::WrongValue { key, expected, found, span, help });
    }

    pub(super) fn missing(&mut self, key: &'static str, span: Span, help: &str) {
        self.faults.push(ImportError::MissingKey { key, span, help: help.to_owned() });
    }

    pub(super) fn no_equal(&mut self, what: String, span: Span, help: &str) {
        self.faults.push(ImportError::NoEqual { what, span, help: help.to_owned() });
    }

    /// Reports the keys of a mapping that nobody knows.
    pub(super) fn check_keys(&mut self, map: Id, known: &[&[&str]], place: &str) {
        for (key, _) in self.tree.entries(map).to_vec() {
            let word = self.word(key);
            if known.iter().any(|keys| keys.contains(&word.as_str())) {
                continue;
            }
            let all = known.iter().flat_map(|keys| keys.iter().copied());
            let help = suggest::help(&word, all, "delete it, or correct its name");
            let (key, span) = (format!("{place}{word}"), self.tree.span(key));
            self.faults.push(ImportError::UnknownKey { key, span, help });
        }
    }
}

/// Whether a word can be a name in an experiment.
pub(super) fn is_name(word: &str) -> bool {
    let starts = word.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_');
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    starts && word.chars().all(fits) && !word.ends_with('-') && !word.contains("--")
}

/// A name made of any text: what can't stand in it becomes `_`.
pub(super) fn named(text: &str) -> String {
    let name: String =
        text.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if is_name(&name) { name } else { format!("g_{name}") }
}
