//! BLEU and chrF against sacreBLEU's scores, signatures and lines.
//!
//! `tests/peer/sacrebleu_scores.py` writes the fixture; `MMC_SACREBLEU_PEER` names a larger one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use mmc_text::metrics::{BleuOptions, ChrfOptions, MetricError, Smoothing, bleu, chrf};
use serde::Deserialize;

#[derive(Deserialize)]
struct Corpus {
    translations: Vec<String>,
    references: Vec<Vec<String>>,
    scores: Vec<Score>,
}

#[derive(Deserialize)]
struct Score {
    kind: String,
    options: Options,
    #[serde(rename = "score")]
    value: f64,
    line: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    tokenize: Option<String>,
    lowercase: bool,
    smooth_method: Option<String>,
    smooth_value: Option<f64>,
    effective_order: bool,
    word_order: Option<usize>,
    char_order: Option<usize>,
    beta: Option<u32>,
    whitespace: bool,
}

fn ours(corpus: &Corpus, score: &Score) -> (f64, String) {
    let options = &score.options;
    if score.kind == "chrf" {
        let options = ChrfOptions {
            characters: options.char_order.unwrap_or(6),
            words: options.word_order.unwrap_or(0),
            beta: options.beta.unwrap_or(2),
            lowercase: options.lowercase,
            whitespace: options.whitespace,
        };
        let found = chrf(&corpus.translations, &corpus.references, &options).unwrap();
        return (found.score, found.to_string());
    }
    let smoothing = match options.smooth_method.as_deref() {
        None => Smoothing::Exp,
        Some("floor") => Smoothing::Floor(options.smooth_value.unwrap_or(0.1)),
        Some("add-k") => Smoothing::AddK(options.smooth_value.unwrap_or(1.0)),
        Some(_) => Smoothing::None,
    };
    let tokenization = options.tokenize.as_deref().unwrap_or("13a").parse().unwrap();
    let (lowercase, effective_order) = (options.lowercase, options.effective_order);
    let options = BleuOptions { tokenization, smoothing, lowercase, effective_order };
    let found = bleu(&corpus.translations, &corpus.references, &options).unwrap();
    (found.score, found.to_string())
}

#[test]
fn scores_and_lines_equal_sacrebleu_s() {
    let mut paths = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metrics/scores.json")];
    paths.extend(std::env::var_os("MMC_SACREBLEU_PEER").map(PathBuf::from));
    for path in paths {
        let corpora: Vec<Corpus> =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (mut compared, mut wrong) = (0, Vec::new());
        for corpus in &corpora {
            for score in &corpus.scores {
                let (found, line) = ours(corpus, score);
                compared += 1;
                // Sums in another order differ in the last bits; the line is what people compare.
                if (found - score.value).abs() > 1e-9 || line != score.line {
                    let (texts, refs) = (&corpus.translations, &corpus.references);
                    let options = &score.options;
                    wrong.push(format!(
                        "{line}\n{}\n{found} {}\n{options:?}\n{texts:?}\n{refs:?}",
                        score.line, score.value
                    ));
                }
            }
        }
        let first = wrong.iter().min_by_key(|text| text.len());
        assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), first.unwrap());
        assert!(compared >= 200);
    }
}

#[test]
fn what_can_t_be_compared_is_refused() {
    let lines = |count: usize| vec!["a".to_owned(); count];
    let options = BleuOptions::default();
    assert_eq!(bleu(&lines(2), &[], &options), Err(MetricError::NoReferences));
    assert_eq!(bleu(&[], &[vec![]], &options), Err(MetricError::NoTranslations));
    let unequal = MetricError::UnequalLines { translations: 2, references: 3 };
    assert_eq!(bleu(&lines(2), &[lines(2), lines(3)], &options), Err(unequal.clone()));
    assert_eq!(chrf(&lines(2), &[lines(3)], &ChrfOptions::default()), Err(unequal));
}
