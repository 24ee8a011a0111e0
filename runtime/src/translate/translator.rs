//! One direction, ready to translate: texts to translations, in batches of like length.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tch::Device;

use super::force;
use super::search::{Asked, Found, Search};
use super::sides::{Encoded, Sides};
use super::{Batching, Settings, TranslateError, memory};
use crate::model::Direction;

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

    /// Where the parameters lie.
    fn device(&self) -> Device {
        self.directions.first().map_or(Device::Cpu, Direction::device)
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

    /// Pieces of a text, with what is put around them.
    pub(crate) fn length(&self, text: &str) -> usize {
        self.sides.encode(text, "").map_or(0, |ids| ids.source.len() + ids.target.len())
    }

    /// The translations of each line, best first; none for lines without text. What else is translated with a line changes nothing.
    pub(crate) fn translate(
        &self,
        settings: &Settings,
        only: Option<&[u32]>,
        lines: &[Line<'_>],
    ) -> Vec<Vec<Found>> {
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
                search.run(&self.directions, &asked, self.device())
            });
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
        found
    }

    /// The scores of given translations; 0 for lines without text.
    pub(crate) fn score(&self, settings: &Settings, lines: &[Line<'_>]) -> Vec<f64> {
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
            for ((at, _), score) in batch.into_iter().zip(found) {
                if let Some(slot) = scores.get_mut(*at) {
                    *slot = score;
                }
            }
        }
        scores
    }
}

/// The results of a batch; where memory is too small for it, of its halves, which is said.
fn within_memory<T, R>(batch: &[&T], run: &dyn Fn(&[&T]) -> Vec<R>) -> Vec<R> {
    match catch_unwind(AssertUnwindSafe(|| run(batch))) {
        Ok(results) => results,
        Err(panic) if batch.len() > 1 && memory::is_out(panic.as_ref()) => {
            // What the attempt held was freed when it unwound.
            let (first, second) = batch.split_at(batch.len().div_ceil(2));
            memory::say_split(batch.len(), first.len());
            let mut results = within_memory(first, run);
            results.extend(within_memory(second, run));
            results
        }
        Err(panic) => resume_unwind(panic),
    }
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
