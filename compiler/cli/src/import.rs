//! `mmc import`: a MAMMOTH configuration to an experiment.

use std::path::PathBuf;

use clap::Args;

use crate::configuration::Configuration;
use crate::error::{Exit, Stop};
use crate::{output, report};

/// Options of `mmc import`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Meta-configuration of config-config, or finished configuration (`.yaml`)
    file: PathBuf,
    /// Where to write the experiment [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Imports.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let configuration = match Configuration::read(&arguments.file)? {
        Ok(configuration) => configuration,
        Err(findings) => {
            findings.show();
            return Ok(Exit::FINDINGS);
        }
    };
    let (imported, notes) = configuration.notes();
    notes.show();
    let written = imported.text;
    // A value that makes no experiment is told by `mmc check` of the same file, with its place.
    let text = mmc_syntax::format(&written).unwrap_or(written);
    match &arguments.output {
        Some(path) => output::write_atomically(path, &text)?,
        None => report::print(&text)?,
    }
    Ok(Exit::FINE)
}
