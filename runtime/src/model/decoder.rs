//! A stack of decoder layers: causal self-attention, cross-attention (where there is an encoder) and feed-forward sublayers; all positions at once, or
//! position after position with cached keys and values.

use tch::Tensor;

use super::attention::{CrossAttention, Grid, Mask, Padding, SelfAttention};
use super::dropout::Mode;
use super::encoder::{StackAdapters, of_layer};
use super::feed_forward::FeedForward;
use super::linear::Normaliser;
use super::sublayer::Residual;

/// One decoder layer.
#[derive(Debug)]
pub(crate) struct DecoderLayer {
    pub(crate) self_attention: (Residual, SelfAttention),
    /// None where there is no encoder.
    pub(crate) cross_attention: Option<(Residual, CrossAttention)>,
    pub(crate) feed_forward: (Residual, FeedForward),
}

/// Layers and, where the stack is closed, a last norm.
#[derive(Debug)]
pub(crate) struct DecoderStack {
    pub(crate) layers: Vec<DecoderLayer>,
    pub(crate) norm: Option<Normaliser>,
}

/// The encoder's states and where they are padded; without an encoder, of no columns.
#[derive(Debug)]
pub(crate) struct Memory {
    /// `[rows * columns, dim]`.
    pub(crate) states: Tensor,
    /// Their shape.
    pub(crate) grid: Grid,
    /// Where they are padded; none when nothing is.
    pub(crate) padding: Option<Padding>,
}

impl Memory {
    /// What so many rows see where there is no encoder.
    pub(crate) fn none(rows: i64, like: &Tensor) -> Self {
        let states = Tensor::zeros([0, 0], (like.kind(), like.device()));
        Self { states, grid: Grid { rows, columns: 0 }, padding: None }
    }
}

impl DecoderStack {
    /// All positions of all targets: `[rows * columns, dim]` to the same shape.
    pub(crate) fn forward(
        &self,
        x: Tensor,
        grid: Grid,
        memory: &Memory,
        adapters: &StackAdapters,
        mode: Mode<'_>,
    ) -> Tensor {
        let mut x = x;
        for (at, layer) in self.layers.iter().enumerate() {
            let adapters = of_layer(adapters, at);
            let (residual, attention) = &layer.self_attention;
            let inside = adapters.in_self_attention();
            x = residual.around(&x, mode, |x| {
                let seen = attention.forward(x, grid, Mask::Causal, &inside, mode);
                adapters.behind_self_attention(seen)
            });
            if let Some((residual, attention)) = &layer.cross_attention {
                let inside = adapters.in_cross_attention();
                x = residual
                    .around(&x, mode, |x| attention.forward(x, grid, memory, &inside, mode));
            }
            let (residual, feed_forward) = &layer.feed_forward;
            x = residual.around(&x, mode, |x| adapters.feed_forward(feed_forward, x, mode));
            x = adapters.behind_layer(x, mode);
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
