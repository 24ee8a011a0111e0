//! What noise has to know of a vocabulary, and the pieces that it draws from it.

use mmc_plan::random::Stream;

use super::words::Pieces;

/// The vocabulary of a side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vocabulary<'a> {
    /// Which pieces begin words and end sentences.
    pub(crate) facts: Option<&'a Pieces>,
    /// Pieces.
    pub(crate) size: u32,
    /// Ids that are no text.
    pub(crate) special: &'a [u32],
    /// `<mask>`.
    pub(crate) mask: u32,
}

impl Vocabulary<'_> {
    /// A piece that is text and not `reject`, all of which are equally likely; after many vain draws, whatever comes.
    pub(super) fn random_piece(self, reject: Option<u32>, draw: &mut Stream) -> u32 {
        let mut piece = 0;
        for _ in 0..64 {
            piece = u32::try_from(draw.below(u64::from(self.size))).unwrap_or(0);
            if !self.special.contains(&piece) && Some(piece) != reject {
                break;
            }
        }
        piece
    }

    /// What stands in the place of a hidden piece: `<mask>`, or with probability `random` a random piece.
    pub(super) fn hidden(self, random: f64, draw: &mut Stream) -> u32 {
        if random > 0.0 && draw.unit() < random { self.random_piece(None, draw) } else { self.mask }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_even, assert_shares, stream};
    use super::*;

    const VOCABULARY: Vocabulary<'_> =
        Vocabulary { facts: None, size: 10, special: &[0, 4, 9], mask: 99 };

    #[test]
    fn pieces_are_text_and_equally_likely() {
        let mut draw = stream(0);
        for reject in [None, Some(3)] {
            let mut counts = [0; 10];
            for _ in 0..30_000 {
                counts[VOCABULARY.random_piece(reject, &mut draw) as usize] += 1;
            }
            let allowed = |id: &usize| {
                ![0, 4, 9].contains(id) && reject.is_none_or(|piece| piece as usize != *id)
            };
            let (text, other): (Vec<usize>, Vec<usize>) = (0..10).partition(allowed);
            assert!(other.iter().all(|&id| counts[id] == 0), "{counts:?}");
            assert_even(&text.iter().map(|&id| counts[id]).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn a_share_of_what_is_hidden_is_random() {
        for random in [0.0, 0.1, 1.0] {
            let mut draw = stream(1);
            let hidden = (0..20_000).map(|_| VOCABULARY.hidden(random, &mut draw));
            let masks = u32::try_from(hidden.filter(|&piece| piece == 99).count()).unwrap();
            assert_shares(&[masks], &[1.0 - random], 20_000);
        }
    }
}
