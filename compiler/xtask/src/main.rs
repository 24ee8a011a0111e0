//! `cargo demo`, `cargo verify` and their parts: set-up of a bare machine, the main job, the tests.

mod bench;
mod demo;
mod fault;
mod libtorch;
mod tools;
mod verify;
mod worker;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  demo       set up, then check, plan, train and translate one experiment (also: cargo demo)
  verify     set up, then run every check and test (also: cargo verify)
  worker     set up, then build mmc and mmc-worker into target/release
  libtorch   set up libtorch and print its folder
  bench NAME measure what is promised: compile, counting, prediction
";

#[expect(clippy::print_stderr, clippy::print_stdout, reason = "a program for people at a terminal")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["demo"] => demo::run(),
        ["verify"] => verify::run(),
        ["worker"] => worker::build().map(|_| ()),
        ["bench", name] => bench::run(name),
        ["libtorch"] => libtorch::provide().map(|torch| println!("{torch}")),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("xtask: {fault}");
            ExitCode::FAILURE
        }
    }
}
