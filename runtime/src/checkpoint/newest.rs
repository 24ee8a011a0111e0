//! A folder of checkpoints to the one that training goes on from.

use std::path::Path;

use mmc_plan::{Event, Plan};

use super::files::sum;
use super::{Checkpoints, FORMAT, Manifest, read_manifest};
use crate::error::WorkerError;

/// The newest whole checkpoint.
#[derive(Debug)]
pub struct Newest {
    /// Its step.
    pub step: u64,
    /// Newer ones that are damaged, as they are told.
    pub damaged: Vec<Event>,
}

impl Checkpoints {
    /// The newest checkpoint of this mathematics whose files are whole; none where there is no checkpoint. To begin anew because all
    /// are damaged is not for a worker to decide.
    pub fn newest_whole(&self, plan: &Plan) -> Result<Option<Newest>, WorkerError> {
        let (mut damaged, mut faults) = (Vec::new(), Vec::new());
        for step in self.steps() {
            let folder = self.of_step(step);
            let path = folder.display().to_string();
            match check(&folder) {
                Ok(manifest) if manifest.digest == plan.digest => {
                    return Ok(Some(Newest { step, damaged }));
                }
                Ok(manifest) => {
                    return Err(WorkerError::Checkpoint(format!(
                        "{path} belongs to other mathematics ({}) than the plan ({}); `mmc diff` of its plan.yaml and yours says what differs; train into another output folder, or resume with the old experiment",
                        manifest.digest, plan.digest
                    )));
                }
                Err(fault) => {
                    faults.push(format!("{path}: {fault}"));
                    damaged.push(Event::Damaged { path, fault });
                }
            }
        }
        if faults.is_empty() {
            return Ok(None);
        }
        Err(WorkerError::Checkpoint(format!(
            "no checkpoint is whole ({}); delete them, or train into another output folder, to begin anew",
            faults.join("; ")
        )))
    }
}

/// A checkpoint's manifest, when its files are whole.
pub(super) fn check_of(folder: &Path) -> Result<Manifest, WorkerError> {
    check(folder).map_err(|fault| WorkerError::Checkpoint(format!("{}: {fault}", folder.display())))
}

/// Reads a checkpoint's manifest and compares every file's sum.
fn check(folder: &Path) -> Result<Manifest, String> {
    let manifest = read_manifest(folder)?;
    if manifest.format != FORMAT {
        return Err(format!("format {} is not {FORMAT}", manifest.format));
    }
    for (file, expected) in &manifest.files {
        let found = sum(&folder.join(file)).map_err(|e| format!("{file}: {e}"))?;
        if found != *expected {
            return Err(format!("{file} is damaged: its sha256 differs from the manifest's"));
        }
    }
    Ok(manifest)
}
