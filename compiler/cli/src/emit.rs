//! `mmc emit`: a plan to a file of another program.

use std::path::PathBuf;

use clap::Args;
use mmc_core::emit;

use crate::error::{CliError, Exit, Stop};
use crate::output;
use crate::program::ProgramArguments;
use crate::report;

/// Options of `mmc emit`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to write: `slurm` (a batch script), `dot` (a graph for Graphviz)
    emitter: String,
    #[command(flatten)]
    program: ProgramArguments,
    /// Where to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the emitter's text.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let Some(emitter) = emit::find(&arguments.emitter) else {
        let names: Vec<&str> = emit::EMITTERS.iter().map(|emitter| emitter.name).collect();
        return Err(CliError::Usage {
            message: format!("there is no emitter `{}`", arguments.emitter),
            help: format!("there are: {}", names.join(", ")),
        }
        .into());
    };
    let text = (emitter.run)(&arguments.program.plan()?)?;
    match &arguments.output {
        Some(path) => output::write_atomically(path, &text)?,
        None => report::print(&text)?,
    }
    Ok(Exit::FINE)
}
