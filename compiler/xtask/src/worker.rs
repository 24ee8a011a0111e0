//! Builds `mmc` and `mmc-worker` in the release profile.

use std::path::PathBuf;

use crate::fault::Fault;
use crate::libtorch::{self, Torch};
use crate::tools::{cargo, need, run, target};

/// The two programs and the libtorch that they were built for.
pub(crate) struct Programs {
    /// `mmc`.
    pub(crate) mmc: PathBuf,
    /// `mmc-worker`.
    pub(crate) worker: PathBuf,
    /// For further builds.
    pub(crate) torch: Torch,
}

/// Sets up libtorch and builds.
pub(crate) fn build() -> Result<Programs, Fault> {
    need("c++", "build-essential")?;
    let torch = libtorch::provide()?;
    let mut build = cargo();
    build.args(["build", "--locked", "--release", "-p", "mmc", "-p", "mmc-runtime"]);
    torch.apply(&mut build);
    run(&mut build)?;
    let release = target().join("release");
    Ok(Programs { mmc: release.join("mmc"), worker: release.join("mmc-worker"), torch })
}
