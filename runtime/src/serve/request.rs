//! The JSON of requests, answers and refusals.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Limits;
use crate::translate::{Settings, TranslateError};

/// What a request asks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) settings: Settings,
    pub(super) wanted: Wanted,
    pub(super) texts: Vec<Text>,
}

/// What is wanted of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Translations; of the pieces alone that a text of the target language is split into, where one is given.
    Translations { only: Option<String> },
    /// The scores of given translations.
    Scores,
}

/// A text, and what is given of its translation: its beginning, or all of it where a score is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) source: String,
    pub(super) target: Option<String>,
}

/// The fields of a request; what else it has are settings.
#[derive(Debug, Deserialize)]
struct Body {
    from: String,
    to: String,
    text: Option<String>,
    texts: Option<Vec<String>>,
    target: Option<String>,
    targets: Option<Vec<String>>,
    #[serde(default)]
    score: bool,
    only: Option<String>,
    #[serde(flatten)]
    settings: Map<String, Value>,
}

/// A translation, and the next best when several are asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Translation {
    pub(super) text: String,
    pub(super) score: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) others: Vec<Self>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    pub(super) status: u16,
    /// One word for programs.
    pub(super) code: &'static str,
    /// A sentence for people.
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "bad_request", message)
    }
}

/// Widest search that a request may ask.
const WIDEST: u32 = 64;
/// Most target pieces for one of the source, and beyond.
const LONGEST: (f64, u32) = (10.0, 1000);

/// Reads a request within the limits.
pub(super) fn read(bytes: &[u8], limits: Limits) -> Result<Request, Refusal> {
    let body: Body = serde_json::from_slice(bytes).map_err(|fault| match fault.classify() {
        serde_json::error::Category::Data => Refusal::bad(fault.to_string()),
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => {
            Refusal::new(400, "malformed", format!("this is no JSON: {fault}"))
        }
    })?;
    let Body { from, to, text, texts, target, targets, score, only, settings } = body;
    let texts = read_texts((text, target), (texts, targets))?;
    if texts.len() > limits.max_texts as usize {
        let message = format!("{} texts; at most {} at once", texts.len(), limits.max_texts);
        return Err(Refusal::new(413, "too_many_texts", message));
    }
    let wanted = match (score, only) {
        (false, only) => Wanted::Translations { only },
        (true, None) => {
            of_use_to_scores(&settings)?;
            Wanted::Scores
        }
        (true, Some(_)) => return Err(no_use_to_scores("only")),
    };
    Ok(Request { from, to, settings: read_settings(settings)?, wanted, texts })
}

/// One text or several, each with what is given of its translation.
fn read_texts(
    one: (Option<String>, Option<String>),
    several: (Option<Vec<String>>, Option<Vec<String>>),
) -> Result<Vec<Text>, Refusal> {
    match (one, several) {
        ((Some(source), target), (None, None)) => Ok(vec![Text { source, target }]),
        ((None, None), (Some(texts), None)) => {
            Ok(texts.into_iter().map(|source| Text { source, target: None }).collect())
        }
        ((None, None), (Some(texts), Some(targets))) => {
            if texts.len() != targets.len() {
                let message = format!("{} `texts` and {} `targets`", texts.len(), targets.len());
                return Err(Refusal::bad(message));
            }
            let pair = |(source, target)| Text { source, target: Some(target) };
            Ok(texts.into_iter().zip(targets).map(pair).collect())
        }
        ((Some(_), _), (Some(_), _)) => Err(Refusal::bad("either `text` or `texts`, not both")),
        ((None, _), (None, _)) => Err(Refusal::bad("missing field `text` or `texts`")),
        ((Some(_), _), (None, Some(_))) | ((None, Some(_)), (Some(_), _)) => {
            Err(Refusal::bad("`target` goes with `text`, `targets` with `texts`"))
        }
    }
}

/// Refuses settings of a search where there is none.
fn of_use_to_scores(given: &Map<String, Value>) -> Result<(), Refusal> {
    let idle = |name: &&String| !["length_penalty", "coverage_penalty"].contains(&name.as_str());
    given.keys().find(idle).map_or(Ok(()), |name| Err(no_use_to_scores(name)))
}

fn no_use_to_scores(name: &str) -> Refusal {
    Refusal::bad(format!("`{name}` is of no use with `score`, which searches for nothing"))
}

/// The settings of a search, as narrow as a server allows.
fn read_settings(given: Map<String, Value>) -> Result<Settings, Refusal> {
    let has = |name: &str| given.contains_key(name);
    let (drawn, beam) =
        (["temperature", "top_k", "top_p", "seed"].map(|name| (name, has(name))), has("beam"));
    let settings: Settings = serde_json::from_value(Value::Object(given))
        .map_err(|fault| Refusal::bad(fault.to_string()))?;
    if let Some((name, _)) = drawn.iter().find(|(_, given)| *given && !settings.sample) {
        return Err(Refusal::bad(format!("`{name}` is of no use without `sample`")));
    }
    if beam && settings.sample {
        return Err(Refusal::bad("either `sample` or `beam`: what is drawn is not searched for"));
    }
    settings.check().map_err(|fault| Refusal::bad(fault.to_string()))?;
    let Settings { beam, nbest, max_ratio, max_length, .. } = settings;
    if beam > WIDEST || nbest > WIDEST || max_ratio > LONGEST.0 || max_length > LONGEST.1 {
        return Err(Refusal::bad(format!(
            "a server's `beam` and `nbest` go up to {WIDEST}, `max_ratio` to {}, `max_length` to {}",
            LONGEST.0, LONGEST.1
        )));
    }
    Ok(settings)
}

