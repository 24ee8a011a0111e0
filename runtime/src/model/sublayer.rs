//! What every sublayer has around it: a residual, dropout and a layer normalisation before or after.

use mmc_plan::Norm;
use tch::Tensor;

use super::dropout::Mode;
use super::linear::LayerNorm;

/// Residual, dropout and normalisation around one sublayer.
#[derive(Debug)]
pub(crate) struct Residual {
    pub(crate) norm: LayerNorm,
    pub(crate) place: Norm,
    pub(crate) dropout: f64,
}

impl Residual {
    /// Pre-norm: `x + dropout(f(norm(x)))`. Post-norm: `norm(x + dropout(f(x)))`.
    pub(crate) fn around(
        &self,
        x: &Tensor,
        mode: Mode<'_>,
        sublayer: impl FnOnce(&Tensor) -> Tensor,
    ) -> Tensor {
        match self.place {
            Norm::Pre => mode.add(x, &sublayer(&self.norm.forward(x)), self.dropout),
            Norm::Post => self.norm.forward(&mode.add(x, &sublayer(x), self.dropout)),
        }
    }
}
