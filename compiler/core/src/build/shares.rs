//! Weights of tasks -> shares in whole parts per billion that sum exactly to one.

use crate::ir::experiment::WeightRule;
use crate::ir::task::SHARE_PARTS;

/// Weights lie between this and its inverse.
const LEAST_WEIGHT: f64 = 1e-100;

/// What a task's weight is made from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Size {
    /// Source language.
    pub(super) source: String,
    /// Target language.
    pub(super) target: String,
    /// Lines of training text.
    pub(super) lines: u64,
    /// The block's factor.
    pub(super) factor: f64,
}

/// The weight of every task under a rule, before it becomes a share.
#[expect(clippy::cast_precision_loss, reason = "line counts are far below 2^53")]
pub(super) fn weights(rule: &WeightRule, sizes: &[Size]) -> Vec<f64> {
    sizes
        .iter()
        .map(|size| {
            let weight = match rule {
                WeightRule::Uniform => 1.0,
                WeightRule::Temperature(exponent) => libm::pow(size.lines as f64, *exponent),
                WeightRule::Table(table) => {
                    table.get(&(size.source.clone(), size.target.clone())).copied().unwrap_or(0.0)
                }
            };
            (weight * size.factor).clamp(LEAST_WEIGHT, 1.0 / LEAST_WEIGHT)
        })
        .collect()
}

/// Parts of [`SHARE_PARTS`] in proportion to the weights, at least one each, by largest remainder, ties to the earlier
/// task. Weights are positive.
pub(super) fn shares(weights: &[f64]) -> Vec<u64> {
    let heaviest = weights.iter().copied().fold(LEAST_WEIGHT, f64::max);
    // Relative to the heaviest, as whole numbers: from here on the arithmetic is exact.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^53, rounded"
    )]
    let relative: Vec<u128> = weights
        .iter()
        .map(|weight| libm::round(weight / heaviest * 9_007_199_254_740_992.0).max(1.0) as u128)
        .collect();
    let sum: u128 = relative.iter().sum();
    let free = u128::from(SHARE_PARTS).saturating_sub(weights.len() as u128);
    let scaled: Vec<u128> = relative.iter().map(|part| part * free).collect();
    let mut parts: Vec<u128> = scaled.iter().map(|part| part / sum + 1).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(scaled.get(at).map_or(0, |part| part % sum)), at));
    let missing = u128::from(SHARE_PARTS).saturating_sub(parts.iter().sum::<u128>());
    for at in order.into_iter().take(usize::try_from(missing).unwrap_or(0)) {
        if let Some(part) = parts.get_mut(at) {
            *part += 1;
        }
    }
    parts.into_iter().map(|part| u64::try_from(part).unwrap_or(SHARE_PARTS)).collect()
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "shares are far below 2^53")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thirds_sum_to_the_whole_and_the_first_gets_the_rest() {
        assert_eq!(shares(&[1.0, 1.0, 1.0]), vec![333_333_334, 333_333_333, 333_333_333]);
        assert_eq!(shares(&[2.5]), vec![SHARE_PARTS]);
    }

    #[test]
    fn temperatures_flatten() {
        let size = |lines| Size { source: "a".into(), target: "b".into(), lines, factor: 1.0 };
        let sizes = [size(100), size(10_000)];
        let at = |exponent| weights(&WeightRule::Temperature(exponent), &sizes);
        assert_eq!(at(0.0), vec![1.0, 1.0]);
        assert_eq!(at(0.5), vec![10.0, 100.0]);
        assert_eq!(at(1.0), vec![100.0, 10_000.0]);
    }

    proptest! {
        #[test]
        fn shares_are_exact_and_near(weights in prop::collection::vec(1e-12_f64..1e12, 1..50)) {
            let shares = shares(&weights);
            prop_assert_eq!(shares.iter().sum::<u64>(), SHARE_PARTS);
            let sum: f64 = weights.iter().sum();
            for (share, weight) in shares.iter().zip(&weights) {
                prop_assert!(*share >= 1);
                let exact = weight / sum * 1e9;
                prop_assert!((*share as f64 - exact).abs() <= weights.len() as f64 + 2.0);
            }
        }
    }
}
