//! The command line: one subcommand a file; doc comments there are the help text.

use clap::{Parser, Subcommand};

use crate::error::{Exit, Stop};
use crate::run;

/// Declarative experiment compiler for multilingual translation
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train: on this machine with all ranks, or as one rank of torchrun, Slurm, MPI
    Run(run::Arguments),
}

impl Command {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<Exit, Stop> {
        match self {
            Self::Run(arguments) => run::run(&arguments),
        }
    }
}
