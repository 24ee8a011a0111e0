//! Sequences to the counts of their n-grams.

use std::collections::BTreeMap;

/// How often each run of `order` items occurs.
pub(super) fn runs<T: Ord>(items: &[T], order: usize) -> BTreeMap<&[T], u64> {
    let mut counts = BTreeMap::new();
    for run in items.windows(order) {
        *counts.entry(run).or_default() += 1;
    }
    counts
}

/// Occurrences on the left that the right has too.
pub(super) fn matches<T: Ord>(left: &BTreeMap<&[T], u64>, right: &BTreeMap<&[T], u64>) -> u64 {
    let both = left.iter().filter_map(|(run, &count)| Some(count.min(*right.get(run)?)));
    both.sum()
}

/// A count as a number to divide by.
#[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^53")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}
