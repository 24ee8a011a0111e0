//! Competence: how much of every text, its easiest examples first, is there for the learner; a function of the step alone.

use std::fmt;

use serde::{Deserialize, Serialize};

/// All of a text.
const WHOLE: u64 = 1_000_000_000;

/// A learner's competence over the steps (Platanios et al. 2019, equations 1 and 4).
///
/// Before step `s` (from 1), `t = s - 1` steps are done; with the initial competence `c` and `T` steps, the part of a text that is
/// easy enough is `min(1, t / T (1 - c) + c)`, or `min(1, sqrt(t / T (1 - c^2) + c^2))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Competence {
    /// How it grows.
    pub growth: Growth,
    /// Before the first step, in parts per billion, at least one.
    pub initial: u64,
    /// Steps until all of every text is there, at least one.
    pub steps: u64,
    /// What makes an example hard.
    pub difficulty: Difficulty,
}

/// How competence grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    /// The same in every step.
    Linear,
    /// Slower and slower: as many new examples a step, in parts of those there are.
    Sqrt,
}

/// What makes an example hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// Pieces of the source.
    Length,
    /// `-sum log p` over the source's pieces, `p` being how frequent a piece is.
    Rarity,
}

impl Competence {
    /// The part of every text that is easy enough in a step (from 1), in parts per billion.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "parts and steps are far below 2^53; rounded, between 0 and a billion"
    )]
    pub fn parts_at(self, step: u64) -> u64 {
        let done = step.saturating_sub(1) as f64 / self.steps.max(1) as f64;
        let initial = self.initial.min(WHOLE) as f64 / WHOLE as f64;
        let competence = match self.growth {
            Growth::Linear => done * (1.0 - initial) + initial,
            Growth::Sqrt => {
                let initial = initial * initial;
                (done * (1.0 - initial) + initial).sqrt()
            }
        };
        (competence.min(1.0) * WHOLE as f64).round() as u64
    }

    /// Of so many examples, in order of difficulty, those that are easy enough in a step: at least one.
    pub fn admitted(self, step: u64, examples: usize) -> usize {
        let wanted =
            (examples as u128 * u128::from(self.parts_at(step))).div_ceil(u128::from(WHOLE));
        usize::try_from(wanted).unwrap_or(examples).clamp(examples.min(1), examples)
    }
}

impl fmt::Display for Competence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let growth = match self.growth {
            Growth::Linear => "linear",
            Growth::Sqrt => "sqrt",
        };
        let difficulty = match self.difficulty {
            Difficulty::Length => "length",
            Difficulty::Rarity => "rarity",
        };
        let (initial, steps) = (crate::units::share(self.initial), crate::units::count(self.steps));
        write!(
            f,
            "{growth}, {initial} of every text at first, all after {steps} steps, by {difficulty}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EASY: Competence = Competence {
        growth: Growth::Sqrt,
        initial: 10_000_000,
        steps: 100,
        difficulty: Difficulty::Length,
    };

    #[test]
    fn competence_goes_from_its_start_to_the_whole() {
        for growth in [Growth::Linear, Growth::Sqrt] {
            let competence = Competence { growth, ..EASY };
            assert_eq!(competence.parts_at(1), 10_000_000);
            assert_eq!([101, 102, 5_000].map(|step| competence.parts_at(step)), [WHOLE; 3]);
            assert!((1..101).all(|step| competence.parts_at(step) < competence.parts_at(step + 1)));
        }
        // Half way: 0.5 * 0.99 + 0.01, and the root of 0.5 * 0.9999 + 0.0001.
        assert_eq!(Competence { growth: Growth::Linear, ..EASY }.parts_at(51), 505_000_000);
        assert_eq!(EASY.parts_at(51), 707_142_136);
    }

    #[test]
    fn something_is_always_admitted() {
        assert_eq!([0, 1, 50, 1000].map(|count| EASY.admitted(1, count)), [0, 1, 1, 10]);
        assert_eq!(EASY.admitted(101, 1000), 1000);
    }
}
