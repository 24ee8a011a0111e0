//! `mmc diff`: two plans or experiments to what differs, by name.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mmc_plan::Plan;
use mmc_plan::diff::PlanDiff;

use crate::error::{Exit, Stop};
use crate::program::{ProgramArguments, SourceArguments};
use crate::report;

/// Options of `mmc diff`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Experiment (`.mmc`) or plan (`.yaml`)
    before: PathBuf,
    /// Experiment (`.mmc`) or plan (`.yaml`)
    after: PathBuf,
    /// Parameters and index, for both sides that are experiments
    #[command(flatten)]
    source: SourceArguments,
    /// How the difference is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How a difference is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line a change
    Text,
    /// One JSON object
    Json,
}

/// Compares: 0 equal, 1 different, 2 no comparison.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let before = plan(&arguments.before, &arguments.source)?;
    let after = plan(&arguments.after, &arguments.source)?;
    let difference = PlanDiff::new(&before, &after);
    match arguments.format {
        Format::Text => report::print(&difference.to_text())?,
        Format::Json => {
            let value = serde_json::to_value(&difference)
                .expect("a difference holds names, numbers and lists, which JSON has");
            report::print(&format!("{value:#}\n"))?;
        }
    }
    Ok(if difference.is_empty() { Exit::FINE } else { Exit::FINDINGS })
}

/// A side with errors is no difference: there is nothing to compare.
fn plan(file: &Path, source: &SourceArguments) -> Result<Plan, Stop> {
    let source =
        if crate::program::is_plan(file) { SourceArguments::default() } else { source.clone() };
    let program = ProgramArguments { file: file.to_owned(), source };
    program.plan().map_err(|stop| match stop {
        Stop::Said(_) => Stop::Said(Exit::UNUSABLE),
        Stop::Fault(fault, _) => Stop::Fault(fault, Exit::UNUSABLE),
    })
}
