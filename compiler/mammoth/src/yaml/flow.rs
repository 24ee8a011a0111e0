//! The page on which a document is written: columns, indentation, and the three styles of scalars with their folding, as
//! PyYAML's emitter does it.

use std::fmt::Write as _;

use super::style;

/// Lines are folded at the first space behind this column.
const WIDTH: usize = 80;
/// Columns of a level.
const INDENT: usize = 2;

/// A text in the making.
#[derive(Debug)]
pub(super) struct Page {
    /// So far.
    pub(super) text: String,
    column: usize,
    /// None outside of all nodes.
    indent: Option<usize>,
    /// Whether the last character separates.
    whitespace: bool,
    /// Whether the line has nothing but indentation and indicators.
    pub(super) indention: bool,
    /// A plain scalar at the root needs `...` behind it.
    open_ended: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            text: String::new(),
            column: 0,
            indent: None,
            whitespace: true,
            indention: true,
            open_ended: false,
        }
    }
}

impl Page {
    /// Begins a collection; gives what [`Page::leave`] wants back. `deeper`: its lines are further in than those around.
    pub(super) fn enter(&mut self, deeper: bool) -> Option<usize> {
        let outer = self.indent;
        self.indent = Some(outer.map_or(0, |columns| columns + if deeper { INDENT } else { 0 }));
        outer
    }

    /// Begins a scalar: its further lines are further in.
    pub(super) fn enter_scalar(&mut self) -> Option<usize> {
        let outer = self.indent;
        self.indent = Some(outer.map_or(INDENT, |columns| columns + INDENT));
        outer
    }

    /// Ends what was entered.
    pub(super) fn leave(&mut self, outer: Option<usize>) {
        self.indent = outer;
    }

    /// Ends the document.
    pub(super) fn end_document(&mut self) {
        self.new_line();
        if self.open_ended {
            self.indicator("...", true, false, false);
            self.new_line();
        }
    }

    /// Writes an indicator, separated from what stands before if it must be.
    pub(super) fn indicator(&mut self, mark: &str, separate: bool, white: bool, indention: bool) {
        if separate && !self.whitespace {
            self.put(" ");
        }
        self.put(mark);
        self.whitespace = white;
        self.indention = self.indention && indention;
        self.open_ended = false;
    }

    /// Goes to the indentation, on a new line unless this one has nothing yet.
    pub(super) fn new_line(&mut self) {
        let indent = self.indent.unwrap_or_default();
        let is_taken = self.column > indent || (self.column == indent && !self.whitespace);
        if !self.indention || is_taken {
            self.break_line('\n');
        }
        if self.column < indent {
            self.whitespace = true;
            for _ in self.column..indent {
                self.text.push(' ');
            }
            self.column = indent;
        }
    }

    fn break_line(&mut self, with: char) {
        self.text.push(with);
        self.whitespace = true;
        self.indention = true;
        self.column = 0;
    }

    fn put(&mut self, text: &str) {
        self.column += if text.is_ascii() { text.len() } else { text.chars().count() };
        self.text.push_str(text);
    }

    fn put_all(&mut self, text: &[char]) {
        self.column += text.len();
        self.text.extend(text);
    }

    /// Goes on within a scalar on the next line.
    fn fold(&mut self) {
        self.new_line();
        self.whitespace = false;
        self.indention = false;
    }

    /// A text without quotes, which has no line breaks.
    pub(super) fn plain(&mut self, text: &str, split: bool, at_root: bool) {
        self.open_ended |= at_root;
        if !self.whitespace {
            self.put(" ");
        }
        self.whitespace = false;
        self.indention = false;
        for piece in pieces(text) {
            if piece == " " && self.column > WIDTH && split {
                self.fold();
            } else {
                self.put(piece);
            }
        }
    }

    /// A text in single quotes.
    pub(super) fn single(&mut self, text: &str, split: bool) {
        self.indicator("'", true, false, false);
        let mut at = 0;
        for piece in pieces(text) {
            let inside = at > 0 && at + piece.len() < text.len();
            at += piece.len();
            if piece == " " && self.column > WIDTH && split && inside {
                self.new_line();
            } else if piece.starts_with(style::is_break) {
                self.breaks(piece);
            } else {
                self.put(&piece.replace('\'', "''"));
            }
        }
        self.indicator("'", false, false, false);
    }

    /// Line breaks inside quotes: one more than is meant, since one would be read as a space.
    fn breaks(&mut self, piece: &str) {
        if piece.starts_with('\n') {
            self.break_line('\n');
        }
        for c in piece.chars() {
            self.break_line(c);
        }
        self.new_line();
    }

    /// A text in double quotes, with escapes.
    pub(super) fn double(&mut self, text: &str, split: bool) {
        let text: Vec<char> = text.chars().collect();
        self.indicator("\"", true, false, false);
        let mut start = 0;
        for end in 0..=text.len() {
            let c = text.get(end).copied();
            if c.is_none_or(escaped) {
                if start < end {
                    self.put_all(text.get(start..end).unwrap_or_default());
                    start = end;
                }
                if let Some(c) = c {
                    self.escape(c);
                    start = end + 1;
                }
            }
            let inside = end > 0 && end + 1 < text.len();
            let pending = end.saturating_sub(start);
            let may_fold = inside && (c == Some(' ') || start >= end) && split;
            // Behind an escape `start` is one ahead of `end`.
            let column = (self.column + pending).saturating_sub(start.saturating_sub(end));
            if may_fold && column > WIDTH {
                self.put_all(text.get(start..end).unwrap_or_default());
                self.put("\\");
                start = start.max(end);
                self.fold();
                if text.get(start) == Some(&' ') {
                    self.put("\\");
                }
            }
        }
        self.indicator("\"", false, false, false);
    }

    fn escape(&mut self, c: char) {
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => return self.escape_number(u32::from(c)),
        };
        self.put("\\");
        self.put(short.encode_utf8(&mut [0; 4]));
    }

    fn escape_number(&mut self, code: u32) {
        let mut text = String::new();
        let written = match code {
            0..=0xff => write!(text, "\\x{code:02X}"),
            0x100..=0xffff => write!(text, "\\u{code:04X}"),
            _ => write!(text, "\\U{code:08X}"),
        };
        written.expect("a string takes all text");
        self.put(&text);
    }
}

/// Whether a character is escaped in double quotes.
fn escaped(c: char) -> bool {
    matches!(c, '"' | '\\' | '\u{85}' | '\u{2028}' | '\u{2029}') || !style::is_printable(c)
}

/// Runs of spaces, runs of line breaks, and what stands between.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let class = |c: char| (c == ' ', style::is_break(c));
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = class(rest.chars().next()?);
        let end = rest.find(|c| class(c) != first).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(piece)
    })
}
