//! Insertion: pieces that were not there.

use mmc_plan::random::Stream;

use super::place;

/// Puts a piece in, before, between or behind all others with equal probability.
pub(super) fn run(pieces: &mut Vec<u32>, piece: u32, draw: &mut Stream) {
    pieces.insert(place(pieces.len() + 1, draw), piece);
}
