//! A pass over the characters of a file before it is parsed: finds what a grammar reports badly (brackets without partners,
//! unclosed texts, bad escapes, malformed numbers, too deep nesting), the comments, and the pieces between which a parser
//! can recover. All places here are local to the text.

use std::ops::Range;

/// Most brackets inside each other; keeps the recursive parser within the smallest usual stack.
pub(crate) const DEEPEST_BRACKETS: usize = 64;

/// How often scanning starts again behind a bracket without partner.
const MOST_RESTARTS: usize = 20;

/// What is wrong with the characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// A closing bracket that closes nothing.
    Unopened(char),
    /// An opening bracket that nothing closes; where that was noticed.
    Unclosed(char, usize),
    /// A text without its second quote.
    UnclosedText,
    /// An escape that doesn't exist.
    BadEscape,
    /// `1.`, `1__0`.
    BadNumber,
    /// A character outside of the language.
    UnknownCharacter,
    /// Nesting beyond the bound.
    TooDeep,
}

/// A fault and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) place: Range<usize>,
}

/// What the pass found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// From `#` to before the line end.
    pub(crate) comments: Vec<Range<usize>>,
    /// In the order of their finding.
    pub(crate) faults: Vec<Fault>,
    /// Pieces that begin with an entry at the start of a line outside of all brackets; together the whole text.
    pub(crate) pieces: Vec<Range<usize>>,
}

impl Scan {
    /// The comments of a part of the text, as places in that part.
    pub(crate) fn part(&self, part: &Range<usize>) -> Self {
        let from = self.comments.partition_point(|comment| comment.start < part.start);
        let to = self.comments.partition_point(|comment| comment.start < part.end);
        let inside = self.comments.get(from..to).unwrap_or_default();
        let comments = inside.iter().map(|c| c.start - part.start..c.end - part.start).collect();
        Self { comments, ..Self::default() }
    }
}

/// Scans a text.
pub(crate) fn scan(text: &str) -> Scan {
    let mut found = Scan::default();
    let mut from = 0;
    for round in 0..=MOST_RESTARTS {
        let mut scanner = Scanner::new(text, from);
        scanner.run();
        let Some(culprit) = scanner.culprit() else {
            scanner.give(&mut found, text.len(), text.len());
            return found;
        };
        let resumed = scanner.weak.iter().copied().find(|&line| line > culprit.at);
        let resumed = resumed.filter(|_| round < MOST_RESTARTS);
        let end = resumed.unwrap_or(text.len());
        let noticed = text.get(..end).map_or(end, |before| before.trim_end().len());
        scanner.give(&mut found, end, culprit.at);
        let kind = FaultKind::Unclosed(culprit.bracket, noticed);
        found.faults.push(Fault { kind, place: culprit.at..culprit.at + 1 });
        match resumed {
            Some(line) => from = line,
            None => return found,
        }
    }
    found
}

#[derive(Debug, Clone, Copy)]
struct Open {
    bracket: char,
    at: usize,
    indent: usize,
}

