//! `mmc run`: a source or plan to worker processes and their end.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use mmc_plan::{Device, Plan};

use crate::error::{CliError, Exit, Stop};
use crate::launch::Launch;
use crate::output::{Earlier, Output};
use crate::program::ProgramArguments;
use crate::progress::Progress;
use crate::seat::{self, Seat};
use crate::{report, worker};

/// How long a rank waits for rank 0's copy of the plan.
const SHARED_WITHIN: Duration = Duration::from_mins(1);

/// Options of `mmc run`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Go on from the newest checkpoint; from the start when there is none
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Delete what an earlier run left in the output folder
    #[arg(long)]
    overwrite: bool,
    /// Folder of checkpoints, logs and events, in place of the experiment's `output`
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The worker program [default: beside mmc, then `MMC_WORKER`, then PATH]
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
    /// Computing threads of each rank [default: the machine's cores divided by its ranks]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// How long a rank waits for one that does not come to exchange [default: 1800]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// Write a trace of what each rank computes in a step, for viewers such as Perfetto, to `profile` in the output folder
    #[arg(long, value_name = "STEP", value_parser = clap::value_parser!(u64).range(1..))]
    profile: Option<u64>,
}

/// Trains.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let seat = seat::seat(&|name| std::env::var(name).ok())?;
    let worker = worker::find(arguments.worker.as_deref())?;
    let plan = arguments.program.plan()?;
    let ranks = u32::try_from(plan.ranks.len()).unwrap_or(u32::MAX);
    let folder = arguments.output.clone().unwrap_or_else(|| PathBuf::from(&plan.experiment.output));
    let output = Output::new(&folder);
    match seat {
        Some(seat) if seat.world != ranks => {
            return Err(CliError::WorldSize { found: seat.world, wanted: ranks }.into());
        }
        Some(seat) if seat.rank > 0 => await_plan(&output, &plan)?,
        Some(_) => prepare(&output, &plan, arguments)?,
        None => {
            one_machine(&plan)?;
            prepare(&output, &plan, arguments)?;
        }
    }
    let threads = arguments.threads.or_else(|| seat.is_none().then(|| threads_of(ranks)));
    let launch = Launch {
        worker: &worker,
        arguments: asked(&output, arguments, threads),
        logs: &folder.join("logs"),
        help: format!(
            "when the cause is removed, `mmc run --resume` goes on from the newest checkpoint in `{}`",
            folder.display()
        ),
    };
    start(&launch, seat, ranks, &output)
}

/// What a worker is told.
fn asked(output: &Output, arguments: &Arguments, threads: Option<u32>) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["train".into(), "--plan".into(), output.plan().into()];
    words.extend(["--output".into(), output.folder().into()]);
    if arguments.resume {
        words.push("--resume".into());
    }
    let numbers = [
        ("--threads", threads.map(u64::from)),
        ("--timeout", arguments.timeout),
        ("--profile", arguments.profile),
    ];
    for (option, number) in numbers {
        if let Some(number) = number {
            words.extend([option.into(), number.to_string().into()]);
        }
    }
    words
}

fn start(
    launch: &Launch<'_>,
    seat: Option<Seat>,
    ranks: u32,
    output: &Output,
) -> Result<Exit, Stop> {
    let mut progress = Progress::new();
    let exit = match seat {
        Some(seat) if seat.rank > 0 => return Err(launch.become_worker().into()),
        Some(seat) => launch.one(seat, &mut progress)?,
        None => launch.all(ranks, &mut progress)?,
    };
    if let Some((step, path)) = output.checkpoints().last() {
        report::print(&format!("step {step}: {}\n", path.display()))?;
    }
    Ok(exit)
}

/// Cores of this machine for each of its ranks.
pub(crate) fn threads_of(ranks: u32) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (u32::try_from(cores).unwrap_or(1) / ranks.max(1)).max(1)
}

/// A plan for GPUs of several nodes can't be run from one of them.
fn one_machine(plan: &Plan) -> Result<(), CliError> {
    let nodes = plan.ranks.iter().map(|rank| rank.node + 1).max().unwrap_or(1);
    if plan.cluster.device == Device::Cpu || nodes == 1 {
        return Ok(());
    }
    Err(CliError::Usage {
        message: format!("the plan is for the GPUs of {nodes} nodes, and this is one machine"),
        help: "`mmc emit slurm FILE` writes a batch script that starts one process a GPU"
            .to_owned(),
    })
}

fn prepare(output: &Output, plan: &Plan, arguments: &Arguments) -> Result<(), CliError> {
    let earlier = match (arguments.resume, arguments.overwrite) {
        (true, _) => Earlier::Resume,
        (false, true) => Earlier::Overwrite,
        (false, false) => Earlier::Refuse,
    };
    let resumable = output.prepare(plan, earlier)?;
    if arguments.resume && !resumable {
        report::note(&format!(
            "nothing to resume: `{}` has no checkpoint; training from the start",
            output.folder().display()
        ));
    }
    Ok(())
}

/// Rank 0 alone decides about the folder; the others go on when its plan is there and is theirs.
fn await_plan(output: &Output, plan: &Plan) -> Result<(), CliError> {
    let (path, text) = (output.plan(), plan.to_yaml());
    let began = Instant::now();
    while !same(&path, &text) {
        if began.elapsed() > SHARED_WITHIN {
            return Err(CliError::PlanNotShared { path, seconds: SHARED_WITHIN.as_secs() });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn same(path: &Path, text: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|found| found == text)
}