/// Why a direction can't be translated.
impl From<TranslateError> for Refusal {
    fn from(fault: TranslateError) -> Self {
        let message = fault.to_string();
        match fault {
            TranslateError::Language { .. } => Self::new(404, "unknown_language", message),
            TranslateError::NoPath { .. }
            | TranslateError::NoModule { .. }
            | TranslateError::NotSaved { .. }
            | TranslateError::Continues { .. } => Self::new(404, "no_modules", message),
            TranslateError::NoCoverage | TranslateError::NoSearch => Self::bad(message),
            TranslateError::Memory { .. } | TranslateError::MemoryOfModules { .. } => {
                Self::new(503, "out_of_memory", "memory is too small for this request")
            }
            TranslateError::Plan { .. }
            | TranslateError::NoCheckpoint(_)
            | TranslateError::Parameters { .. }
            | TranslateError::NoToken { .. }
            | TranslateError::Tokenizer { .. }
            | TranslateError::Model(_)
            | TranslateError::Gpu(_)
            | TranslateError::Beam { .. }
            | TranslateError::Setting { .. }
            | TranslateError::Members { .. }
            | TranslateError::Apart { .. }
            | TranslateError::TooFew { .. }
            | TranslateError::Only { .. }
            | TranslateError::Listen { .. }
            | TranslateError::Column(_)
            | TranslateError::DeskGone
            | TranslateError::Stream { .. } => Self::new(500, "unusable_model", message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { queue: 1, max_texts: 2, max_pieces: 9, max_bytes: 999, read_timeout: 1 };

    fn refusal(text: &str) -> Refusal {
        read(text.as_bytes(), LIMITS).expect_err(text)
    }

    #[test]
    fn requests_are_read_with_their_settings() {
        let text = r#"{"from": "a", "to": "b", "text": "x", "beam": 2, "length_penalty": 0.5}"#;
        let request = read(text.as_bytes(), LIMITS).expect("a request");
        let settings = Settings { beam: 2, length_penalty: 0.5, ..Settings::default() };
        let (from, to, wanted) =
            ("a".to_owned(), "b".to_owned(), Wanted::Translations { only: None });
        let texts = vec![Text { source: "x".to_owned(), target: None }];
        assert_eq!(request, Request { from, to, settings, wanted, texts });
        let many = r#"{"from": "a", "to": "b", "texts": ["x", "y"], "sample": true, "seed": 3}"#;
        assert_eq!(read(many.as_bytes(), LIMITS).expect("a request").settings.seed, 3);
        let begun = r#"{"from": "a", "to": "b", "text": "x", "target": "y", "only": "y z"}"#;
        let request = read(begun.as_bytes(), LIMITS).expect("a request");
        assert_eq!(request.wanted, Wanted::Translations { only: Some("y z".to_owned()) });
        let text = |source: &str, target: &str| Text {
            source: source.to_owned(),
            target: Some(target.to_owned()),
        };
        assert_eq!(request.texts, [text("x", "y")]);
        let scored = r#"{"from": "a", "to": "b", "texts": ["x", "y"], "targets": ["v", "w"], "score": true, "length_penalty": 0}"#;
        let request = read(scored.as_bytes(), LIMITS).expect("a request");
        assert_eq!((request.wanted, request.settings.length_penalty), (Wanted::Scores, 0.0));
        assert_eq!(request.texts, [text("x", "v"), text("y", "w")]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, status, code, words) in [
            ("{", 400, "malformed", "line 1"),
            ("\u{7f}", 400, "malformed", "no JSON"),
            ("[]", 400, "bad_request", "expected"),
            (r#"{"from": "a", "to": "b"}"#, 400, "bad_request", "`texts`"),
            (r#"{"from": "a", "text": "x"}"#, 400, "bad_request", "`to`"),
            (r#"{"from": "a", "to": 5, "text": "x"}"#, 400, "bad_request", "integer `5`"),
            (r#"{"from": "a", "to": "b", "text": "x", "texts": []}"#, 400, "bad_request", "both"),
            (r#"{"from": "a", "to": "b", "text": "x", "bam": 1}"#, 400, "bad_request", "`bam`"),
            (r#"{"from": "a", "to": "b", "text": "x", "beam": 0}"#, 400, "bad_request", "`beam`"),
            (r#"{"from": "a", "to": "b", "text": "x", "beam": 65}"#, 400, "bad_request", "64"),
            (r#"{"from": "a", "to": "b", "text": "x", "seed": 1}"#, 400, "bad_request", "`sample`"),
            (
                r#"{"from": "a", "to": "b", "text": "x", "sample": true, "beam": 4}"#,
                400,
                "bad_request",
                "either",
            ),
            (
                r#"{"from": "a", "to": "b", "texts": ["", ""], "targets": [""]}"#,
                400,
                "bad_request",
                "1 `targets`",
            ),
            (
                r#"{"from": "a", "to": "b", "text": "", "targets": [""]}"#,
                400,
                "bad_request",
                "`targets` with `texts`",
            ),
            (
                r#"{"from": "a", "to": "b", "text": "", "target": "", "score": true, "beam": 4}"#,
                400,
                "bad_request",
                "`beam` is of no use",
            ),
            (
                r#"{"from": "a", "to": "b", "text": "", "score": true, "only": "x"}"#,
                400,
                "bad_request",
                "`only` is of no use",
            ),
            (
                r#"{"from": "a", "to": "b", "texts": ["", "", ""]}"#,
                413,
                "too_many_texts",
                "at most 2",
            ),
        ] {
            let refusal = refusal(text);
            assert_eq!((refusal.status, refusal.code), (status, code), "{text}");
            assert!(refusal.message.contains(words), "{}", refusal.message);
        }
    }
}
