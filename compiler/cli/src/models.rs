//! By what `mmc translate` and `mmc serve` translate: runs and checkpoints to a worker's command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};
use mmc_plan::Plan;

use crate::error::{At as _, CliError, Stop};
use crate::output::Output;
use crate::{program, worker};

/// Runs, checkpoints, and who computes.
#[derive(Debug, Args)]
pub(crate) struct Models {
    /// Output folder of a run, or its plan (`.yaml`); several translate together, by the mean of their probabilities
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Step of the checkpoint, `latest`, `best` (of a run with `stop_early` or `best`) or `average` (of one that ends with it); several, with commas between, translate together
    #[arg(long, value_name = "STEP", default_value = "latest", value_delimiter = ',')]
    checkpoint: Vec<String>,
    /// Take the mean of the parameters of K checkpoints: the one named and those before it
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    average: u32,
    /// Take the parameters as they were trained, not their moving averages (of a run with `ema`)
    #[arg(long)]
    raw: bool,
    /// What computes [default: cpu]
    #[arg(long, value_enum)]
    device: Option<Processor>,
    /// Computing threads [default: the worker's choice]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// Most sentences translated together [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Most pieces of the longer sides, padding included, translated together; one sentence is always allowed [default: 4096]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_tokens: Option<u32>,
    /// The worker program [default: beside mmc, then `MMC_WORKER`, then PATH]
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Processor {
    /// The machine's processors
    Cpu,
    /// The first GPU that the worker sees; its libtorch must be one for GPUs
    Gpu,
}

impl Processor {
    /// The worker's word.
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }
}

impl Models {
    /// A command of the worker by all runs' checkpoints, each of whose plans was found good by `check`; and the worker's path.
    pub(crate) fn command(
        &self,
        name: &str,
        check: &dyn Fn(&Plan) -> Result<(), CliError>,
    ) -> Result<(Command, PathBuf), Stop> {
        let mut members = Vec::new();
        for run in &self.runs {
            let (path, output) = located(run)?;
            let plan = program::read_plan(&path)?;
            let output = output.unwrap_or_else(|| Output::new(Path::new(&plan.experiment.output)));
            check(&plan)?;
            for wanted in &self.checkpoint {
                members.push((path.clone(), checkpoint(&output, wanted)?));
            }
        }
        let worker = worker::find(self.worker.as_deref())?;
        let mut command = Command::new(&worker);
        command.arg(name);
        for (plan, checkpoint) in members {
            command.arg("--plan").arg(plan).arg("--checkpoint").arg(checkpoint);
        }
        if self.average > 1 {
            command.arg("--average").arg(self.average.to_string());
        }
        if self.raw {
            command.arg("--raw");
        }
        if let Some(device) = self.device {
            command.arg("--device").arg(device.name());
        }
        for (option, number) in [
            ("--threads", self.threads),
            ("--batch", self.batch),
            ("--batch-tokens", self.batch_tokens),
        ] {
            if let Some(number) = number {
                command.arg(option).arg(number.to_string());
            }
        }
        Ok((command, worker))
    }
}

/// The plan of a run, and its folder when that was given.
fn located(run: &Path) -> Result<(PathBuf, Option<Output>), CliError> {
    if !run.is_dir() {
        return Ok((run.to_owned(), None));
    }
    let output = Output::new(run);
    let plan = output.plan();
    plan.metadata().reading(&plan)?;
    Ok((plan, Some(output)))
}

fn checkpoint(output: &Output, wanted: &str) -> Result<PathBuf, CliError> {
    let mut all = output.checkpoints();
    let steps: Vec<String> = all.iter().map(|(step, _)| step.to_string()).collect();
    let found = if wanted == "latest" {
        all.pop()
    } else if wanted == "best" {
        let named = std::fs::read_to_string(output.best()).unwrap_or_default();
        all.into_iter().find(|(_, path)| path.ends_with(named.trim()) && !named.trim().is_empty())
    } else if wanted == "average" {
        let path = output.average();
        path.is_dir().then_some((0, path))
    } else {
        let step: Option<u64> = wanted.parse().ok();
        all.into_iter().find(|(known, _)| Some(*known) == step)
    };
    found.map(|(_, path)| path).ok_or_else(|| CliError::NoCheckpoint {
        output: output.folder().to_owned(),
        wanted: wanted.to_owned(),
        help: if steps.is_empty() {
            "`mmc run` trains; it writes a checkpoint at least after the last step".to_owned()
        } else {
            format!("there are checkpoints of the steps {}", steps.join(", "))
        },
    })
}
