//! A stack of decoder layers: causal self-attention, cross-attention and feed-forward sublayers; all positions at once, or
//! position after position with cached keys and values.

use tch::Tensor;

use super::attention::{CrossAttention, Grid, Mask, Padding, SelfAttention};
use super::dropout::Mode;
use super::feed_forward::FeedForward;
use super::linear::LayerNorm;
use super::sublayer::Residual;

/// One decoder layer.
#[derive(Debug)]
pub(crate) struct DecoderLayer {
    pub(crate) self_attention: (Residual, SelfAttention),
    pub(crate) cross_attention: (Residual, CrossAttention),
    pub(crate) feed_forward: (Residual, FeedForward),
}

/// Layers and, under pre-norm, the closing normalisation.
#[derive(Debug)]
pub(crate) struct DecoderStack {
    pub(crate) layers: Vec<DecoderLayer>,
    pub(crate) norm: Option<LayerNorm>,
}

/// The encoder's states and where they are padded.
#[derive(Debug)]
pub(crate) struct Memory {
    /// `[rows * columns, dim]`.
    pub(crate) states: Tensor,
    /// Their shape.
    pub(crate) grid: Grid,
    /// Where they are padded; none when nothing is.
    pub(crate) padding: Option<Padding>,
}

impl DecoderStack {
    /// All positions of all targets: `[rows * columns, dim]` to the same shape.
    pub(crate) fn forward(&self, x: Tensor, grid: Grid, memory: &Memory, mode: Mode<'_>) -> Tensor {
        let mut x = x;
        for layer in &self.layers {
            let (residual, attention) = &layer.self_attention;
            x = residual.around(&x, mode, |x| attention.forward(x, grid, Mask::Causal, mode));
            let (residual, attention) = &layer.cross_attention;
            x = residual.around(&x, mode, |x| attention.forward(x, grid, memory, mode));
            let (residual, feed_forward) = &layer.feed_forward;
            x = residual.around(&x, mode, |x| feed_forward.forward(x, mode));
        }
        self.close(x)
    }

    /// The closing normalisation, where there is one.
    pub(crate) fn close(&self, x: Tensor) -> Tensor {
        match &self.norm {
            Some(norm) => norm.forward(&x),
            None => x,
        }
    }
}
