//! `mmc eval`: translations and references to BLEU and chrF, with sacreBLEU's signatures.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mmc_text::lines;
use mmc_text::metrics::{self, BleuOptions, ChrfOptions, Tokenization};
use serde_json::{Value, json};

use crate::error::{At as _, CliError, Exit, Stop};
use crate::report;

/// Options of `mmc eval`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Reference translations, one segment a line; plain, `.gz` or `.zst`. Several files: several references of each segment
    #[arg(required = true, value_name = "REF")]
    references: Vec<PathBuf>,
    /// Translations to be scored [default: standard input]
    #[arg(long, value_name = "FILE")]
    hypotheses: Option<PathBuf>,
    /// Scores to compute, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Metric::Bleu, Metric::Chrf])]
    metric: Vec<Metric>,
    /// How BLEU finds words, by sacreBLEU's names: `13a` and `intl` for languages with spaces, `zh` for Chinese, `char` for
    /// Japanese and others without spaces, `none` for text in words already
    #[arg(long, value_name = "NAME", default_value = "13a")]
    tokenize: String,
    /// Ignore case
    #[arg(long)]
    lowercase: bool,
    /// How scores are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Metric {
    /// BLEU of up to four words (Papineni et al. 2002)
    Bleu,
    /// chrF2: F-score of up to six characters (Popović 2015)
    Chrf,
    /// chrF2++: chrF with words and pairs of words (Popović 2017)
    #[value(name = "chrf++")]
    ChrfPlusPlus,
}

/// How scores are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// sacreBLEU's lines
    Text,
    /// One JSON array
    Json,
}

/// A score, ready to be written.
struct Scored {
    line: String,
    value: Value,
}

/// Prints the scores.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let (hypotheses, name) = hypotheses(arguments.hypotheses.as_deref())?;
    let mut references = Vec::new();
    for path in &arguments.references {
        let reference = read(path)?;
        if reference.len() != hypotheses.len() {
            let message = format!(
                "`{}` has {} lines, but {name} has {}",
                path.display(),
                reference.len(),
                hypotheses.len()
            );
            let help = "line `i` of the translations is compared with line `i` of each reference";
            return Err(CliError::Usage { message, help: help.to_owned() }.into());
        }
        references.push(reference);
    }
    let mut scores = Vec::new();
    for metric in &arguments.metric {
        scores.push(scored(*metric, &hypotheses, &references, arguments)?);
    }
    let text = match arguments.format {
        Format::Text => scores.into_iter().map(|score| score.line + "\n").collect(),
        Format::Json => {
            let all = Value::Array(scores.into_iter().map(|score| score.value).collect());
            format!("{all:#}\n")
        }
    };
    report::print(&text)?;
    Ok(Exit::FINE)
}

fn scored(
    metric: Metric,
    hypotheses: &[String],
    references: &[Vec<String>],
    arguments: &Arguments,
) -> Result<Scored, Stop> {
    let lowercase = arguments.lowercase;
    let chrf = |options: ChrfOptions| -> Result<Scored, Stop> {
        let options = ChrfOptions { lowercase, ..options };
        let score = metrics::chrf(hypotheses, references, &options)?;
        let value =
            json!({ "name": score.name, "score": score.score, "signature": score.signature });
        Ok(Scored { line: score.to_string(), value })
    };
    match metric {
        Metric::Chrf => chrf(ChrfOptions::default()),
        Metric::ChrfPlusPlus => chrf(ChrfOptions::plus_plus()),
        Metric::Bleu => {
            let tokenization = arguments.tokenize.parse::<Tokenization>()?;
            let options = BleuOptions { tokenization, lowercase, ..BleuOptions::default() };
            let score = metrics::bleu(hypotheses, references, &options)?;
            let value = json!({
                "name": "BLEU", "score": score.score, "signature": score.signature,
                "precisions": score.precisions, "brevity_penalty": score.brevity_penalty,
                "translation_words": score.translation_words,
                "reference_words": score.reference_words,
            });
            Ok(Scored { line: score.to_string(), value })
        }
    }
}

/// The translations, and what messages call them.
fn hypotheses(path: Option<&Path>) -> Result<(Vec<String>, String), Stop> {
    if let Some(path) = path {
        return Ok((read(path)?, format!("`{}`", path.display())));
    }
    let name = "standard input";
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).reading(Path::new(name))?;
    let text = String::from_utf8(bytes).map_err(|_| CliError::Usage {
        message: "standard input is not UTF-8".to_owned(),
        help: "convert it, e.g. with `iconv -t UTF-8`".to_owned(),
    })?;
    // Only line feeds end lines: other separators may stand inside a segment.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    if text.is_empty() {
        return Ok((Vec::new(), name.to_owned()));
    }
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned());
    Ok((lines.collect(), name.to_owned()))
}

fn read(path: &Path) -> Result<Vec<String>, Stop> {
    let mut reader = lines::open(path)?;
    let mut all = Vec::new();
    while let Some(line) = reader.next_text()? {
        all.push(line.to_owned());
    }
    Ok(all)
}
