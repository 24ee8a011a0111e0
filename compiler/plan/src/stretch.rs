//! Long lists in stretches on all cores: what comes out never depends on how many there are.

use rayon::prelude::*;

/// What `work` makes of each stretch of so many items, handed to `take` in their order. A single stretch starts no threads, and
/// no more results wait than twice the number of cores.
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
    let mut ready: Vec<R> = Vec::new();
    for group in items.chunks(length * rayon::current_num_threads()) {
        let mut made = Vec::new();
        // While some are taken, the next are made.
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| made = group.par_chunks(length).map(&work).collect());
            std::mem::take(&mut ready).into_iter().try_for_each(&mut take)
        })?;
        ready = made;
    }
    ready.into_iter().try_for_each(take)
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

/// Changes all items, so many in one go.
pub fn change<T: Send>(items: &mut [T], length: usize, work: impl Fn(&mut T) + Sync + Send) {
    if items.len() <= length {
        return items.iter_mut().for_each(work);
    }
    items.par_chunks_mut(length).for_each(|items| items.iter_mut().for_each(&work));
}

/// What `work` makes of each of a few items, in their order; at the same time when that is worth threads.
pub fn every<'i, T: Sync, R: Send>(
    is_long: bool,
    items: &'i [T],
    work: impl Fn(&'i T) -> R + Sync + Send,
) -> Vec<R> {
    if is_long { items.par_iter().map(work).collect() } else { items.iter().map(work).collect() }
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
        assert_eq!(every(true, &items, |item| *item), items);
        let mut changed = items.clone();
        change(&mut changed, 7, |item| *item += 1);
        assert!(changed.iter().zip(&items).all(|(new, old)| *new == old + 1));
        let ended = in_order(&items, 7, <[u32]>::to_vec, |stretch| match stretch[0] {
            first if first >= 70 => Err(first),
            _ => Ok(()),
        });
        assert_eq!(ended, Err(70));
    }
}
