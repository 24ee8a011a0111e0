//! Switch-out: some pieces of a side give way to others (Wang et al. 2018, algorithm 1).

use mmc_plan::random::Stream;

use super::places::places;
use super::vocabulary::Vocabulary;

/// Replaces pieces at [`places`] by others, each drawn uniformly from those of the vocabulary that are text and not the piece
/// itself: so many pieces differ as there are places.
pub(crate) fn switchout(
    pieces: &mut [u32],
    temperature: f64,
    vocabulary: Vocabulary<'_>,
    draw: &mut Stream,
) {
    for at in places(pieces.len(), temperature, draw) {
        if let Some(piece) = pieces.get_mut(at) {
            *piece = vocabulary.random_piece(Some(*piece), draw);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_even, assert_shares, changed_of_three, stream};
    use super::*;

    #[test]
    fn places_and_replacements_are_equally_likely() {
        let vocabulary = Vocabulary { facts: None, size: 9, special: &[0, 1, 2], mask: 99 };
        let original = [3, 4, 5];
        let (mut places, mut ids, mut differing) = ([0; 3], [0; 9], [0; 4]);
        for trial in 0..40_000 {
            let mut pieces = original;
            switchout(&mut pieces, 2.0, vocabulary, &mut stream(trial));
            let changed: Vec<usize> = (0..3).filter(|&at| pieces[at] != original[at]).collect();
            differing[changed.len()] += 1;
            for at in changed {
                places[at] += 1;
                // Of the six pieces that are text, the one that stood there never comes.
                if at == 0 {
                    ids[pieces[at] as usize] += 1;
                }
            }
        }
        assert_shares(&differing, &changed_of_three(2.0), 40_000);
        assert_even(&places);
        assert_even(&ids[4..]);
        assert_eq!(ids[..4], [0; 4]);
    }
}
