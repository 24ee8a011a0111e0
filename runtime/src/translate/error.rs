//! Why a translation cannot be made.

use std::path::PathBuf;

use crate::gpu::NoGpu;
use crate::model::ModelError;

/// Everything that ends a translation, in words for people.
#[derive(Debug, thiserror::Error)]
pub enum TranslateError {
    /// The plan cannot be read.
    #[error("the plan {path} can't be used: {fault}")]
    Plan {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        fault: Box<mmc_plan::PlanError>,
    },
    /// A language is not in the plan.
    #[error("language `{language}` is not in the plan; its languages are {known}")]
    Language {
        /// The language asked for.
        language: String,
        /// The plan's languages.
        known: String,
    },
    /// A language is in no group of a grouping by which modules are shared.
    #[error(
        "direction `{source_language}-{target_language}` has no path: one of its languages is in no group of a grouping that the model shares by"
    )]
    NoPath {
        /// Source language.
        source_language: String,
        /// Target language.
        target_language: String,
    },
    /// Two languages for a model that reads and writes one.
    #[error(
        "the model has no encoder, so it continues or scores text of one language, and does not translate: ask for `{language}` from and to"
    )]
    Continues {
        /// The target language.
        language: String,
    },
    /// Attention to a source is to be counted where there is no source.
    #[error(
        "the model has no encoder, so there is no source whose coverage could count: leave `coverage_penalty` at 0"
    )]
    NoCoverage,
    /// A module of the direction was never trained.
    #[error(
        "direction `{direction}` needs module `{module}`, which no task of the plan trains; modules like it: {alike}"
    )]
    NoModule {
        /// Source and target.
        direction: String,
        /// The module.
        module: String,
        /// Modules of the same place.
        alike: String,
    },
    /// A module of the direction is not in the checkpoint.
    #[error("direction `{direction}` needs module `{module}`, which checkpoint {checkpoint} lacks")]
    NotSaved {
        /// Source and target.
        direction: String,
        /// The module.
        module: String,
        /// The checkpoint's folder.
        checkpoint: PathBuf,
    },
    /// A folder is no checkpoint.
    #[error(
        "{0} holds no checkpoint: neither `modules/` nor `latest` nor `checkpoints/latest` is there"
    )]
    NoCheckpoint(PathBuf),
    /// A file of the checkpoint cannot be read.
    #[error("{path} can't be read: {fault}")]
    Parameters {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// A prefix token of the direction is not in its vocabulary.
    #[error(
        "direction `{direction}` needs the prefix token `{token}`, which vocabulary `{vocabulary}` lacks"
    )]
    NoToken {
        /// Source and target.
        direction: String,
        /// The token.
        token: String,
        /// The vocabulary.
        vocabulary: String,
    },
    /// A tokenizer cannot be loaded.
    #[error("vocabulary `{vocabulary}`: {fault}")]
    Tokenizer {
        /// The vocabulary.
        vocabulary: String,
        /// What is wrong.
        fault: String,
    },
    /// The parameters do not fit the plan.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// More translations than hypotheses.
    #[error("{nbest} translations of a line need a beam at least as wide; it is {beam}")]
    Beam {
        /// Translations asked for.
        nbest: u32,
        /// The beam.
        beam: u32,
    },
    /// Settings of a search where there is none.
    #[error(
        "given translations are scored, and nothing is searched for: beside `--given translation` only `--length-penalty`, `--coverage-penalty` and what is translated by are of use"
    )]
    NoSearch,
    /// A number that no search can take.
    #[error("`{name}` is {value}, which is not {wanted}")]
    Setting {
        /// Of which setting.
        name: &'static str,
        /// The number.
        value: f64,
        /// What it may be.
        wanted: &'static str,
    },
    /// Not a checkpoint for each plan.
    #[error("{plans} plans and {checkpoints} checkpoints: each member of an ensemble has both")]
    Members {
        /// Plans given.
        plans: usize,
        /// Checkpoints given.
        checkpoints: usize,
    },
    /// Members that don't understand each other.
    #[error(
        "the members of the ensemble have different {differs} on the {side} side of `{direction}`: they can't decode together"
    )]
    Apart {
        /// Source and target.
        direction: String,
        /// `source` or `target`.
        side: &'static str,
        /// What differs.
        differs: &'static str,
    },
    /// Fewer checkpoints than are to be averaged.
    #[error(
        "{wanted} checkpoints are to be averaged, but up to {newest} there are {found}: `keep` of the experiment says how many stay"
    )]
    TooFew {
        /// The newest of them.
        newest: PathBuf,
        /// Checkpoints asked for.
        wanted: usize,
        /// Checkpoints that are there.
        found: usize,
    },
    /// The text whose pieces alone are allowed cannot be read, or has none.
    #[error("{path} can't be read as a text of the target language: {fault}")]
    Only {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// An input line without the second column that was announced.
    #[error("line {0} has no tab: `source<TAB>target` is expected")]
    Column(u64),
    /// A GPU is asked for where there is none.
    #[error("`--device gpu`: {0}; or translate with `--device cpu`")]
    Gpu(#[from] NoGpu),
    /// Memory that is too small for the modules of a direction.
    #[error(
        "direction `{direction}`: memory is too small for its modules ({words}); use more memory, or translate with fewer runs together"
    )]
    MemoryOfModules {
        /// Source and target.
        direction: String,
        /// What libtorch said.
        words: String,
    },
    /// Memory that is too small for one line.
    #[error(
        "line {line}: memory is too small for one line of {pieces} pieces ({words}); split it, ask for a narrower beam, or use more memory"
    )]
    Memory {
        /// Its number, from 1.
        line: u64,
        /// Pieces of its longer side, what is put around them included.
        pieces: usize,
        /// What libtorch said.
        words: String,
    },
    /// The server cannot listen.
    #[error("can't listen at {address}: {fault}")]
    Listen {
        /// Host and port.
        address: String,
        /// What is wrong.
        fault: std::io::Error,
    },
    /// The server's thread that takes requests panicked.
    #[error("the thread that takes requests is gone; its last words are above")]
    DeskGone,
    /// Reading lines or writing translations.
    #[error("{doing}: {fault}")]
    Stream {
        /// Such as `reading standard input`.
        doing: &'static str,
        /// What is wrong.
        fault: std::io::Error,
    },
}
