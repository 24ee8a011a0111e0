//! The plan's types: names, canonical order, one fact a line.
//!
//! Every map is ordered by name; every list whose order matters says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::curriculum::{CurriculumSpec, Synchronised};
use crate::flow;
use crate::model::{ModelSpec, ModuleSpec};
use crate::shared::Shared;
use crate::training::TrainingSpec;
use crate::transform::{Sampling, Transform};

/// The version of the plan format that this crate reads and writes.
pub const FORMAT: u32 = 2;

/// Everything that the worker needs in order to train, validate and translate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of the format, [`FORMAT`].
    pub format: u32,
    /// `sha256:<hex>` of all that the mathematics depends on; equal digests train equal parameters.
    pub digest: String,
    /// What the file is called and where its results go.
    pub experiment: ExperimentSpec,
    /// Languages by name.
    pub languages: BTreeMap<String, LanguageSpec>,
    /// Vocabularies by name: `LANG` or `joint`, prefixed with the tokenizer's name (`pieces.de`).
    pub vocabularies: BTreeMap<String, VocabularySpec>,
    /// Choices that hold for all modules, and the patterns from which paths are made.
    pub model: ModelSpec,
    /// Modules by name, e.g. `encoder.0.lang.de`.
    pub modules: BTreeMap<String, ModuleSpec>,
    /// Tasks by name: `<tasks block>.<source>-<target>`.
    pub tasks: BTreeMap<String, TaskSpec>,
    /// Steps, batches, optimiser, schedule.
    pub training: TrainingSpec,
    /// How probabilities change over the run and how lanes draw; plain when it is left out. Part of the mathematics.
    #[serde(default, skip_serializing_if = "CurriculumSpec::is_plain")]
    pub curriculum: CurriculumSpec,
    /// The lanes, in order; lane `l` is `lanes[l]`. Part of the mathematics.
    pub lanes: Vec<LaneSpec>,
    /// The machine that the plan was made for.
    pub cluster: ClusterSpec,
    /// How good the placement is. Left out when there was nothing to choose.
    #[serde(default, skip_serializing_if = "PlacementSpec::is_empty")]
    pub placement: PlacementSpec,
    /// The ranks, in order; rank `r` is `ranks[r]`. Not part of the mathematics.
    pub ranks: Vec<RankSpec>,
    /// Communicators in the global order of set-up and of use. Empty for one rank.
    pub communicators: Vec<CommunicatorSpec>,
    /// What the communicators are expected to sum; none without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synchronised: Option<Synchronised>,
    /// Sums over all ranks; `step_seconds` is the slowest rank's.
    pub totals: Estimate,
    /// What the whole run is expected to cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunEstimate>,
}

/// What the placement costs, and what it would cost at least.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacementSpec {
    /// Tasks on lanes: parameters that lanes hold beyond one copy of each module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lanes: Option<FoundSpec>,
    /// Lanes on ranks: nanoseconds of a step, the slowest rank's computing and all communication, in expectation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<FoundSpec>,
}

impl PlacementSpec {
    /// Whether there was nothing to choose.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The end of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundSpec {
    /// What was found costs this.
    pub cost: u64,
    /// Nothing costs less.
    pub bound: u64,
    /// What found it: `exact`, `search`, `orders`, `all`, `exchanges`, `given`.
    pub algorithm: String,
}

/// Name, seed and output folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentSpec {
    /// The experiment's name.
    pub name: String,
    /// The `##` lines before the `experiment` block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
    /// Root of every random stream.
    pub seed: u64,
    /// Folder for checkpoints and records, relative to the working directory of `mmc run`.
    pub output: String,
}

/// One language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageSpec {
    /// Grouping name -> the group that this language is in. The unnamed grouping is called `groups`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, String>,
}

/// One vocabulary: a tokenizer's pieces followed by what the compiler adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VocabularySpec {
    /// How the file is read.
    pub kind: VocabularyKind,
    /// The tokenizer's file.
    pub file: String,
    /// `sha256` of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// Pieces in the file: ids `0..pieces`.
    pub pieces: u32,
    /// Tokens added behind the file's pieces (ids `pieces..`), such as `<pad>` and `<to_de>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "flow::names")]
    pub added: Vec<String>,
    /// Id of the unknown piece.
    pub unk: u32,
    /// Id of the start token.
    pub bos: u32,
    /// Id of the end token.
    pub eos: u32,
    /// Id of padding.
    pub pad: u32,
    /// Id of `<mask>`, when a transform masks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<u32>,
    /// How segmentations are drawn in training; none: the best one is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
}

