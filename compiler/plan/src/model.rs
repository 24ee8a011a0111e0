//! What the network is made of: choices that hold for all modules, patterns of sharing, and the modules themselves.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::attachment::{AdapterSpec, BridgeSpec};
use crate::flow;
use crate::record::ModuleRecord;
use crate::training::{Optimizer, TrainingSpec};

/// Choices that hold for all modules, and the patterns from which a task's path is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Width.
    pub dim: u32,
    /// Attention heads.
    pub heads: u32,
    /// Width of a head; queries, keys and values are `heads` times as wide.
    pub head_dim: u32,
    /// Inner width of the feed-forward sublayer.
    pub ffn: u32,
    /// Biases of the projections of attention.
    pub attention_bias: bool,
    /// Biases of the maps of the feed-forward sublayer.
    pub ffn_bias: bool,
    /// Dropout of embeddings and of each sublayer's output.
    pub dropout: f64,
    /// Dropout inside the feed-forward sublayer, after the activation.
    pub ffn_dropout: f64,
    /// Dropout of attention weights.
    pub attention_dropout: f64,
    /// Where norms stand.
    pub norm: Norm,
    /// What norms compute.
    pub normalisation: Normalisation,
    /// Which stacks have a norm after their last layer, under `pre`.
    pub closing_norm: ClosingNorm,
    /// Of the feed-forward sublayer.
    pub activation: Activation,
    /// How positions are told.
    pub positions: Positions,
    /// How parameters begin.
    pub init: Initial,
    /// Encoder stacks, input to output; none: all tasks are causal, and decoders have no cross-attention.
    pub encoder: Vec<StackPattern>,
    /// Decoder stacks, input to output.
    pub decoder: Vec<StackPattern>,
    /// Directions with stacks of their own; the first that fits a direction holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<StackOverride>,
    /// Embeddings.
    pub embeddings: Embeddings,
    /// Between encoder and decoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<BridgeSpec>,
    /// Inside stacks, in order of name, which is also the order within a layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adapters: Vec<AdapterSpec>,
}

impl ModelSpec {
    /// Whether there is an encoder; without one all tasks are causal.
    pub fn has_encoder(&self) -> bool {
        !self.encoder.is_empty()
    }

    /// Width of all heads together.
    pub fn attention_dim(&self) -> u64 {
        u64::from(self.heads) * u64::from(self.head_dim)
    }

    /// Whether anything is dropped in training.
    pub fn drops(&self) -> bool {
        [self.dropout, self.ffn_dropout, self.attention_dropout].iter().any(|&rate| rate > 0.0)
    }

    /// Whether the stack at a place of a side with these stacks has a norm after its last layer.
    pub fn closes(&self, at: usize, stacks: &[StackPattern]) -> bool {
        match (self.norm, self.closing_norm) {
            (Norm::Post, _) => false,
            (Norm::Pre, ClosingNorm::EveryStack) => true,
            (Norm::Pre, ClosingNorm::LastStack) => {
                stacks.iter().skip(at + 1).all(|stack| stack.sharing == Sharing::None)
            }
        }
    }
}

/// Stacks of some directions in place of the model's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackOverride {
    /// Directions as `[source, target]`, sorted.
    #[serde(serialize_with = "flow::pairs")]
    pub pairs: Vec<[String; 2]>,
    /// Encoder stacks; none: the model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<Vec<StackPattern>>,
    /// Decoder stacks; none: the model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<Vec<StackPattern>>,
}

/// So many layers, shared so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackPattern {
    /// Layers.
    pub layers: u32,
    /// Who shares them.
    pub sharing: Sharing,
}

/// Who shares a module: the rule that turns a direction into a sharing id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Everybody: `full`.
    Full,
    /// The source language: `lang.de`.
    SourceLanguage,
    /// The target language: `lang.de`.
    TargetLanguage,
    /// The source language's group in the grouping named: `group.slavic` (`group.<grouping>.<group>` for a named grouping).
    SourceGroup(String),
    /// The target language's group in the grouping named.
    TargetGroup(String),
    /// One per direction: `task.cs-de`.
    Task,
    /// One per unordered pair: `pair.cs-de`, alphabetical.
    Pair,
    /// Every side of a task that has the vocabulary, `vocabulary.pieces.joint`: embeddings alone.
    Vocabulary,
    /// Nobody: the stack is the identity, without a module.
    None,
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("FULL"),
            Self::SourceLanguage => f.write_str("SRC_LANGUAGE"),
            Self::TargetLanguage => f.write_str("TGT_LANGUAGE"),
            Self::SourceGroup(grouping) => write!(f, "SRC_GROUP({grouping})"),
            Self::TargetGroup(grouping) => write!(f, "TGT_GROUP({grouping})"),
            Self::Task => f.write_str("TASK"),
            Self::Pair => f.write_str("PAIR"),
            Self::Vocabulary => f.write_str("VOCABULARY"),
            Self::None => f.write_str("NONE"),
        }
    }
}

/// Embedding modules and what they are tied to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embeddings {
    /// `embed.src.<sharing id>`.
    pub source: Sharing,
    /// `embed.tgt.<sharing id>`.
    pub target: Sharing,
    /// One module for both sides, `embed.<sharing id>`: equal sharing and vocabulary are needed.
    pub tie_source: bool,
    /// The output projection is the target embedding; otherwise `head.<sharing id>`.
    pub tie_output: bool,
    /// Embeddings are multiplied by `sqrt(dim)` on the way in (Vaswani et al. 2017, section 3.4).
    pub scale: bool,
}

