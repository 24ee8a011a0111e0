//! Translation: lines from standard input to standard output by a checkpoint's modules, one line each, in order.
//!
//! Any direction whose modules exist will do, whether or not a task trained it. Lines are read in blocks, sorted by length
//! within a block, translated in batches and written in their order; a result does not depend on the batch it was made in.

mod arguments;
mod error;
mod force;
mod load;
mod search;
mod sides;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Write};

use mmc_plan::Plan;
use tch::Device;

use crate::model::Direction;

pub use arguments::{Given, TranslateArguments};
pub use error::TranslateError;
use force::Pair;
use search::{Asked, Found, Sampling, Search};
use sides::Sides;

/// Lines that are read, sorted and translated before any of them is written.
const BLOCK: usize = 2000;

/// Translates all lines of `input` to `output`.
pub fn run(
    arguments: &TranslateArguments,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<(), TranslateError> {
    if let Some(threads) = arguments.threads {
        tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    }
    if arguments.nbest > arguments.beam && !arguments.sample {
        return Err(TranslateError::Beam { nbest: arguments.nbest, beam: arguments.beam });
    }
    let translator = Translator::load(arguments)?;
    let mut done = 0;
    loop {
        let lines = read_block(input)?;
        if lines.is_empty() {
            return Ok(());
        }
        let text = translator.block(&lines, done)?;
        let fault = |fault| TranslateError::Stream { doing: "writing standard output", fault };
        output.write_all(text.as_bytes()).map_err(fault)?;
        output.flush().map_err(fault)?;
        done += lines.len() as u64;
    }
}

/// One direction, ready to translate.
struct Translator<'a> {
    arguments: &'a TranslateArguments,
    direction: Direction,
    sides: Sides,
    search: Search,
}

impl<'a> Translator<'a> {
    fn load(arguments: &'a TranslateArguments) -> Result<Self, TranslateError> {
        let plan = Plan::from_path(&arguments.plan).map_err(|fault| {
            let path = arguments.plan.clone();
            TranslateError::Plan { path, fault: Box::new(fault) }
        })?;
        let (source, target) = (arguments.source.as_str(), arguments.target.as_str());
        let path = load::path(&plan, source, target)?;
        let checkpoint = load::checkpoint(&arguments.checkpoint)?;
        let sides = Sides::load(&plan, &path, [source, target])?;
        let name = format!("{source}-{target}");
        let direction = load::direction(&plan, &path, &checkpoint, &name)?;
        let sampling = arguments.sample.then_some(Sampling {
            temperature: arguments.temperature,
            top_k: arguments.top_k as usize,
            top_p: arguments.top_p,
            seed: arguments.seed,
        });
        let single = sampling.is_some();
        let search = Search {
            beam: if single { 1 } else { arguments.beam as usize },
            nbest: if single { 1 } else { arguments.nbest as usize },
            no_repeat: arguments.no_repeat as usize,
            sampling,
            length_penalty: arguments.length_penalty,
            prompt: sides.prompt(),
            end: sides.end(),
            never: sides.never(),
        };
        Ok(Self { arguments, direction, sides, search })
    }

    /// What is written for a block of lines, before which there were `done`.
    fn block(&self, lines: &[String], done: u64) -> Result<String, TranslateError> {
        if self.arguments.given == Some(Given::Translation) {
            return self.forced(lines, done);
        }
        let found = self.translate(lines, done)?;
        let mut text = String::new();
        for (number, found) in (done + 1..).zip(&found) {
            // A line without text has one translation without text.
            let nothing = [Found { ids: Vec::new(), score: 0.0 }];
            for Found { ids, score } in if found.is_empty() { &nothing } else { found.as_slice() } {
                let before = match self.arguments {
                    TranslateArguments { nbest: 2.., .. } => format!("{number}\t{score:.4}\t"),
                    TranslateArguments { scores: true, .. } => format!("{score:.4}\t"),
                    TranslateArguments { .. } => String::new(),
                };
                text.extend([before.as_str(), self.sides.decode(ids).as_str(), "\n"]);
            }
        }
        Ok(text)
    }

