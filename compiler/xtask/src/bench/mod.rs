//! `cargo xtask bench NAME`: figures that the project promises, measured in one run beside the tools that they are compared with.
//!
//! Every benchmark builds what it needs, prints a table with its limits, and fails when a limit is not kept.

mod compile;
mod counting;
mod measure;
mod prediction;
mod program;
mod schedules;
mod workplace;

use crate::fault::Fault;

/// The benchmarks: name, what it measures, how it runs.
type Benchmark = (&'static str, &'static str, fn() -> Result<(), Fault>);

const BENCHMARKS: &[Benchmark] = &[
    (
        "compile",
        "1 000 languages from one and all to all; MAMMOTH's templates beside its own tool",
        compile::run,
    ),
    ("counting", "mmc index beside wc -l and zcat | wc -l", counting::run),
    (
        "prediction",
        "step and memory of three models as planned after mmc calibrate, and as trained",
        prediction::run,
    ),
    (
        "schedules",
        "bytes synchronised and losses of independent and of aligned lanes",
        schedules::run,
    ),
];

/// Runs the benchmark of a name.
pub(crate) fn run(name: &str) -> Result<(), Fault> {
    match BENCHMARKS.iter().find(|known| known.0 == name) {
        Some((_, _, benchmark)) => benchmark(),
        None => Err(Fault::new(format!("there is no benchmark `{name}`; there are\n{}", list()))),
    }
}

/// A line for each benchmark.
fn list() -> String {
    let lines: Vec<String> =
        BENCHMARKS.iter().map(|(name, what, _)| format!("  {name:<10} {what}")).collect();
    lines.join("\n")
}

/// The median of some figures; 0 without any.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
