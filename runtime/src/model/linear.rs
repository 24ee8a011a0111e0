//! Affine maps and norms over the last dimension.

use tch::Tensor;

use crate::ffi::computed;

/// A parameter in the kind of the activations that it meets; its gradient comes back in its own.
pub(crate) fn as_kind_of(x: &Tensor, parameter: &Tensor) -> Tensor {
    parameter.to_kind(x.kind())
}

/// `x W^T + b` with `W: [outputs, inputs]`; `b` may be absent.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
}

impl Linear {
    /// `[.., inputs]` to `[.., outputs]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let bias = self.bias.as_ref().map(|bias| as_kind_of(x, bias));
        x.linear(&as_kind_of(x, &self.weight), bias.as_ref())
    }
}

/// What normalises activations `[.., dim]`.
#[derive(Debug)]
pub(crate) enum Normaliser {
    /// `(x - mean) / sqrt(variance + 1e-5) * w + b` (Ba, Kiros and Hinton 2016), as `torch.nn.LayerNorm`.
    Layer {
        /// Scale.
        weight: Tensor,
        /// Shift.
        bias: Tensor,
    },
    /// `x / sqrt(mean(x^2) + 1e-12) * w` (Zhang and Sennrich 2019).
    Rms {
        /// Scale.
        weight: Tensor,
    },
    /// `x / sqrt(mean(x^2) + 1e-12)`.
    RmsPlain,
}

const LAYER_EPSILON: f64 = 1e-5;
const RMS_EPSILON: f64 = 1e-12;

impl Normaliser {
    /// `[.., dim]` to the same shape.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Layer { weight, bias } => {
                let [weight, bias] = [weight, bias].map(|own| as_kind_of(x, own));
                x.layer_norm(weight.size(), Some(&weight), Some(&bias), LAYER_EPSILON, true)
            }
            Self::Rms { weight } => rms(x) * as_kind_of(x, weight),
            Self::RmsPlain => rms(x),
        }
    }
}

fn rms(x: &Tensor) -> Tensor {
    let kind = x.kind();
    let x = x.to_kind(computed(kind));
    let mean = x.square().mean_dim(Some([-1_i64].as_slice()), true, x.kind());
    (x * (mean + RMS_EPSILON).rsqrt()).to_kind(kind)
}
