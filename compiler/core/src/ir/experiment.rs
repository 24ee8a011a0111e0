//! The resolved program: every name bound, every value typed, in range and defaulted; nothing derived yet.
//!
//! Languages, groupings, corpora and tokenizers are ordered by name, so that nothing later depends on the order of declaration.

use std::collections::BTreeMap;

use mmc_plan::{
    BadLines, ClusterSpec, Competence, Coupling, ExperimentSpec, ModelSpec, Optimizer, Sampling,
    StackSide, TaskKind, TrainingSpec, Transform, VocabularyKind,
};
use mmc_syntax::source::Span;

use crate::cluster::Clustering;
use crate::ir::settings::Settings;
use crate::languages;

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
    /// Where the parts of the model were written.
    pub model_spans: ModelSpans,
    /// Modules that are not trained.
    pub freeze: Option<At<Selector>>,
    /// Modules with optimisers of their own.
    pub optimizers: Vec<(At<Selector>, Optimizer)>,
    /// How tasks get their probabilities, step by step.
    pub curriculum: At<CurriculumRule>,
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
    /// What only MAMMOTH reads, for its configuration.
    pub mammoth: Settings,
    /// Where fields were written.
    pub places: Places,
}

/// Where the fields of blocks that the experiment has once were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Block -> its keyword.
    pub blocks: BTreeMap<&'static str, Span>,
    /// (block, field) -> the field's value, or its key when it is a block.
    pub fields: BTreeMap<(&'static str, String), Span>,
}

impl Places {
    /// The place of a field; of one that was left out, that of its block.
    pub fn of(&self, block: &'static str, field: &str) -> Span {
        let field = self.fields.get(&(block, field.to_owned()));
        field.or_else(|| self.blocks.get(block)).copied().unwrap_or_default()
    }
}

impl Experiment {
    /// The number of lanes: as asked for, else the devices of the cluster.
    pub fn lane_count(&self) -> u32 {
        let cluster = &self.cluster.value;
        let devices = cluster.nodes.saturating_mul(cluster.devices_per_node).max(1);
        self.lanes.as_ref().map_or(devices, |lanes| lanes.value).max(1)
    }
}

/// A set of modules, chosen by where they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// All.
    All,
    /// Embeddings of both sides, or of one.
    Embeddings(Option<StackSide>),
    /// Stacks of a side, or the one at a place.
    Stacks(StackSide, Option<u32>),
    /// Output projections that are not tied.
    Heads,
    /// The bridge.
    Bridge,
    /// All adapters, or those of a name.
    Adapters(Option<String>),
    /// The modules of a name that may have `*` for any letters: `encoder.*.lang.de`.
    Named(String),
    /// In either.
    Sum(Box<Self>, Box<Self>),
    /// In the first but not in the second.
    Difference(Box<Self>, Box<Self>),
    /// In both.
    Intersection(Box<Self>, Box<Self>),
}

/// Where the parts of a model were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelSpans {
    /// One for each of `model.encoder`.
    pub encoder: Vec<Span>,
    /// One for each of `model.decoder`.
    pub decoder: Vec<Span>,
    /// The `embeddings` block, or the model's.
    pub embeddings: Span,
    /// The bridge, or the model's.
    pub bridge: Span,
    /// By name of the adapter.
    pub adapters: BTreeMap<String, Span>,
}

/// A language.
#[derive(Debug, Clone, PartialEq)]
pub struct Language {
    /// Its code in the file; the name of modules and tasks.
    pub code: String,
    /// English name, family path, script and attributes of the user's own: as given, or from the registry of languages when it
    /// knows the code.
    pub attributes: BTreeMap<String, String>,
    /// Scheme (`iso1 iso3 macro flores opus`) -> code.
    pub aliases: BTreeMap<String, String>,
    /// Its declaration.
    pub span: Span,
}

impl Language {
    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// The values of an attribute: the families of the path, from the stock down, or the one value.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let value = self.attribute(name);
        if name == "family" {
            value.map(|path| languages::families(path).collect()).unwrap_or_default()
        } else {
            value.into_iter().collect()
        }
    }
}

