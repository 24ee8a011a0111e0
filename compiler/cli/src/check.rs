//! `mmc check`: a source to its findings.

use std::path::PathBuf;

use clap::Args;
use mmc_core::Options;

use crate::error::{Exit, Stop};
use crate::findings::Format;
use crate::program::SourceArguments;
use crate::report;

/// Options of `mmc check`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Experiment (`.mmc`)
    file: PathBuf,
    #[command(flatten)]
    source: SourceArguments,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit with 1 for warnings and notes too
    #[arg(long)]
    strict: bool,
}

/// Checks: 0 without errors, 1 with.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let compiled = arguments.source.compile(&arguments.file, Options::default())?;
    let findings = compiled.findings;
    match arguments.format {
        Format::Text => {
            findings.show();
            let summary = findings.summary().unwrap_or_else(|| "no findings".to_owned());
            report::note(&format!("{}: {summary}", arguments.file.display()));
        }
        format @ (Format::Json | Format::Github | Format::Sarif) => {
            report::print(&findings.machine_text(format))?;
        }
    }
    let (errors, others) = findings.counts();
    let faulty = errors > 0 || arguments.strict && others > 0;
    Ok(if faulty { Exit::FINDINGS } else { Exit::FINE })
}