/// Where norms stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Before each sublayer, and after the last layer of stacks by [`ClosingNorm`].
    Pre,
    /// After each sublayer's residual sum.
    Post,
}

/// What a norm computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// Mean 0, variance 1, then a scale and a shift (Ba et al. 2016); `2d` parameters.
    LayerNorm,
    /// Root mean square 1, then a scale (Zhang and Sennrich 2019); `d` parameters.
    Rms,
    /// Root mean square 1; no parameters.
    RmsPlain,
}

impl Normalisation {
    /// Parameters of one norm of a width.
    pub fn parameters(self, dim: u64) -> u64 {
        match self {
            Self::LayerNorm => 2 * dim,
            Self::Rms => dim,
            Self::RmsPlain => 0,
        }
    }
}

/// Which stacks have a norm after their last layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosingNorm {
    /// All.
    EveryStack,
    /// The last of each side that has layers.
    LastStack,
}

/// Activation of the feed-forward sublayer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(0, x)`.
    Relu,
    /// `x * Phi(x)`, exact.
    Gelu,
    /// `x * sigmoid(x)` of one half times the other half (Shazeer 2020); the inner map is twice as wide.
    Swiglu,
    /// `x * Phi(x)` of one half times the other half.
    Geglu,
}

impl Activation {
    /// Whether the inner map is twice as wide, one half gating the other.
    pub fn is_gated(self) -> bool {
        match self {
            Self::Relu | Self::Gelu => false,
            Self::Swiglu | Self::Geglu => true,
        }
    }
}

/// How positions are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Positions {
    /// Added sines and cosines (Vaswani et al. 2017, section 3.5), first half sines, second half cosines.
    Sinusoidal,
    /// The same with the wave lengths and the first position of fairseq, M2M100 and NLLB: wave `i` of `k` is `10000^(i / (k - 1))`
    /// long, up to 10000, and positions count from 2.
    Fairseq,
    /// Added rows of a table `[length, dim]` in every embedding module.
    Learned {
        /// Most positions.
        length: u32,
    },
    /// Queries and keys of self-attention are rotated (Su et al. 2021).
    Rotary {
        /// The first so many of a head's dimensions, an even number.
        dims: u32,
        /// Base of the wave lengths.
        base: u32,
    },
    /// Nothing.
    None,
}

impl Positions {
    /// Whether half of the width are sines, half cosines.
    pub fn has_halves(self) -> bool {
        match self {
            Self::Sinusoidal | Self::Fairseq => true,
            Self::Learned { .. } | Self::Rotary { .. } | Self::None => false,
        }
    }
}

/// How parameters begin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Initial {
    /// Matrices uniform by Glorot and Bengio 2010, biases 0, embeddings normal with variance `1 / dim`.
    Xavier,
    /// As torch's own modules: maps uniform in `±1 / sqrt(inputs)`, biases too; embeddings normal with variance `2 / dim` (He et
    /// al. 2015).
    Torch,
    /// Matrices normal with variance `2 / inputs` (He et al. 2015, equation 10), biases 0, embeddings with variance `2 / dim`.
    Kaiming,
    /// All that is drawn is normal with one deviation, biases 0 (BERT, Devlin et al. 2019; GPT; M2M100).
    Normal {
        /// Standard deviation.
        std: f64,
    },
}

/// One module: a named set of parameters with one owner, one optimiser state and one checkpoint file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ModuleRecord")]
pub struct ModuleSpec {
    /// What it computes.
    #[serde(flatten)]
    pub kind: ModuleKind,
    /// Its parameters. With width `d`, attention width `q`, inner width `f`, vocabulary `v`:
    /// an attention has `4dq`, and `3q+d` of biases; a feed-forward sublayer `2df`, and `f+d` of biases, or, gated, `3df` and
    /// `2f+d`; a norm by [`Normalisation::parameters`]. An encoder layer has an attention, a feed-forward sublayer and two norms, a
    /// decoder layer one more attention and norm, if the model has an encoder, a closed stack one more norm; an embedding `vd`, and `length * d` of learned positions;
    /// a head `vd`; adapters and bridges by [`AdapterSpec`] and [`BridgeSpec`].
    pub parameters: u64,
    /// Never trained: it is in no communicator and has no optimiser state.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// Its optimiser, where that is not the training's; none if it is frozen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<Optimizer>,
}

impl ModuleSpec {
    /// What updates it: its own optimiser or the training's; none if it is frozen.
    pub fn trained_by<'a>(&'a self, training: &'a TrainingSpec) -> Option<&'a Optimizer> {
        (!self.frozen).then(|| self.optimizer.as_ref().unwrap_or(&training.optimizer))
    }
}

/// Kinds of modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModuleKind {
    /// Token embedding `[vocabulary size, dim]`.
    Embedding {
        /// The vocabulary's name.
        vocabulary: String,
    },
    /// Self-attention and feed-forward layers.
    EncoderStack {
        /// Layers.
        layers: u32,
        /// Whether a norm follows the last layer.
        closed: bool,
    },
    /// Causal self-attention, cross-attention (if the model has an encoder) and feed-forward layers.
    DecoderStack {
        /// Layers.
        layers: u32,
        /// Whether a norm follows the last layer.
        closed: bool,
    },
    /// Output projection `[vocabulary size, dim]` without bias.
    Head {
        /// The vocabulary's name.
        vocabulary: String,
    },
    /// The layers of one adapter, see [`AdapterSpec`].
    Adapter {
        /// The adapter's name.
        adapter: String,
    },
    /// See [`BridgeSpec`].
    Bridge,
}
