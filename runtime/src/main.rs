//! `mmc-worker`: one rank of a plan, or a translator by its checkpoints, of files or by HTTP.

use std::net::ToSocketAddrs as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use mmc_plan::{Event, Plan};
use mmc_runtime::calibrate;
use mmc_runtime::dist::{self, Seat};
use mmc_runtime::error::WorkerError;
use mmc_runtime::events;
use mmc_runtime::serve::{self, ServeArguments};
use mmc_runtime::train::{Ending, Failure, TrainArguments, train};
use mmc_runtime::translate::{self, TranslateArguments, TranslateError};

/// Executes a plan with libtorch. `mmc run` starts it; under torchrun or `srun` it finds the other ranks by itself.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Trains as one rank of the plan.
    Train(Train),
    /// Measures this machine as one of the ranks that run at once; rank 0 tells what was found.
    Calibrate(Calibrate),
    /// Translates lines from standard input to standard output.
    Translate(TranslateArguments),
    /// Translates for other programs, by HTTP.
    Serve(ServeArguments),
}

#[derive(Debug, Args)]
struct Train {
    /// The plan.
    #[arg(long)]
    plan: PathBuf,
    /// Go on from the newest whole checkpoint, if there is one.
    #[arg(long)]
    resume: bool,
    /// Folder for checkpoints and records, in place of the plan's.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Threads of tensor operations [default: the machine's processors shared among its ranks].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// Seconds that a rank waits in a collective for one that does not come.
    #[arg(long, default_value_t = dist::COLLECTIVE.as_secs(), value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Step of which each rank writes a trace to `profile` in the output folder.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    profile: Option<u64>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Calibrate {
    /// Threads of tensor operations.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    #[command(flatten)]
    place: Place,
}

/// Who this process is, in place of what the environment says.
#[derive(Debug, Args)]
struct Place {
    /// This rank's number, in place of the environment's; with --world.
    #[arg(long, requires = "world")]
    rank: Option<u32>,
    /// Number of ranks; with --rank.
    #[arg(long, requires = "rank")]
    world: Option<u32>,
    /// Where rank 0 listens.
    #[arg(long)]
    host: Option<String>,
    /// On which port.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

/// Exit status when this rank failed.
const FAILED: u8 = 1;
/// Exit status when another rank failed.
const OTHER_FAILED: u8 = 3;
/// Exit status when a signal asked for the end and a checkpoint was written: sysexits' "temporary failure, try again".
const INTERRUPTED: u8 = 75;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Train(arguments) => run_train(&arguments),
        Command::Calibrate(arguments) => run_calibrate(&arguments),
        Command::Translate(arguments) => {
            let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
            translated(translate::run(&arguments, &mut input, &mut output))
        }
        Command::Serve(arguments) => {
            translated(serve::serve(&arguments, &mut std::io::stdout().lock()))
        }
    }
}

fn run_train(arguments: &Train) -> ExitCode {
    let seat = match seat(&arguments.place) {
        Ok(seat) => seat,
        Err(fault) => return failed(0, 1, &fault.into()),
    };
    let (rank, world) = (seat.rank, seat.world);
    let asked = TrainArguments {
        resume: arguments.resume,
        output: arguments.output.clone(),
        threads: arguments.threads,
        timeout: Duration::from_secs(arguments.timeout),
        profile: arguments.profile,
    };
    let plan = Plan::from_path(&arguments.plan)
        .map_err(|fault| Failure::from(WorkerError::from(Box::new(fault))));
    match plan.and_then(|plan| train(&plan, seat, &asked)) {
        Ok(Ending::Finished) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(failure) => failed(rank, world, &failure),
    }
}

fn run_calibrate(arguments: &Calibrate) -> ExitCode {
    let seat = match seat(&arguments.place) {
        Ok(seat) => seat,
        Err(fault) => return failed(0, 1, &fault.into()),
    };
    let (rank, world) = (seat.rank, seat.world);
    match calibrate::calibrate(seat, arguments.threads) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => failed(rank, world, &fault.into()),
    }
}

#[expect(clippy::print_stderr, reason = "a fault is shown where the program ends")]
fn translated(end: Result<(), TranslateError>) -> ExitCode {
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("mmc-worker: error: {fault}");
            ExitCode::from(FAILED)
        }
    }
}

/// Flags go before the environment.
fn seat(place: &Place) -> Result<Seat, WorkerError> {
    let flags = [
        ("RANK", place.rank.map(|rank| rank.to_string())),
        ("WORLD_SIZE", place.world.map(|world| world.to_string())),
        ("MASTER_ADDR", place.host.clone()),
        ("MASTER_PORT", place.port.map(|port| port.to_string())),
    ];
    let variable = |name: &str| {
        let flag = flags.iter().find(|(flag, _)| *flag == name);
        flag.and_then(|(_, value)| value.clone()).or_else(|| std::env::var(name).ok())
    };
    let resolves = |host: &str| (host, 0).to_socket_addrs().is_ok();
    Ok(dist::seat(&variable, &resolves)?)
}

/// Reports a failure: for people on standard error, for the launcher as an event unless rank 0 has told it for all.
#[expect(clippy::print_stderr, reason = "the one place where a failure is shown")]
fn failed(rank: u32, world: u32, failure: &Failure) -> ExitCode {
    let place = if world > 1 { format!("rank {rank}: ") } else { String::new() };
    eprintln!("mmc-worker: {place}error: {}", failure.fault);
    let culprit = failure.fault.culprit();
    let status = if culprit.is_some() { OTHER_FAILED } else { FAILED };
    if !failure.told {
        let (rank, message) = culprit.unwrap_or_else(|| (rank, failure.fault.to_string()));
        events::tell_launcher(&Event::Failed { rank, message });
    }
    ExitCode::from(status)
}
