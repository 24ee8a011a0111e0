//! Many questions at once, on all cores.

use rayon::prelude::*;

/// Questions up to which the answers are there before threads are.
const FEW: usize = 64;

/// The answers to all items, in their order.
pub(crate) fn each<T: Send, R: Send>(
    items: Vec<T>,
    answer: impl Fn(T) -> R + Sync + Send,
) -> Vec<R> {
    if items.len() <= FEW {
        items.into_iter().map(answer).collect()
    } else {
        items.into_par_iter().map(answer).collect()
    }
}
