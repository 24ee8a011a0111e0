//! Document rotation (Lewis et al. 2020, section 2.2): the whole starts at a piece that any is as likely to be, and what stood before it
//! comes last.

use mmc_plan::random::Stream;

use super::place;

/// Rotates pieces.
pub(super) fn run(pieces: &mut [u32], draw: &mut Stream) {
    let first = place(pieces.len(), draw);
    pieces.rotate_left(first);
}
