//! What `mmc-worker translate` is asked.

use std::path::PathBuf;

use tch::Device;

use super::{Settings, TranslateError};
use crate::gpu::{self, NoGpu};

/// Translates lines from standard input to standard output, one line each.
#[derive(Debug, Clone, PartialEq, clap::Parser)]
#[command(name = "mmc-worker translate")]
pub struct TranslateArguments {
    /// By what to translate.
    #[command(flatten)]
    pub models: Models,
    /// Source language.
    #[arg(long, value_name = "LANGUAGE")]
    pub source: String,
    /// Target language.
    #[arg(long, value_name = "LANGUAGE")]
    pub target: String,
    /// How to search.
    #[command(flatten)]
    pub settings: Settings,
    /// What is translated together.
    #[command(flatten)]
    pub batching: Batching,
    /// Writes `score<TAB>text`.
    #[arg(long)]
    pub scores: bool,
    /// What input lines hold behind a tab: the beginning of the translation, or all of it, whose score is then written in its
    /// place.
    #[arg(long, value_enum)]
    pub given: Option<Given>,
    /// Text of the target language: translations are made of the pieces that its lines are split into.
    #[arg(long, value_name = "FILE")]
    pub only: Option<PathBuf>,
    /// Tells at the end, on standard error, what was read and how long it took.
    #[arg(long)]
    pub stats: bool,
}

impl TranslateArguments {
    /// Refuses what no search can take, and what is said of a search where there is none.
    pub(super) fn check(&self) -> Result<(), TranslateError> {
        self.settings.check()?;
        let Settings { length_penalty, coverage_penalty, .. } = self.settings;
        let scoring = Settings { length_penalty, coverage_penalty, ..Settings::default() };
        let idle = self.settings != scoring || self.scores || self.only.is_some();
        if self.given == Some(Given::Translation) && idle {
            return Err(TranslateError::NoSearch);
        }
        Ok(())
    }
}

/// By what to translate.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Models {
    /// The plan; several, each with its checkpoint, translate together by the mean of their probabilities.
    #[arg(long, value_name = "FILE", required = true)]
    pub plan: Vec<PathBuf>,
    /// A checkpoint (the folder with `modules/`), the folder `average` or the file `best` or `latest` beside checkpoints, or an experiment's output folder: its
    /// newest checkpoint. One for each plan.
    #[arg(long, value_name = "FOLDER", required = true)]
    pub checkpoint: Vec<PathBuf>,
    /// Parameters are the mean of those of this many checkpoints: the one given and those before it in its folder.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub average: u32,
    /// Takes the parameters as they were trained, where their moving averages were kept (`ema`).
    #[arg(long)]
    pub raw: bool,
    /// What computes.
    #[arg(long, value_enum, default_value_t = Processor::Cpu)]
    pub device: Processor,
    /// Threads of libtorch; by default all processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Processor {
    /// The machine's processors.
    Cpu,
    /// The first GPU that this process sees.
    Gpu,
}

impl Processor {
    /// As libtorch's device; to be asked for before anything else of libtorch.
    pub(super) fn device(self) -> Result<Device, NoGpu> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Gpu => gpu::of_rank(0),
        }
    }
}

/// Most sentences translated together where nothing else is said.
const BATCH: u32 = 64;
/// Most padded source tokens, likewise.
const BATCH_TOKENS: u32 = 4096;

/// What is translated together.
#[derive(Debug, Clone, Copy, PartialEq, clap::Args)]
pub struct Batching {
    /// Most sentences translated together.
    #[arg(long, value_name = "N", default_value_t = BATCH, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Most padded source tokens translated together; one sentence is always allowed.
    #[arg(long, value_name = "N", default_value_t = BATCH_TOKENS, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_tokens: u32,
}

impl Default for Batching {
    fn default() -> Self {
        Self { batch: BATCH, batch_tokens: BATCH_TOKENS }
    }
}

/// What is given of a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Given {
    /// Its beginning.
    Prefix,
    /// All of it.
    Translation,
}