    /// The translations of lines; none for lines without text.
    fn translate(&self, lines: &[String], done: u64) -> Result<Vec<Vec<Found>>, TranslateError> {
        let mut items = Vec::new();
        let copies = if self.arguments.sample { u64::from(self.arguments.nbest) } else { 1 };
        for (at, line) in lines.iter().enumerate() {
            let number = done + at as u64;
            let (source, forced) = if self.arguments.given == Some(Given::Prefix) {
                let (source, target) = columns(line, number)?;
                (source, self.sides.encode_target(target))
            } else {
                (line.as_str(), Vec::new())
            };
            let Some(ids) = self.sides.encode(source) else { continue };
            items.extend((0..copies).map(|copy| Item {
                at,
                key: number * copies + copy,
                ids: ids.clone(),
                forced: forced.clone(),
            }));
        }
        let mut found: Vec<Vec<Found>> = vec![Vec::new(); lines.len()];
        let mut drawn: Vec<(u64, usize, Found)> = Vec::new();
        for batch in batches(&items, self.arguments, |item| item.ids.len()) {
            let asked: Vec<Asked<'_>> = batch.iter().map(|item| self.asked(item)).collect();
            let results = self.search.run(&self.direction, &asked, Device::Cpu);
            for (item, result) in batch.into_iter().zip(results) {
                drawn.extend(result.into_iter().map(|found| (item.key, item.at, found)));
            }
        }
        // Copies of a line in their order; the order of one search's results stays.
        drawn.sort_by_key(|(key, ..)| *key);
        for (_, at, one) in drawn {
            if let Some(of_line) = found.get_mut(at) {
                of_line.push(one);
            }
        }
        Ok(found)
    }

    fn asked<'i>(&self, item: &'i Item) -> Asked<'i> {
        let limit = self.limit(item.ids.len());
        Asked { source: &item.ids, limit, forced: &item.forced, key: item.key }
    }

    /// The scores of given translations.
    fn forced(&self, lines: &[String], done: u64) -> Result<String, TranslateError> {
        let mut pairs = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let (source, target) = columns(line, done + at as u64)?;
            if let Some(source) = self.sides.encode(source) {
                pairs.push((at, Pair { source, target: self.sides.encode_target(target) }));
            }
        }
        let mut scores = vec![0.0; lines.len()];
        let longer = |(_, pair): &(usize, Pair)| pair.source.len().max(pair.target.len() + 1);
        for batch in batches(&pairs, self.arguments, longer) {
            let of: Vec<&Pair> = batch.iter().map(|(_, pair)| pair).collect();
            let found = force::scores(&self.search, &self.direction, &of);
            for ((at, _), score) in batch.into_iter().zip(found) {
                if let Some(slot) = scores.get_mut(*at) {
                    *slot = score;
                }
            }
        }
        let scores: Vec<String> = scores.iter().map(|score| format!("{score:.4}")).collect();
        Ok(scores.join("\n") + "\n")
    }

    /// Most ids of a translation of so many source ids, the end token included.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "lengths are far below 2^53, and a product too large saturates"
    )]
    fn limit(&self, source: usize) -> usize {
        let by_ratio = (source as f64 * self.arguments.max_ratio).floor() as usize;
        by_ratio.saturating_add(self.arguments.max_length as usize).max(1)
    }
}

/// One translation to be made.
#[derive(Debug)]
struct Item {
    /// Its line in the block.
    at: usize,
    /// Of its random numbers; copies of a line have their own.
    key: u64,
    ids: Vec<u32>,
    forced: Vec<u32>,
}

/// Both columns of a line, which has the number `done` from 0.
fn columns(line: &str, done: u64) -> Result<(&str, &str), TranslateError> {
    line.split_once('\t').ok_or(TranslateError::Column(done + 1))
}

/// Items of like length together, longest first, within the bounds on sentences and padded tokens.
fn batches<'a, T>(
    items: &'a [T],
    arguments: &TranslateArguments,
    length: impl Fn(&T) -> usize,
) -> Vec<Vec<&'a T>> {
    let mut listed: Vec<&T> = items.iter().collect();
    // The sort is stable: equals stay in their order.
    listed.sort_by_key(|item| std::cmp::Reverse(length(item)));
    let mut batches: Vec<Vec<&T>> = Vec::new();
    for item in listed {
        let fits = |batch: &Vec<&T>| {
            let widest = batch.first().map_or(0, |item| length(item));
            batch.len() < arguments.batch as usize
                && widest * (batch.len() + 1) <= arguments.batch_tokens as usize
        };
        match batches.last_mut() {
            Some(batch) if fits(batch) => batch.push(item),
            _ => batches.push(vec![item]),
        }
    }
    batches
}

/// The next lines without their ends; what is no UTF-8 is replaced by the replacement character.
fn read_block(input: &mut dyn BufRead) -> Result<Vec<String>, TranslateError> {
    let mut lines = Vec::new();
    let mut bytes = Vec::new();
    while lines.len() < BLOCK {
        bytes.clear();
        let read = input.read_until(b'\n', &mut bytes);
        let read = read
            .map_err(|fault| TranslateError::Stream { doing: "reading standard input", fault })?;
        if read == 0 {
            break;
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        lines.push(String::from_utf8_lossy(line).into_owned());
    }
    Ok(lines)
}