impl VocabularySpec {
    /// All ids: the file's pieces and the added ones.
    pub fn size(&self) -> u32 {
        self.pieces.saturating_add(u32::try_from(self.added.len()).unwrap_or(u32::MAX))
    }

    /// The id of an added token.
    pub fn added_id(&self, token: &str) -> Option<u32> {
        let at = self.added.iter().position(|added| added == token)?;
        self.pieces.checked_add(u32::try_from(at).ok()?)
    }
}

/// The tokenizer families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VocabularyKind {
    /// A SentencePiece `.model` file.
    Sentencepiece,
    /// A Hugging Face `tokenizer.json` file.
    Huggingface,
    /// A list of words, one a line; text is cut at white space. `<unk>` follows the list when it has none.
    Words,
}

/// One task: a direction with its corpus and its way through the modules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// What is learnt.
    pub kind: TaskKind,
    /// Source language.
    pub source: String,
    /// Target language.
    pub target: String,
    /// Share of all batches of the run, in parts per billion; the shares of all tasks sum to 1 000 000 000.
    pub share: u64,
    /// Files.
    pub corpus: CorpusFiles,
    /// In the order in which they are applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Shared<Vec<Transform>>,
    /// Vocabulary of the source side.
    pub source_vocabulary: String,
    /// Vocabulary of the target side.
    pub target_vocabulary: String,
    /// Modules in order: source embedding, then encoder stacks.
    #[serde(serialize_with = "flow::names")]
    pub encoder: Shared<Vec<String>>,
    /// The bridge between encoder and decoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// Modules in order: target embedding, decoder stacks, then the output head when it is not tied to the embedding.
    #[serde(serialize_with = "flow::names")]
    pub decoder: Shared<Vec<String>>,
    /// Stack -> the adapters in it, in the order in which a layer goes through them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adapters: BTreeMap<String, Vec<String>>,
}

impl TaskSpec {
    /// The modules of the task: encoder, bridge, decoder, adapters. One may come twice (tied embeddings).
    pub fn path(&self) -> impl Iterator<Item = &String> {
        let way = self.encoder.iter().chain(&self.bridge).chain(&self.decoder);
        way.chain(self.adapters.values().flatten())
    }

    /// Every module of the task, each once, in order of use.
    pub fn modules(&self) -> Vec<&str> {
        let mut seen: Vec<&str> = Vec::new();
        for name in self.path() {
            if !seen.contains(&name.as_str()) {
                seen.push(name);
            }
        }
        seen
    }
}

/// What a task learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Translation of a source segment.
    Translate,
    /// A segment from a noisy copy of itself: both sides are the same text.
    Denoise,
    /// Every token of a segment from those before it, by a model without an encoder: both sides are the same text, of which the
    /// target alone is read.
    Causal,
}

/// The files of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusFiles {
    /// Training text.
    pub train: ParallelFiles,
    /// Validation text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<ParallelFiles>,
    /// Test text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<ParallelFiles>,
    /// What becomes of bad lines in training and validation text.
    #[serde(default, skip_serializing_if = "BadLines::are_skipped")]
    pub bad_lines: BadLines,
}

/// What becomes of a pair with a bad line: one that is not UTF-8, longer than 1 MiB, or without text beside one that has some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadLines {
    /// It is left out and counted.
    #[default]
    Skip,
    /// It ends the run, with file and line named.
    Fatal,
}

impl BadLines {
    /// Whether training goes on without them.
    pub fn are_skipped(&self) -> bool {
        *self == Self::Skip
    }
}

/// Line-aligned files: file `i` of one side belongs to file `i` of the other; or files that hold both sides, in columns. Plain, `.gz`
/// or `.zst`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParallelFiles {
    /// Source side.
    #[serde(serialize_with = "flow::names")]
    pub source: Shared<Vec<String>>,
    /// Target side.
    #[serde(serialize_with = "flow::names")]
    pub target: Shared<Vec<String>>,
    /// Of files that hold both sides, and are then those of both: the columns of source and target, from 1, with a tab between
    /// columns; of monolingual text both are the same. None: every line is one of its side, tabs and all.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "flow::columns")]
    pub columns: Option<[u32; 2]>,
    /// Lines of one side, all files together.
    pub lines: u64,
}

