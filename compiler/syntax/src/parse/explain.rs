//! Failures of the generated parser in the user's words.

use pest::error::{Error, ErrorVariant, InputLocation};

use crate::error::SyntaxError;
use crate::grammar::{Rule, words};
use crate::source::Span;

/// What the parser expected at the furthest place that it reached, and what stands there.
pub(super) fn unexpected(error: &Error<Rule>, text: &str, start: u32) -> SyntaxError {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let at = skip_blank(text, at);
    let (found, length) = found(text.get(at..).unwrap_or_default());
    let place = |at: usize| start + u32::try_from(at).expect("texts are bounded");
    let span = Span::new(place(at), place(at + length));
    let expected = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => expected(positives),
        ErrorVariant::CustomError { .. } => "an entry".to_owned(),
    };
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

fn expected(rules: &[Rule]) -> String {
    let operators = [
        Rule::add,
        Rule::subtract,
        Rule::intersect,
        Rule::multiply,
        Rule::divide,
        Rule::times,
        Rule::to,
        Rule::both_ways,
        Rule::with_tail,
        Rule::where_tail,
        Rule::with_word,
        Rule::where_word,
        Rule::dots,
    ];
    let is_operator = |rule: &Rule| operators.contains(rule);
    let mut all: Vec<&str> =
        rules.iter().filter(|rule| !is_operator(rule)).filter_map(|rule| words(*rule)).collect();
    if rules.iter().any(is_operator) {
        all.push("an operator");
    }
    let mut seen: Vec<&str> = Vec::new();
    for word in all {
        if !seen.contains(&word) {
            seen.push(word);
        }
    }
    match seen.as_slice() {
        [] => "a value".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

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
