//! `mmc calibrate`: what the worker measures of this machine, as a cluster that experiments import.

use std::path::PathBuf;

use clap::Args;
use mmc_plan::Calibration;

use crate::error::{At as _, CliError, Exit, Stop};
use crate::launch::Launch;
use crate::progress::{Progress, counted};
use crate::run::threads_of;
use crate::{output, report, worker};

/// Options of `mmc calibrate`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to write the cluster [default: standard output]
    #[arg(short, long, value_name = "FILE.mmc")]
    output: Option<PathBuf>,
    /// The cluster's name
    #[arg(long, value_name = "NAME", default_value = "measured")]
    name: String,
    /// Ranks that work at once; two or more, since links between them are measured
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..))]
    ranks: u32,
    /// Computing threads of each rank [default: the machine's cores divided by the ranks]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// The worker program [default: beside mmc, then `MMC_WORKER`, then PATH]
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
}

/// Measures; writes nothing when a rank fails.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    // A name that is no word of the language is told before the machine is kept busy.
    cluster(&arguments.name, &Calibration::default())?;
    let worker = worker::find(arguments.worker.as_deref())?;
    let ranks = arguments.ranks;
    let threads = arguments.threads.unwrap_or_else(|| threads_of(ranks));
    let folder = tempfile::tempdir().writing(&std::env::temp_dir())?;
    let launch = Launch {
        worker: &worker,
        arguments: vec!["calibrate".into(), "--threads".into(), threads.to_string().into()],
        logs: folder.path(),
        help: "nothing was written".to_owned(),
    };
    report::note(&format!(
        "measuring {ranks} ranks of {} at once, for some seconds",
        counted(threads.into(), "thread", "threads")
    ));
    let mut progress = Progress::new();
    let exit = launch.all(ranks, &mut progress).inspect_err(|_| drop(folder.keep()))?;
    let Some(found) = progress.calibration else {
        return if exit == Exit::FINE { Err(silent().into()) } else { Ok(exit) };
    };
    let text = cluster(&arguments.name, &found)?;
    match &arguments.output {
        Some(path) => output::write_atomically(path, &text)?,
        None => report::print(&text)?,
    }
    Ok(Exit::FINE)
}

/// The worker ended well and told nothing.
fn silent() -> CliError {
    CliError::RankFailed {
        rank: 0,
        how: "ended".to_owned(),
        message: "it told nothing that it had measured".to_owned(),
        help: "is the worker of the same version? `mmc-worker --version` says it".to_owned(),
    }
}

/// The cluster's text, in the layout of `mmc fmt`. Figures have three digits; what was not measured is not there, but for
/// `inter`, which one machine does not have.
fn cluster(name: &str, found: &Calibration) -> Result<String, CliError> {
    let Calibration { ranks, threads, .. } = *found;
    let threads = counted(threads.into(), "thread", "threads");
    let memory = found.machine_memory / u64::from(ranks.max(1));
    let memory = memory.saturating_sub(found.process_memory).max(1_000_000);
    let (gemm, wide) = (three(found.fp32 / 1e9), three(found.fp64 / 1e9));
    let passes = three(found.memory_bandwidth / 1e6);
    let (intra, latency) = link(found);
    let (intra, latency) = (three(intra / 1e6), three(latency * 1e6));
    let (memory, base) = (three(float(memory) / 1e6), three(float(found.process_memory) / 1e6));
    let text = format!(
        "# Measured by `mmc calibrate` with {ranks} ranks of {threads} at work. `memory` is a rank's part of the machine's less the
# {base} MB that a worker holds without a model. One machine has no links between nodes: `inter` repeats `intra`.
## This machine, as it was measured.
cluster {name} {{
  nodes = 1
  ranks = {ranks}
  cpu {{ memory = {memory} MB  fp32 = {gemm} GFLOP/s  fp64 = {wide} GFLOP/s  memory_bandwidth = {passes} MB/s }}
  links {{ intra = {intra} MB/s  inter = {intra} MB/s  latency = {latency} us }}
}}
"
    );
    let fits =
        |at: usize, c: char| c.is_ascii_alphabetic() || at > 0 && (c.is_ascii_digit() || c == '_');
    let word = !name.is_empty() && name.chars().enumerate().all(|(at, c)| fits(at, c));
    let formatted = mmc_syntax::format(&text).ok().filter(|_| word);
    formatted.ok_or_else(|| CliError::Usage {
        message: format!("`{name}` can't be the name of a cluster"),
        help: "a name has letters, digits and `_`, and begins with a letter".to_owned(),
    })
}

/// Rate in bytes per second and latency in seconds that make the formula of the estimates (a ring: `2(n-1)/n / rate` a byte,
/// `latency * ceil(log2 n)`) give the measured all-reduce.
fn link(found: &Calibration) -> (f64, f64) {
    let ranks = found.ranks.max(2);
    let turns = 2.0 * f64::from(ranks - 1) / f64::from(ranks);
    let hops = f64::from(u32::BITS - (ranks - 1).leading_zeros());
    (turns / found.byte_seconds.max(1e-15), found.latency.max(0.0) / hops)
}

/// A figure of three digits; at least the least that is written so.
fn three(value: f64) -> f64 {
    format!("{value:.2e}").parse::<f64>().ok().filter(|value| *value > 0.0).unwrap_or(0.001)
}

#[expect(clippy::cast_precision_loss, reason = "three digits are kept")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_kept() {
        for (value, text) in
            [(29.152_696, "29.2"), (1234.5, "1230"), (0.051_23, "0.0512"), (0.0, "0.001")]
        {
            assert_eq!(three(value).to_string(), text);
        }
    }

    #[test]
    fn links_give_back_what_was_measured() {
        for ranks in [2, 3, 8] {
            let found =
                Calibration { ranks, byte_seconds: 6e-10, latency: 3e-4, ..Calibration::default() };
            let (intra, latency) = link(&found);
            let links = mmc_plan::LinkSpec { intra, inter: intra, latency };
            let seconds = mmc_core::cost::all_reduce_seconds(&links, ranks.into(), 1, 1_000_000);
            assert!((seconds - 9e-4).abs() < 1e-9, "{seconds}");
        }
    }

    #[test]
    fn names_are_words() {
        assert!(cluster("mine_2", &Calibration::default()).is_ok());
        for name in ["", "2", "a b", "a{", "x\n}"] {
            assert!(cluster(name, &Calibration::default()).is_err(), "{name:?}");
        }
    }
}
