//! Weights of tasks under one rule -> shares in whole parts per billion that sum exactly to one.

use std::collections::BTreeMap;

use crate::ir::task::SHARE_PARTS;
use crate::parts::apportion;

/// Weights lie between this and its inverse.
const LEAST_WEIGHT: f64 = 1e-100;

/// What a task's weight is made from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Size<'a> {
    /// Source language.
    pub(super) source: &'a str,
    /// Target language.
    pub(super) target: &'a str,
    /// Lines of training text.
    pub(super) lines: u64,
    /// The block's factor.
    pub(super) factor: f64,
}

/// A rule of weights for one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Law<'a> {
    /// `lines^T`.
    Power(f64),
    /// `UniMax` with so many epochs and so many lines that can be read.
    UniMax {
        /// Most times that a text may be read.
        epochs: f64,
        /// Lines that the piece reads of all texts together.
        budget: f64,
    },
    /// `(source, target)` -> weight.
    Table(&'a BTreeMap<(String, String), f64>),
}

/// The weight of every task under a law, before it becomes a share.
#[expect(clippy::cast_precision_loss, reason = "line counts are far below 2^53")]
pub(super) fn weights(law: Law<'_>, sizes: &[Size<'_>]) -> Vec<f64> {
    let plain: Vec<f64> = match law {
        Law::Power(exponent) => {
            sizes.iter().map(|size| libm::pow(size.lines as f64, exponent)).collect()
        }
        Law::UniMax { epochs, budget } => {
            let lines: Vec<f64> = sizes.iter().map(|size| size.lines as f64).collect();
            unimax(&lines, epochs, budget)
        }
        Law::Table(table) => {
            let key = |size: &Size<'_>| (size.source.to_owned(), size.target.to_owned());
            sizes.iter().map(|size| table.get(&key(size)).copied().unwrap_or(0.0)).collect()
        }
    };
    let weight = |(weight, size): (f64, &Size<'_>)| {
        (weight * size.factor).clamp(LEAST_WEIGHT, 1.0 / LEAST_WEIGHT)
    };
    plain.into_iter().zip(sizes).map(weight).collect()
}

/// What each text gets of a budget: the same, but none more than `epochs` times its size; what small texts leave goes to the
/// larger ones (Chung et al. 2023, `UniMax`, algorithm 1).
pub(super) fn unimax(sizes: &[f64], epochs: f64, budget: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    let size = |at: usize| sizes.get(at).copied().unwrap_or(0.0);
    order.sort_by(|&a, &b| size(a).total_cmp(&size(b)).then(a.cmp(&b)));
    let mut given = vec![0.0; sizes.len()];
    let mut left = budget;
    for (done, &at) in order.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a number of tasks")]
        let fair = left / (order.len() - done) as f64;
        let share = fair.min(epochs * size(at));
        left -= share;
        if let Some(slot) = given.get_mut(at) {
            *slot = share;
        }
    }
    given
}

/// Parts of [`SHARE_PARTS`] in proportion to the weights, at least one for each that is present, by largest remainder, ties
/// to the earlier task; nothing for the others. Weights are positive.
pub(super) fn shares(weights: &[f64], is_present: &[bool]) -> Vec<u64> {
    let heaviest = weights.iter().copied().fold(LEAST_WEIGHT, f64::max);
    // Relative to the heaviest, as whole numbers: from here on the arithmetic is exact.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^53, rounded"
    )]
    let relative =
        |weight: f64| libm::round(weight / heaviest * 9_007_199_254_740_992.0).max(1.0) as u128;
    let relative: Vec<u128> = weights
        .iter()
        .zip(is_present)
        .map(|(weight, present)| if *present { relative(*weight) } else { 0 })
        .collect();
    apportion(&relative, SHARE_PARTS)
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "shares are far below 2^53")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(weights: &[f64]) -> Vec<u64> {
        shares(weights, &vec![true; weights.len()])
    }

    #[test]
    fn thirds_sum_to_the_whole_and_the_first_gets_the_rest() {
        assert_eq!(all(&[1.0, 1.0, 1.0]), vec![333_333_334, 333_333_333, 333_333_333]);
        assert_eq!(all(&[2.5]), vec![SHARE_PARTS]);
        assert_eq!(
            shares(&[1.0, 5.0, 1.0], &[true, false, true]),
            vec![SHARE_PARTS / 2, 0, SHARE_PARTS / 2]
        );
    }

    #[test]
    fn temperatures_flatten() {
        let size = |lines| Size { source: "a", target: "b", lines, factor: 1.0 };
        let sizes = [size(100), size(10_000)];
        let at = |exponent| weights(Law::Power(exponent), &sizes);
        assert_eq!(at(0.0), vec![1.0, 1.0]);
        assert_eq!(at(0.5), vec![10.0, 100.0]);
        assert_eq!(at(1.0), vec![100.0, 10_000.0]);
    }

    #[test]
    fn unimax_of_a_small_a_middle_and_a_large_text() {
        // 10 lines twice are 20; the other two share 180.
        assert_eq!(unimax(&[1000.0, 10.0, 500.0], 2.0, 200.0), vec![90.0, 20.0, 90.0]);
        // The middle one is capped too.
        assert_eq!(unimax(&[1000.0, 10.0, 50.0], 2.0, 500.0), vec![380.0, 20.0, 100.0]);
        // More budget than text: all are capped.
        assert_eq!(unimax(&[10.0, 20.0], 3.0, 1e6), vec![30.0, 60.0]);
    }

    proptest! {
        #[test]
        fn shares_are_exact_and_near(weights in prop::collection::vec(1e-12_f64..1e12, 1..50)) {
            let shares = all(&weights);
            prop_assert_eq!(shares.iter().sum::<u64>(), SHARE_PARTS);
            let sum: f64 = weights.iter().sum();
            for (share, weight) in shares.iter().zip(&weights) {
                prop_assert!(*share >= 1);
                let exact = weight / sum * 1e9;
                prop_assert!((*share as f64 - exact).abs() <= weights.len() as f64 + 2.0);
            }
        }

        #[test]
        fn unimax_never_exceeds_its_epochs_and_spends_what_it_can(
            sizes in prop::collection::vec(1.0_f64..1e7, 1..60),
            epochs in 0.1_f64..20.0,
            budget in 1.0_f64..1e9,
        ) {
            let given = unimax(&sizes, epochs, budget);
            for (given, size) in given.iter().zip(&sizes) {
                prop_assert!(*given <= epochs * size * (1.0 + 1e-12) && *given >= 0.0);
            }
            let text: f64 = sizes.iter().map(|size| epochs * size).sum();
            let spent: f64 = given.iter().sum();
            prop_assert!((spent - budget.min(text)).abs() <= 1e-9 * budget.max(text));
            // As equal as can be: who gets less than another is at its bound.
            let most = given.iter().copied().fold(0.0, f64::max);
            for (given, size) in given.iter().zip(&sizes) {
                prop_assert!(*given >= most * (1.0 - 1e-9) || *given >= epochs * size * (1.0 - 1e-9));
            }
        }
    }
}
