//! Entries and expressions over lines, with the comments of the source.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "kinds of expressions that can't be broken are written on one line"
)]

use std::ops::Range;

use super::{WIDTH, inline};
use crate::ast::{Arg, BinaryOp, Block, Entry, EntryKind, Expr, ExprKind, File, Name};
use crate::dump::sign;
use crate::scan;
use crate::source::Span;

/// What the author's layout says.
pub(super) struct Layout<'t> {
    text: &'t str,
    comments: Vec<Range<usize>>,
    /// The first comment that isn't written yet.
    next: usize,
}

impl<'t> Layout<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, comments: scan::scan(text).comments, next: 0 }
    }

    fn between(&self, start: u32, end: u32) -> &'t str {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Whether only white space stands before a place on its line.
    fn first_on_line(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or_default();
        before.rsplit('\n').next().unwrap_or_default().trim().is_empty()
    }

    /// Whether the line above a place is blank.
    fn blank_above(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or_default();
        let mut lines = before.rsplit('\n').skip(1);
        lines.next().is_some_and(|line| line.trim().is_empty())
    }

    fn comment_within(&self, span: Span) -> bool {
        let behind = self.comments.partition_point(|comment| comment.start < span.start as usize);
        self.comments.get(behind).is_some_and(|comment| comment.start < span.end as usize)
    }
}

/// Writes lines.
pub(super) struct Printer<'t> {
    out: String,
    layout: Option<Layout<'t>>,
    /// Columns before the entries of the current block.
    indent: usize,
    /// Columns, in the current entry, before what doesn't fit its line.
    hanging: usize,
    /// A comment ended the line; the next token begins a new one.
    line_ended: bool,
    /// The next token begins a new line, behind the comments before it.
    item_begins: bool,
    /// A block begins; no blank line follows.
    block_begins: bool,
}

const STEP: usize = 2;

impl<'t> Printer<'t> {
    pub(super) fn new(layout: Option<Layout<'t>>) -> Self {
        Self {
            out: String::new(),
            layout,
            indent: 0,
            hanging: 0,
            line_ended: false,
            item_begins: false,
            block_begins: true,
        }
    }

    /// The text, with one line end at its end.
    pub(super) fn finish(mut self) -> String {
        if let Some(layout) = &self.layout {
            let end = u32::try_from(layout.text.len()).expect("texts are bounded");
            self.comments(end, 0, true);
        }
        let kept = self.out.trim_end().len();
        self.out.truncate(kept);
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    pub(super) fn file(&mut self, file: &File) {
        self.entries(&file.items);
    }

    fn column(&self) -> usize {
        self.out.rsplit('\n').next().unwrap_or_default().chars().count()
    }

    fn new_line(&mut self, columns: usize) {
        let kept = self.out.trim_end_matches(' ').len();
        self.out.truncate(kept);
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out.push_str(&" ".repeat(columns));
        self.line_ended = false;
        self.item_begins = false;
    }

    fn blank_line(&mut self) {
        if !self.block_begins && !self.out.ends_with("\n\n") {
            let kept = self.out.trim_end().len();
            self.out.truncate(kept);
            self.out.push('\n');
        }
    }

    /// Writes the comments before a place: behind the last token if they stood on its line, else on lines of their own.
    fn comments(&mut self, before: u32, columns: usize, between_entries: bool) {
        while let Some(layout) = &mut self.layout
            && let Some(comment) = layout.comments.get(layout.next).cloned()
            && comment.start < before as usize
        {
            layout.next += 1;
            let text = layout.text;
            let own_line = layout.first_on_line(comment.start);
            let blank = own_line && between_entries && layout.blank_above(comment.start);
            if own_line || self.line_ended || self.out.is_empty() {
                if blank {
                    self.blank_line();
                }
                self.new_line(columns);
            } else {
                let kept = self.out.trim_end_matches(' ').len();
                self.out.truncate(kept);
                self.out.push_str("  ");
            }
            self.out.push_str(text.get(comment).unwrap_or_default());
            self.line_ended = true;
            self.block_begins = false;
        }
    }

    /// Writes a token of an entry that stands at a place in the source.
    fn token(&mut self, at: u32, text: &str) {
        self.comments(at, self.hanging, false);
        if self.line_ended || self.item_begins {
            self.new_line(self.hanging);
        }
        self.out.push_str(text);
    }

    /// Punctuation behind a token: never on a line of its own unless a comment forces it.
    fn mark(&mut self, text: &str) {
        if self.line_ended {
            self.new_line(self.hanging);
            self.out.push_str(text.trim_start());
        } else {
            self.out.push_str(text);
        }
    }

    fn entries(&mut self, entries: &[Entry]) {
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let count = self.together(rest).max(1);
            let (line, others) = rest.split_at(count);
            self.begin_entry(first);
            if count > 1 || self.stays_inline(first) {
                self.out.push_str(&inline::entries(line));
            } else {
                self.entry(first);
            }
            self.block_begins = false;
            rest = others;
        }
    }

