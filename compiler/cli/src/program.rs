//! A file on the command line to a plan: a `.mmc` source is compiled, a `.yaml` plan is read and checked.

use std::path::{Path, PathBuf};

use clap::Args;
use mmc_plan::Plan;

use crate::error::Stop;

/// The experiment that a command works on.
#[derive(Debug, Args)]
pub(crate) struct ProgramArguments {
    /// Experiment (`.mmc`) or plan (`.yaml`)
    pub(crate) file: PathBuf,
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Program {
    /// The plan.
    pub(crate) plan: Plan,
}

impl ProgramArguments {
    /// The plan of the file.
    pub(crate) fn plan(&self) -> Result<Program, Stop> {
        Ok(Program { plan: read(&self.file)? })
    }
}

fn read(path: &Path) -> Result<Plan, Stop> {
    Ok(Plan::from_path(path)?)
}
