//! A stack of encoder layers: self-attention and feed-forward sublayers.

use std::rc::Rc;

use tch::Tensor;

use super::adapter::{Adapter, Adapters};
use super::attention::{Grid, Mask, Padding, SelfAttention};
use super::dropout::Mode;
use super::feed_forward::FeedForward;
use super::linear::Normaliser;
use super::sublayer::Residual;

/// The adapters of a stack on one direction's way: for each layer, in order. Layers beyond its length have none.
pub(crate) type StackAdapters = Vec<Vec<Rc<Adapter>>>;

/// The adapters of a layer.
pub(crate) fn of_layer(adapters: &StackAdapters, layer: usize) -> Adapters<'_> {
    Adapters(adapters.get(layer).map_or(&[][..], Vec::as_slice))
}

/// One encoder layer.
#[derive(Debug)]
pub(crate) struct EncoderLayer {
    pub(crate) self_attention: (Residual, SelfAttention),
    pub(crate) feed_forward: (Residual, FeedForward),
}

impl EncoderLayer {
    /// `[rows * columns, dim]` to the same shape.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        grid: Grid,
        padding: Option<&Padding>,
        adapters: Adapters<'_>,
        mode: Mode<'_>,
    ) -> Tensor {
        let (residual, attention) = &self.self_attention;
        let inside = adapters.in_self_attention();
        let x = residual.around(x, mode, |x| {
            let seen = attention.forward(x, grid, Mask::from(padding), &inside, mode);
            adapters.behind_self_attention(seen)
        });
        let (residual, feed_forward) = &self.feed_forward;
        let x = residual.around(&x, mode, |x| adapters.feed_forward(feed_forward, x, mode));
        adapters.behind_layer(x, mode)
    }
}

/// Layers and, where the stack is closed, a last norm.
#[derive(Debug)]
pub(crate) struct EncoderStack {
    pub(crate) layers: Vec<EncoderLayer>,
    pub(crate) norm: Option<Normaliser>,
}

impl EncoderStack {
    /// `[rows * columns, dim]` to the same shape.
    pub(crate) fn forward(
        &self,
        x: Tensor,
        grid: Grid,
        padding: Option<&Padding>,
        adapters: &StackAdapters,
        mode: Mode<'_>,
    ) -> Tensor {
        let mut x = x;
        for (at, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, grid, padding, of_layer(adapters, at), mode);
        }
        match &self.norm {
            Some(norm) => norm.forward(&x),
            None => x,
        }
    }
}
