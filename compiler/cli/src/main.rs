//! The `mmc` command: arguments to one command's run, its end to an exit code.
//!
//! 0: fine; 1: findings, differences, a failed run; 2: wrong usage or unreadable input; 75: interrupted, `--resume` goes on;
//! 101: a fault of `mmc` itself.

mod args;
mod cache;
mod calibrate;
mod check;
mod configuration;
mod cores;
mod curriculum;
mod dendrogram;
mod diff;
mod disk;
mod emit;
mod error;
mod eval;
mod explain;
mod findings;
mod fmt;
mod groups;
mod import;
mod index;
mod indexed;
mod launch;
mod listing;
mod mammoth;
mod models;
mod output;
mod passes;
mod place;
mod plan;
mod program;
mod progress;
mod report;
mod run;
mod samples;
mod seat;
mod serve;
mod simulate;
mod svg;
mod synth;
mod times;
mod tokenizer;
mod translate;
mod what_if;
mod worker;

use std::process::ExitCode;

use clap::Parser as _;

/// A plan of a million tasks is tens of millions of short names: a fifth of the time would be the system's allocator's. Its second
/// version starts sooner than the third, which a check of some milliseconds feels.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    report::install_panic_hook();
    let end = args::Arguments::parse().command.run();
    match end {
        Ok(exit) => exit.code(),
        Err(stop) => report::stop(stop).code(),
    }
}
