//! The entries of all files, sorted by construct; nothing is evaluated yet.

use std::collections::BTreeMap;

use mmc_syntax::ast::{Block, Entry, EntryKind, Expr, ExprKind, Name, Setting};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::imports::{ImportGraph, Loaded};
use super::names::ParamEntry;
use super::section::Section;
use super::values::describe;
use crate::diagnostics::Diagnostics;
use crate::suggest;

/// Blocks of which the experiment has one, merged over files.
const SINGLE: &[&str] =
    &["experiment", "model", "curriculum", "training", "cluster", "placement", "lint", "mammoth"];

/// Blocks with a name of their own.
const NAMED: &[&str] = &["language", "corpus", "tokenizer", "tasks"];

/// Constructs that parse but have no meaning yet, with what to call them.
const NOT_BUILT: &[(&str, &str)] = &[
    ("phase", "`phase`"),
    ("sweep", "`sweep`"),
    ("corpora", "`corpora`"),
    ("adapter", "`adapter`"),
    ("ensemble", "`ensemble`"),
];

/// A block with a name of its own.
#[derive(Debug)]
pub(crate) struct Declared<'a> {
    pub(crate) name: &'a str,
    /// Of the name.
    pub(crate) span: Span,
    pub(crate) section: Section<'a>,
}

/// All files' entries by construct.
#[derive(Debug, Default)]
pub(crate) struct Program<'a> {
    /// Of `languages` lists.
    pub(crate) codes: Vec<&'a Name>,
    /// Blocks by keyword; presets of clusters under `preset`.
    pub(crate) declared: BTreeMap<&'static str, Vec<Declared<'a>>>,
    /// Groupings: label and members.
    pub(crate) groupings: Vec<GroupingEntry<'a>>,
    /// Single blocks by keyword.
    pub(crate) single: BTreeMap<&'static str, Section<'a>>,
    /// `cluster = preset(...)`, with the file that says so.
    pub(crate) cluster_call: Option<(Span, &'a Expr, usize)>,
    pub(crate) lets: Vec<(&'a Name, &'a Expr)>,
    pub(crate) params: Vec<ParamEntry<'a>>,
}

/// `groups { ... }`, `groups name { ... }`, `groups name = ...`.
#[derive(Debug)]
pub(crate) struct GroupingEntry<'a> {
    pub(crate) label: Option<(&'a str, Span)>,
    /// Of the keyword.
    pub(crate) span: Span,
    pub(crate) members: Members<'a>,
}

