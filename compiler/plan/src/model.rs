//! What the network is made of: choices that hold for all modules, patterns of sharing, and the modules themselves.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::flow;
use crate::record::ModuleRecord;

/// Choices that hold for all modules, and the patterns from which a task's path is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Width.
    pub dim: u32,
    /// Attention heads; divides `dim`.
    pub heads: u32,
    /// Inner width of the feed-forward sublayer.
    pub ffn: u32,
    /// Dropout of embeddings, of each sublayer's output and inside the feed-forward sublayer.
    pub dropout: f64,
    /// Dropout of attention weights.
    pub attention_dropout: f64,
    /// Where layer normalisation stands.
    pub norm: Norm,
    /// Of the feed-forward sublayer.
    pub activation: Activation,
    /// How positions are told.
    pub positions: Positions,
    /// Encoder stacks, input to output.
    pub encoder: Vec<StackPattern>,
    /// Decoder stacks, input to output.
    pub decoder: Vec<StackPattern>,
    /// Directions with stacks of their own; the first that fits a direction holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<StackOverride>,
    /// Embeddings.
    pub embeddings: Embeddings,
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
}

/// Where layer normalisation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Before each sublayer, and once after the last layer of every stack.
    Pre,
    /// After each sublayer's residual sum.
    Post,
}

/// Activation of the feed-forward sublayer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(0, x)`.
    Relu,
    /// `x * Phi(x)`, exact.
    Gelu,
}

/// How positions are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Added sines and cosines (Vaswani et al. 2017, section 3.5), first half sines, second half cosines.
    Sinusoidal,
    /// Nothing.
    None,
}

/// One module: a named set of parameters with one owner, one optimiser state and one checkpoint file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ModuleRecord")]
pub struct ModuleSpec {
    /// What it computes.
    #[serde(flatten)]
    pub kind: ModuleKind,
    /// Its parameters. With width `d`, inner width `f`, vocabulary `v`:
    /// embedding and head `v*d`; encoder layer `4d^2+4d + 2df+f+d + 4d`; decoder layer `8d^2+8d + 2df+f+d + 6d`;
    /// a stack under pre-norm has `2d` more for its closing norm.
    pub parameters: u64,
}

/// Kinds of modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModuleKind {
    /// Token embedding `[vocabulary size, dim]`, scaled by `sqrt(dim)` on the way in.
    Embedding {
        /// The vocabulary's name.
        vocabulary: String,
    },
    /// Self-attention and feed-forward layers.
    EncoderStack {
        /// Layers.
        layers: u32,
    },
    /// Causal self-attention, cross-attention and feed-forward layers.
    DecoderStack {
        /// Layers.
        layers: u32,
    },
    /// Output projection `[vocabulary size, dim]` without bias.
    Head {
        /// The vocabulary's name.
        vocabulary: String,
    },
}
