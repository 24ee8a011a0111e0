//! Schedules: the same experiment trained with lanes that draw their tasks for themselves, and with lanes that draw together,
//! from several seeds each: what a step synchronises, and what the models have learnt.
//!
//! Of an `aligned` schedule every lane runs every task as often as before, but all lanes of a step run the same one: decoders are
//! updated a third as often, with three times the text. Both schedules go by `lr_scale = linear`, so that an update with much text
//! goes as far as several with little. Whether alignment harms is seen in the losses of validation: the difference of the means must
//! lie within twice its standard error, whose square is the sum of both variances over their numbers of runs (Welch 1947).

use super::workplace::{Workplace, number};
use crate::fault::Fault;

/// Runs of each schedule.
const SEEDS: std::ops::RangeInclusive<u32> = 1..=4;

/// At least this part of the bytes is saved.
const SAVED: f64 = 0.30;

/// What runs of a schedule came to.
struct Outcome {
    /// Bytes of a step.
    bytes: f64,
    /// Mean loss of the tasks after the last step, a run each.
    losses: Vec<f64>,
}

/// Trains, prints; fails when a limit is not kept.
#[expect(clippy::print_stdout, reason = "prints a table")]
pub(crate) fn run() -> Result<(), Fault> {
    let place = Workplace::new("schedules")?;
    println!("schedule     synchronised a step   loss of validation, by seed          mean");
    let independent = outcome(&place, "independent")?;
    let aligned = outcome(&place, "aligned")?;
    let saved = 1.0 - aligned.bytes / independent.bytes;
    let difference = mean(&aligned.losses) - mean(&independent.losses);
    let most = 2.0 * (spread(&aligned.losses) + spread(&independent.losses)).sqrt();
    println!(
        "saved {:.0} % of the bytes; losses differ by {difference:+.4}, noise is {most:.4}",
        100.0 * saved
    );
    if saved >= SAVED && difference.abs() <= most {
        Ok(())
    } else {
        Err(Fault::new("the limits are 30 % of the bytes, and a difference within the noise"))
    }
}

/// Trains with a schedule from every seed.
#[expect(clippy::print_stdout, reason = "prints a row")]
fn outcome(place: &Workplace, schedule: &str) -> Result<Outcome, Fault> {
    let (mut bytes, mut losses) = (0.0, Vec::new());
    for seed in SEEDS {
        let [plan, record] =
            place.train(&format!("{schedule}{seed}"), &experiment(schedule, seed))?;
        bytes = synchronised(&plan, schedule)?;
        losses.push(validated(&record)?);
    }
    let by_seed: Vec<String> = losses.iter().map(|loss| format!("{loss:.4}")).collect();
    let kibibytes = bytes / 1024.0;
    println!(
        "{schedule:<12} {kibibytes:>14.1} KiB   {:<34}  {:.4}",
        by_seed.join("  "),
        mean(&losses)
    );
    Ok(Outcome { bytes, losses })
}

/// One language from and to three others, every task on four lanes: a shared encoder and a decoder for each language.
fn experiment(schedule: &str, seed: u32) -> String {
    format!(
        r#"import std.clusters.laptop
experiment {schedule}{seed} {{ seed = {seed} }}
languages aa, ab, ba, bb
corpus synth {{
  train = "synth/train.{{src_lang}}" -> "synth/train.{{tgt_lang}}"
  valid = "synth/valid.{{src_lang}}" -> "synth/valid.{{tgt_lang}}"
}}
tokenizer pieces {{ kind = huggingface  file = "synth/{{lang}}.json"  train = bpe(pieces = 500) }}
tasks translation {{ pairs = aa <-> all  corpus = synth  transforms = [pieces, prefix(target)] }}
model {{
  dim = 128  heads = 4  ffn = 512  dropout = 0.1
  encoder = [2 x FULL]  decoder = [2 x LANGUAGE]
}}
curriculum {{ split = into(4)  schedule = {schedule} }}
training {{
  steps = 800  batch = 256 tokens  lanes = 4
  optimizer = adamw(lr = 1e-3)  lr_scale = linear  schedule = linear(warmup = 100)
}}
cluster = laptop(ranks = 2)
"#
    )
}

/// Of a plan's text: bytes that a step of a schedule is expected to synchronise.
fn synchronised(plan: &str, schedule: &str) -> Result<f64, Fault> {
    let missing = || Fault::new("the plan does not say what is synchronised".to_owned());
    let (_, part) = plan.split_once("\nsynchronised:\n").ok_or_else(missing)?;
    number(part, &format!("{schedule}: ")).ok_or_else(missing)
}

/// Of a record: the mean over tasks of the last losses of validation.
fn validated(record: &str) -> Result<f64, Fault> {
    let missing = || Fault::new("the record has no validation".to_owned());
    let last = record.lines().rfind(|line| line.starts_with(r#"{"event":"validated""#));
    let (_, losses) = last.and_then(|line| line.split_once(r#""losses":{"#)).ok_or_else(missing)?;
    let losses = losses.split('}').next().unwrap_or_default().split(',');
    let losses: Option<Vec<f64>> =
        losses.map(|task| task.rsplit(':').next()?.parse().ok()).collect();
    losses.filter(|losses| !losses.is_empty()).map(|losses| mean(&losses)).ok_or_else(missing)
}

#[expect(clippy::cast_precision_loss, reason = "a few runs")]
fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len() as f64
}

/// The square of a mean's standard error.
#[expect(clippy::cast_precision_loss, reason = "a few runs")]
fn spread(figures: &[f64]) -> f64 {
    let (mean, count) = (mean(figures), figures.len() as f64);
    let squares: f64 = figures.iter().map(|figure| (figure - mean).powi(2)).sum();
    squares / (count - 1.0) / count
}
