//! Translation: lines from standard input to standard output by a checkpoint's modules, one line each, in order.
//!
//! Any direction whose modules exist will do, whether or not a task trained it. Lines are read in blocks, sorted by length
//! within a block, translated in batches and written in their order; a result does not depend on the batch it was made in.

mod arguments;
mod error;
mod load;
mod search;
mod sides;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Write};

use mmc_plan::Plan;
use tch::Device;

use crate::model::Direction;

pub use arguments::TranslateArguments;
pub use error::TranslateError;
use search::{Found, Search};
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
    let translator = Translator::load(arguments)?;
    loop {
        let lines = read_block(input)?;
        if lines.is_empty() {
            return Ok(());
        }
        translator.write(&lines, output)?;
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
        let search = Search {
            beam: arguments.beam as usize,
            length_penalty: arguments.length_penalty,
            prompt: sides.prompt(),
            end: sides.end(),
            never: sides.never(),
        };
        Ok(Self { arguments, direction, sides, search })
    }

    /// Translates a block and writes it.
    fn write(&self, lines: &[String], output: &mut dyn Write) -> Result<(), TranslateError> {
        let found = self.translate(lines);
        let mut text = Vec::new();
        let fault = |fault| TranslateError::Stream { doing: "writing standard output", fault };
        for found in &found {
            if self.arguments.scores {
                let score = found.as_ref().map_or(0.0, |found| found.score);
                write!(text, "{score:.4}\t").map_err(fault)?;
            }
            let line = found.as_ref().map(|found| self.sides.decode(&found.ids));
            writeln!(text, "{}", line.unwrap_or_default()).map_err(fault)?;
        }
        output.write_all(&text).map_err(fault)?;
        output.flush().map_err(fault)
    }

    /// The translations of lines; none for lines without text.
    fn translate(&self, lines: &[String]) -> Vec<Option<Found>> {
        let sources: Vec<Option<Vec<u32>>> =
            lines.iter().map(|line| self.sides.encode(line)).collect();
        let mut found: Vec<Option<Found>> = vec![None; lines.len()];
        for batch in batches(&sources, self.arguments) {
            let ids: Vec<&[u32]> = batch.iter().map(|&(_, ids)| ids).collect();
            let limits: Vec<usize> = ids.iter().map(|ids| self.limit(ids.len())).collect();
            let results = self.search.run(&self.direction, &ids, &limits, Device::Cpu);
            for ((at, _), result) in batch.into_iter().zip(results) {
                if let Some(slot) = found.get_mut(at) {
                    *slot = Some(result);
                }
            }
        }
        found
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

/// Sources of like length together, longest first, within the bounds on sentences and padded tokens.
fn batches<'a>(
    sources: &'a [Option<Vec<u32>>],
    arguments: &TranslateArguments,
) -> Vec<Vec<(usize, &'a [u32])>> {
    let mut listed: Vec<(usize, &[u32])> = sources
        .iter()
        .enumerate()
        .filter_map(|(at, ids)| Some((at, ids.as_ref()?.as_slice())))
        .collect();
    listed.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(&b.0)));
    let mut batches: Vec<Vec<(usize, &[u32])>> = Vec::new();
    for (at, ids) in listed {
        let fits = |batch: &Vec<(usize, &[u32])>| {
            let widest = batch.first().map_or(0, |&(_, ids)| ids.len());
            batch.len() < arguments.batch as usize
                && widest * (batch.len() + 1) <= arguments.batch_tokens as usize
        };
        match batches.last_mut() {
            Some(batch) if fits(batch) => batch.push((at, ids)),
            _ => batches.push(vec![(at, ids)]),
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