/// One lane: the tasks among which it draws in every step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneSpec {
    /// Tasks by name. Their `parts` sum to [`crate::schedule::LANE_PARTS`].
    #[serde(serialize_with = "flow::lane_tasks")]
    pub tasks: BTreeMap<String, LaneTask>,
}

/// A task on a lane: all of it or, when it is on several lanes, a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneTask {
    /// Probability of the task in a step of this lane, the mean over the run, in parts of [`crate::schedule::LANE_PARTS`].
    pub parts: u32,
    /// This lane reads line `i` when [`crate::schedule::line_position`]`(i)` lies in `lines[0]..lines[1]`, millionths.
    pub lines: [u32; 2],
}

/// The machine: what placement and estimates depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSpec {
    /// The preset's name, or `custom`.
    pub name: String,
    /// Nodes.
    pub nodes: u32,
    /// Devices of a node; one rank each.
    pub devices_per_node: u32,
    /// Memory of a device in bytes.
    pub device_memory: u64,
    /// Rate of a device in FLOP/s at the plan's precision: the data sheet's, or as measured.
    pub device_flops: f64,
    /// Bytes that a device reads and writes in a second, in passes over its memory; none: they cost nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_bandwidth: Option<f64>,
    /// Watts that a device draws at work; none: not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_power: Option<f64>,
    /// Links between devices.
    pub links: LinkSpec,
    /// CPU ranks (Gloo) or GPUs (NCCL).
    pub device: Device,
    /// What a batch script needs; keys of the template, e.g. `partition`, `account`, `time`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slurm: BTreeMap<String, String>,
}

/// Kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// A process on the CPU.
    Cpu,
    /// A CUDA or ROCm device.
    Gpu,
}

/// Rates in bytes per second, latency in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSpec {
    /// Between devices of a node, per device.
    pub intra: f64,
    /// Between nodes, per node.
    pub inter: f64,
    /// Of one message.
    pub latency: f64,
}

/// One rank: a process on one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankSpec {
    /// Node, from 0.
    pub node: u32,
    /// Device of the node, from 0.
    pub device: u32,
    /// Lanes in the order in which they run.
    #[serde(serialize_with = "flow::numbers")]
    pub lanes: Vec<u32>,
    /// Modules that live here, in order of name: exactly those of the lanes' tasks.
    pub modules: Vec<String>,
    /// The modules among them that this rank counts in norms and writes to checkpoints. Every module has one owner.
    pub owns: Vec<String>,
    /// Tasks that this rank validates. Every task with validation text is validated by one rank.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validates: Vec<String>,
    /// What the rank costs.
    pub estimate: Estimate,
}

/// A set of ranks that share modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommunicatorSpec {
    /// `world` for the set of all ranks (always there, always first, when there are several ranks), else `ranks.<a>-<b>...`.
    pub name: String,
    /// Members, ascending.
    #[serde(serialize_with = "flow::numbers")]
    pub ranks: Vec<u32>,
    /// Modules whose gradients are summed here, in the order in which backward passes are done with them.
    /// The buckets of a step hold the gradients of those trained by any lane in that step, in this order, each
    /// followed by one number per module in it: its divisor's summand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
    /// Elements of all buckets when every module was trained: all parameters and one number per module.
    pub elements: u64,
    /// Elements from which on a bucket is full; none: a step has one bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u64>,
}

/// Predicted costs. Formulas: `docs/plan-format.md`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Parameters held.
    pub parameters: u64,
    /// Bytes of parameters, gradients and optimiser state.
    pub state_bytes: u64,
    /// Bytes of activations of one batch at its largest.
    pub activation_bytes: u64,
    /// Floating-point operations of one step, in expectation.
    pub step_flops: u64,
    /// Bytes that one step reads and writes besides products of matrices, in expectation.
    pub step_bytes_moved: u64,
    /// Bytes that one step sends, in expectation (ring all-reduce).
    pub step_bytes_sent: u64,
    /// Seconds of one step, in expectation: operations at the device's rate, passes over its memory, then communication, no overlap.
    pub step_seconds: f64,
}

/// Predicted cost of all steps. Formulas: `docs/plan-format.md`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEstimate {
    /// Hours from the first step to the last.
    pub hours: f64,
    /// Hours of all devices together.
    pub device_hours: f64,
    /// Kilowatt-hours of all devices; none when the cluster does not tell their power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kilowatt_hours: Option<f64>,
}
