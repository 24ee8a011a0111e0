//! A chunk of examples -> those that are easy enough for the learner.
//!
//! Texts are far larger than memory, so an example is ranked within its chunk, which stands for the text. A chunk is ranked
//! once, for the step that asks for its first batch.

use std::collections::HashMap;

use mmc_plan::Difficulty;

use super::example::Example;

/// The so many easiest examples, in the order in which they came; of equally hard ones the first.
pub(super) fn easiest(chunk: Vec<Example>, keep: usize, difficulty: Difficulty) -> Vec<Example> {
    if keep >= chunk.len() {
        return chunk;
    }
    let mut ranked: Vec<(u64, usize)> = match difficulty {
        Difficulty::Length => {
            chunk.iter().map(|example| example.read().len() as u64).zip(0..).collect()
        }
        Difficulty::Rarity => rarities(&chunk).into_iter().zip(0..).collect(),
    };
    ranked.sort_unstable();
    ranked.truncate(keep);
    let mut kept: Vec<usize> = ranked.into_iter().map(|(_, at)| at).collect();
    kept.sort_unstable();
    let mut kept = kept.into_iter().peekable();
    let examples = chunk.into_iter().enumerate();
    examples.filter_map(|(at, example)| kept.next_if_eq(&at).map(|_| example)).collect()
}

/// Of every example: `-sum log p` over its source's pieces in millionths, `p` being a piece's part of the chunk.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of pieces are far below 2^53; logarithms of counts are small"
)]
fn rarities(chunk: &[Example]) -> Vec<u64> {
    let mut counts: HashMap<u32, u64> = HashMap::new();
    for piece in chunk.iter().flat_map(Example::read) {
        *counts.entry(*piece).or_default() += 1;
    }
    let all: u64 = chunk.iter().map(|example| example.read().len() as u64).sum();
    let rarity = |piece: &u32| {
        let count = counts.get(piece).copied().unwrap_or(1);
        // Rounded, so that sums do not depend on their order.
        (libm::log(all as f64 / count as f64) * 1e6).round() as u64
    };
    chunk.iter().map(|example| example.read().iter().map(rarity).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(source: &[u32]) -> Example {
        Example { source: source.to_vec(), target: vec![0, 1], scored: 0..1 }
    }

    fn kept(chunk: &[Example], keep: usize, difficulty: Difficulty) -> Vec<Vec<u32>> {
        easiest(chunk.to_vec(), keep, difficulty)
            .into_iter()
            .map(|example| example.source)
            .collect()
    }

    #[test]
    fn the_shortest_and_the_most_frequent_are_easy() {
        let chunk = [example(&[7, 7, 7]), example(&[8, 9]), example(&[7, 7]), example(&[7])];
        assert_eq!(kept(&chunk, 1, Difficulty::Length), [vec![7]]);
        assert_eq!(kept(&chunk, 2, Difficulty::Length), [vec![8, 9], vec![7]]);
        // Six of eight pieces are 7: -log 0.75 is 0.288, -log 0.125 is 2.079.
        assert_eq!(rarities(&chunk), [863_046, 4_158_884, 575_364, 287_682]);
        assert_eq!(kept(&chunk, 3, Difficulty::Rarity), [vec![7, 7, 7], vec![7, 7], vec![7]]);
        assert_eq!(kept(&chunk, 9, Difficulty::Rarity).len(), 4);
    }
}
