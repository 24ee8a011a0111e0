//! One direction, ready to translate: texts to translations, in batches of like length.

use super::force;
use super::search::{Asked, Found, Search};
use super::sides::{Encoded, Sides};
use super::{Batching, Settings, TranslateError};
use crate::model::Direction;
use crate::shortage;

/// One direction by one network, or by several that decode together.
#[derive(Debug)]
pub(crate) struct Translator {
    directions: Vec<Direction>,
    sides: Sides,
    batching: Batching,
}

/// A text to translate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Its number from 0 on, by which random numbers are drawn.
    pub(crate) number: u64,
    /// What is translated; without an encoder, what is continued or scored.
    pub(crate) source: &'a str,
    /// What its translation begins with, or all of it where a score is wanted.
    pub(crate) target: &'a str,
}

/// One translation to be made.
#[derive(Debug)]
struct Item {
    /// Its line's place.
    at: usize,
    /// Of its random numbers; copies of a line have their own.
    key: u64,
    ids: Encoded,
    limit: usize,
}

impl Translator {
    pub(crate) fn new(directions: Vec<Direction>, sides: Sides, batching: Batching) -> Self {
        Self { directions, sides, batching }
    }

    pub(crate) fn sides(&self) -> &Sides {
        &self.sides
    }

    /// Refuses settings that are of no use in this direction.
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), TranslateError> {
        if self.sides.continues() && settings.coverage_penalty > 0.0 {
            return Err(TranslateError::NoCoverage);
        }
        Ok(())
    }

    /// Pieces of a text and of what is given of its translation, with what is put around them.
    pub(crate) fn length(&self, text: &str, given: &str) -> usize {
        self.sides.encode(text, given).map_or(0, |ids| ids.source.len() + ids.target.len())
    }

    /// The translations of each line, best first; none for lines without text. What else is translated with a line changes nothing.
    /// Fails when memory is too small for one of them.
    pub(crate) fn translate(
        &self,
        settings: &Settings,
        only: Option<&[u32]>,
        lines: &[Line<'_>],
    ) -> Result<Vec<Vec<Found>>, TranslateError> {
        let search = settings.search(&self.sides, only);
        let copies = settings.copies();
        let mut items = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let Some(ids) = self.sides.encode(line.source, line.target) else { continue };
            let begun = if self.sides.continues() { ids.target.len() } else { 0 };
            let limit = begun + settings.limit(ids.source.len());
            items.extend((0..copies).map(|copy| Item {
                at,
                key: line.number * copies + copy,
                ids: ids.clone(),
                limit,
            }));
        }
        let mut drawn: Vec<(usize, u64, Found)> = Vec::new();
        for batch in batches(&items, self.batching, |item| item.ids.longer()) {
            let results = within_memory(&batch, &|part| {
                let asked = part.iter().map(|item| Asked {
                    source: &item.ids.source,
                    limit: item.limit,
                    forced: &item.ids.target,
                    key: item.key,
                });
                let asked: Vec<Asked<'_>> = asked.collect();
                search.run(&self.directions, &asked)
            });
            let results =
                results.map_err(|(item, words)| too_small(lines.get(item.at), &item.ids, words))?;
            for (item, result) in batch.into_iter().zip(results) {
                drawn.extend(result.into_iter().map(|found| (item.at, item.key, found)));
            }
        }
        // Copies of a line in their order; the order of one search's results stays.
        drawn.sort_by_key(|&(at, key, _)| (at, key));
        let mut found: Vec<Vec<Found>> = vec![Vec::new(); lines.len()];
        for (at, _, one) in drawn {
            if let Some(of_line) = found.get_mut(at) {
                of_line.push(one);
            }
        }
        Ok(found)
    }

    /// The scores of given translations; 0 for lines without text. Fails when memory is too small for one of them.
    pub(crate) fn score(
        &self,
        settings: &Settings,
        lines: &[Line<'_>],
    ) -> Result<Vec<f64>, TranslateError> {
        let search: Search = settings.search(&self.sides, None);
        let mut pairs: Vec<(usize, Encoded)> = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            pairs.extend(self.sides.encode(line.source, line.target).map(|pair| (at, pair)));
        }
        let mut scores = vec![0.0; lines.len()];
        for batch in batches(&pairs, self.batching, |(_, pair)| pair.longer()) {
            let found = within_memory(&batch, &|part| {
                let of: Vec<&Encoded> = part.iter().map(|(_, pair)| pair).collect();
                force::scores(&search, &self.directions, &of)
            });
            let found =
                found.map_err(|((at, pair), words)| too_small(lines.get(*at), pair, words))?;
            for ((at, _), score) in batch.into_iter().zip(found) {
                if let Some(slot) = scores.get_mut(*at) {
                    *slot = score;
                }
            }
        }
        Ok(scores)
    }
}

/// The fault of a line that memory is too small for.
fn too_small(line: Option<&Line<'_>>, ids: &Encoded, words: String) -> TranslateError {
    let line = line.map_or(0, |line| line.number + 1);
    TranslateError::Memory { line, pieces: ids.longer(), words }
}

/// The results of a batch; where memory is too small for it, of its halves, which is said. Fails with the one that alone is too much,
/// and what libtorch said.
fn within_memory<'t, T, R>(
    batch: &[&'t T],
    run: &dyn Fn(&[&'t T]) -> Vec<R>,
) -> Result<Vec<R>, (&'t T, String)> {
    let words = match shortage::caught(|| run(batch)) {
        Ok(results) => return Ok(results),
        Err(words) => words,
    };
    if let [one] = batch {
        return Err((one, words));
    }
    let (first, second) = batch.split_at(batch.len().div_ceil(2));
    shortage::say_split(batch.len(), first.len());
    let mut results = within_memory(first, run)?;
    results.extend(within_memory(second, run)?);
    Ok(results)
}

/// Items of like length together, longest first, within the bounds on sentences and padded tokens.
fn batches<T>(items: &[T], batching: Batching, length: impl Fn(&T) -> usize) -> Vec<Vec<&T>> {
    let mut listed: Vec<&T> = items.iter().collect();
    // The sort is stable: equals stay in their order.
    listed.sort_by_key(|item| std::cmp::Reverse(length(item)));
    let mut batches: Vec<Vec<&T>> = Vec::new();
    for item in listed {
        let fits = |batch: &Vec<&T>| {
            let widest = batch.first().map_or(0, |item| length(item));
            batch.len() < batching.batch as usize
                && widest * (batch.len() + 1) <= batching.batch_tokens as usize
        };
        match batches.last_mut() {
            Some(batch) if fits(batch) => batch.push(item),
            _ => batches.push(vec![item]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Doubles numbers, of which so many fit into memory.
    fn doubled(numbers: &[u32], fitting: usize) -> Result<Vec<u32>, (u32, String)> {
        let batch: Vec<&u32> = numbers.iter().collect();
        let run = |part: &[&u32]| {
            assert!(part.len() <= fitting, "can't allocate memory for {}", part.len());
            part.iter().map(|number| *number * 2).collect()
        };
        within_memory(&batch, &run).map_err(|(number, words)| (*number, words))
    }

    #[test]
    fn a_batch_that_is_too_large_is_run_in_parts_down_to_one() {
        for fitting in [1, 2, 3, 5] {
            assert_eq!(doubled(&[1, 2, 3, 4, 5], fitting), Ok(vec![2, 4, 6, 8, 10]), "{fitting}");
        }
        let (number, words) = doubled(&[7, 8], 0).unwrap_err();
        assert!(number == 7 && words.contains("can't allocate memory for 1"), "{words}");
    }
}
