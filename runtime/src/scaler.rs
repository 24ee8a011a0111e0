//! Loss scaling for gradients in IEEE half precision, whose smallest numbers are larger than many gradients (Micikevicius et al.
//! 2018, section 3.2).
//!
//! The loss is multiplied by a scale before the backward pass and gradients are divided by it afterwards, in 32 bits or more. A
//! scale that was too large shows in gradients that are no numbers: such a step changes nothing and halves the scale. All ranks
//! see the same sum of squares of all gradients, so all decide alike.

use mmc_plan::Precision;
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
    /// Losses are summed over a batch's tokens, so that gradients are larger, and scales smaller, than with means.
    const FIRST: f64 = 1024.0;
    /// Good steps after which the scale is doubled.
    const PATIENCE: u32 = 2000;

    /// What a precision needs.
    pub fn of(precision: Precision) -> Option<Self> {
        (precision == Precision::Fp16).then_some(Self { scale: Self::FIRST, good: 0 })
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

    /// Whether a gradient that is no number can be put down to the scale: not below 1, where nothing is scaled up.
    pub fn may_be_too_large(self) -> bool {
        self.scale > 1.0
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
    use super::*;

    /// What so many steps, good or bad, make of it.
    fn behind(scaler: &mut Scaler, finite: bool, steps: u32) -> Scaler {
        (0..steps).for_each(|_| scaler.see(finite));
        *scaler
    }

    #[test]
    fn the_scale_is_halved_at_once_and_doubled_with_patience() {
        let mut scaler = Scaler::of(Precision::Fp16).unwrap();
        assert_eq!(Scaler::of(Precision::Bf16), None);
        assert_eq!(behind(&mut scaler, false, 1), Scaler { scale: 512.0, good: 0 });
        assert_eq!(behind(&mut scaler, true, 1999), Scaler { scale: 512.0, good: 1999 });
        assert_eq!(behind(&mut scaler, true, 1), Scaler { scale: 1024.0, good: 0 });
        assert_eq!(behind(&mut scaler, true, 2000), Scaler { scale: 2048.0, good: 0 });
        assert_eq!(behind(&mut scaler, false, 10), Scaler { scale: 2.0, good: 0 });
        assert!(scaler.may_be_too_large());
        assert_eq!(behind(&mut scaler, false, 1), Scaler { scale: 1.0, good: 0 });
        assert!(!scaler.may_be_too_large());
    }

    #[test]
    fn patience_begins_anew_behind_an_overflow() {
        let mut scaler = Scaler::of(Precision::Fp16).unwrap();
        assert_eq!(behind(&mut scaler, true, 1999), Scaler { scale: 1024.0, good: 1999 });
        assert_eq!(behind(&mut scaler, false, 1), Scaler { scale: 512.0, good: 0 });
        assert_eq!(behind(&mut scaler, true, 1999), Scaler { scale: 512.0, good: 1999 });
        assert_eq!(behind(&mut scaler, true, 1), Scaler { scale: 1024.0, good: 0 });
    }
}
