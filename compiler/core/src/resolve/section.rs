//! Blocks of one kind, merged over files: every field once, with the file that set it.
//!
//! A field of an importing file overrides the same field of a file that it imports, directly or not. Two settings of one
//! field elsewhere (twice in a file, or in two files of which neither imports the other) are a duplicate.

use std::collections::BTreeMap;

use mmc_syntax::ast::{Block, Entry, EntryKind, Expr, ExprKind, Name};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::imports::ImportGraph;
use super::values::describe;
use crate::diagnostics::Diagnostics;
use crate::suggest;

/// A field's value or the block under its name.
#[derive(Debug, Clone)]
pub(crate) enum Field<'a> {
    /// `key = value`.
    Value(&'a Expr),
    /// `key { ... }`.
    Block(Section<'a>),
}

/// A field with its key and file.
#[derive(Debug, Clone)]
struct Placed<'a> {
    key: Span,
    file: usize,
    field: Field<'a>,
}

/// The merged blocks of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Section<'a> {
    /// As messages call it: `training`, `tasks translation`.
    pub(crate) what: String,
    /// Its keyword, in the file met first.
    pub(crate) span: Span,
    /// The documentation of the block met first that has some.
    pub(crate) docs: Vec<String>,
    fields: BTreeMap<String, Placed<'a>>,
    /// `for PAIRS { ... }`.
    pub(crate) directions: Vec<(&'a Expr, Self)>,
    /// `adapter NAME { ... }`.
    pub(crate) adapters: Vec<(&'a Expr, Self)>,
}

/// The fields that a block may have.
pub(crate) struct Known {
    /// `key = value`.
    pub(crate) values: &'static [&'static str],
    /// `key { ... }`.
    pub(crate) blocks: &'static [&'static str],
    /// Fields of the language whose meaning is not built, with what to call them.
    pub(crate) not_built: &'static [(&'static str, &'static str)],
}

impl<'a> Section<'a> {
    /// A block without fields.
    pub(crate) fn empty(what: impl Into<String>, span: Span) -> Self {
        Self {
            what: what.into(),
            span,
            docs: Vec::new(),
            fields: BTreeMap::new(),
            directions: Vec::new(),
            adapters: Vec::new(),
        }
    }

    /// One block of one file.
    pub(crate) fn of_block(
        what: impl Into<String>,
        block: &'a Block,
        docs: &[String],
        file: usize,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut section = Self::empty(what, block.keyword.span);
        docs.clone_into(&mut section.docs);
        for entry in &block.entries {
            section.read_entry(entry, file, diagnostics);
        }
        section
    }

    fn read_entry(&mut self, entry: &'a Entry, file: usize, diagnostics: &mut Diagnostics) {
        match &entry.kind {
            EntryKind::Setting(setting) if setting.label.is_none() => {
                self.set(&setting.key, &setting.value, file, diagnostics);
            }
            EntryKind::Block(block) if block.keyword.text == "for" => {
                let inner = Self::of_block("for", block, &entry.docs, file, diagnostics);
                if let Some(header) = &block.header {
                    self.directions.push((header, inner));
                }
            }
            EntryKind::Block(block)
                if block.keyword.text == "adapter" && block.header.is_some() =>
            {
                let inner = Self::of_block("adapter", block, &entry.docs, file, diagnostics);
                if let Some(header) = &block.header {
                    self.adapters.push((header, inner));
                }
            }
            EntryKind::Block(block) => {
                let word = &block.keyword.text;
                let inner = Self::of_block(word.clone(), block, &entry.docs, file, diagnostics);
                self.place(&block.keyword, Field::Block(inner), file, diagnostics);
            }
            EntryKind::Setting(setting) => self.misplaced(&setting.key, diagnostics),
            EntryKind::Choice { name, .. } => self.misplaced(name, diagnostics),
            EntryKind::Import(_) => self.misplaced_word("import", entry.span, diagnostics),
            EntryKind::Param { name, .. } | EntryKind::Let { name, .. } => {
                self.misplaced(name, diagnostics);
            }
            EntryKind::Languages(names) => {
                let span = names.first().map_or(entry.span, |name| name.span);
                self.misplaced_word("languages", span, diagnostics);
            }
        }
    }

    fn misplaced(&self, name: &Name, diagnostics: &mut Diagnostics) {
        self.misplaced_word(&name.text, name.span, diagnostics);
    }

    fn misplaced_word(&self, word: &str, span: Span, diagnostics: &mut Diagnostics) {
        diagnostics.report(ResolveError::UnknownField {
            block: self.what.clone(),
            word: word.to_owned(),
            span,
            help: "this belongs outside of blocks, or nowhere".to_owned(),
        });
    }

    /// The header's word becomes the field `name`.
    pub(crate) fn name_by(&mut self, header: &'a Expr, file: usize, diagnostics: &mut Diagnostics) {
        let placed = Placed { key: header.span, file, field: Field::Value(header) };
        self.insert("name".to_owned(), placed, diagnostics);
    }

    /// Sets a field; a map becomes a block.
    pub(crate) fn set(
        &mut self,
        key: &'a Name,
        value: &'a Expr,
        file: usize,
        diagnostics: &mut Diagnostics,
    ) {
        let field = match &value.kind {
            ExprKind::Map(pairs)
                if pairs.iter().all(|(key, _)| matches!(key.kind, ExprKind::Name(_))) =>
            {
                Field::Block(Self::of_map(&key.text, key.span, pairs, file, diagnostics))
            }
            _ => Field::Value(value),
        };
        self.place(key, field, file, diagnostics);
    }

