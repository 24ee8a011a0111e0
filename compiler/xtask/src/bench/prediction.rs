//! Prediction: three sizes of model on artificial text, two ranks of one thread: what the plan says of a step's seconds and of
//! memory, beside what the worker's record says.
//!
//! `mmc calibrate` measures before and behind every training, and the mean of what the two plans say counts: the rates of a
//! shared machine drift within minutes, for which reason all is done in several rounds, too, and the median of their ratios
//! counts. The step is the median of those after the first quarter. Memory is the most that rank 0 held, less what it held
//! without a model. Figures of a machine on which other programs run say little: its load is printed.

use std::fs;

use super::median;
use super::workplace::{Workplace, number};
use crate::fault::Fault;

/// A model and how long it trains.
struct Size {
    name: &'static str,
    dim: u32,
    layers: u32,
    batch: u32,
    steps: u32,
}

const SIZES: [Size; 3] = [
    Size { name: "small", dim: 128, layers: 1, batch: 1024, steps: 160 },
    Size { name: "medium", dim: 256, layers: 2, batch: 2048, steps: 24 },
    Size { name: "large", dim: 512, layers: 2, batch: 2048, steps: 12 },
];

/// How often all is done.
const ROUNDS: usize = 3;

/// How far a measured step, and the measured memory, may be from what was predicted.
const MOST: [f64; 2] = [0.15, 0.10];

/// Seconds of a step and bytes of memory.
struct Figures {
    seconds: f64,
    bytes: f64,
}

/// Calibrates, trains, prints; fails when a prediction is too far off.
#[expect(clippy::print_stdout, reason = "prints a table")]
pub(crate) fn run() -> Result<(), Fault> {
    let place = Workplace::new("prediction")?;
    println!("load of the machine (1, 5, 15 minutes): {}", load());
    let mut rows = Vec::new();
    for turn in 1..=ROUNDS {
        for size in &SIZES {
            rows.push((size.name, round(&place, size, turn)?));
        }
    }
    println!("load of the machine: {}", load());
    println!("model   step    measured  ratio  memory   measured  ratio");
    for (name, [predicted, measured]) in &rows {
        let [step, memory] = ratios(predicted, measured);
        println!(
            "{name:<7} {:>6.3} s {:>6.3} s  {step:>5.2}  {:>4.0} MiB  {:>4.0} MiB  {memory:>5.2}",
            predicted.seconds,
            measured.seconds,
            mebibytes(predicted.bytes),
            mebibytes(measured.bytes),
        );
    }
    let mut far = Vec::new();
    for size in &SIZES {
        let of_size = rows.iter().filter(|(name, _)| *name == size.name);
        let (steps, memories): (Vec<f64>, Vec<f64>) =
            of_size.map(|(_, [one, other])| ratios(one, other).into()).unzip();
        for (what, ratios, most) in [("step", steps, MOST[0]), ("memory", memories, MOST[1])] {
            let ratio = median(ratios);
            println!("median: {} {what}: {ratio:.2} of the prediction", size.name);
            if (ratio - 1.0).abs() > most {
                far.push(format!("{} {what}: {ratio:.2} of the prediction", size.name));
            }
        }
    }
    if far.is_empty() { Ok(()) } else { Err(Fault::new(far.join("; "))) }
}

/// What was predicted and what was measured, once.
fn round(place: &Workplace, size: &Size, turn: usize) -> Result<[Figures; 2], Fault> {
    let (name, experiment) = (format!("{}{turn}", size.name), experiment(size));
    calibrate(place)?;
    let [before, record] = place.train(&name, &experiment)?;
    calibrate(place)?;
    let behind = place.plan(&name, &experiment)?;
    Ok([mean(&before, &behind)?, measured(&record)?])
}

/// Of seconds and of bytes: measured by predicted.
fn ratios(predicted: &Figures, measured: &Figures) -> [f64; 2] {
    [measured.seconds / predicted.seconds, measured.bytes / predicted.bytes]
}

/// Writes the machine down as the cluster `here`.
#[expect(clippy::print_stdout, reason = "shows what is reckoned with")]
fn calibrate(place: &Workplace) -> Result<(), Fault> {
    place.mmc(&["calibrate", "-o", "here.mmc", "--name", "here", "--threads", "1"])?;
    print!("{}", place.read("here.mmc")?);
    Ok(())
}

/// Of two plans that differ in the machine's rates alone.
fn mean(one: &str, other: &str) -> Result<Figures, Fault> {
    let (one, other) = (predicted(one)?, predicted(other)?);
    Ok(Figures { seconds: f64::midpoint(one.seconds, other.seconds), bytes: one.bytes })
}

fn experiment(size: &Size) -> String {
    let Size { name, dim, layers, batch, steps } = size;
    let (heads, ffn, warmup) = (dim / 64, 4 * dim, steps / 10);
    format!(
        r#"import "here.mmc"
experiment {name} {{ seed = 1 }}
languages aa, ab, ba, bb
groups {{ alpha = [aa, ab]  beta = [ba, bb] }}
corpus synth {{ train = "synth/train.{{src_lang}}" -> "synth/train.{{tgt_lang}}" }}
tokenizer pieces {{ kind = huggingface  file = "synth/{{lang}}.json"  train = bpe(pieces = 500) }}
tasks translation {{ pairs = all <-> all  corpus = synth  transforms = [pieces, prefix(target)] }}
model {{
  dim = {dim}  heads = {heads}  ffn = {ffn}  dropout = 0.1
  encoder = [{layers} x SRC_GROUP, {layers} x FULL]  decoder = [{layers} x TGT_GROUP, 1 x FULL]
}}
training {{
  steps = {steps}  batch = {batch} tokens  optimizer = adamw(lr = 5e-4)  schedule = inverse_sqrt(warmup = {warmup})
  shuffle = 4k sentences
}}
cluster = here(ranks = 2)
"#
    )
}

/// Of a plan's text: the step of all, the memory of rank 0.
fn predicted(plan: &str) -> Result<Figures, Fault> {
    let missing = || Fault::new("the plan has no estimates".to_owned());
    let (_, ranks) = plan.split_once("\nranks:\n").ok_or_else(missing)?;
    let amount = |name| number(ranks, name).ok_or_else(missing);
    let bytes = amount("state_bytes: ")? + amount("activation_bytes: ")?;
    Ok(Figures { seconds: amount("step_seconds: ")?, bytes })
}

/// Of a record: the middle step after the first quarter, and the growth of memory.
fn measured(record: &str) -> Result<Figures, Fault> {
    let missing = || Fault::new("the record has no steps".to_owned());
    let start = record.lines().find(|line| line.starts_with(r#"{"event":"started""#));
    let held = start.and_then(|line| number(line, r#""memory":"#)).ok_or_else(missing)?;
    let steps: Vec<&str> =
        record.lines().filter(|line| line.starts_with(r#"{"event":"step""#)).collect();
    let warm = steps.iter().skip(steps.len() / 4);
    let seconds: Vec<f64> = warm.filter_map(|line| number(line, r#""seconds":"#)).collect();
    let peak = steps.last().and_then(|line| number(line, r#""memory":"#)).ok_or_else(missing)?;
    Ok(Figures { seconds: median(seconds), bytes: peak - held })
}

fn load() -> String {
    let words = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    words.split_whitespace().take(3).collect::<Vec<&str>>().join(", ")
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}
