//! `mmc index`: an experiment to the facts of its corpora and tokenizers, so that plans can be made where those are not.

use std::path::PathBuf;

use clap::Args;
use mmc_core::index::{CorpusIndex, Recorder};
use mmc_core::{Compilation, Options};

use crate::disk::Disk;
use crate::error::{Exit, Stop};
use crate::output;
use crate::program;
use crate::progress::{counted, grouped};
use crate::report;

/// Options of `mmc index`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Experiment (`.mmc`)
    file: PathBuf,
    /// Value of a `param` of the file
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = program::parameter)]
    params: Vec<(String, String)>,
    /// Read every file again, whatever is known of it: whole, and with its hash, which the index keeps
    #[arg(long)]
    verify: bool,
    /// Where to write the index [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Counts what is not known yet and writes the index.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let disk = Disk::new(arguments.verify);
    let recorder = Recorder::new(&disk);
    // Its findings are wanted, not its plan.
    let options = Options { sketch: true, ..Options::default() };
    let nothing = |_: &Compilation| (Vec::new(), ());
    let (file, params) = (&arguments.file, &arguments.params);
    let (done, _) = program::compile_any(file, params, &recorder, &disk, &options, nothing)?;
    let mut index = recorder.into_index();
    if arguments.verify {
        index.sha256 = disk.hashes(index.corpora.keys());
    }
    let findings = done.findings;
    if done.plan.is_none() {
        findings.show();
        return Ok(Exit::FINDINGS);
    }
    findings.of_stage("corpus").for_each(|finding| report::show(&finding));
    let text = index.to_yaml();
    match &arguments.output {
        Some(path) => output::write_atomically(path, &text)?,
        None => report::print(&text)?,
    }
    report::note(&told(&index));
    Ok(Exit::FINE)
}

fn told(index: &CorpusIndex) -> String {
    let lines: u64 = index.corpora.values().map(|facts| facts.lines).sum();
    format!(
        "{} of {} lines, {}",
        counted(index.corpora.len() as u64, "corpus file", "corpus files"),
        grouped(lines),
        counted(index.tokenizers.len() as u64, "tokenizer", "tokenizers")
    )
}