    /// Comments, documentation and blank lines before an entry.
    fn begin_entry(&mut self, entry: &Entry) {
        self.comments(entry.span.start, self.indent, true);
        let blank = match &self.layout {
            Some(layout) => {
                let at = entry.span.start as usize;
                layout.first_on_line(at) && layout.blank_above(at)
            }
            None => {
                self.indent == 0
                    && (self.out.ends_with('}') || matches!(entry.kind, EntryKind::Block(_)))
            }
        };
        if blank {
            self.blank_line();
        }
        self.new_line(self.indent);
        if self.layout.is_none() {
            for doc in &entry.docs {
                self.out.push_str(format!("## {doc}").trim_end());
                self.new_line(self.indent);
            }
        }
    }

    /// How many entries from the first on the author wrote on one line, as far as they fit.
    fn together(&self, entries: &[Entry]) -> usize {
        let Some(layout) = &self.layout else { return 1 };
        let mut count = 0;
        let mut end = None;
        let mut columns = self.indent;
        for entry in entries {
            let same_line =
                end.is_none_or(|end| !layout.between(end, entry.span.start).contains('\n'));
            if !same_line || !self.is_one_line(entry) {
                break;
            }
            columns += inline::entry(entry).chars().count() + if count > 0 { 2 } else { 0 };
            if columns > WIDTH {
                break;
            }
            count += 1;
            end = Some(entry.span.end);
        }
        count
    }

    /// Whether an entry could stand with others on a line: no comment inside, and no block over several lines.
    fn is_one_line(&self, entry: &Entry) -> bool {
        let Some(layout) = &self.layout else { return !matches!(entry.kind, EntryKind::Block(_)) };
        let block = matches!(entry.kind, EntryKind::Block(_));
        let broken = block && layout.between(entry.span.start, entry.span.end).contains('\n');
        !layout.comment_within(entry.span) && (!broken || is_empty_block(entry))
    }

    fn stays_inline(&self, entry: &Entry) -> bool {
        self.is_one_line(entry) && self.indent + inline::entry(entry).chars().count() <= WIDTH
            || is_empty_block(entry)
                && self.layout.as_ref().is_none_or(|layout| !layout.comment_within(entry.span))
    }

    fn entry(&mut self, entry: &Entry) {
        self.hanging = self.indent + STEP;
        match &entry.kind {
            EntryKind::Import(_) => self.out.push_str(&inline::entry(entry)),
            EntryKind::Param { name, ty, default } => {
                self.out.push_str("param ");
                self.token(name.span.start, &name.text);
                self.mark(": ");
                self.token(ty.span.start, &ty.text);
                if let Some(default) = default {
                    self.mark(" = ");
                    self.expr(default, 0);
                }
            }
            EntryKind::Let { name, value } => {
                self.out.push_str("let ");
                self.token(name.span.start, &name.text);
                self.mark(" = ");
                self.expr(value, 0);
            }
            EntryKind::Languages(names) => self.languages(names),
            EntryKind::Block(block) => self.block(block),
            EntryKind::Setting(setting) => {
                self.out.push_str(&setting.key.text);
                if let Some(label) = &setting.label {
                    self.mark(" ");
                    self.token(label.span.start, &label.text);
                }
                self.mark(" = ");
                self.expr(&setting.value, 0);
            }
            EntryKind::Choice { name, values } => {
                self.out.push_str(&name.text);
                self.mark(" in ");
                self.expr(values, 0);
            }
        }
    }

    /// As many codes a line as fit.
    fn languages(&mut self, names: &[Name]) {
        self.out.push_str("languages");
        for (number, name) in names.iter().enumerate() {
            let comma = if number + 1 < names.len() { "," } else { "" };
            let word = format!("{}{comma}", name.text);
            self.comments(name.span.start, self.hanging, false);
            if self.line_ended || self.column() + 1 + word.chars().count() > WIDTH {
                self.new_line(self.hanging);
            } else {
                self.out.push(' ');
            }
            self.out.push_str(&word);
        }
    }

    fn block(&mut self, block: &Block) {
        self.out.push_str(&block.keyword.text);
        if let Some(header) = &block.header {
            self.mark(" ");
            self.expr(header, 2);
        }
        self.mark(" ");
        self.token(block.body.start, "{");
        self.indent += STEP;
        self.block_begins = true;
        self.entries(&block.entries);
        let end = block.body.end.saturating_sub(1);
        self.comments(end, self.indent, true);
        self.indent -= STEP;
        self.new_line(self.indent);
        self.out.push('}');
        self.block_begins = false;
    }

