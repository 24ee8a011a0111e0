//! Loss scaling for gradients in IEEE half precision, whose smallest numbers are larger than many gradients (Micikevicius et al.
//! 2018, section 3.2).
//!
//! The loss is multiplied by a scale before the backward pass and gradients are divided by it afterwards, in 32 bits or more. A
//! scale that was too large shows in gradients that are no numbers: such a step changes nothing and halves the scale. All ranks
//! see the same sum of squares of all gradients, so all decide alike.

use mmc_plan::{Normalise, Precision, TrainingSpec};
use serde::{Deserialize, Serialize};

/// The scale of the loss and how it came to it: part of a checkpoint. Scales are powers of two: nothing is rounded by them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaler {
    scale: f64,
    /// Steps since the scale was last changed.
    good: u32,
}

impl Scaler {
    /// For losses that are means over tokens: as `torch.amp.GradScaler` begins.
    const OF_MEANS: f64 = 65_536.0;
    /// For losses that are sums, about a mean's times the tokens of a batch.
    const OF_SUMS: f64 = 64.0;
    /// The sum of a large batch may overflow at 1 where its mean is far below: at this scale it is the mean of 65 536 tokens.
    pub(crate) const LEAST: f64 = 1.0 / 65_536.0;
    /// Good steps after which the scale is doubled.
    const PATIENCE: u32 = 2000;

    /// What a training needs.
    pub fn of(training: &TrainingSpec) -> Option<Self> {
        let scale = match training.normalise {
            Normalise::Tokens => Self::OF_SUMS,
            Normalise::Lanes => Self::OF_MEANS,
        };
        (training.precision == Precision::Fp16).then_some(Self { scale, good: 0 })
    }

    /// One that a test begins with.
    #[cfg(test)]
    pub(crate) fn at(scale: f64) -> Self {
        Self { scale, good: 0 }
    }

    /// What the loss is multiplied by.
    pub fn scale(self) -> f64 {
        self.scale
    }

    /// Whether a gradient that is no number can be put down to the scale.
    pub fn may_be_too_large(self) -> bool {
        self.scale > Self::LEAST
    }

    /// Takes into account whether a step's gradient was finite.
    pub fn see(&mut self, finite: bool) {
        *self = match (finite, self.good + 1) {
            (false, _) => Self { scale: self.scale / 2.0, good: 0 },
            (true, good) if good >= Self::PATIENCE => Self { scale: self.scale * 2.0, good: 0 },
            (true, good) => Self { scale: self.scale, good },
        };
    }
}

#[cfg(test)]
mod tests {
    use mmc_plan::sample;

    use super::*;

    /// What so many steps, good or bad, make of it.
    fn behind(scaler: &mut Scaler, finite: bool, steps: u32) -> Scaler {
        (0..steps).for_each(|_| scaler.see(finite));
        *scaler
    }

    #[test]
    fn the_scale_is_halved_at_once_and_doubled_with_patience() {
        let mut training = sample::training();
        let mut of = |precision, normalise| {
            (training.precision, training.normalise) = (precision, normalise);
            Scaler::of(&training)
        };
        assert_eq!(of(Precision::Bf16, Normalise::Lanes), None);
        assert_eq!(of(Precision::Fp16, Normalise::Tokens), Some(Scaler::at(64.0)));
        let mut scaler = of(Precision::Fp16, Normalise::Lanes).unwrap();
        assert_eq!(behind(&mut scaler, false, 6), Scaler { scale: 1024.0, good: 0 });
        assert_eq!(behind(&mut scaler, true, 1999), Scaler { scale: 1024.0, good: 1999 });
        assert_eq!(behind(&mut scaler, true, 1), Scaler { scale: 2048.0, good: 0 });
        assert_eq!(behind(&mut scaler, true, 2000), Scaler { scale: 4096.0, good: 0 });
        assert_eq!(behind(&mut scaler, false, 27), Scaler::at(2.0 * Scaler::LEAST));
        assert!(scaler.may_be_too_large());
        assert_eq!(behind(&mut scaler, false, 1), Scaler::at(Scaler::LEAST));
        assert!(!scaler.may_be_too_large());
    }

    #[test]
    fn patience_begins_anew_behind_an_overflow() {
        let mut scaler = Scaler::at(65_536.0);
        assert_eq!(behind(&mut scaler, true, 1999), Scaler { scale: 65_536.0, good: 1999 });
        assert_eq!(behind(&mut scaler, false, 1), Scaler { scale: 32_768.0, good: 0 });
        assert_eq!(behind(&mut scaler, true, 1999), Scaler { scale: 32_768.0, good: 1999 });
        assert_eq!(behind(&mut scaler, true, 1), Scaler { scale: 65_536.0, good: 0 });
    }
}
