//! What hangs on the stacks of a model: adapters inside them, and the bridge between encoder and decoder.

use serde::{Deserialize, Serialize};

use crate::flow;
use crate::model::{Normalisation, Sharing};

/// Small layers inside a stack, in modules of their own: `adapter.<name>.<sharing id>`.
///
/// With width `d`, attention width `q` (heads times head width), each adapted layer has so many parameters:
///
/// | kind | parameters |
/// | --- | --- |
/// | `lora` on `feed_forward`, `attention` | `2dr`, `2r(d+q)` |
/// | `pfeiffer`, `houlsby`, `bapna` | `2db+b+d`, `4db+2b+2d`, `2db+b+3d` |
/// | `ff` | a norm and a feed-forward sublayer of inner width `b`, as the model has them |
/// | `prefix` | `2pq` for each attention of the layer |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterSpec {
    /// Its name.
    pub name: String,
    /// The stacks in which it lies.
    pub side: StackSide,
    /// Which of the side's own stacks, from 0. Directions with other stacks on this side have none of it.
    pub stack: u32,
    /// The layers of the stack, ascending, from 0.
    #[serde(serialize_with = "flow::numbers")]
    pub layers: Vec<u32>,
    /// What it computes.
    pub kind: AdapterKind,
    /// Who shares it.
    pub sharing: Sharing,
}

/// One of the model's sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackSide {
    /// Encoder stacks.
    Encoder,
    /// Decoder stacks.
    Decoder,
}

impl StackSide {
    /// `encoder` or `decoder`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Decoder => "decoder",
        }
    }
}

/// What an adapter computes. All start as the identity: their last map is zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AdapterKind {
    /// Beside a map `f` (Hu et al. 2022, section 4.1): `f(x) + (alpha / rank) B A x`.
    Lora {
        /// Rows of `A`.
        rank: u32,
        /// Scale.
        alpha: f64,
        /// Beside which maps.
        on: LoraPlace,
    },
    /// Within the feed-forward sublayer's residual (Pfeiffer et al. 2021): `h + U relu(D h)` of its output `h`.
    Pfeiffer {
        /// Rows of `D`.
        hidden: u32,
    },
    /// The same after self-attention and after the feed-forward sublayer (Houlsby et al. 2019, section 2.1).
    Houlsby {
        /// Rows of `D`.
        hidden: u32,
    },
    /// After the whole layer (Bapna and Firat 2019, section 2): `x + U relu(D layernorm(x))`.
    Bapna {
        /// Rows of `D`.
        hidden: u32,
    },
    /// One more feed-forward sublayer after the layer, with the model's norm, activation, biases and residual.
    Ff {
        /// Its inner width.
        hidden: u32,
    },
    /// Keys and values before those of every attention (Li and Liang 2021, section 4), as they are after training.
    Prefix {
        /// Keys.
        length: u32,
    },
}

/// Beside which maps low-rank adapters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoraPlace {
    /// The feed-forward sublayer as a whole.
    FeedForward,
    /// The query and value projections of self-attention.
    Attention,
}

/// Layers between encoder and decoder in one module, `bridge.<sharing id>`.
///
/// With width `d`, hidden width `u`, length `r`, a norm of `n` parameters, an attention of `a` and a feed-forward sublayer of `f`, the
/// layers have so many parameters: `lin` `du+u+ur+r+n`, `simple` `ru+du+u+d²+d+n`, `transformer` `a+f+2n`, `perceiver`
/// `rd+2a+2f+4n`, `feed_forward` `2du+u+d+n`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BridgeSpec {
    /// Its layers, from the encoder to the decoder.
    pub layers: Vec<BridgeLayer>,
    /// Inner width `u`.
    pub hidden: u32,
    /// Length `r` of the output of `lin`, `simple` and `perceiver`.
    pub fixed: u32,
    /// Norm after each layer (and inside those of transformers); none: no norm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<Normalisation>,
    /// Who shares it.
    pub sharing: Sharing,
}

/// A layer of a bridge; `H` is what it is given, of shape `[length, d]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BridgeLayer {
    /// `softmax(W2 relu(W1 Hᵀ)) H`, biases with both maps, over valid positions (Vázquez et al. 2020, section 3).
    Lin,
    /// `softmax(Q K(H)ᵀ / sqrt(u)) V(H)` with learned queries `Q`.
    Simple,
    /// An encoder layer of the model.
    Transformer,
    /// Learned latents that attend to `H`, a feed-forward sublayer, attention among themselves, another, post-norm (Jaegle et
    /// al. 2021, section 3).
    Perceiver,
    /// `W2 relu(W1 h)` at every position, with biases.
    FeedForward,
}

impl BridgeLayer {
    /// Whether it gives [`BridgeSpec::fixed`] states, whatever the length of what it is given.
    pub fn has_fixed_length(self) -> bool {
        match self {
            Self::Lin | Self::Simple | Self::Perceiver => true,
            Self::Transformer | Self::FeedForward => false,
        }
    }

    /// Whether [`BridgeSpec::hidden`] is its inner width; others have the model's.
    pub fn has_hidden(self) -> bool {
        match self {
            Self::Lin | Self::Simple | Self::FeedForward => true,
            Self::Transformer | Self::Perceiver => false,
        }
    }
}
