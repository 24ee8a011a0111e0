//! What it costs that few streams keep their files open, and what a stream holds.
//!
//! `cargo bench -p mmc-text --bench streams -- TEXT TOKENIZER.json`: four tasks, each over ten times the text on both sides, take
//! turns through an epoch. Prints; judges nothing.

#![expect(clippy::print_stdout, reason = "a measurement prints")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use mmc_plan::sample::{Sample, vocabulary};
use mmc_plan::{CorpusFiles, LaneTask, ParallelFiles, Plan, VocabularyKind};
use mmc_text::batch::{Streams, Tokenizers};
use mmc_text::{lines, tokenizer};

const TASKS: usize = 4;

/// A plan of tasks that all read one file.
fn plan(file: &Path, lines: u64, tokenizer: &str) -> Result<Plan, Box<dyn Error>> {
    let side = || vec![file.to_string_lossy().into_owned()].into();
    let train = ParallelFiles { source: side(), target: side(), lines, columns: None };
    let mut sample = Sample::new(&["de", "en"], 1, &[&[0]]);
    sample.corpora = vec![CorpusFiles { train, ..CorpusFiles::default() }; 2];
    let kind = VocabularyKind::Huggingface;
    let facts = tokenizer::facts(&fs::read(tokenizer)?, kind)?;
    let mut joint = vocabulary(tokenizer, facts.pieces);
    (joint.kind, joint.sha256) = (kind, facts.sha256);
    sample.vocabularies.insert("joint".to_owned(), joint);
    let mut plan = sample.plan();
    (plan.training.shuffle, plan.training.batch_tokens) = (10_000, 4096);
    plan.training.accumulate = 1;
    let task = plan.tasks.get("t.de-en").cloned().ok_or("the sample's task")?;
    let lane = plan.lanes.first_mut().ok_or("the sample's lane")?;
    for number in 0..TASKS {
        plan.tasks.insert(number.to_string(), task.clone());
        lane.tasks.insert(number.to_string(), LaneTask { parts: 1, lines: [0, 1_000_000] });
    }
    Ok(plan)
}

/// Kilobytes of memory that this process holds.
fn held() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Seconds for an epoch of every task, by turns.
fn epoch(plan: &Plan, names: &[String], most_open: usize) -> Result<f64, Box<dyn Error>> {
    let tasks: Vec<&str> = names.iter().map(String::as_str).collect();
    let tokenizers = Tokenizers::load(plan, &tasks)?;
    let mut streams =
        Streams::new(plan, tokenizers, BTreeMap::new(), (most_open, 1)).expect("a thread");
    let began = Instant::now();
    let before = held();
    let mut step = 0;
    loop {
        step += 1;
        for name in names {
            let (_, state) = streams.draw(step, 0, name)?;
            if state.epoch > 0 {
                return Ok(began.elapsed().as_secs_f64());
            }
        }
        if step == 1 {
            println!(
                "    {} KiB a stream behind its first batch",
                (held() - before) / TASKS as u64
            );
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [text, tokenizer] = words.as_slice() else {
        println!("cargo bench -p mmc-text --bench streams -- TEXT TOKENIZER.json");
        return Ok(());
    };
    let (mut reader, mut whole, mut count) = (lines::open(text)?, String::new(), 0);
    while let Some(line) = reader.next_text()? {
        whole += line;
        whole.push('\n');
        count += 10;
    }
    let whole = whole.repeat(10);
    let folder = tempfile::tempdir()?;
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(whole.as_bytes())?;
    let files = [
        ("text", whole.clone().into_bytes()),
        ("text.gz", gz.finish()?),
        ("text.zst", zstd::encode_all(whole.as_bytes(), 3)?),
    ];
    let names: Vec<String> = (0..TASKS).map(|number| number.to_string()).collect();
    println!("{TASKS} tasks, {count} lines and {} bytes of text a side", whole.len());
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::write(&path, bytes)?;
        let plan = plan(&path, count, tokenizer)?;
        for most_open in [TASKS, 0, TASKS, 0] {
            let seconds = epoch(&plan, &names, most_open)?;
            println!("{name}, {most_open} open: {seconds:.2} s");
        }
    }
    Ok(())
}
