//! Masked sequence to sequence (MASS; Song et al. 2019, section 3.1): a fragment of a text is hidden from the encoder, and all but the
//! fragment from the decoder, which predicts it.

use std::ops::Range;

use mmc_plan::Denoise;
use mmc_plan::random::Stream;

use super::super::vocabulary::Vocabulary;
use super::{part, place};

/// What the encoder reads: one run of `ratio` of the pieces, one at least, is hidden. All places for it are equally likely.
pub(super) fn run(
    settings: &Denoise,
    pieces: &[u32],
    vocabulary: Vocabulary<'_>,
    draw: &mut Stream,
) -> (Vec<u32>, Range<usize>) {
    let length = part(settings.ratio, pieces.len()).max(1).min(pieces.len());
    let from = place(pieces.len() - length + 1, draw);
    let fragment = from..from + length;
    let mut noisy = pieces.to_vec();
    for piece in noisy.get_mut(fragment.clone()).unwrap_or_default() {
        *piece = vocabulary.hidden(settings.random, draw);
    }
    (noisy, fragment)
}

/// What the decoder is given of the pieces: those that the encoder sees are masked, and nothing is left of those behind the fragment, as
/// no piece of it is predicted from them.
pub(crate) fn given(pieces: &mut Vec<u32>, fragment: &Range<usize>, mask: u32) {
    pieces.truncate(fragment.end);
    pieces.iter_mut().take(fragment.start).for_each(|piece| *piece = mask);
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{assert_even, assert_shares, stream};
    use super::super::tests::{MASK, NONE, facts, vocabulary};
    use super::*;

    #[test]
    fn one_run_is_hidden_and_starts_anywhere() {
        let facts = facts();
        let pieces: Vec<u32> = (3..13).collect();
        let (mut starts, mut random) = ([0; 7], 0);
        for trial in 0..14_000 {
            let settings = Denoise { ratio: 0.4, random: 0.1, ..NONE };
            let (found, fragment) = run(&settings, &pieces, vocabulary(&facts), &mut stream(trial));
            assert_eq!((found.len(), fragment.len()), (10, 4));
            starts[fragment.start] += 1;
            for (at, (piece, original)) in found.iter().zip(&pieces).enumerate() {
                if fragment.contains(&at) {
                    random += u32::from(*piece != MASK);
                } else {
                    assert_eq!(piece, original);
                }
            }
        }
        assert_even(&starts);
        assert_shares(&[random], &[0.1], 56_000);
    }

    #[test]
    fn a_piece_is_hidden_however_small_the_ratio() {
        let facts = facts();
        for length in [1, 2, 5] {
            let pieces: Vec<u32> = (3..3 + length).collect();
            let (found, fragment) = run(&NONE, &pieces, vocabulary(&facts), &mut stream(1));
            assert_eq!(fragment.len(), 1);
            assert_eq!(found[fragment], [MASK]);
        }
    }

    #[test]
    fn the_decoder_is_given_the_fragment_alone() {
        let mut pieces = vec![11, 12, 13, 14, 15];
        given(&mut pieces, &(2..4), MASK);
        assert_eq!(pieces, [MASK, MASK, 13, 14]);
    }
}
