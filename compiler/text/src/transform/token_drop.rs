//! Token drop: some pieces of a side are left out.

use mmc_plan::random::Stream;

use super::places::places;

/// Leaves out the pieces at [`places`]; where that is all of them, one of them stays.
pub(crate) fn token_drop(pieces: &mut Vec<u32>, temperature: f64, draw: &mut Stream) {
    let mut dropped = places(pieces.len(), temperature, draw);
    dropped.truncate(pieces.len().saturating_sub(1));
    dropped.sort_unstable_by(|a, b| b.cmp(a));
    for at in dropped {
        pieces.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_even, assert_shares, changed_of_three, stream};
    use super::*;

    #[test]
    fn each_piece_is_as_likely_to_go_and_the_others_keep_their_order() {
        let (mut gone, mut lengths) = ([0; 3], [0; 4]);
        for trial in 0..40_000 {
            let mut pieces = vec![10, 11, 12];
            token_drop(&mut pieces, 2.0, &mut stream(trial));
            assert!(pieces.is_sorted());
            lengths[pieces.len()] += 1;
            for (gone, piece) in gone.iter_mut().zip(10..) {
                *gone += u32::from(!pieces.contains(&piece));
            }
        }
        assert_even(&gone);
        let [none, one, two, three] = changed_of_three(2.0);
        assert_shares(&lengths, &[0.0, two + three, one, none], 40_000);
    }
}
