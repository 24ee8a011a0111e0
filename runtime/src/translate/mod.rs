//! Translation: lines from standard input to standard output by checkpoints' modules, one line each, in order. A model without an
//! encoder continues lines, or scores them, in the same way.
//!
//! Any direction whose modules exist will do, whether or not a task trained it. Lines are read in blocks, sorted by length
//! within a block, translated in batches and written in their order; a result does not depend on the batch it was made in.

mod arguments;
mod engine;
mod error;
mod force;
mod load;
mod search;
mod settings;
mod sides;
#[cfg(test)]
mod tests;
mod translator;

use std::fs;
use std::io::{BufRead, Write};
use std::time::Instant;

pub use arguments::{Batching, Given, Models, Processor, TranslateArguments};
pub(crate) use engine::Engine;
pub use error::TranslateError;
pub(crate) use search::Found;
pub use settings::Settings;
pub(crate) use sides::Sides;
pub(crate) use translator::{Line, Translator};

/// Lines that are read, sorted and translated before any of them is written.
const BLOCK: usize = 2000;

/// Translates all lines of `input` to `output`.
pub fn run(
    arguments: &TranslateArguments,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<(), TranslateError> {
    arguments.check()?;
    let began = Instant::now();
    let mut engine = Engine::load(&arguments.models, arguments.batching)?;
    let translator = engine.translator(&arguments.source, &arguments.target)?;
    translator.check(&arguments.settings)?;
    let loaded = began.elapsed().as_secs_f64();
    let only = only(arguments, &translator)?;
    let mut done = 0;
    loop {
        let lines = read_block(input)?;
        if lines.is_empty() {
            break;
        }
        let text = block(arguments, &translator, only.as_deref(), &lines, done)?;
        let fault = |fault| TranslateError::Stream { doing: "writing standard output", fault };
        output.write_all(text.as_bytes()).map_err(fault)?;
        output.flush().map_err(fault)?;
        done += lines.len() as u64;
    }
    if arguments.stats {
        say_stats(&engine, loaded, done, began.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Tells what was read, and how fast it went.
#[expect(clippy::print_stderr, reason = "it was asked for, and standard output has translations")]
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn say_stats(engine: &Engine, loaded: f64, lines: u64, seconds: f64) {
    let read = engine.read();
    eprintln!(
        "read {} of {} modules, {} of {} bytes, in {loaded:.2} s",
        read.modules, read.of_modules, read.bytes, read.of_bytes
    );
    let rate = lines as f64 / (seconds - loaded).max(1e-9);
    eprintln!("translated {lines} lines in {:.2} s, {rate:.1} a second", seconds - loaded);
}

/// The pieces of the text that alone may be used.
fn only(
    arguments: &TranslateArguments,
    translator: &Translator,
) -> Result<Option<Vec<u32>>, TranslateError> {
    let Some(path) = &arguments.only else { return Ok(None) };
    let fault = |fault: String| TranslateError::Only { path: path.clone(), fault };
    let text = fs::read_to_string(path).map_err(|cause| fault(cause.to_string()))?;
    let pieces = translator.sides().pieces(&text);
    if pieces.is_empty() {
        return Err(fault("it has no text".to_owned()));
    }
    Ok(Some(pieces))
}

/// What is written for a block of lines, before which there were `done`.
fn block(
    arguments: &TranslateArguments,
    translator: &Translator,
    only: Option<&[u32]>,
    lines: &[String],
    done: u64,
) -> Result<String, TranslateError> {
    // Without an encoder a line is given whole, to be continued or scored.
    let given = arguments.given.filter(|_| !translator.sides().continues());
    let line = |(number, line): (u64, &'_ String)| match given {
        Some(_) => line
            .split_once('\t')
            .map(|(source, target)| (number, source.to_owned(), target.to_owned()))
            .ok_or(TranslateError::Column(number + 1)),
        None => Ok((number, line.clone(), String::new())),
    };
    let parts = (done..).zip(lines).map(line).collect::<Result<Vec<_>, _>>()?;
    let lines: Vec<Line<'_>> = parts
        .iter()
        .map(|(number, source, target)| Line { number: *number, source, target })
        .collect();
    if arguments.given == Some(Given::Translation) {
        let scores = translator.score(&arguments.settings, &lines)?;
        let rows: Vec<String> = scores.iter().map(|score| format!("{score:.6}\n")).collect();
        return Ok(rows.concat());
    }
    let found = translator.translate(&arguments.settings, only, &lines)?;
    let mut text = String::new();
    for (number, found) in (done + 1..).zip(&found) {
        // A line without text has one translation without text.
        let nothing = [Found { ids: Vec::new(), score: 0.0 }];
        for Found { ids, score } in if found.is_empty() { &nothing } else { found.as_slice() } {
            let before = if arguments.settings.nbest > 1 {
                format!("{number}\t{score:.6}\t")
            } else if arguments.scores {
                format!("{score:.6}\t")
            } else {
                String::new()
            };
            text.extend([before.as_str(), translator.sides().decode(ids).as_str(), "\n"]);
        }
    }
    Ok(text)
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
