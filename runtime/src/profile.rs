//! A trace of one step: what libtorch computed when, for viewers such as Perfetto.

use std::path::{Path, PathBuf};

use tch::Device;

use crate::error::{While as _, WorkerError};
use crate::ffi;

/// What is to be recorded.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The step, from 1.
    pub(crate) step: u64,
    path: PathBuf,
    device: Device,
}

impl Profile {
    /// Of a rank, to `profile/rank-R.json` in the run's folder.
    pub(crate) fn new(
        step: u64,
        output: &Path,
        rank: u32,
        device: Device,
    ) -> Result<Self, WorkerError> {
        let folder = output.join("profile");
        std::fs::create_dir_all(&folder).doing(format_args!("making {}", folder.display()))?;
        Ok(Self { step, path: folder.join(format!("rank-{rank}.json")), device })
    }

    /// Runs the step; of one that fails there is no trace.
    pub(crate) fn of<T>(
        &self,
        run: impl FnOnce() -> Result<T, WorkerError>,
    ) -> Result<T, WorkerError> {
        self.await_device();
        ffi::begin_profile(matches!(self.device, Device::Cuda(_)))?;
        // A fault of the step is what is told, not one that comes of it here.
        let done = run()?;
        self.await_device();
        ffi::end_profile(&self.path.display().to_string())?;
        Ok(done)
    }

    /// Waits until what was asked for is computed.
    fn await_device(&self) {
        if let Device::Cuda(number) = self.device {
            tch::Cuda::synchronize(i64::try_from(number).unwrap_or(0));
        }
    }
}
