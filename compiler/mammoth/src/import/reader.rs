//! Reads values of a configuration, and collects what is written, what is wrong, and which keys were read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use miette::LabeledSpan;
use mmc_core::diagnostics::Finding;
use mmc_core::resolve::RESERVED;
use mmc_core::template::is_table;
use mmc_syntax::{SourceId, Span};

use super::error::ImportError;
use super::kept::{self, Kept};
use super::keys::Section;
use super::writer::Writer;
use super::{Imported, remains};
use crate::warning::MammothWarning;
use crate::yaml::{Id, Tree, Value};

/// Everything that the parts of the import share.
pub(super) struct Reader<'a> {
    pub(super) tree: &'a Tree,
    source: SourceId,
    text: &'a str,
    pub(super) out: Writer,
    pub(super) faults: Vec<ImportError>,
    pub(super) notes: Vec<Finding>,
    /// Keys that were read.
    pub(super) used: RefCell<BTreeSet<Id>>,
    /// Mappings that were opened, with their keys.
    pub(super) opened: Vec<(Id, &'static Section)>,
    /// Keys without influence, with the reason.
    pub(super) idle: Vec<(String, LabeledSpan)>,
    /// Keys that mean what MAMMOTH's documentation says.
    pub(super) mended: Vec<(String, LabeledSpan)>,
    /// What only MAMMOTH reads.
    pub(super) kept: Kept,
}

impl<'a> Reader<'a> {
    pub(super) fn new(tree: &'a Tree, source: SourceId, text: &'a str) -> Self {
        Self {
            tree,
            source,
            text,
            out: Writer::default(),
            faults: Vec::new(),
            notes: Vec::new(),
            used: RefCell::default(),
            opened: Vec::new(),
            idle: Vec::new(),
            mended: Vec::new(),
            kept: Kept::default(),
        }
    }

    pub(super) fn finish(mut self) -> Imported {
        remains::report(&mut self);
        kept::write(&mut self);
        let Writer { text, origins } = self.out;
        Imported { text, origins, faults: self.faults, notes: self.notes }
    }

    /// Opens a mapping: keys of it that nothing reads will be reported.
    pub(super) fn open(&mut self, map: Id, section: &'static Section) {
        self.opened.push((map, section));
    }

    /// The value of a key, which is read thereby.
    pub(super) fn get(&self, map: Id, key: &str) -> Option<Id> {
        let (key, value) = self.tree.entry(map, key)?;
        self.used.borrow_mut().insert(key);
        Some(value)
    }

    /// The same, nothing when the value is null.
    pub(super) fn given(&self, map: Id, key: &str) -> Option<Id> {
        self.get(map, key).filter(|id| *self.tree.value(*id) != Value::Null)
    }

    /// A value at the top.
    pub(super) fn top(&self, key: &str) -> Option<Id> {
        self.given(self.tree.root(), key)
    }

    /// The first place of the file.
    pub(super) fn start(&self) -> Span {
        Span::new(self.source.start(), self.source.start())
    }

    /// The place of a key of a mapping, or of the mapping's first key.
    pub(super) fn key_place(&self, map: Id, key: &str) -> Span {
        let entry = self.tree.entry(map, key);
        let entry = entry.or_else(|| self.tree.entries(map).first().copied());
        entry.map_or(self.tree.span(map), |(key, _)| self.tree.span(key))
    }

