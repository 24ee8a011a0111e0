//! BLEU and chrF of translations against references, equal to sacreBLEU's (Post 2018) and with its signatures.
//!
//! Scores are those of sacreBLEU [`VERSION`]; `tests/peer/sacrebleu_scores.py` made the fixture that the tests compare with.

mod bleu;
mod chrf;
mod count;
mod error;
mod words;

pub use bleu::{Bleu, BleuCounts, BleuOptions, Smoothing, bleu};
pub use chrf::{Chrf, ChrfCounts, ChrfOptions, chrf};
pub use error::MetricError;
pub use words::Tokenization;

/// The version of sacreBLEU whose scores these are; last part of a signature.
pub const VERSION: &str = "2.6.0";

/// Checks that there are references and that each is as long as the translations.
fn check(translations: &[String], references: &[Vec<String>]) -> Result<(), MetricError> {
    if references.is_empty() {
        return Err(MetricError::NoReferences);
    }
    let expected = translations.len();
    match references.iter().find(|reference| reference.len() != expected) {
        Some(reference) => {
            Err(MetricError::UnequalLines { translations: expected, references: reference.len() })
        }
        None if expected == 0 => Err(MetricError::NoTranslations),
        None => Ok(()),
    }
}

/// The references of a segment.
fn of_segment(references: &[Vec<String>], at: usize) -> Vec<&str> {
    references.iter().filter_map(|reference| reference.get(at)).map(String::as_str).collect()
}

/// `yes` or `no`, `lc` or `mixed`: the words of signatures.
fn word(flag: bool, yes: &'static str, no: &'static str) -> &'static str {
    if flag { yes } else { no }
}