/// A grouping of languages.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouping {
    /// `groups` for the unnamed one.
    pub name: String,
    /// Language -> group.
    pub group_of: BTreeMap<String, String>,
    /// How it was found, when it was.
    pub clustering: Option<Clustering>,
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
    /// Monolingual text.
    pub mono: Option<At<Monolingual>>,
    /// Monolingual validation text.
    pub mono_valid: Option<At<Monolingual>>,
    /// What becomes of bad lines.
    pub bad_lines: BadLines,
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
    /// Whose column is which, of files that hold both sides: then both templates are one.
    pub columns: Option<Columns>,
}

impl TemplatePair {
    /// Both templates, or the one.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let target = self.columns.is_none().then_some(self.target.as_str());
        std::iter::once(self.source.as_str()).chain(target)
    }
}

/// Templates of monolingual text; all files that exist are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monolingual {
    /// Already checked, as those of the two sides.
    pub templates: Vec<String>,
    /// Which column of its files it is, from 1; none: whole lines.
    pub column: Option<u32>,
}

/// Columns of files that hold both sides, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// First that of the source, or, when they are sorted, of the language that comes first in the alphabet.
    pub numbers: [u32; 2],
    /// Whether they stand in the order of the alphabet, whatever the direction.
    pub is_sorted: bool,
}

impl Columns {
    /// The columns of source and target of a direction.
    pub fn of(self, source: &str, target: &str) -> [u32; 2] {
        let [first, second] = self.numbers;
        if self.is_sorted && target < source { [second, first] } else { [first, second] }
    }
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
    /// How segmentations are drawn in training.
    pub sampling: Option<Sampling>,
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
    /// What its tasks learn, with what says so. Unless they translate, they take the corpus's monolingual text, and every
    /// direction is from a language to itself.
    pub kind: At<TaskKind>,
    /// Index into `Experiment::tokenizers`: the one tokenizer among the transforms.
    pub tokenizer: At<usize>,
    /// All transforms, in order; [`TransformWish::Tokenize`], once, stands for `tokenizer`.
    pub transforms: Vec<At<TransformWish>>,
    /// Multiplies the weight of each of its tasks.
    pub weight: f64,
    /// Its declaration.
    pub span: Span,
}

impl TaskBlock {
    /// Whether its tasks take the corpus's monolingual text.
    pub fn is_mono(&self) -> bool {
        match self.kind.value {
            TaskKind::Translate => false,
            TaskKind::Denoise | TaskKind::Causal => true,
        }
    }
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
#[derive(Debug, Clone, PartialEq)]
pub enum TransformWish {
    /// Pieces.
    Tokenize,
    /// Added tokens before one side: `prefix(source, target, in = decoder)`.
    Prefix {
        /// Which, in order; at least one.
        tokens: Vec<PrefixToken>,
        /// Before what the encoder reads, or before what the decoder is given; where neither is said before what is read first:
        /// the source, unless there is none.
        side: Option<StackSide>,
    },
    /// Bound of the part of letters in the languages' scripts.
    FilterScript {
        /// From 0 to 1.
        least: f64,
    },
    /// One that is the same for all languages, as plans have it.
    Plain(Transform),
}

/// A token that tells something of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrefixToken {
    /// The source language: `<from_LANG>`.
    Source,
    /// The target language: `<to_LANG>`.
    Target,
    /// The block of the task: `<task_NAME>`.
    Task,
    /// Itself.
    Text(String),
}

impl TransformWish {
    /// Whether it changes pieces at random.
    pub fn is_noise(&self) -> bool {
        matches!(self, Self::Plain(transform) if transform.is_noise())
    }

    /// Whether it is noise whose text is its own target.
    pub fn is_mass(&self) -> bool {
        matches!(self, Self::Plain(transform) if transform.is_mass())
    }

    /// Whether it needs the piece `<mask>`.
    pub fn masks(&self) -> bool {
        matches!(self, Self::Plain(transform) if transform.masks())
    }
}

