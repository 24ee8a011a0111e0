//! The only window of the compiler to the outside: sources, corpora and tokenizers come through a [`World`].

use serde::{Deserialize, Serialize};

use crate::cluster::TextProfile;

/// What the compiler may ask of its surroundings. The cli answers from the disk and the corpus index; tests from memory.
///
/// Files are asked for by the thousand, so that a world can list folders once and read in parallel.
pub trait World {
    /// The text of a `.mmc` file. Paths are as written by the user, joined to the importing file's folder.
    fn source(&self, path: &str) -> Result<String, WorldError>;
    /// What is known of corpus files: an answer for each path, in their order.
    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>>;
    /// For each pattern, whose `*` stands for anything but `/`: the existing paths that fit it, in byte order.
    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>>;
    /// What is known of a tokenizer file.
    fn tokenizer(
        &self,
        path: &str,
        kind: mmc_plan::VocabularyKind,
    ) -> Result<TokenizerFacts, WorldError>;
    /// The letters and words of the first lines of a corpus file.
    fn profile(&self, path: &str) -> Result<TextProfile, WorldError>;
    /// How well tokenizers know texts: an answer for each sample, in their order. A world without text has none.
    fn samples(&self, wanted: &[Sample]) -> Vec<Result<SampleFacts, WorldError>> {
        wanted.iter().map(|_| Err(WorldError::Missing)).collect()
    }
    /// What was odd about the answers about corpora so far.
    fn remarks(&self) -> Vec<Remark> {
        Vec::new()
    }
}

/// Why the world has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// Nothing is there.
    #[error("no such file")]
    Missing,
    /// Something is there and can't be read; why.
    #[error("{0}")]
    Unreadable(String),
    /// A compressed file that ends too early.
    #[error("it ends after line {lines}, in the middle of the compressed data")]
    Truncated {
        /// Whole lines before the end.
        lines: u64,
    },
    /// A compressed file whose content is not what was compressed.
    #[error("{reason} (after line {lines})")]
    Damaged {
        /// Whole lines before the damage.
        lines: u64,
        /// What the decoder says.
        reason: String,
    },
}

/// Something odd about answers that were given nevertheless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// These files are here and are not those that the index was made from.
    StaleIndex {
        /// In the order of asking.
        paths: Vec<String>,
    },
    /// These files changed, but neither their sizes nor their times did: the cache was wrong about them.
    StaleCache {
        /// In the order of asking.
        paths: Vec<String>,
    },
    /// The cache of what was counted can't be read.
    CacheDamaged {
        /// The cache's file.
        path: String,
        /// What the reader says.
        reason: String,
    },
}

/// A corpus file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusFacts {
    /// Size on disk.
    pub bytes: u64,
    /// Lines of text, a last one without newline counted.
    pub lines: u64,
    /// The first line that is known not to be UTF-8, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_utf8: Option<u64>,
}

/// Lines at the beginning of a file that a [`Sample`] is made of.
pub const SAMPLED_LINES: usize = 200;

/// A text beside a tokenizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The tokenizer's file.
    pub tokenizer: String,
    /// What that file is.
    pub kind: mmc_plan::VocabularyKind,
    /// The corpus file, whose first [`SAMPLED_LINES`] lines are looked at.
    pub text: String,
    /// The column of these lines, from 1; none: all of them.
    pub column: Option<u32>,
}

impl Sample {
    /// The name of its text: the file's, and behind a tab the column's number.
    pub fn text_name(&self) -> String {
        match self.column {
            Some(column) => format!("{}\t{column}", self.text),
            None => self.text.clone(),
        }
    }
}

/// What a tokenizer made of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleFacts {
    /// All pieces.
    pub pieces: u64,
    /// Unknown ones among them.
    pub unknown: u64,
}

/// A tokenizer file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerFacts {
    /// Pieces in the file.
    pub pieces: u32,
    /// `sha256` in hexadecimal.
    pub sha256: String,
    /// Id of the unknown piece, if the file has one; likewise the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unk: Option<u32>,
    /// Start token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos: Option<u32>,
    /// End token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eos: Option<u32>,
    /// Padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad: Option<u32>,
    /// Whether its pieces can't be turned back into text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_way: bool,
}
