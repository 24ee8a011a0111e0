//! Sentence permutation (Lewis et al. 2020, section 2.2): sentences change places.

use mmc_plan::random::Stream;

use super::part;

/// `share` of the sentences, whose lengths are given, change places among themselves: any of them are as likely to be chosen, and all
/// orders of those that are chosen are equally likely.
pub(super) fn run(pieces: &[u32], lengths: &[usize], share: f64, draw: &mut Stream) -> Vec<u32> {
    let mut sentences: Vec<&[u32]> = Vec::new();
    let mut rest = pieces;
    for &length in lengths {
        let (sentence, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        sentences.push(sentence);
        rest = behind;
    }
    let mut chosen: Vec<usize> = (0..sentences.len()).collect();
    draw.shuffle(&mut chosen);
    chosen.truncate(part(share, sentences.len()));
    let mut moved: Vec<&[u32]> =
        chosen.iter().filter_map(|&at| sentences.get(at).copied()).collect();
    draw.shuffle(&mut moved);
    for (at, sentence) in chosen.into_iter().zip(moved) {
        if let Some(place) = sentences.get_mut(at) {
            *place = sentence;
        }
    }
    sentences.concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::tests::{assert_even, assert_shares, stream};
    use super::*;

    /// Orders of four sentences of unlike lengths, which stay whole.
    fn orders(share: f64) -> BTreeMap<[u32; 4], u32> {
        const LENGTHS: [usize; 4] = [1, 3, 2, 4];
        let sentence = |at: u32| vec![at; LENGTHS[at as usize]];
        let mut orders = BTreeMap::new();
        for trial in 0..24_000 {
            let pieces = run(&[0, 1, 1, 1, 2, 2, 3, 3, 3, 3], &LENGTHS, share, &mut stream(trial));
            let mut order: Vec<u32> = pieces.clone();
            order.dedup();
            assert_eq!(order.iter().flat_map(|&at| sentence(at)).collect::<Vec<u32>>(), pieces);
            *orders.entry(order.try_into().unwrap()).or_default() += 1;
        }
        orders
    }

    #[test]
    fn all_orders_of_sentences_are_equally_likely() {
        let orders: Vec<u32> = orders(1.0).into_values().collect();
        assert_eq!(orders.len(), 24);
        assert_even(&orders);
    }

    #[test]
    fn a_share_of_sentences_moves() {
        // Two of four change places, or find their own again.
        let orders = orders(0.5);
        let stayed = orders[&[0, 1, 2, 3]];
        let moved: Vec<u32> = orders
            .into_iter()
            .filter(|(order, _)| *order != [0, 1, 2, 3])
            .map(|(_, n)| n)
            .collect();
        assert_eq!(moved.len(), 6);
        assert_even(&moved);
        assert_shares(&[stayed], &[0.5], 24_000);
    }

    #[test]
    fn nothing_moves_without_a_share() {
        assert_eq!(orders(0.0).len(), 1);
    }
}
