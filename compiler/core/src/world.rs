//! The only window of the compiler to the outside: sources, corpora and tokenizers come through a [`World`].

use serde::{Deserialize, Serialize};

use crate::cluster::TextProfile;

/// What the compiler may ask of its surroundings. The cli answers from the disk and the corpus index; tests from memory.
pub trait World {
    /// The text of a `.mmc` file. Paths are as written by the user, joined to the importing file's folder.
    fn source(&self, path: &str) -> Result<String, WorldError>;
    /// What is known of a corpus file.
    fn corpus(&self, path: &str) -> Result<CorpusFacts, WorldError>;
    /// The existing paths that fit a pattern whose `*` stands for anything but `/`, in byte order.
    fn matching(&self, pattern: &str) -> Vec<String>;
    /// What is known of a tokenizer file.
    fn tokenizer(
        &self,
        path: &str,
        kind: mmc_plan::VocabularyKind,
    ) -> Result<TokenizerFacts, WorldError>;
    /// The letters and words of the first lines of a corpus file.
    fn profile(&self, path: &str) -> Result<TextProfile, WorldError>;
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
}

/// A corpus file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusFacts {
    /// Size on disk.
    pub bytes: u64,
    /// Lines of text, a last one without newline counted.
    pub lines: u64,
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
}
