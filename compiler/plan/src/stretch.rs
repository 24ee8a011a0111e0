//! Long lists in stretches on all cores: what comes out never depends on how many there are.

use rayon::prelude::*;

/// What `work` makes of each stretch of so many items, handed to `take` in their order. A single stretch starts no threads, and
/// no more results wait than there are cores.
///
/// # Errors
/// The first fault of `take`, with which it ends.
pub fn in_order<T: Sync, R: Send, F>(
    items: &[T],
    length: usize,
    work: impl Fn(&[T]) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), F>,
) -> Result<(), F> {
    if items.len() <= length {
        return take(work(items));
    }
    for group in items.chunks(length * rayon::current_num_threads()) {
        let made: Vec<R> = group.par_chunks(length).map(&work).collect();
        made.into_iter().try_for_each(&mut take)?;
    }
    Ok(())
}

/// What `work` makes of each stretch of so many items, in their order.
pub fn each<'i, T: Sync, R: Send>(
    items: &'i [T],
    length: usize,
    work: impl Fn(&'i [T]) -> R + Sync + Send,
) -> Vec<R> {
    if items.len() <= length {
        return vec![work(items)];
    }
    items.par_chunks(length).map(work).collect()
}

/// Both answers; at the same time when that is worth a thread.
pub fn both<A: Send, B: Send>(
    is_long: bool,
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    if is_long { rayon::join(one, other) } else { (one(), other()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_come_in_order_and_a_fault_ends_it() {
        let items: Vec<u32> = (0..1000).collect();
        let mut taken = Vec::new();
        let all: Result<(), ()> = in_order(&items, 7, <[u32]>::to_vec, |stretch| {
            taken.extend(stretch);
            Ok(())
        });
        assert_eq!((all, &taken), (Ok(()), &items));
        assert_eq!(each(&items, 7, <[u32]>::to_vec).concat(), items);
        assert_eq!(each(&items[..0], 7, <[u32]>::len), [0]);
        let ended = in_order(&items, 7, <[u32]>::to_vec, |stretch| match stretch[0] {
            first if first >= 70 => Err(first),
            _ => Ok(()),
        });
        assert_eq!(ended, Err(70));
    }
}