/// How groups are told.
#[derive(Debug)]
pub(crate) enum Members<'a> {
    /// One by one.
    Listed(Section<'a>),
    /// By an expression, such as `cluster(...)`.
    Derived(&'a Expr),
}

impl<'a> Program<'a> {
    /// Sorts the entries of all files.
    pub(crate) fn collect(
        files: &'a [Loaded],
        graph: &ImportGraph,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut collector = Collector { program: Self::default(), graph, diagnostics };
        // Single blocks are merged from the importing file down; of declarations that are there twice, the imported one is
        // the first, so that the finding is about the importing file.
        for (number, file) in files.iter().enumerate() {
            for entry in file.tree.items.iter().filter(|entry| is_single(entry)) {
                collector.entry(entry, number);
            }
        }
        for (number, file) in files.iter().enumerate().rev() {
            for entry in file.tree.items.iter().filter(|entry| !is_single(entry)) {
                collector.entry(entry, number);
            }
        }
        collector.program.replace_cluster(graph);
        collector.program
    }

    /// `cluster = preset(...)` takes the place of `cluster` blocks in the files that it imports; blocks beside it refine it.
    fn replace_cluster(&mut self, graph: &ImportGraph) {
        if let (Some((_, _, file)), Some(section)) =
            (self.cluster_call, self.single.get_mut("cluster"))
        {
            section.drop_fields(|other| graph.reaches(file, other));
        }
    }

    /// The blocks of a keyword, in order of name.
    pub(crate) fn declared(&self, keyword: &str) -> &[Declared<'a>] {
        self.declared.get(keyword).map_or(&[], Vec::as_slice)
    }
}

fn is_single(entry: &Entry) -> bool {
    match &entry.kind {
        EntryKind::Block(block) => {
            SINGLE.contains(&block.keyword.text.as_str()) && !is_preset(block)
        }
        _ => false,
    }
}

/// `cluster NAME { ... }`.
fn is_preset(block: &Block) -> bool {
    block.keyword.text == "cluster" && block.header.is_some()
}

struct Collector<'c, 'a> {
    program: Program<'a>,
    graph: &'c ImportGraph,
    diagnostics: &'c mut Diagnostics,
}

impl<'a> Collector<'_, 'a> {
    fn entry(&mut self, entry: &'a Entry, file: usize) {
        match &entry.kind {
            EntryKind::Import(_) => {}
            EntryKind::Param { name, ty, default } => {
                let default = default.as_ref();
                self.program.params.push(ParamEntry { name, ty, default });
            }
            EntryKind::Let { name, value } => self.program.lets.push((name, value)),
            EntryKind::Languages(names) => self.program.codes.extend(names),
            EntryKind::Block(block) => self.block(block, &entry.docs, file),
            EntryKind::Setting(setting) => self.setting(setting, file),
            EntryKind::Choice { name, .. } => self.unknown(&name.text, name.span),
        }
    }

    fn block(&mut self, block: &'a Block, docs: &[String], file: usize) {
        let word = block.keyword.text.as_str();
        if let Some((_, construct)) = NOT_BUILT.iter().find(|(name, _)| *name == word) {
            let construct = (*construct).to_owned();
            self.diagnostics.report(ResolveError::NotBuilt {
                construct,
                span: block.keyword.span,
                help: None,
            });
        } else if let Some(keyword) = NAMED.iter().find(|name| **name == word) {
            self.named(keyword, block, docs, file);
        } else if is_preset(block) {
            self.named("preset", block, docs, file);
        } else if let Some(keyword) = SINGLE.iter().find(|name| **name == word) {
            self.single(keyword, block, docs, file);
        } else if word == "groups" {
            let label = self.header(block);
            let section = Section::of_block("groups", block, docs, file, self.diagnostics);
            let members = Members::Listed(section);
            self.grouping(GroupingEntry { label, span: block.keyword.span, members });
        } else {
            self.unknown(word, block.keyword.span);
        }
    }

    fn single(&mut self, keyword: &'static str, block: &'a Block, docs: &[String], file: usize) {
        let mut section = Section::of_block(keyword, block, docs, file, self.diagnostics);
        match (&block.header, keyword) {
            (Some(header), "experiment") => section.name_by(header, file, self.diagnostics),
            (Some(header), _) => self.diagnostics.report(ResolveError::WrongType {
                field: keyword.to_owned(),
                expected: "no name".to_owned(),
                found: describe(header),
                span: header.span,
                help: Some(format!("write `{keyword} {{ ... }}`")),
            }),
            (None, _) => {}
        }
        match self.program.single.get_mut(keyword) {
            Some(first) => first.merge(section, self.graph, self.diagnostics),
            None => drop(self.program.single.insert(keyword, section)),
        }
    }

    fn header(&mut self, block: &'a Block) -> Option<(&'a str, Span)> {
        let header = block.header.as_ref()?;
        if let ExprKind::Name(word) = &header.kind {
            return Some((word, header.span));
        }
        self.diagnostics.report(ResolveError::WrongType {
            field: block.keyword.text.clone(),
            expected: "a name".to_owned(),
            found: describe(header),
            span: header.span,
            help: None,
        });
        None
    }

    fn named(&mut self, keyword: &'static str, block: &'a Block, docs: &[String], file: usize) {
        let word = &block.keyword.text;
        if block.header.is_none() {
            self.diagnostics.report(ResolveError::MissingField {
                block: word.clone(),
                field: "name",
                span: block.keyword.span,
                help: format!("for example `{word} first {{ ... }}`"),
            });
        }
        let Some((name, span)) = self.header(block) else { return };
        let what = format!("{word} {name}");
        let mut section = Section::of_block(what, block, docs, file, self.diagnostics);
        section.span = span;
        let list = self.program.declared.entry(keyword).or_default();
        match list.binary_search_by(|declared| declared.name.cmp(name)) {
            Err(at) => list.insert(at, Declared { name, span, section }),
            Ok(at) => {
                let first = list.get(at).map(|declared| declared.span).unwrap_or_default();
                self.duplicate(word, name, span, first);
            }
        }
    }

    fn duplicate(&mut self, what: &str, word: &str, span: Span, first: Span) {
        self.diagnostics.report(ResolveError::Duplicate {
            what: what.to_owned(),
            word: word.to_owned(),
            span,
            first,
            help: "rename one of the two, or remove it".to_owned(),
        });
    }

    fn grouping(&mut self, entry: GroupingEntry<'a>) {
        let name = |entry: &GroupingEntry<'a>| entry.label.map_or("groups", |(word, _)| word);
        let place = |entry: &GroupingEntry<'a>| entry.label.map_or(entry.span, |(_, span)| span);
        let word = name(&entry);
        if let Some(first) = self.program.groupings.iter().find(|other| name(other) == word) {
            let (span, first) = (place(&entry), place(first));
            self.duplicate("grouping", word, span, first);
        } else {
            self.program.groupings.push(entry);
        }
    }

    fn setting(&mut self, setting: &'a Setting, file: usize) {
        let word = setting.key.text.as_str();
        let span = setting.key.span;
        match word {
            "groups" => {
                let label = setting.label.as_ref().map(|name| (name.text.as_str(), name.span));
                let members = Members::Derived(&setting.value);
                self.grouping(GroupingEntry { label, span, members });
            }
            "cluster" if setting.label.is_none() => self.cluster_call(span, &setting.value, file),
            _ if NOT_BUILT.iter().any(|(name, _)| *name == word) => {
                let construct = format!("`{word}`");
                self.diagnostics.report(ResolveError::NotBuilt { construct, span, help: None });
            }
            _ if SINGLE.contains(&word) || NAMED.contains(&word) => {
                self.diagnostics.report(ResolveError::WrongType {
                    field: word.to_owned(),
                    expected: "a block".to_owned(),
                    found: describe(&setting.value),
                    span: setting.value.span,
                    help: Some(format!("write `{word} {{ ... }}`")),
                });
            }
            _ => self.unknown(word, span),
        }
    }

    fn cluster_call(&mut self, span: Span, value: &'a Expr, file: usize) {
        match self.program.cluster_call {
            Some((_, _, other)) if self.graph.reaches(other, file) => {}
            Some((first, _, other)) if !self.graph.reaches(file, other) => {
                self.duplicate("setting", "cluster", span, first);
            }
            _ => self.program.cluster_call = Some((span, value, file)),
        }
    }

    fn unknown(&mut self, word: &str, span: Span) {
        let own = ["import", "param", "let", "languages", "groups"];
        let words: Vec<&str> = SINGLE.iter().chain(NAMED).chain(&own).copied().collect();
        self.diagnostics.report(ResolveError::UnknownName {
            kind: "construct",
            word: word.to_owned(),
            span,
            help: suggest::help(
                word,
                words,
                "a file holds `import`, `param`, `let`, `experiment`, `languages`, `groups`, `corpus`, `tokenizer`, `tasks`, `model`, `curriculum`, `training`, `cluster`, `placement`, `lint`, `mammoth`",
            ),
        });
    }
}
