//! Pairs of the generated parser to entries of the tree.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar decides which rules stand inside a rule; the others are punctuation"
)]

use pest::Span as PestSpan;
use pest::iterators::Pair;

use crate::ast::{Block, Entry, EntryKind, ImportPath, Name, Setting};
use crate::error::SyntaxError;
use crate::grammar::Rule;
use crate::scan::Scan;
use crate::source::Span;

/// Builds the tree of one text.
pub(super) struct Builder<'t> {
    start: u32,
    text: &'t str,
    scan: &'t Scan,
}

/// A fault on the way; the only one is too deep nesting.
pub(super) type Built<T> = Result<T, SyntaxError>;

impl<'t> Builder<'t> {
    pub(super) fn new(start: u32, text: &'t str, scan: &'t Scan) -> Self {
        Self { start, text, scan }
    }

    /// Local to global places.
    pub(super) fn span(&self, span: PestSpan<'_>) -> Span {
        let place = |at: usize| self.start + u32::try_from(at).expect("texts are bounded");
        Span::new(place(span.start()), place(span.end()))
    }

    /// The entries among the children of a file or body.
    pub(super) fn entries(&self, parent: Pair<'_, Rule>) -> Built<Vec<Entry>> {
        let entries = parent.into_inner().filter(|pair| pair.as_rule() == Rule::entry);
        entries.map(|pair| self.entry(pair)).collect()
    }

    fn entry(&self, pair: Pair<'_, Rule>) -> Built<Entry> {
        let docs = self.docs(pair.as_span().start());
        let start = self.span(pair.as_span()).start;
        let inner = pair.into_inner().next().expect("an entry is one of its kinds");
        let kind = self.kind(inner)?;
        let span = Span::new(start, end(&kind));
        Ok(Entry { docs, kind, span })
    }

    fn kind(&self, pair: Pair<'_, Rule>) -> Built<EntryKind> {
        let rule = pair.as_rule();
        let mut names = Vec::new();
        let mut exprs = Vec::new();
        let mut entries = Vec::new();
        let mut body = Span::default();
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::word | Rule::for_word => names.push(self.name(&child)),
                Rule::code => names.extend(child.into_inner().map(|word| self.name(&word))),
                Rule::dotted | Rule::text => return Ok(EntryKind::Import(self.import(child))),
                Rule::value => {
                    let expr = child.into_inner().next().expect("a value is an expression");
                    exprs.push(self.expr(expr)?);
                }
                Rule::expr => exprs.push(self.expr(child)?),
                Rule::body => {
                    body = self.span(child.as_span());
                    entries = self.entries(child)?;
                }
                _ => {}
            }
        }
        let mut names = names.into_iter();
        let mut exprs = exprs.into_iter();
        if rule == Rule::languages {
            return Ok(EntryKind::Languages(names.collect()));
        }
        let first = names.next().expect("entries begin with a word");
        let second = names.next();
        let mut value = || exprs.next().expect("the rule holds an expression");
        Ok(match rule {
            Rule::param => {
                let ty = second.expect("a param has a type");
                EntryKind::Param { name: first, ty, default: exprs.next() }
            }
            Rule::binding => EntryKind::Let { name: first, value: value() },
            Rule::setting => {
                EntryKind::Setting(Setting { key: first, label: second, value: value() })
            }
            Rule::choice => EntryKind::Choice { name: first, values: value() },
            _ => {
                let header = exprs.next().or(second.map(Name::into_expr));
                EntryKind::Block(Block { keyword: first, header, entries, body })
            }
        })
    }

    fn import(&self, pair: Pair<'_, Rule>) -> ImportPath {
        let span = self.span(pair.as_span());
        if pair.as_rule() == Rule::text {
            ImportPath::File(super::expr::unescaped(pair), span)
        } else {
            ImportPath::Std(pair.into_inner().map(|word| self.name(&word)).collect())
        }
    }

    pub(super) fn name(&self, pair: &Pair<'_, Rule>) -> Name {
        Name { text: pair.as_str().to_owned(), span: self.span(pair.as_span()) }
    }

    /// The `##` lines between the token before a place and the place.
    fn docs(&self, at: usize) -> Vec<String> {
        let behind = self.scan.comments.partition_point(|comment| comment.start < at);
        let mut docs = Vec::new();
        let mut next = at;
        for comment in self.scan.comments.iter().take(behind).rev() {
            let between = self.text.get(comment.end..next).unwrap_or("x");
            let line = self.text.get(..comment.start).unwrap_or_default().rsplit('\n').next();
            let own_line = line.is_some_and(|line| line.trim().is_empty());
            if !between.trim().is_empty() || !own_line {
                break;
            }
            docs.extend(doc_line(self.text.get(comment.clone()).unwrap_or_default()));
            next = comment.start;
        }
        docs.reverse();
        docs
    }
}

/// Where an entry ends. A pair of the generated parser ends behind the white space and the comments that follow.
fn end(kind: &EntryKind) -> u32 {
    match kind {
        EntryKind::Import(ImportPath::File(_, span)) => span.end,
        EntryKind::Import(ImportPath::Std(names)) | EntryKind::Languages(names) => {
            names.last().map_or(0, |name| name.span.end)
        }
        EntryKind::Param { ty, default, .. } => {
            default.as_ref().map_or(ty.span.end, |default| default.span.end)
        }
        EntryKind::Let { value, .. }
        | EntryKind::Setting(Setting { value, .. })
        | EntryKind::Choice { values: value, .. } => value.span.end,
        EntryKind::Block(block) => block.body.end,
    }
}

/// The text of a `##` comment. More marks make a ruler, which is no documentation.
fn doc_line(comment: &str) -> Option<String> {
    let text = comment.strip_prefix("##").filter(|text| !text.starts_with('#'))?;
    Some(text.strip_prefix(' ').unwrap_or(text).to_owned())
}
