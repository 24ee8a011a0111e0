//! How to search: flags of the command line and fields of a request alike.

use serde::Deserialize;

use super::TranslateError;
use super::search::{Sampling, Search};
use super::sides::Sides;

/// How to search.
#[derive(Debug, Clone, PartialEq, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Hypotheses kept open; 1 is greedy search.
    #[arg(long, value_name = "N", default_value_t = standard().beam)]
    pub beam: u32,
    /// Hypotheses are compared by `log p / length^X`, plus the coverage penalty.
    #[arg(long, value_name = "X", default_value_t = standard().length_penalty)]
    pub length_penalty: f64,
    /// X times the coverage is added to scores: the sum over source positions of the logarithm of the attention that they got, up
    /// to 1.
    #[arg(long, value_name = "X", default_value_t = standard().coverage_penalty)]
    pub coverage_penalty: f64,
    /// Translations of each line, at most the beam: each is written as `line<TAB>score<TAB>text`, lines counted from 1.
    #[arg(long, value_name = "N", default_value_t = standard().nbest)]
    pub nbest: u32,
    /// No sequence of so many pieces comes twice in a translation; 0: any may.
    #[arg(long, value_name = "N", default_value_t = standard().no_repeat)]
    pub no_repeat: u32,
    /// Most target tokens for one source token.
    #[arg(long, value_name = "X", default_value_t = standard().max_ratio)]
    pub max_ratio: f64,
    /// Most target tokens beyond those that the ratio allows.
    #[arg(long, value_name = "N", default_value_t = standard().max_length)]
    pub max_length: u32,
    /// Draws translations in place of searching for the best; `--nbest` draws several.
    #[arg(long, conflicts_with = "beam")]
    pub sample: bool,
    /// Probabilities are raised to the power of 1/X before drawing.
    #[arg(long, value_name = "X", default_value_t = standard().temperature, requires = "sample")]
    pub temperature: f64,
    /// Draws from the N likeliest pieces; 0: from all.
    #[arg(long, value_name = "N", default_value_t = standard().top_k, requires = "sample")]
    pub top_k: u32,
    /// Draws from the likeliest pieces that together have probability X.
    #[arg(long, value_name = "X", default_value_t = standard().top_p, requires = "sample")]
    pub top_p: f64,
    /// Seed of what is drawn.
    #[arg(long, value_name = "N", default_value_t = standard().seed, requires = "sample")]
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            beam: 4,
            length_penalty: 1.0,
            coverage_penalty: 0.0,
            nbest: 1,
            no_repeat: 0,
            max_ratio: 2.0,
            max_length: 20,
            sample: false,
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            seed: 1,
        }
    }
}

/// What holds where nothing else is said.
fn standard() -> Settings {
    Settings::default()
}

/// Most hypotheses and translations of a line.
const WIDEST: u32 = 1000;

impl Settings {
    /// Refuses numbers that no search can take.
    pub(crate) fn check(&self) -> Result<(), TranslateError> {
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        let rules: [(&str, f64, bool, &str); 8] = [
            ("beam", self.beam.into(), (1..=WIDEST).contains(&self.beam), "from 1 to 1000"),
            ("nbest", self.nbest.into(), (1..=WIDEST).contains(&self.nbest), "from 1 to 1000"),
            (
                "length_penalty",
                self.length_penalty,
                not_negative(self.length_penalty),
                "a number from 0 on",
            ),
            (
                "coverage_penalty",
                self.coverage_penalty,
                not_negative(self.coverage_penalty),
                "a number from 0 on",
            ),
            ("max_ratio", self.max_ratio, not_negative(self.max_ratio), "a number from 0 on"),
            (
                "temperature",
                self.temperature,
                self.temperature > 0.0 && self.temperature.is_finite(),
                "a number above 0",
            ),
            (
                "top_p",
                self.top_p,
                self.top_p > 0.0 && self.top_p <= 1.0,
                "a number above 0 and up to 1",
            ),
            ("max_length", self.max_length.into(), self.max_length <= 1_000_000, "up to 1000000"),
        ];
        for (name, value, holds, wanted) in rules {
            if !holds {
                return Err(TranslateError::Setting { name, value, wanted });
            }
        }
        if self.nbest > self.beam && !self.sample {
            return Err(TranslateError::Beam { nbest: self.nbest, beam: self.beam });
        }
        Ok(())
    }

    /// Draws of each line.
    pub(super) fn copies(&self) -> u64 {
        if self.sample { u64::from(self.nbest) } else { 1 }
    }

    /// The search in a direction, whose translations are made of any pieces, or `only` of some.
    pub(super) fn search(&self, sides: &Sides, only: Option<&[u32]>) -> Search {
        let sampling = self.sample.then_some(Sampling {
            temperature: self.temperature,
            top_k: self.top_k as usize,
            top_p: self.top_p,
            seed: self.seed,
        });
        Search {
            beam: if self.sample { 1 } else { self.beam as usize },
            nbest: if self.sample { 1 } else { self.nbest as usize },
            no_repeat: self.no_repeat as usize,
            sampling,
            length_penalty: self.length_penalty,
            coverage_penalty: self.coverage_penalty,
            prompt: sides.prompt(),
            end: sides.end(),
            never: sides.never(only),
        }
    }

    /// Most ids of a translation of so many source ids, the end token included.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "lengths are far below 2^53, and a product too large saturates"
    )]
    pub(super) fn limit(&self, source: usize) -> usize {
        let by_ratio = (source as f64 * self.max_ratio).floor() as usize;
        by_ratio.saturating_add(self.max_length as usize).max(1)
    }
}