    /// An expression, with so many columns behind it on its last line.
    fn expr(&mut self, of: &Expr, behind: usize) {
        self.token(of.span.start, "");
        let commented = self.layout.as_ref().is_some_and(|layout| layout.comment_within(of.span));
        let text = inline::expr(of);
        if !commented && self.column() + text.chars().count() + behind <= WIDTH {
            self.out.push_str(&text);
            return;
        }
        match &of.kind {
            ExprKind::Number { .. }
            | ExprKind::Text(_)
            | ExprKind::Name(_)
            | ExprKind::Dotted(_)
            | ExprKind::Code(_) => {
                self.out.push_str(&text);
            }
            ExprKind::List(items) => self.bracketed("[", "]", of.span, true, items, Self::item),
            ExprKind::Tuple(items) => self.bracketed("(", ")", of.span, true, items, Self::item),
            ExprKind::Group(inner) => {
                self.bracketed(
                    "(",
                    ")",
                    of.span,
                    false,
                    std::slice::from_ref(&**inner),
                    Self::item,
                );
            }
            ExprKind::Map(pairs) => self.bracketed("{", "}", of.span, true, pairs, Self::pair),
            ExprKind::Call { callee, args } => {
                self.out.push_str(&inline::expr(callee));
                self.bracketed("(", ")", of.span, true, args, Self::argument);
            }
            ExprKind::Index { base, index } => {
                self.expr(base, 1);
                self.bracketed(
                    "[",
                    "]",
                    of.span,
                    false,
                    std::slice::from_ref(&**index),
                    Self::item,
                );
            }
            _ => self.operators(of, behind),
        }
    }

    fn operators(&mut self, of: &Expr, behind: usize) {
        match &of.kind {
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right, behind),
            _ if self.layout.is_none() => self.out.push_str(&inline::expr(of)),
            ExprKind::Range(from, to) => {
                self.expr(from, 2);
                self.mark("..");
                self.expr(to, behind);
            }
            ExprKind::Negative(inner) => {
                self.out.push('-');
                self.expr(inner, behind);
            }
            ExprKind::With(base, what) => {
                self.expr(base, 5);
                self.mark(" with ");
                self.expr(what, behind);
            }
            ExprKind::Where(base, attribute, value) => {
                self.expr(base, 6);
                self.mark(" where ");
                self.token(attribute.span.start, &attribute.text);
                self.mark(" = ");
                self.expr(value, behind);
            }
            ExprKind::Prefixed(word, inner) => {
                self.out.push_str(&word.text);
                self.out.push(' ');
                self.expr(inner, behind);
            }
            _ => self.out.push_str(&inline::expr(of)),
        }
    }

    /// Sums that don't fit stand one operand a line, the operator first.
    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, behind: usize) {
        let chain = matches!(op, BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Intersect);
        match &left.kind {
            ExprKind::Binary { op: inner, left: first, right: second }
                if chain && is_sum(*inner) =>
            {
                self.binary(*inner, first, second, 0);
            }
            _ if self.layout.is_none() && inline::left_needs_parentheses(op, left) => {
                self.out.extend(["(", &inline::expr(left), ")"]);
            }
            _ => self.expr(left, 0),
        }
        if chain {
            self.comments(right.span.start, self.hanging, false);
            self.new_line(self.hanging);
            self.out.push_str(sign(op));
            self.out.push(' ');
        } else {
            self.mark(&format!(" {} ", sign(op)));
        }
        if self.layout.is_none() {
            self.out.push_str(&inline::right_operand(op, right));
        } else {
            self.expr(right, behind);
        }
    }

    /// Items one a line between brackets.
    fn bracketed<T>(
        &mut self,
        open: &str,
        close: &str,
        span: Span,
        comma: bool,
        items: &[T],
        write: fn(&mut Self, &T),
    ) {
        self.mark(open);
        let outer = self.hanging;
        let closing = self.line_indent();
        self.hanging = closing + STEP;
        for item in items {
            self.item_begins = true;
            write(self, item);
            if comma {
                self.mark(",");
            }
        }
        self.comments(span.end.saturating_sub(1), self.hanging, false);
        self.new_line(closing);
        self.out.push_str(close);
        self.hanging = outer;
    }

    /// Columns before the first token of the current line.
    fn line_indent(&self) -> usize {
        let line = self.out.rsplit('\n').next().unwrap_or_default();
        line.len() - line.trim_start_matches(' ').len()
    }

    fn item(&mut self, of: &Expr) {
        self.expr(of, 1);
    }

    fn pair(&mut self, (key, value): &(Expr, Expr)) {
        self.expr(key, 2);
        self.mark(" = ");
        self.expr(value, 1);
    }

    fn argument(&mut self, arg: &Arg) {
        if let Some(name) = &arg.name {
            self.token(name.span.start, &name.text);
            self.mark(" = ");
        }
        self.expr(&arg.value, 1);
    }
}

fn is_sum(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Intersect)
}

fn is_empty_block(entry: &Entry) -> bool {
    matches!(&entry.kind, EntryKind::Block(block) if block.entries.is_empty())
}
