//! Text to tree. A file that parses as a whole is done; one that doesn't is parsed again piece by piece, so that one run
//! reports the faults of all its entries.

mod build;
mod explain;
mod expr;

use std::collections::BTreeSet;

use pest::Parser as _;

use crate::ast::{Entry, File};
use crate::error::SyntaxError;
use crate::grammar::{Grammar, Rule};
use crate::scan::{self, Fault, FaultKind, Scan};
use crate::source::{LONGEST_TEXT, SourceId, Span};
use build::Builder;

/// What could be read of a file, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// All entries of the file, or, if there are errors, those of its faultless pieces.
    pub file: File,
    /// In the order of their places.
    pub errors: Vec<SyntaxError>,
}

/// The syntax tree of a file that was added to a `SourceMap`, or everything that is wrong with it.
pub fn parse(source: SourceId, text: &str) -> Result<File, Vec<SyntaxError>> {
    let parsed = parse_partial(source, text);
    if parsed.errors.is_empty() { Ok(parsed.file) } else { Err(parsed.errors) }
}

/// As [`parse`], with what could be read of a faulty file.
pub fn parse_partial(source: SourceId, text: &str) -> Parsed {
    let length = u32::try_from(text.len()).ok().filter(|_| text.len() <= LONGEST_TEXT);
    let Some(end) = length.and_then(|length| source.start().checked_add(length)) else {
        let errors = vec![SyntaxError::TooLarge { bytes: text.len(), most: LONGEST_TEXT }];
        let span = Span::new(source.start(), source.start());
        return Parsed { file: File { items: Vec::new(), span }, errors };
    };
    let span = Span::new(source.start(), end);
    let found = scan::scan(text);
    let (items, errors) = if found.faults.is_empty() {
        match piece(source.start(), text, &found) {
            Ok(items) => (items, Vec::new()),
            Err(fault) => by_pieces(source.start(), text, &found, Some(fault)),
        }
    } else {
        by_pieces(source.start(), text, &found, None)
    };
    Parsed { file: File { items, span }, errors }
}

/// The entries of a text that begins at a global place.
fn piece(start: u32, text: &str, scan: &Scan) -> Result<Vec<Entry>, SyntaxError> {
    let mut pairs = Grammar::parse(Rule::file, text)
        .map_err(|error| explain::unexpected(&error, text, start))?;
    let file = pairs.next().expect("the rule `file` yields one pair");
    Builder::new(start, text, scan).entries(file)
}

fn by_pieces(
    start: u32,
    text: &str,
    scan: &Scan,
    whole: Option<SyntaxError>,
) -> (Vec<Entry>, Vec<SyntaxError>) {
    let mut items = Vec::new();
    let mut errors: Vec<SyntaxError> =
        scan.faults.iter().map(|fault| describe(fault, text, start)).collect();
    let faulty: BTreeSet<usize> = scan.faults.iter().map(|fault| fault.place.start).collect();
    for range in &scan.pieces {
        if faulty.range(range.clone()).next().is_some() {
            continue;
        }
        let local = text.get(range.clone()).unwrap_or_default();
        let offset = u32::try_from(range.start).expect("texts are bounded");
        let local_scan = scan.part(range);
        match piece(start + offset, local, &local_scan) {
            Ok(found) => items.extend(found),
            Err(fault) => errors.push(fault),
        }
    }
    if errors.is_empty() {
        errors.extend(whole);
    }
    errors.sort_by_key(SyntaxError::span);
    (items, errors)
}

fn describe(fault: &Fault, text: &str, start: u32) -> SyntaxError {
    let place = |at: usize| start + u32::try_from(at).expect("texts are bounded");
    let span = Span::new(place(fault.place.start), place(fault.place.end));
    let written = text.get(fault.place.clone()).unwrap_or_default().to_owned();
    match fault.kind {
        FaultKind::Unopened(close) => {
            let open = ['(', '[', '{'].into_iter().find(|open| scan::partner(*open) == close);
            SyntaxError::Unopened { close, open: open.unwrap_or('{'), span }
        }
        FaultKind::Unclosed(open, noticed) => {
            let end = Span::new(place(noticed), place(noticed));
            let close = scan::partner(open);
            let help = format!("write `{close}` where it ends");
            SyntaxError::Unclosed { open, span, end, close, help }
        }
        FaultKind::UnclosedText => SyntaxError::UnclosedText { span },
        FaultKind::BadEscape => SyntaxError::BadEscape { escape: written, span },
        FaultKind::BadNumber => SyntaxError::BadNumber { written, span },
        FaultKind::UnknownCharacter => {
            let help = explain::character_help(&written);
            SyntaxError::UnknownCharacter { found: written, span, help }
        }
        FaultKind::TooDeep => SyntaxError::TooDeep { most: scan::DEEPEST_BRACKETS, span },
    }
}