struct Scanner<'t> {
    text: &'t str,
    from: usize,
    at: usize,
    indent: usize,
    line_start: usize,
    stack: Vec<Open>,
    /// The innermost bracket whose closing one stood in the column of an outer one.
    suspect: Option<Open>,
    too_deep: bool,
    comments: Vec<Range<usize>>,
    faults: Vec<Fault>,
    /// Starts of pieces.
    strong: Vec<usize>,
    /// Starts of lines within brackets that look like an entry in the first column.
    weak: Vec<usize>,
    /// The last token can't end an entry.
    dangling: bool,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str, from: usize) -> Self {
        Self {
            text,
            from,
            at: from,
            indent: 0,
            line_start: from,
            stack: Vec::new(),
            suspect: None,
            too_deep: false,
            comments: Vec::new(),
            faults: Vec::new(),
            strong: Vec::new(),
            weak: Vec::new(),
            dangling: false,
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn run(&mut self) {
        self.begin_line();
        while let Some(c) = self.rest().chars().next() {
            let start = self.at;
            match c {
                '\n' => {
                    self.at += 1;
                    self.begin_line();
                    continue;
                }
                ' ' | '\t' | '\r' => {
                    self.at += 1;
                    continue;
                }
                '#' => {
                    let length = self.rest().find('\n').unwrap_or(self.rest().len());
                    let written = self.rest().get(..length).unwrap_or_default().trim_end();
                    self.comments.push(start..start + written.len());
                    self.at += length;
                    continue;
                }
                '"' => self.text_literal(),
                '(' | '[' | '{' => self.open(c),
                ')' | ']' | '}' => self.close(c),
                '0'..='9' => self.number(),
                _ if is_word(c) => self.skip(is_word),
                '=' | ',' | ':' | '.' | '+' | '-' | '*' | '/' | '&' | '<' | '>' | '%' => {
                    self.at += 1;
                }
                _ => {
                    self.at += c.len_utf8();
                    self.fault(FaultKind::UnknownCharacter, start);
                }
            }
            self.dangling =
                matches!(c, '=' | ',' | '+' | '-' | '*' | '/' | '&' | '<' | '>' | '.' | ':');
        }
    }

    fn fault(&mut self, kind: FaultKind, start: usize) {
        self.faults.push(Fault { kind, place: start..self.at });
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    }

    fn begin_line(&mut self) {
        self.line_start = self.at;
        let rest = self.rest();
        self.indent = rest.find(|c| c != ' ' && c != '\t').unwrap_or(rest.len());
        if self.indent == 0 && begins_entry(rest) {
            if self.stack.is_empty() {
                if !self.dangling {
                    self.strong.push(self.at);
                }
            } else {
                self.weak.push(self.at);
            }
        }
    }

    fn open(&mut self, bracket: char) {
        let start = self.at;
        self.at += 1;
        self.stack.push(Open { bracket, at: start, indent: self.indent });
        if self.stack.len() > DEEPEST_BRACKETS && !self.too_deep {
            self.too_deep = true;
            self.fault(FaultKind::TooDeep, start);
        }
    }

    fn close(&mut self, bracket: char) {
        let start = self.at;
        self.at += 1;
        let first_on_line = start == self.line_start + self.indent;
        let Some(depth) = self.stack.iter().rposition(|open| partner(open.bracket) == bracket)
        else {
            self.fault(FaultKind::Unopened(bracket), start);
            return;
        };
        for open in self.stack.split_off(depth + 1).into_iter().take(1) {
            let kind = FaultKind::Unclosed(open.bracket, start);
            self.faults.push(Fault { kind, place: open.at..open.at + 1 });
        }
        if let Some(open) = self.stack.pop()
            && first_on_line
            && open.indent > self.indent
            && self.suspect.is_none_or(|suspect| suspect.indent < open.indent)
            && self.stack.iter().any(|outer| outer.indent == self.indent)
        {
            self.suspect = Some(open);
        }
    }

    fn text_literal(&mut self) {
        let start = self.at;
        self.at += 1;
        loop {
            self.skip(|c| !matches!(c, '"' | '\\' | '\n' | '\r'));
            match self.rest().chars().next() {
                Some('"') => {
                    self.at += 1;
                    return;
                }
                Some('\\') => self.escape(),
                _ => {
                    self.fault(FaultKind::UnclosedText, start);
                    return;
                }
            }
        }
    }

    fn escape(&mut self) {
        let start = self.at;
        self.at += 1;
        match self.rest().chars().next() {
            Some('"' | '\\' | 'n' | 't') => self.at += 1,
            Some('u') if unicode_escape(self.rest()).is_some() => {
                self.skip(|c| c != '}');
                self.at += 1;
            }
            Some('\n' | '\r') | None => {}
            Some(c) => {
                self.at += c.len_utf8();
                self.fault(FaultKind::BadEscape, start);
            }
        }
    }

    /// Digits and what is attached to them. `0..3` is a range, `50k` and `80GiB` end in words.
    fn number(&mut self) {
        let start = self.at;
        self.skip(|c| c.is_ascii_digit() || c == '_');
        let mut points = 0;
        while self.rest().starts_with('.') && !self.rest().starts_with("..") {
            points += 1;
            self.at += 1;
            self.skip(|c| c.is_ascii_digit() || c == '_');
        }
        let written = self.text.get(start..self.at).unwrap_or_default();
        let odd = written.contains("__") || written.contains("_.") || written.contains("._");
        if points > 1 || odd || written.ends_with(['.', '_']) {
            self.fault(FaultKind::BadNumber, start);
        }
        if let Some(behind) = self.rest().strip_prefix(['e', 'E'])
            && let Some(digits) = behind.strip_prefix(['+', '-'])
        {
            self.at += if digits.starts_with(|c: char| c.is_ascii_digit()) { 2 } else { 0 };
        }
        self.skip(is_word);
    }

    /// The bracket to blame when some are left open.
    fn culprit(&self) -> Option<Open> {
        let first = *self.stack.first()?;
        Some(self.suspect.filter(|suspect| suspect.at > first.at).unwrap_or(first))
    }

    /// Hands over what lies before `end`; faults only before `known`, behind which brackets are out of step.
    fn give(self, found: &mut Scan, end: usize, known: usize) {
        found.comments.extend(self.comments.into_iter().filter(|comment| comment.start < end));
        found.faults.extend(self.faults.into_iter().filter(|fault| {
            let bracket = matches!(fault.kind, FaultKind::Unclosed(..) | FaultKind::Unopened(_));
            fault.place.start < if bracket { known } else { end }
        }));
        let starts: Vec<usize> = self.strong.into_iter().filter(|start| *start < end).collect();
        let mut from = self.from;
        for start in starts.into_iter().chain([end]) {
            if start > from {
                found.pieces.push(from..start);
                from = start;
            }
        }
    }
}

/// What closes a bracket.
pub(crate) fn partner(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

/// The character of `u{...}`, if it is one.
pub(crate) fn unicode_escape(rest: &str) -> Option<char> {
    let (digits, _) = rest.strip_prefix("u{")?.split_once('}')?;
    let hex =
        !digits.is_empty() && digits.len() <= 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten().and_then(char::from_u32)
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric() || !c.is_ascii() && !c.is_whitespace() && !c.is_control()
}

/// Whether a line that starts with this begins an entry: `word =`, `word {`, `word word`.
fn begins_entry(rest: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if !rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return false;
    }
    let behind = rest.trim_start_matches(word);
    let spaced = behind.trim_start_matches([' ', '\t']);
    match spaced.chars().next() {
        Some('{' | '=') => true,
        Some('"') => behind.len() > spaced.len(),
        Some(c) if word(c) && behind.len() > spaced.len() => {
            let second = spaced.trim_start_matches(word).trim_start_matches([' ', '\t']);
            let keyword = ["import", "param", "let", "languages", "for"];
            let first = rest.get(..rest.len() - behind.len()).unwrap_or_default();
            keyword.contains(&first) || second.starts_with(['{', '='])
        }
        _ => false,
    }
}