    fn of_map(
        what: &str,
        span: Span,
        pairs: &'a [(Expr, Expr)],
        file: usize,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut section = Self::empty(what, span);
        for (key, value) in pairs {
            if let ExprKind::Name(word) = &key.kind {
                let placed = Placed { key: key.span, file, field: Field::Value(value) };
                section.insert(word.clone(), placed, diagnostics);
            }
        }
        section
    }

    fn place(&mut self, key: &Name, field: Field<'a>, file: usize, diagnostics: &mut Diagnostics) {
        self.insert(key.text.clone(), Placed { key: key.span, file, field }, diagnostics);
    }

    fn insert(&mut self, word: String, placed: Placed<'a>, diagnostics: &mut Diagnostics) {
        if let Some(first) = self.fields.get(&word) {
            report_duplicate(&word, &self.what, placed.key, first.key, diagnostics);
        } else {
            self.fields.insert(word, placed);
        }
    }

    /// Takes in another block of the same kind; the importing file's fields win.
    pub(crate) fn merge(
        &mut self,
        other: Self,
        graph: &ImportGraph,
        diagnostics: &mut Diagnostics,
    ) {
        if self.docs.is_empty() {
            self.docs = other.docs;
        }
        self.directions.extend(other.directions);
        self.adapters.extend(other.adapters);
        for (word, theirs) in other.fields {
            let Some(ours) = self.fields.get_mut(&word) else {
                self.fields.insert(word, theirs);
                continue;
            };
            if let (Field::Block(inner), Field::Block(_)) = (&mut ours.field, &theirs.field) {
                if let Field::Block(block) = theirs.field {
                    inner.merge(block, graph, diagnostics);
                }
            } else if graph.reaches(theirs.file, ours.file) {
                *ours = theirs;
            } else if !graph.reaches(ours.file, theirs.file) {
                report_duplicate(&word, &self.what, theirs.key, ours.key, diagnostics);
            }
        }
    }

    /// These fields, with those of `over` in their place.
    pub(crate) fn overridden_by(mut self, over: Self) -> Self {
        for (word, theirs) in over.fields {
            let placed = match (self.fields.remove(&word), theirs) {
                (
                    Some(Placed { field: Field::Block(ours), .. }),
                    Placed { key, file, field: Field::Block(theirs) },
                ) => Placed { key, file, field: Field::Block(ours.overridden_by(theirs)) },
                (_, theirs) => theirs,
            };
            self.fields.insert(word, placed);
        }
        self
    }

    /// Drops the fields that some files set.
    pub(crate) fn drop_fields(&mut self, of: impl Fn(usize) -> bool) {
        self.fields.retain(|_, placed| !of(placed.file));
    }

    /// A field's value.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Expr> {
        match self.fields.get(key)?.field {
            Field::Value(value) => Some(value),
            Field::Block(_) => None,
        }
    }

    /// The block under a key.
    pub(crate) fn block(&self, key: &str) -> Option<&Self> {
        match &self.fields.get(key)?.field {
            Field::Block(section) => Some(section),
            Field::Value(_) => None,
        }
    }

    /// Where a field's key is.
    pub(crate) fn key(&self, key: &str) -> Option<Span> {
        self.fields.get(key).map(|placed| placed.key)
    }

    /// All fields in order of name.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, Span, &Field<'a>)> {
        self.fields.iter().map(|(word, placed)| (word.as_str(), placed.key, &placed.field))
    }

    /// Reports fields that are unknown, not built, or a block where a value is needed and the other way round.
    pub(crate) fn check(&self, known: &Known, diagnostics: &mut Diagnostics) {
        for (word, span, field) in self.fields() {
            let (is_value, is_block) = (known.values.contains(&word), known.blocks.contains(&word));
            if let Some((_, construct)) = known.not_built.iter().find(|(name, _)| *name == word) {
                diagnostics.report(ResolveError::NotBuilt {
                    construct: (*construct).to_owned(),
                    span,
                    help: None,
                });
                continue;
            }
            match field {
                Field::Value(_) if is_value => {}
                Field::Block(_) if is_block => {}
                Field::Value(value) if is_block => diagnostics.report(ResolveError::WrongType {
                    field: word.to_owned(),
                    expected: "a block".to_owned(),
                    found: describe(value),
                    span: value.span,
                    help: Some(format!("write `{word} {{ ... }}`")),
                }),
                Field::Block(_) if is_value => diagnostics.report(ResolveError::WrongType {
                    field: word.to_owned(),
                    expected: "a value".to_owned(),
                    found: "a block".to_owned(),
                    span,
                    help: Some(format!("write `{word} = ...`")),
                }),
                _ => {
                    let candidates = known.values.iter().chain(known.blocks).copied();
                    let all: Vec<&str> = candidates.clone().collect();
                    let fields = format!("its fields are {}", suggest::listed(&all, "and"));
                    diagnostics.report(ResolveError::UnknownField {
                        block: self.what.clone(),
                        word: word.to_owned(),
                        span,
                        help: suggest::nearest(word, candidates)
                            .map_or(fields, |near| format!("did you mean `{near}`?")),
                    });
                }
            }
        }
    }
}

fn report_duplicate(
    word: &str,
    block: &str,
    span: Span,
    first: Span,
    diagnostics: &mut Diagnostics,
) {
    diagnostics.report(ResolveError::Duplicate {
        what: format!("`{block}`: field").replace('`', ""),
        word: word.to_owned(),
        span,
        first,
        help: "keep one of the two; only a file that imports the other may override its fields"
            .to_owned(),
    });
}
