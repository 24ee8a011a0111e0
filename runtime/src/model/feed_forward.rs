//! The feed-forward sublayer: two affine maps with an activation between them.

use mmc_plan::Activation;
use tch::Tensor;

use super::dropout::Mode;
use super::linear::Linear;

/// `outer(dropout(activation(inner(x))))`.
#[derive(Debug)]
pub(crate) struct FeedForward {
    pub(crate) inner: Linear,
    pub(crate) outer: Linear,
    pub(crate) activation: Activation,
    pub(crate) dropout: f64,
}

impl FeedForward {
    /// `[tokens, dim]` to the same shape.
    pub(crate) fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Tensor {
        let inner = self.inner.forward(x);
        let active = match self.activation {
            Activation::Relu => inner.relu(),
            Activation::Gelu => inner.gelu("none"),
            Activation::Swiglu | Activation::Geglu => {
                unreachable!("plans with gated activations are refused before a network is built")
            }
        };
        self.outer.forward(&mode.drop(active, self.dropout))
    }
}
