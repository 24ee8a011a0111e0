//! A stack of encoder layers: self-attention and feed-forward sublayers.

use tch::Tensor;

use super::attention::{Grid, Mask, Padding, SelfAttention};
use super::dropout::Mode;
use super::feed_forward::FeedForward;
use super::linear::LayerNorm;
use super::sublayer::Residual;

/// One encoder layer.
#[derive(Debug)]
pub(crate) struct EncoderLayer {
    pub(crate) self_attention: (Residual, SelfAttention),
    pub(crate) feed_forward: (Residual, FeedForward),
}

/// Layers and, under pre-norm, the closing normalisation.
#[derive(Debug)]
pub(crate) struct EncoderStack {
    pub(crate) layers: Vec<EncoderLayer>,
    pub(crate) norm: Option<LayerNorm>,
}

impl EncoderStack {
    /// `[rows * columns, dim]` to the same shape.
    pub(crate) fn forward(
        &self,
        x: Tensor,
        grid: Grid,
        padding: Option<&Padding>,
        mode: Mode<'_>,
    ) -> Tensor {
        let mut x = x;
        for layer in &self.layers {
            let (residual, attention) = &layer.self_attention;
            x = residual
                .around(&x, mode, |x| attention.forward(x, grid, Mask::from(padding), mode));
            let (residual, feed_forward) = &layer.feed_forward;
            x = residual.around(&x, mode, |x| feed_forward.forward(x, mode));
        }
        match &self.norm {
            Some(norm) => norm.forward(&x),
            None => x,
        }
    }
}
