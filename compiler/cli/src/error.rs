//! How a command ends: with an exit status, or stopped by a fault of its surroundings.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use miette::Diagnostic;
use thiserror::Error;

/// The end of a command that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// All is well.
    pub(crate) const FINE: Self = Self(0);
    /// Findings, differences, a failed run.
    pub(crate) const FINDINGS: Self = Self(1);
    /// Wrong usage, unreadable input.
    pub(crate) const UNUSABLE: Self = Self(2);
    /// Interrupted by a signal after a checkpoint: sysexits' `EX_TEMPFAIL`.
    pub(crate) const INTERRUPTED: Self = Self(75);

    /// For the system.
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self.0)
    }
}

/// What stops a command before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Everything was said already.
    Said(Exit),
    /// This is still to be said.
    Fault(Box<dyn Diagnostic + Send + Sync>, Exit),
}

impl<D: Diagnostic + Send + Sync + 'static> From<D> for Stop {
    fn from(fault: D) -> Self {
        let failed = fault.code().is_some_and(|code| code.to_string() == RANK_FAILED);
        let exit = if failed { Exit::FINDINGS } else { Exit::UNUSABLE };
        Self::Fault(Box::new(fault), exit)
    }
}

/// The one fault that is a result of the run and not of its input.
const RANK_FAILED: &str = "mmc::run::rank_failed";

/// Faults of files, of the command line and of the launch.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum CliError {
    /// A file or folder that can't be read.
    #[error("can't read `{}`: {cause}", path.display())]
    #[diagnostic(code(mmc::cli::unreadable), help("check the path and its permissions"))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// A file or folder that can't be written.
    #[error("can't write `{}`: {cause}", path.display())]
    #[diagnostic(
        code(mmc::cli::unwritable),
        help("check the folder's permissions and the free space")
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// Arguments that don't fit each other or the input.
    #[error("{message}")]
    #[diagnostic(code(mmc::cli::usage))]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        #[help]
        help: String,
    },
    /// An index that can't be read.
    #[error("`{}` is no index: {reason}", path.display())]
    #[diagnostic(code(mmc::cli::bad_index), help("`mmc index FILE.mmc -o INDEX` writes one"))]
    BadIndex {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        reason: String,
    },
    /// No worker program.
    #[error("found no `mmc-worker`: not beside `mmc`, not in MMC_WORKER, not in PATH")]
    #[diagnostic(
        code(mmc::run::worker_missing),
        help(
            "build it with `cargo build --release -p mmc-runtime` (docs/commands.md says how libtorch is found), or name it with `--worker PATH`"
        )
    )]
    WorkerMissing,
    /// A named worker that is none.
    #[error("`{}` is no worker: {reason}", path.display())]
    #[diagnostic(
        code(mmc::run::worker_unusable),
        help("`--worker` and MMC_WORKER name the executable file `mmc-worker`")
    )]
    WorkerUnusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The output folder has another experiment's results.
    #[error("`{}` holds a run of other mathematics ({found}) than this plan ({wanted})", output.display())]
    #[diagnostic(
        code(mmc::run::other_mathematics),
        help(
            "`mmc diff {}/plan.yaml FILE` says what differs; choose another `output`, or `--overwrite` to delete that run",
            output.display()
        )
    )]
    OtherMathematics {
        /// The folder.
        output: PathBuf,
        /// Its plan's digest, shortened.
        found: String,
        /// Our plan's digest, shortened.
        wanted: String,
    },
    /// The output folder has results of this experiment.
    #[error("`{}` holds checkpoints of this experiment", output.display())]
    #[diagnostic(
        code(mmc::run::output_taken),
        help("`--resume` goes on from the newest one, `--overwrite` deletes them")
    )]
    OutputTaken {
        /// The folder.
        output: PathBuf,
    },
    /// The environment's idea of ranks is not the plan's.
    #[error("the environment starts {found} ranks, but the plan has {wanted}")]
    #[diagnostic(
        code(mmc::run::world_size),
        help(
            "start one process a rank: `srun --ntasks={wanted}` or `torchrun --nproc-per-node`; or plan for {found} ranks"
        )
    )]
    WorldSize {
        /// Started.
        found: u32,
        /// In the plan.
        wanted: u32,
    },
    /// An environment variable of the launcher without sense.
    #[error("environment variable `{name}` is `{value}`, which is no rank or number of ranks")]
    #[diagnostic(
        code(mmc::run::environment),
        help(
            "unset RANK, WORLD_SIZE, SLURM_PROCID, SLURM_NTASKS, OMPI_COMM_WORLD_*, PMI_* to start all ranks of one machine"
        )
    )]
    Environment {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// A process that can't be started.
    #[error("can't start `{}`: {cause}", path.display())]
    #[diagnostic(code(mmc::run::start), help("is it an executable for this machine?"))]
    Start {
        /// The program.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// One rank failed, and so the run.
    #[error("rank {rank} {how}: {message}")]
    #[diagnostic(code(mmc::run::rank_failed))]
    RankFailed {
        /// The first rank to fail.
        rank: u32,
        /// `failed with exit status 1`, `was killed by signal 9`.
        how: String,
        /// Its own words, or the last lines of its log.
        message: String,
        /// Where to read more and how to go on.
        #[help]
        help: String,
    },
    /// A direction that can't be translated.
    #[error("{message}")]
    #[diagnostic(code(mmc::run::no_modules))]
    NoModules {
        /// What is missing.
        message: String,
        /// What there is.
        #[help]
        help: String,
    },
    /// No checkpoint, or not the one that was asked for.
    #[error("`{}` has no complete checkpoint `{wanted}`", output.display())]
    #[diagnostic(code(mmc::run::no_checkpoint))]
    NoCheckpoint {
        /// The run's folder.
        output: PathBuf,
        /// Step or `latest`.
        wanted: String,
        /// What there is.
        #[help]
        help: String,
    },
    /// Rank 0 did not write the plan.
    #[error("rank 0 did not write this plan to `{}` within {seconds} s", path.display())]
    #[diagnostic(
        code(mmc::run::plan_not_shared),
        help(
            "all ranks need one output folder on a shared file system and the same source, parameters and corpora"
        )
    )]
    PlanNotShared {
        /// The plan's place.
        path: PathBuf,
        /// How long this rank waited.
        seconds: u64,
    },
}

/// Names the file when the system refuses.
pub(crate) trait At<T> {
    /// A refused read.
    fn reading(self, path: &Path) -> Result<T, CliError>;
    /// A refused write.
    fn writing(self, path: &Path) -> Result<T, CliError>;
}

impl<T> At<T> for io::Result<T> {
    fn reading(self, path: &Path) -> Result<T, CliError> {
        self.map_err(|cause| CliError::Unreadable { path: path.to_owned(), cause })
    }

    fn writing(self, path: &Path) -> Result<T, CliError> {
        self.map_err(|cause| CliError::Unwritable { path: path.to_owned(), cause })
    }
}
