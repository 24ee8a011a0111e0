//! Figures of speed: counting against `zcat | wc -l`, encoding, and facts of a tokenizer file.
//!
//! `cargo bench -p mmc-text --bench speed -- TEXT.gz TOKENIZER...` (`.model` or `.json`). Prints; judges nothing.

#![expect(clippy::print_stdout, reason = "a measurement prints")]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use mmc_plan::VocabularyKind;
use mmc_text::tokenizer::{Tokenizer, facts};
use mmc_text::{TextError, count, lines};

/// The median of seven timings in milliseconds.
fn milliseconds(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(3).copied().unwrap_or(f64::NAN)
}

fn main() -> Result<(), TextError> {
    let paths: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let Some((text, tokenizers)) = paths.split_first() else {
        println!("cargo bench -p mmc-text --bench speed -- TEXT.gz TOKENIZER...");
        return Ok(());
    };
    let ours = milliseconds(|| drop(count::count(text)));
    let pipe = format!("zcat '{text}' | wc -l");
    let theirs = milliseconds(|| drop(Command::new("sh").args(["-c", &pipe]).output()));
    println!("counting {text}: {ours:.1} ms, zcat | wc -l: {theirs:.1} ms");
    let mut reader = lines::open(text)?;
    let mut held = Vec::new();
    while let Some(line) = reader.next_text()? {
        held.push(line.to_owned());
    }
    for path in tokenizers {
        let kind = match Path::new(path).extension().and_then(|suffix| suffix.to_str()) {
            Some("model") => VocabularyKind::Sentencepiece,
            _ => VocabularyKind::Huggingface,
        };
        let bytes = std::fs::read(path).unwrap_or_default();
        let known = milliseconds(|| drop(facts(&bytes, kind)));
        let load = milliseconds(|| drop(Tokenizer::from_bytes(kind, &bytes)));
        let tokenizer = Tokenizer::load(kind, path)?;
        let mut pieces = 0;
        let encode = milliseconds(|| {
            pieces = held.iter().map(|line| tokenizer.encode(line).len()).sum();
        });
        println!(
            "{path}: facts {known:.2} ms, load {load:.1} ms, {} lines to {pieces} pieces {encode:.0} ms",
            held.len()
        );
    }
    Ok(())
}
