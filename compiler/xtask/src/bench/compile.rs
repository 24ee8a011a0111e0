//! Speed and memory of the compiler: programs of a thousand languages, stage by stage as `mmc plan --times` tells them, and
//! MAMMOTH's three templates beside its own tool (`tests/bench/mammoth.py`).
//!
//! The peer is found by two variables: `MMC_MAMMOTH`, a checkout of MAMMOTH, and `MMC_MAMMOTH_PYTHON`, a Python that has what
//! it needs. `MMC_MAMMOTH_COMMAND` starts its tool otherwise than as `python -m mammoth.bin.config_config`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::median;
use super::program::{self, Program};
use crate::fault::{Fault, While};
use crate::tools::{cargo, root, run as show_and_run, target};

/// The stage that the limit of the English-centric program leaves out.
const PLACEMENT: &str = "place";

/// A program, how often it is compiled, and what that may take.
struct Case {
    program: Program,
    runs: usize,
    limit: Limit,
}

/// What a compilation may take.
enum Limit {
    /// Seconds of all stages but placement, from the index to the written plan.
    WithoutPlacement(f64),
    /// Seconds in all, and MiB.
    Whole(f64, f64),
}

/// One compilation.
struct Measured {
    /// Seconds from the start of the process to its end.
    seconds: f64,
    /// Stage, seconds, CPU seconds, MiB at most so far; the last is `all`.
    rows: Vec<(String, [f64; 3])>,
}

/// Builds `mmc`, compiles, prints, and fails when a limit is not kept.
pub(super) fn run() -> Result<(), Fault> {
    show_and_run(cargo().args(["build", "--locked", "--release", "--bin", "mmc"]))?;
    let mmc = target().join("release/mmc");
    let folder = target().join("bench/compile");
    fs::create_dir_all(&folder).doing(format_args!("making {}", folder.display()))?;
    let cases = [
        Case { program: program::centric(), runs: 11, limit: Limit::WithoutPlacement(0.1) },
        Case { program: program::all(), runs: 1, limit: Limit::Whole(10.0, 2048.0) },
    ];
    let mut kept = true;
    for case in &cases {
        kept &= measure(&mmc, &folder, case)?;
    }
    kept &= templates(&mmc)?;
    if kept { Ok(()) } else { Err(Fault::new("a limit is not kept")) }
}

/// Compiles a program as often as its case says and prints medians.
#[expect(clippy::print_stdout, reason = "a table for people")]
fn measure(mmc: &Path, folder: &Path, case: &Case) -> Result<bool, Fault> {
    let Program { name, tasks, source, index } = &case.program;
    let file = |suffix: &str| folder.join(format!("{name}{suffix}"));
    let (experiment, facts, plan) = (file(".mmc"), file(".index.yaml"), file(".plan.yaml"));
    for (path, text) in [(&experiment, source), (&facts, index)] {
        fs::write(path, text).doing(format_args!("writing {}", path.display()))?;
    }
    let mut all = Vec::new();
    for _ in 0..case.runs {
        all.push(compile(mmc, &[&experiment, &facts, &plan])?);
    }
    let bytes = fs::metadata(&plan).doing("reading the plan")?.len();
    println!("\n{name}: {} languages, {tasks} tasks, median of {}", program::LANGUAGES, case.runs);
    println!("  {:<18} {:>9} {:>12} {:>9}", "stage", "seconds", "CPU seconds", "peak MiB");
    let figure = |at: usize, column: usize| -> f64 {
        let cell = |one: &Measured| one.rows.get(at)?.1.get(column).copied();
        median(all.iter().filter_map(cell).collect())
    };
    let names = all.first().map(|one| one.rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>());
    let (mut without, mut peak) = (0.0, 0.0_f64);
    for (at, stage) in names.iter().flatten().enumerate() {
        let [seconds, cpu, memory] = [0, 1, 2].map(|column| figure(at, column));
        println!("  {stage:<18} {seconds:>9.4} {cpu:>12.4} {memory:>9.1}");
        without += if stage == PLACEMENT || stage == "all" { 0.0 } else { seconds };
        peak = peak.max(memory);
    }
    let seconds = median(all.iter().map(|one| one.seconds).collect());
    println!("  whole process {seconds:.3} s; plan of {bytes} bytes");
    Ok(match case.limit {
        Limit::WithoutPlacement(most) => told("stages but placement", without, most, "s"),
        Limit::Whole(most, memory) => {
            let fits = told("peak memory", peak, memory, "MiB");
            told("whole process", seconds, most, "s") && fits
        }
    })
}

/// Prints a figure with its limit.
#[expect(clippy::print_stdout, reason = "a table for people")]
fn told(what: &str, figure: f64, most: f64, unit: &str) -> bool {
    let kept = figure < most;
    let word = if kept { "kept" } else { "NOT KEPT" };
    println!("  {what}: {figure:.3} {unit}, at most {most} {unit}: {word}");
    kept
}

/// One compilation of (experiment, index) to a plan.
fn compile(mmc: &Path, [experiment, index, plan]: &[&PathBuf; 3]) -> Result<Measured, Fault> {
    let mut command = Command::new(mmc);
    command
        .arg("plan")
        .arg(experiment)
        .arg("--index")
        .arg(index)
        .arg("-o")
        .arg(plan)
        .arg("--times");
    let start = Instant::now();
    let output = command.output().doing("starting mmc")?;
    let seconds = start.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(Fault::new(format!("mmc failed: {said}")));
    }
    let row = |line: &str| -> Option<(String, [f64; 3])> {
        let mut cells = line.split_whitespace();
        let name = cells.next()?.to_owned();
        let mut next = || cells.next()?.parse::<f64>().ok();
        Some((name, [next()?, next()?, next()?]))
    };
    let table = said.lines().skip_while(|line| !line.starts_with("stage ")).skip(1);
    Ok(Measured { seconds, rows: table.filter_map(row).collect() })
}

/// MAMMOTH's templates by both tools; kept when the peer is absent, which is said.
#[expect(clippy::print_stdout, reason = "a table for people")]
fn templates(mmc: &Path) -> Result<bool, Fault> {
    println!("\nMAMMOTH's templates, index warm");
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (Some(checkout), Some(python)) = (named("MMC_MAMMOTH"), named("MMC_MAMMOTH_PYTHON")) else {
        println!(
            "  left out: set MMC_MAMMOTH to a checkout of MAMMOTH and MMC_MAMMOTH_PYTHON to a Python with its requirements"
        );
        return Ok(true);
    };
    let mut command = Command::new(&python);
    command.arg(root().join("tests/bench/mammoth.py")).arg(mmc).arg(&checkout);
    match std::env::var("MMC_MAMMOTH_COMMAND") {
        Ok(words) => command.args(words.split_whitespace()),
        Err(_) => command.arg(&python).args(["-m", "mammoth.bin.config_config"]),
    };
    command.env("PYTHONPATH", &checkout);
    let status = command.status().doing(format_args!("starting {}", python.display()))?;
    Ok(status.success())
}
