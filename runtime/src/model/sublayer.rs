//! What every sublayer has around it: a residual, dropout and a layer normalisation before or after.

use mmc_plan::Norm;
use tch::Tensor;

use super::dropout::Mode;
use super::linear::Normaliser;

/// Residual, dropout and normalisation around one sublayer.
#[derive(Debug)]
pub(crate) struct Residual {
    /// None: nothing is normalised.
    pub(crate) norm: Option<Normaliser>,
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
        match (&self.norm, self.place) {
            (Some(norm), Norm::Pre) => mode.add(x, &sublayer(&norm.forward(x)), self.dropout),
            (Some(norm), Norm::Post) => norm.forward(&mode.add(x, &sublayer(x), self.dropout)),
            (None, _) => mode.add(x, &sublayer(x), self.dropout),
        }
    }
}
