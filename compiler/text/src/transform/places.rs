//! How many pieces of a side change, and which: what switch-out, token drop and token mask have in common.

use mmc_plan::random::Stream;

/// `n` places of `length`, in random order: `n` with probability proportional to `exp(-n / temperature)`, `0 <= n <= length`
/// (Wang et al. 2018, algorithm 1), and all sets of `n` places equally likely.
pub(super) fn places(length: usize, temperature: f64, draw: &mut Stream) -> Vec<usize> {
    let mut places: Vec<usize> = (0..length).collect();
    let count = number(length, temperature, draw);
    draw.shuffle(&mut places);
    places.truncate(count);
    places
}

fn number(length: usize, temperature: f64, draw: &mut Stream) -> usize {
    let weight = |n: usize| {
        #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
        let n = n as f64;
        libm::exp(-n / temperature)
    };
    let all: f64 = (0..=length).map(weight).sum();
    let point = draw.unit() * all;
    let mut upper = 0.0;
    for n in 0..=length {
        upper += weight(n);
        if point < upper {
            return n;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_even, assert_shares, changed_of_three, stream};
    use super::*;

    #[test]
    fn counts_have_their_distribution() {
        for temperature in [0.4, 0.8, 3.0] {
            let mut counts = [0; 4];
            for trial in 0..40_000 {
                counts[places(3, temperature, &mut stream(trial)).len()] += 1;
            }
            assert_shares(&counts, &changed_of_three(temperature), 40_000);
        }
    }

    #[test]
    fn all_sets_of_places_are_equally_likely() {
        // Sets of two of four places, by the bits of their sum.
        let mut counts = [0; 16];
        for trial in 0..40_000 {
            let found = places(4, 2.0, &mut stream(trial));
            if let [a, b] = found.as_slice() {
                assert_ne!(a, b);
                counts[(1 << a) | (1 << b)] += 1;
            }
        }
        assert_even(&[3, 5, 6, 9, 10, 12].map(|set| counts[set]));
    }
}
