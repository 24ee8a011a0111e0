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
        // Of gated activations the second half is the gate (Shazeer 2020).
        let halves = || {
            let width = inner.size().last().map_or(0, |width| width / 2);
            [inner.narrow(-1, 0, width), inner.narrow(-1, width, width)]
        };
        let active = match self.activation {
            Activation::Relu => inner.relu(),
            Activation::Gelu => inner.gelu("none"),
            Activation::Swiglu => {
                let [x, gate] = halves();
                x * gate.silu()
            }
            Activation::Geglu => {
                let [x, gate] = halves();
                x * gate.gelu("none")
            }
        };
        self.outer.forward(&mode.drop(active, self.dropout))
    }
}
