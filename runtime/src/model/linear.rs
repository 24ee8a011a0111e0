//! Affine maps and layer normalisation over the last dimension.

use tch::Tensor;

/// `x W^T + b` with `W: [outputs, inputs]`.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
}

impl Linear {
    /// `[.., inputs]` to `[.., outputs]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// `(x - mean) / sqrt(variance + 1e-5) * w + b` (Ba, Kiros and Hinton 2016).
#[derive(Debug)]
pub(crate) struct LayerNorm {
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
}

/// As `torch.nn.LayerNorm`.
const EPSILON: f64 = 1e-5;

impl LayerNorm {
    /// `[.., dim]` to the same shape.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), EPSILON, true)
    }
}
