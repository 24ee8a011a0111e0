//! Counts as the 64-bit floats that ranks sum, and back. All stay far below 2^53, so nothing is lost.

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// Of what libtorch has counted.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn tokens(count: i64) -> f64 {
    count as f64
}

/// The count that a sum of counts is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of counts is a whole number, not negative"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}
