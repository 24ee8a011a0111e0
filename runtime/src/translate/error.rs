//! Why a translation cannot be made.

use std::path::PathBuf;

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
    /// An input line without the second column that was announced.
    #[error("line {0} has no tab: `source<TAB>target` is expected")]
    Column(u64),
    /// Reading lines or writing translations.
    #[error("{doing}: {fault}")]
    Stream {
        /// `reading standard input` or `writing standard output`.
        doing: &'static str,
        /// What is wrong.
        fault: std::io::Error,
    },
}
