//! Token mask: some pieces of a source are masked.

use mmc_plan::random::Stream;

use super::places::places;

/// Puts `mask` at [`places`].
pub(crate) fn token_mask(pieces: &mut [u32], temperature: f64, mask: u32, draw: &mut Stream) {
    for at in places(pieces.len(), temperature, draw) {
        if let Some(piece) = pieces.get_mut(at) {
            *piece = mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_even, assert_shares, changed_of_three, stream};
    use super::*;

    #[test]
    fn each_piece_is_as_likely_to_be_masked_and_the_others_stay() {
        let (mut masked, mut counts) = ([0; 3], [0; 4]);
        for trial in 0..40_000 {
            let mut pieces = [10, 11, 12];
            token_mask(&mut pieces, 2.0, 99, &mut stream(trial));
            let hidden: Vec<usize> = (0..3).filter(|&at| pieces[at] == 99).collect();
            counts[hidden.len()] += 1;
            for (at, piece) in pieces.iter().enumerate() {
                masked[at] += u32::from(hidden.contains(&at));
                assert!(*piece == 99 || *piece == 10 + u32::try_from(at).unwrap());
            }
        }
        assert_even(&masked);
        assert_shares(&counts, &changed_of_three(2.0), 40_000);
    }
}