    /// The place of a key at the top, or the beginning.
    pub(super) fn place(&self, key: &str) -> Span {
        let entry = self.tree.entry(self.tree.root(), key);
        entry.map_or(self.start(), |(key, _)| self.tree.span(key))
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

    /// A scalar of a key; reports lists and mappings.
    pub(super) fn scalar(&mut self, key: &str, id: Id) -> Option<String> {
        if matches!(self.tree.value(id), Value::List(_) | Value::Map(_)) {
            self.wrong(key, "one value", id);
            return None;
        }
        Some(self.word(id))
    }

    /// A scalar at the top.
    pub(super) fn top_word(&mut self, key: &str) -> Option<String> {
        let id = self.top(key)?;
        self.scalar(key, id)
    }

    /// One of the words that a key can have.
    pub(super) fn choice<T: Copy>(
        &mut self,
        map: Id,
        key: &str,
        expected: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let id = self.given(map, key)?;
        let word = self.scalar(key, id)?;
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if found.is_none() {
            self.wrong(key, expected, id);
        }
        found
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

    /// A number of a mapping.
    pub(super) fn number_of(&mut self, map: Id, key: &str) -> Option<f64> {
        let id = self.given(map, key)?;
        self.number(key, id)
    }

    /// A number at the top, as it is written in an experiment.
    pub(super) fn top_number(&mut self, key: &str) -> Option<f64> {
        self.number_of(self.tree.root(), key)
    }

    /// Whether a switch is on; a missing one is off.
    pub(super) fn is_on(&mut self, map: Id, key: &str) -> bool {
        let Some(id) = self.given(map, key) else { return false };
        if !matches!(self.tree.value(id), Value::Bool(_) | Value::Int(_)) {
            self.wrong(key, "`true` or `false`", id);
        }
        self.tree.value(id).is_truthy()
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

    /// The words of a list.
    pub(super) fn words(&mut self, map: Id, key: &str) -> Vec<String> {
        let items = self.given(map, key).map(|id| self.items(id)).unwrap_or_default();
        items.into_iter().filter_map(|id| self.scalar(key, id)).collect()
    }

    /// A mapping's entries, all of which are read thereby; reports when it is none.
    pub(super) fn map(&mut self, key: &str, id: Id) -> Vec<(Id, Id)> {
        match self.tree.value(id) {
            Value::Map(entries) => {
                self.used.borrow_mut().extend(entries.iter().map(|(key, _)| *key));
                entries.clone()
            }
            Value::Null => Vec::new(),
            // MAMMOTH writes an empty list in the place of no adapters.
            Value::List(items) if items.is_empty() => Vec::new(),
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
            let start = self.start();
            self.missing(key, start, "it names the languages: `src_vocab: {de: de.vocab}`");
            return BTreeMap::new();
        };
        let mut codes = BTreeMap::new();
        for (code, _) in self.map(key, id) {
            let word = self.code(code);
            let span = self.tree.span(code);
            if RESERVED.contains(&word.as_str()) {
                self.wrong(
                    key,
                    "codes but `all`, `each` and `self`, which stand for others here",
                    code,
                );
            } else if is_name(&word) {
                codes.insert(word, span);
            } else {
                self.wrong(key, "codes that begin with a letter and hold letters, digits, `_` and single hyphens", code);
            }
        }
        codes
    }

    /// A language's code; says when YAML takes it for something else.
    pub(super) fn code(&mut self, id: Id) -> String {
        let written = self.word(id);
        let value = self.tree.value(id);
        if !matches!(value, Value::Text(_) | Value::List(_) | Value::Map(_)) {
            let (kind, span) = (value.kind(), self.tree.span(id));
            let written = written.clone();
            self.notes.push(Box::new(MammothWarning::UnquotedCode { written, kind, span }));
        }
        written
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

    /// Files in columns whose lines are whole on both sides: MAMMOTH takes tabs for spaces.
    pub(super) fn expect_no_table(&mut self, source: &str, target: &str, span: Span) {
        if source == target && is_table(source) {
            let help = "make a file of each column, `cut -f1` and `cut -f2`; an experiment reads columns too, by `columns` or `column`";
            self.no_equal(format!("`{source}` as text of whole lines"), span, help);
        }
    }

    /// A key without influence.
    pub(super) fn idle(&mut self, key: &str, span: Span, reason: &str) {
        self.idle.push((key.to_owned(), label(span, reason)));
    }

    /// A key that means what MAMMOTH's documentation says; nothing when it is not given.
    pub(super) fn mended(&mut self, map: Id, key: &str, peer: &str) {
        if let Some((id, _)) = self.tree.entry(map, key) {
            let span = self.tree.span(id);
            self.mended.push((key.to_owned(), label(span, peer)));
        }
    }
}

/// A label with its words.
pub(super) fn label(span: Span, words: &str) -> LabeledSpan {
    let length = span.end.saturating_sub(span.start);
    LabeledSpan::new(Some(words.to_owned()), span.start as usize, length as usize)
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
