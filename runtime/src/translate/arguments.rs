//! What `mmc-worker translate` is asked.

use std::path::PathBuf;

/// Translates lines from standard input to standard output, one line each.
#[derive(Debug, Clone, PartialEq, clap::Parser)]
#[command(name = "mmc-worker translate")]
pub struct TranslateArguments {
    /// The plan.
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// A checkpoint (the folder with `modules/`), the file `best` or `latest` beside checkpoints, or an experiment's output folder: its
    /// newest checkpoint.
    #[arg(long, value_name = "FOLDER")]
    pub checkpoint: PathBuf,
    /// Source language.
    #[arg(long, value_name = "LANGUAGE")]
    pub source: String,
    /// Target language.
    #[arg(long, value_name = "LANGUAGE")]
    pub target: String,
    /// Hypotheses kept open; 1 is greedy search.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub beam: u32,
    /// Most sentences translated together.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Most padded source tokens translated together; one sentence is always allowed.
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_tokens: u32,
    /// Most target tokens for one source token.
    #[arg(long, value_name = "X", default_value_t = 2.0, value_parser = not_negative)]
    pub max_ratio: f64,
    /// Most target tokens beyond those that the ratio allows.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub max_length: u32,
    /// Hypotheses are compared by `log p / length^X`.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = not_negative)]
    pub length_penalty: f64,
    /// Writes `score<TAB>text`; the score is `log p / length^X`.
    #[arg(long)]
    pub scores: bool,
    /// Translations of each line, at most the beam: each is written as `line<TAB>score<TAB>text`, lines counted from 1.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub nbest: u32,
    /// No sequence of so many pieces comes twice in a translation; 0: any may.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub no_repeat: u32,
    /// Draws translations in place of searching for the best; `--nbest` draws several.
    #[arg(long, conflicts_with = "beam")]
    pub sample: bool,
    /// Probabilities are raised to the power of 1/X before drawing.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive, requires = "sample")]
    pub temperature: f64,
    /// Draws from the N likeliest pieces; 0: from all.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "sample")]
    pub top_k: u32,
    /// Draws from the likeliest pieces that together have probability X.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = part, requires = "sample")]
    pub top_p: f64,
    /// Seed of what is drawn.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "sample")]
    pub seed: u64,
    /// What input lines hold behind a tab: the beginning of the translation, or all of it, whose score (`log p / length^X`) is then
    /// written in its place.
    #[arg(long, value_enum)]
    pub given: Option<Given>,
    /// Threads of libtorch; by default all processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
}

/// What is given of a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Given {
    /// Its beginning.
    Prefix,
    /// All of it.
    Translation,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        Ok(number) => Err(format!("{number} is not above 0")),
        Err(fault) => Err(fault.to_string()),
    }
}

/// A number above 0 and up to 1.
fn part(text: &str) -> Result<f64, String> {
    match positive(text)? {
        number if number <= 1.0 => Ok(number),
        number => Err(format!("{number} is more than 1")),
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number >= 0.0 && number.is_finite() => Ok(number),
        Ok(number) => Err(format!("{number} is not a number from 0 on")),
        Err(fault) => Err(fault.to_string()),
    }
}
