//! The resolved program: every name bound, every value typed, in range and defaulted; nothing derived yet.
//!
//! Languages, groupings, corpora and tokenizers are ordered by name, so that nothing later depends on the order of declaration.

use std::collections::BTreeMap;

use mmc_plan::{ClusterSpec, ExperimentSpec, ModelSpec, TrainingSpec, VocabularyKind};
use mmc_syntax::source::Span;

/// A value with the place that gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it was written; for a default, the block that lacks it.
    pub span: Span,
}

/// The resolved program.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Name, about, seed, output.
    pub spec: ExperimentSpec,
    /// Ordered by name.
    pub languages: Vec<Language>,
    /// Ordered by name; the unnamed grouping is called `groups`.
    pub groupings: Vec<Grouping>,
    /// Ordered by name.
    pub corpora: Vec<Corpus>,
    /// Ordered by name.
    pub tokenizers: Vec<Tokenizer>,
    /// Ordered by name.
    pub task_blocks: Vec<TaskBlock>,
    /// The model's choices and patterns. Groupings in patterns exist; every language in use is in them.
    pub model: ModelSpec,
    /// For each of `model.encoder`, `model.decoder`: where it was written.
    pub encoder_spans: Vec<Span>,
    /// See `encoder_spans`.
    pub decoder_spans: Vec<Span>,
    /// The `embeddings` block, or the model's.
    pub embeddings_span: Span,
    /// How task sizes become shares.
    pub weights: At<WeightRule>,
    /// Steps, batches, optimiser.
    pub training: At<TrainingSpec>,
    /// Lanes asked for; none: one per device.
    pub lanes: Option<At<u32>>,
    /// The machine.
    pub cluster: At<ClusterSpec>,
    /// Placement wishes.
    pub placement: PlacementWishes,
    /// Lint code -> level.
    pub lints: BTreeMap<String, LintLevel>,
}

/// A language.
#[derive(Debug, Clone, PartialEq)]
pub struct Language {
    /// Its code in the file; the name of modules and tasks.
    pub code: String,
    /// English name, family, script: attributes as given, or from the built-in registry when it knows the code.
    pub attributes: BTreeMap<String, String>,
    /// Scheme (`iso1 iso3 flores opus`) -> code.
    pub aliases: BTreeMap<String, String>,
    /// Its declaration.
    pub span: Span,
}

/// A grouping of languages.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouping {
    /// `groups` for the unnamed one.
    pub name: String,
    /// Language -> group.
    pub group_of: BTreeMap<String, String>,
    /// Its declaration.
    pub span: Span,
}

/// A corpus: templates of paths.
#[derive(Debug, Clone, PartialEq)]
pub struct Corpus {
    /// Its name.
    pub name: String,
    /// Training text.
    pub train: Option<At<TemplatePair>>,
    /// Validation text.
    pub valid: Option<At<TemplatePair>>,
    /// Test text.
    pub test: Option<At<TemplatePair>>,
    /// Its declaration.
    pub span: Span,
}

/// Templates of the two sides, already checked: rendering them can't fail for any language in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePair {
    /// Source side.
    pub source: String,
    /// Target side.
    pub target: String,
}

/// A tokenizer.
#[derive(Debug, Clone, PartialEq)]
pub struct Tokenizer {
    /// Its name.
    pub name: String,
    /// File format.
    pub kind: VocabularyKind,
    /// Template of the path, with `{lang}` or without variables (a joint vocabulary).
    pub file: At<String>,
    /// How `mmc tokenizer train` makes it.
    pub train: Option<TokenizerTraining>,
    /// Its declaration.
    pub span: Span,
}

/// How a tokenizer is trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerTraining {
    /// The method.
    pub method: TokenizerMethod,
    /// Pieces wanted.
    pub pieces: u32,
}

/// Methods of training a tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizerMethod {
    /// Byte-pair encoding.
    Bpe,
    /// Unigram language model.
    Unigram,
}

/// A `tasks` block.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskBlock {
    /// Its name.
    pub name: String,
    /// Directions, sorted by source then target, each once.
    pub pairs: Vec<Pair>,
    /// Index into `Experiment::corpora`.
    pub corpus: At<usize>,
    /// Index into `Experiment::tokenizers`: the one tokenizer among the transforms.
    pub tokenizer: At<usize>,
    /// All transforms, in order; [`TransformWish::Tokenize`], once, stands for `tokenizer`.
    pub transforms: Vec<At<TransformWish>>,
    /// Multiplies the weight of each of its tasks.
    pub weight: f64,
    /// Its declaration.
    pub span: Span,
}

/// A direction of a `tasks` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Source language.
    pub source: String,
    /// Target language.
    pub target: String,
    /// Asked for by its full name (`cs -> fr`): missing data is an error, not a note.
    pub named: bool,
    /// The expression that made it.
    pub span: Span,
}

/// A transform as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransformWish {
    /// Pieces.
    Tokenize,
    /// `prefix(target)`: `<to_LANG>` before the source; `prefix(source, target)`: `<from_LANG> <to_LANG>`.
    Prefix {
        /// Tell the source language.
        source: bool,
        /// Tell the target language.
        target: bool,
    },
    /// Bounds in pieces.
    FilterTooLong {
        /// Of the source.
        source: u32,
        /// Of the target.
        target: u32,
    },
}

/// How task sizes (lines) become shares, before the blocks' weights multiply them.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightRule {
    /// Equal.
    Uniform,
    /// `size^T` (MAMMOTH's temperature: 1 proportional, 0 uniform).
    Temperature(f64),
    /// Given: `(source, target) -> weight`; every task has one.
    Table(BTreeMap<(String, String), f64>),
}

/// Wishes about placement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlacementWishes {
    /// `lanes = [0, 0, 1, 1]`: the rank of every lane; rank = node * devices per node + device.
    pub lanes: Option<At<Vec<u32>>>,
}

/// Level of a lint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LintLevel {
    /// Not reported.
    Allow,
    /// Reported.
    Warn,
    /// Reported and fatal.
    Deny,
}
