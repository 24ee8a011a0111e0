//! Whole numbers in proportion to others, summing exactly to a whole.

use std::cmp::Reverse;

/// Parts of a whole in proportion to numbers: none for zero, at least one for any other, by largest remainder, ties to the
/// earlier. The numbers' sum times the whole fits 128 bits; there are at most as many of them as parts.
pub(crate) fn apportion(numbers: &[u128], whole: u64) -> Vec<u64> {
    let sum: u128 = numbers.iter().sum::<u128>().max(1);
    let positive = numbers.iter().filter(|number| **number > 0).count() as u128;
    let free = u128::from(whole).saturating_sub(positive);
    let mut parts: Vec<u128> = Vec::with_capacity(numbers.len());
    let mut remainders: Vec<(Reverse<u128>, usize)> = Vec::new();
    for (at, number) in numbers.iter().enumerate() {
        let (scaled, least) = (number * free, u128::from(*number > 0));
        let part = scaled / sum;
        parts.push(part + least);
        if least > 0 {
            remainders.push((Reverse(scaled - part * sum), at));
        }
    }
    let missing = u128::from(whole).saturating_sub(parts.iter().sum::<u128>());
    let missing = usize::try_from(missing).unwrap_or(0).min(remainders.len());
    if missing < remainders.len() {
        remainders.select_nth_unstable(missing);
    }
    for (_, at) in remainders.into_iter().take(missing) {
        if let Some(part) = parts.get_mut(at) {
            *part += 1;
        }
    }
    parts.into_iter().map(|part| u64::try_from(part).unwrap_or(whole)).collect()
}

#[cfg(test)]
mod tests {
    use super::apportion;

    #[test]
    fn thirds_and_crumbs() {
        assert_eq!(apportion(&[1, 1, 1], 100), vec![34, 33, 33]);
        assert_eq!(apportion(&[0, 1, 1_000_000], 10), vec![0, 1, 9]);
        assert_eq!(apportion(&[7], 10), vec![10]);
        assert_eq!(apportion(&[0, 0], 10), vec![0, 0]);
    }
}
