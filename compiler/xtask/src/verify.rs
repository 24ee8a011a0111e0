//! Every check and test: formatting, lints, the compiler's tests, the worker's tests.

use crate::fault::Fault;
use crate::tools::{self, cargo};
use crate::worker;

/// Runs all of it; the first failure ends it.
pub(crate) fn run() -> Result<(), Fault> {
    tools::run(cargo().args(["fmt", "--all", "--check"]))?;
    tools::run(cargo().args(["clippy", "--locked", "--all-targets", "--", "-D", "warnings"]))?;
    let programs = worker::build()?;
    let mut lints = cargo();
    lints.args(["clippy", "--locked", "--release", "-p", "mmc-runtime", "--all-targets", "--"]);
    lints.args(["-D", "warnings"]);
    programs.torch.apply(&mut lints);
    tools::run(&mut lints)?;
    let mut tests = cargo();
    tests.args(["test", "--locked"]).env("MMC_WORKER", &programs.worker);
    tools::run(&mut tests)?;
    let mut worker_tests = cargo();
    worker_tests.args(["test", "--locked", "--release", "-p", "mmc-runtime"]);
    worker_tests.env("MMC", &programs.mmc);
    programs.torch.apply(&mut worker_tests);
    tools::run(&mut worker_tests)
}
