//! Failures of the generated parser in the user's words.

use pest::error::{Error, ErrorVariant, InputLocation};

use crate::error::SyntaxError;
use crate::grammar::{Rule, words};
use crate::source::Span;

/// What the parser expected at the furthest place that it reached, and what stands there.
pub(super) fn unexpected(error: &Error<Rule>, text: &str, start: u32) -> SyntaxError {
    let reached = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let positives = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
        ErrorVariant::CustomError { .. } => &[],
    };
    // Lookaheads fail where an entry begins too early; they have no words.
    let (at, expected) = if positives.iter().all(|rule| words(*rule).is_none()) {
        before_entry(text, reached)
    } else {
        let before = text.get(..reached).unwrap_or_default().trim_end();
        let keyword = behind_keyword(before).filter(|_| positives.contains(&Rule::assign));
        (skip_blank(text, reached), keyword.map_or_else(|| expected(positives), str::to_owned))
    };
    let (found, length) = found(text.get(at..).unwrap_or_default());
    let place = |at: usize| start + u32::try_from(at).expect("texts are bounded");
    let span = Span::new(place(at), place(at + length));
    let help = help(text, at);
    SyntaxError::Unexpected { expected, found, span, help }
}

/// Past white space and comments.
fn skip_blank(text: &str, mut at: usize) -> usize {
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        let comment = match rest.get(blank..) {
            Some(behind) if behind.starts_with('#') => behind.find('\n').unwrap_or(behind.len()),
            _ => return at + blank,
        };
        at += blank + comment;
    }
}

/// The token at the start of a text, as messages call it, and its length.
fn found(rest: &str) -> (String, usize) {
    let Some(first) = rest.chars().next() else { return ("the end of the file".to_owned(), 0) };
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let end = |wanted: &dyn Fn(char) -> bool| rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    let length = match first {
        '"' => {
            return (
                "a text".to_owned(),
                rest.get(1..).and_then(|r| r.find('"')).map_or(1, |at| at + 2),
            );
        }
        c if c.is_alphanumeric() || c == '_' => end(&word),
        '<' if rest.starts_with("<->") => 3,
        '-' if rest.starts_with("->") => 2,
        '.' if rest.starts_with("..") => 2,
        c => c.len_utf8(),
    };
    (format!("`{}`", rest.get(..length).unwrap_or_default()), length)
}

/// The words for rules, each once, without those that others make needless.
fn expected(rules: &[Rule]) -> String {
    let has = |rule: Rule| rules.contains(&rule);
    let needless = |word: &str| match word {
        "an operator" => {
            rules.iter().any(|rule| !matches!(words(*rule), None | Some("an operator")))
        }
        "a name" | "`in`" => has(Rule::assign) || has(Rule::entry),
        "the end of the file" => has(Rule::entry),
        _ => false,
    };
    let mut all: Vec<&str> = Vec::new();
    for word in rules.iter().filter_map(|rule| words(*rule)) {
        if !needless(word) && !all.contains(&word) {
            all.push(word);
        }
    }
    match all.as_slice() {
        [] => "a value".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// What must follow a keyword, whatever else the grammar would take: any keyword is a key too.
fn behind_keyword(before: &str) -> Option<&'static str> {
    let word = before.get(word_start(before)..).unwrap_or_default();
    let rest = before.get(..word_start(before)).unwrap_or_default().trim_end();
    match word {
        "import" => Some("a path in quotes or a dotted name (`std.clusters.lumi_g`)"),
        "param" | "let" => Some("a name"),
        "languages" => Some("a language code"),
        _ if rest.get(word_start(rest)..) == Some("param") => Some("`:` and a type"),
        _ => None,
    }
}

fn word_start(before: &str) -> usize {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    before.trim_end_matches(word).len()
}

/// An entry stands where the one before it is not complete: the place of its first word and what is missing.
fn before_entry(text: &str, at: usize) -> (usize, String) {
    let rest = text.get(at..).unwrap_or_default();
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let word = rest.len() - rest.trim_start_matches(inner).len();
    let before = text.get(..at + word).unwrap_or_default().trim_end();
    let mut start = word_start(before);
    let outer = before.get(..start).unwrap_or_default().trim_end();
    let label = outer.get(word_start(outer)..).unwrap_or_default();
    if LABELLED.contains(&label) {
        start = word_start(outer);
    }
    let before = text.get(..start).unwrap_or_default().trim_end();
    let missing = if before.ends_with(['=', '+', '-', '>', '&', '*', '/']) {
        "a value"
    } else if before.ends_with(',') {
        "another item"
    } else {
        "`,` or a closing bracket"
    };
    (start, missing.to_owned())
}

/// Words that take a name before `{` or `=`, as the grammar has them.
const LABELLED: [&str; 10] = [
    "adapter",
    "corpus",
    "experiment",
    "groups",
    "language",
    "let",
    "param",
    "phase",
    "tasks",
    "tokenizer",
];

fn help(text: &str, at: usize) -> Option<String> {
    let rest = text.get(at..).unwrap_or_default();
    let before = text.get(..at).unwrap_or_default().trim_end();
    let words = if rest.starts_with(',') {
        "entries of a block stand without commas between them"
    } else if rest.starts_with("==") || before.ends_with('=') && rest.starts_with('=') {
        "one `=` sets a value; there is no comparison"
    } else if rest.starts_with('(') {
        "arguments stand directly behind the name: `temperature(0.5)`"
    } else if rest.starts_with('[') {
        "an index stands directly behind the name: `encoder[1]`"
    } else if rest.starts_with(':') {
        "values are set with `=`"
    } else {
        return None;
    };
    Some(words.to_owned())
}

/// Advice for a character that the language doesn't have.
pub(super) fn character_help(found: &str) -> String {
    let words = match found {
        "'" | "`" | "\u{201c}" | "\u{201d}" | "\u{2018}" | "\u{2019}" => {
            "texts stand in straight double quotes: `\"...\"`"
        }
        ";" => "entries need no separator; begin a new line",
        "|" => "sets are joined with `+`, cut with `&`",
        "!" => "sets are taken away with `-`",
        "\\" => "a path is a text in quotes, with `/`",
        "\u{2192}" => "write `->`",
        "\u{2194}" => "write `<->`",
        "$" => "variables of paths stand in braces: `\"{src_lang}\"`",
        "\u{a0}" => "this is a no-break space; write a plain one",
        "\u{feff}" => "this is a byte-order mark inside the file; remove it",
        _ => "remove it, or write it inside a text: `\"...\"`",
    };
    words.to_owned()
}
