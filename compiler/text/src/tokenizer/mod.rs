//! Text to ids of a vocabulary and back: SentencePiece `.model` files, Hugging Face `tokenizer.json` files and lists of words.
//!
//! [`facts`] reads what a plan needs without building a model; [`Tokenizer`] encodes and decodes; [`train`] makes files.

mod huggingface;
mod known_words;
mod sentencepiece;
pub mod train;
mod words;

use std::path::Path;

use mmc_plan::random::Stream;
use mmc_plan::{Sampling, VocabularyKind};
use sha2::{Digest, Sha256};

use crate::error::TextError;

/// What the compiler has to know of a tokenizer file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerFacts {
    /// Number of ids: `0..pieces`.
    pub pieces: u32,
    /// Id of the unknown piece.
    pub unk: Option<u32>,
    /// Id of the start token.
    pub bos: Option<u32>,
    /// Id of the end token.
    pub eos: Option<u32>,
    /// Id of padding.
    pub pad: Option<u32>,
    /// `sha256` of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// Whether pieces can't be turned back into text: the file cuts words and does not say how they are joined.
    pub one_way: bool,
}

/// The kinds of model behind a [`Tokenizer`].
#[derive(Debug, Clone)]
enum Kind {
    SentencePiece(Box<sentencepiece::SentencePiece>),
    HuggingFace(Box<huggingface::HuggingFace>),
    Words(Box<words::Words>),
}

/// A loaded tokenizer; encodes on the calling thread alone.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    kind: Kind,
    facts: TokenizerFacts,
}

fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The facts of a tokenizer file's bytes; does not build the model. `Err` says what is wrong with the file.
pub fn facts(bytes: &[u8], kind: VocabularyKind) -> Result<TokenizerFacts, String> {
    match kind {
        VocabularyKind::Sentencepiece => sentencepiece::facts(bytes, sha256(bytes)),
        VocabularyKind::Huggingface => huggingface::facts(bytes, sha256(bytes)),
        VocabularyKind::Words => Ok(words::Words::read(bytes, sha256(bytes))?.1),
    }
}

impl Tokenizer {
    /// Loads a tokenizer file.
    pub fn load(kind: VocabularyKind, path: impl AsRef<Path>) -> Result<Self, TextError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|cause| TextError::unreadable(path, cause))?;
        Self::from_bytes(kind, &bytes)
            .map_err(|reason| TextError::Tokenizer { path: path.to_owned(), reason })
    }

    /// A tokenizer from its file's bytes. `Err` says what is wrong with them.
    pub fn from_bytes(kind: VocabularyKind, bytes: &[u8]) -> Result<Self, String> {
        let sha256 = sha256(bytes);
        match kind {
            VocabularyKind::Sentencepiece => {
                let model = sentencepiece::SentencePiece::read(bytes)?;
                let facts = model.facts(sha256);
                Ok(Self { kind: Kind::SentencePiece(Box::new(model)), facts })
            }
            VocabularyKind::Huggingface => {
                let facts = huggingface::facts(bytes, sha256)?;
                let model = huggingface::HuggingFace::read(bytes, &facts)?;
                Ok(Self { kind: Kind::HuggingFace(Box::new(model)), facts })
            }
            VocabularyKind::Words => {
                let (words, facts) = words::Words::read(bytes, sha256)?;
                Ok(Self { kind: Kind::Words(Box::new(words)), facts })
            }
        }
    }

    /// Size, special ids and digest.
    pub fn facts(&self) -> &TokenizerFacts {
        &self.facts
    }

    /// The ids of a text, without start and end tokens. Names of control pieces in the text are text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        match &self.kind {
            Kind::SentencePiece(model) => model.encode(text),
            Kind::HuggingFace(model) => model.encode(text),
            Kind::Words(words) => words.encode(text),
        }
    }

    /// The ids of a text by a segmentation that is drawn, where [`Tokenizer::can_sample`]; else the best one's.
    pub fn sample(&self, text: &str, sampling: Sampling, draw: &mut Stream) -> Vec<u32> {
        match &self.kind {
            Kind::SentencePiece(model) => model.sample(text, sampling, draw),
            Kind::HuggingFace(_) | Kind::Words(_) => self.encode(text),
        }
    }

    /// Whether segmentations can be drawn so; `Err` says why not.
    pub fn can_sample(&self, sampling: Sampling) -> Result<(), &'static str> {
        match &self.kind {
            Kind::SentencePiece(model) => model.can_sample(sampling),
            Kind::HuggingFace(_) => Err(
                "the library of `tokenizer.json` files draws unseeded: use a SentencePiece model",
            ),
            Kind::Words(_) => Err("words have one segmentation"),
        }
    }

    /// The text of one piece as the file has it; none for an id without a piece.
    pub(crate) fn piece(&self, id: u32) -> Option<String> {
        match &self.kind {
            Kind::SentencePiece(model) => model.piece(id),
            Kind::HuggingFace(model) => model.piece(id),
            Kind::Words(words) => words.piece(id),
        }
    }

    /// The text of ids. Control pieces and ids that the file doesn't have (added tokens) say nothing.
    pub fn decode(&self, ids: &[u32]) -> String {
        match &self.kind {
            Kind::SentencePiece(model) => model.decode(ids),
            Kind::HuggingFace(model) => model.decode(ids),
            Kind::Words(words) => words.decode(ids),
        }
    }
}
