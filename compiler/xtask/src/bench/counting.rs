//! Counting lines: `mmc index`, which knows nothing yet, beside `wc -l` on plain files and `zcat | wc -l` on gzip.
//!
//! Both read the same files from the page cache. `mmc index` is measured whole (start, compilation, samples for tokenizers, the look
//! for UTF-8, writing of cache and index), and beside it on the first lines of the same files: the difference is what counting takes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::thread;

use super::measure::{Cost, Scratch, cost, medians, mmc};
use crate::fault::{Fault, While};
use crate::tools;

const LANGUAGES: [&str; 8] = ["aa1", "aa2", "aa3", "aa4", "bb1", "bb2", "bb3", "bb4"];
/// Times that the text of `mmc synth` is written into each file, too far apart for gzip to notice.
const COPIES: usize = 30;
const SENTENCES: &str = "60000";
const RUNS: usize = 5;
/// Lines of each file that make the index of nearly nothing: as many as samples for tokenizers read.
const FEW: usize = 200;
/// Most of the CPU time of the other tool that counting may take: on gzip, on plain files.
const MOST: [f64; 2] = [0.55, 1.0];

/// Makes the files, measures, prints; fails when counting is too slow.
pub(crate) fn run() -> Result<(), Fault> {
    let mmc = mmc()?;
    let scratch = Scratch::new("counting")?;
    let folder = scratch.path();
    make(&mmc, folder)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut slow = Vec::new();
    for (kind, other, most) in [
        ("gz", "for file in text/*.gz; do zcat \"$file\" | wc -l; done", MOST[0]),
        ("plain", "wc -l text/*.plain", MOST[1]),
    ] {
        let ours = || index(&mmc, folder, kind);
        let few = || index(&mmc, folder, "few");
        let others = || cost(Command::new("sh").args(["-c", other]).current_dir(folder));
        let costs = medians(RUNS, &mut [Box::new(ours), Box::new(few), Box::new(others)])?;
        let [ours, few, others] = costs.as_slice() else { continue };
        print(kind, &size(&folder.join("text"), kind)?, [ours, few, others], cores);
        let counting = (ours.cpu - few.cpu) / others.cpu;
        if counting > most {
            slow.push(format!("{kind}: {counting:.2} of the CPU time, {most} are allowed"));
        }
    }
    if slow.is_empty() { Ok(()) } else { Err(Fault::new(slow.join("; "))) }
}

/// Text in eight languages as plain files and as gzip, a tokenizer, and an experiment for either kind.
fn make(mmc: &Path, folder: &Path) -> Result<(), Fault> {
    let shape = ["--families", "2", "--languages", "4", "--train", SENTENCES, "--meanings", "8000"];
    tools::run(Command::new(mmc).args(["synth", "synth"]).args(shape).current_dir(folder))?;
    write(folder, "small.mmc", &experiment("synth/train.{src_lang}", "synth/train.{tgt_lang}"))?;
    tools::run(Command::new(mmc).args(["tokenizer", "train", "small.mmc"]).current_dir(folder))?;
    let text = folder.join("text");
    fs::create_dir(&text).doing("making the folder of the text")?;
    for language in LANGUAGES {
        let synthetic =
            fs::read(folder.join(format!("synth/train.{language}"))).doing("reading text")?;
        let mut file =
            File::create(text.join(format!("{language}.plain"))).doing("writing text")?;
        for _ in 0..COPIES {
            file.write_all(&synthetic).doing("writing text")?;
        }
        let lines = synthetic.split_inclusive(|byte| *byte == b'\n').take(FEW);
        let few: Vec<u8> = lines.flatten().copied().collect();
        fs::write(text.join(format!("{language}.few")), few).doing("writing text")?;
        let packed = File::create(text.join(format!("{language}.gz"))).doing("writing text")?;
        let path = format!("text/{language}.plain");
        let status =
            Command::new("gzip").args(["-c", &path]).current_dir(folder).stdout(packed).status();
        if !status.doing("starting gzip")?.success() {
            return Err(Fault::new("gzip failed"));
        }
    }
    for kind in ["gz", "plain", "few"] {
        let [source, target] = ["src", "tgt"].map(|side| format!("text/{{{side}_lang}}.{kind}"));
        write(folder, &format!("{kind}.mmc"), &experiment(&source, &target))?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Fault> {
    fs::write(folder.join(name), text).doing(format_args!("writing {name}"))
}

fn experiment(source: &str, target: &str) -> String {
    format!(
        "import std.clusters.laptop
experiment counting {{ seed = 1 }}
languages {}
corpus text {{ train = \"{source}\" -> \"{target}\" }}
tokenizer joint {{ kind = huggingface  file = \"joint.json\"  train = bpe(pieces = 300) }}
tasks translation {{ pairs = aa1 <-> all  corpus = text  transforms = [joint, prefix(target)] }}
model {{ dim = 16  heads = 2  encoder = [FULL]  decoder = [FULL]  embeddings {{ source = FULL  target = FULL }} }}
training {{ steps = 10  batch = 256 tokens  optimizer = adamw(lr = 1e-3)  schedule = constant }}
cluster = laptop(ranks = 1)
",
        LANGUAGES.join(", ")
    )
}

/// Indexes with a cache that knows nothing.
fn index(mmc: &Path, folder: &Path, kind: &str) -> Result<Cost, Fault> {
    let cache = folder.join("cache");
    if let Err(cause) = fs::remove_dir_all(&cache)
        && cause.kind() != io::ErrorKind::NotFound
    {
        return Err(Fault::new(format!("removing the cache: {cause}")));
    }
    let mut command = Command::new(mmc);
    command.args(["index", &format!("{kind}.mmc"), "-o", "index.yaml"]).current_dir(folder);
    cost(command.env("XDG_CACHE_HOME", cache))
}

/// Megabytes in the files of a kind.
fn size(folder: &Path, kind: &str) -> Result<String, Fault> {
    let mut bytes = 0;
    for language in LANGUAGES {
        let path = folder.join(format!("{language}.{kind}"));
        bytes += path.metadata().doing("asking for a size")?.len();
    }
    Ok(format!("{} files of {} MB in all", LANGUAGES.len(), bytes / 1_000_000))
}

#[expect(clippy::print_stdout, reason = "a table for people")]
fn print(kind: &str, files: &str, [ours, few, others]: [&Cost; 3], cores: usize) {
    let other = if kind == "gz" { "zcat | wc -l" } else { "wc -l" };
    println!("\n{kind}: {files}; medians of {RUNS} runs, in turns");
    println!("{:20}{:>8}{:>8}  cores used", "seconds", "CPU", "wall");
    for (name, cost) in [("mmc index", ours), ("of the first lines", few), (other, others)] {
        let used = cost.cpu / cost.wall;
        println!("{name:20}{:8.3}{:8.3}  {used:.2} of {cores}", cost.cpu, cost.wall);
    }
    println!("{:20}{:8.2}{:8.2}", "ratio", ours.cpu / others.cpu, ours.wall / others.wall);
    println!("{:20}{:8.2}", "of counting alone", (ours.cpu - few.cpu) / others.cpu);
}