/// How tasks get their probabilities, step by step.
#[derive(Debug, Clone, PartialEq)]
pub struct CurriculumRule {
    /// Rules of weights one after the other, at least one. All but the last end; each later than the one before.
    pub pieces: Vec<WeightPiece>,
    /// When tasks are introduced.
    pub introduce: Introduction,
    /// A task with a larger share than this, in parts per billion, lies on several lanes, none of which has more of it.
    pub split: u64,
    /// Every task lies on so many lanes, in equal parts; a divisor of the number of lanes.
    pub team: u32,
    /// How the draws of lanes in one step are coupled.
    pub schedule: Coupling,
    /// How much of every text is there, easiest first.
    pub competence: Option<At<Competence>>,
    /// Padded tokens of a line, for predictions.
    pub line_tokens: u32,
}

/// A rule of weights and how long it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightPiece {
    /// The rule.
    pub rule: WeightRule,
    /// Its last step; none: to the end.
    pub until: Option<u64>,
    /// Where it was written.
    pub span: Span,
}

/// How task sizes (lines) become weights, before the blocks' weights multiply them.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightRule {
    /// Equal.
    Uniform,
    /// `size^T` (MAMMOTH's temperature: 1 proportional, 0 uniform).
    Temperature(f64),
    /// `size^T`, while T goes from one exponent to another.
    Anneal(Anneal),
    /// As equal as can be while no text is read more often than so many times (Chung et al. 2023, algorithm 1).
    UniMax(f64),
    /// Given: `(source, target) -> weight`; every task has one.
    Table(BTreeMap<(String, String), f64>),
}

/// An exponent's way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anneal {
    /// Exponent at the first step of the piece.
    pub from: f64,
    /// Exponent at the end of the way.
    pub to: f64,
    /// A constant ratio, not a constant difference, between steps.
    pub is_exponential: bool,
    /// Steps of the way; none: all of the piece.
    pub steps: Option<u64>,
    /// Windows that the way is cut into.
    pub windows: u32,
}

/// When tasks are introduced.
#[derive(Debug, Clone, PartialEq)]
pub enum Introduction {
    /// All at the first step.
    AtOnce,
    /// Small ones later (MAMMOTH's curriculum with weights): a task of relative weight r has the weight `sqrt r` and takes part
    /// after `steps (1 - sqrt r)` steps.
    ByWeight,
    /// Small ones later (MAMMOTH's curriculum without weights): a task of relative size r to this power after
    /// `steps (1 - r)` steps.
    BySize(f64),
    /// `(source, target)` -> steps before it takes part; others take part at once.
    Given(BTreeMap<(String, String), u64>),
}

/// Wishes about placement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlacementWishes {
    /// `lanes = [0, 0, 1, 1]`: the rank of every lane; rank = node * devices per node + device.
    pub lanes: Option<At<Vec<u32>>>,
    /// `effort = 3`: how long to search, 0 to 6; none: the default.
    pub effort: Option<u8>,
    /// `objective`: what lanes on ranks are judged by.
    pub objective: MappingObjective,
    /// `pin = { cs -> en = (node 0, gpu 1) }`: tasks that are bound to a device or a node.
    pub pins: Vec<Pin>,
    /// `apart = [all -> en, copies]`: tasks of which no two share a device, with their places.
    pub apart: Vec<(Apart, Span)>,
}

/// Tasks bound to a node or to a device of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Their directions, of all `tasks` blocks.
    pub pairs: Vec<Pair>,
    /// The node.
    pub node: u32,
    /// The device of the node; none: any.
    pub device: Option<u32>,
    /// Where it was written.
    pub span: Span,
}

/// What is kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Apart {
    /// Tasks of these directions.
    Pairs(Vec<Pair>),
    /// The lanes of every split task.
    Copies,
}

/// What a mapping of lanes to ranks is judged by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MappingObjective {
    /// Predicted nanoseconds of communication in a step.
    #[default]
    Time,
    /// Copies of modules: five for every node beyond the first, one for every device beyond the first.
    Mammoth,
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
