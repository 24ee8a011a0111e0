//! What happens to a pair between its lines and its ids: filters on text, noise on pieces.
//!
//! Each file is one family of transforms. Random ones draw from a stream that the caller keys by task, epoch and line: the same
//! example has the same noise whoever reads it, and after a resumption too.

mod denoise;
mod filter;
mod swap;
mod words;

use mmc_plan::{MaskUnit, Objective, Transform};

pub(crate) use denoise::{Vocabulary, denoise};
pub(crate) use filter::Filter;
pub(crate) use swap::{Change, change};
pub(crate) use words::Pieces;

/// Whether a transform needs to know which pieces begin words or end sentences.
pub(crate) fn looks_at_words(transform: &Transform) -> bool {
    let Transform::Denoise(noise) = transform else { return false };
    let by_piece = noise.objective == Objective::Mass || noise.unit == MaskUnit::Subword;
    !by_piece || noise.permute > 0.0
}
