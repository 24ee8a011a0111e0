//! The folder of a run: what an earlier run left there, and the plan that is put there.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mmc_plan::Plan;
use tempfile::NamedTempFile;

use crate::error::{At as _, CliError};

/// A run's folder.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    folder: PathBuf,
}

/// What to do about an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// Nothing may be lost.
    Refuse,
    /// Go on from its newest checkpoint.
    Resume,
    /// Delete it.
    Overwrite,
}

/// Files and folders that runs write, but for the plan: it is replaced in one go, so that waiting ranks never miss it.
const WRITTEN: [&str; 5] = ["events.jsonl", "checkpoints", "logs", "profile", "tensorboard"];

impl Output {
    /// The folder, which need not exist.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Its path.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the plan of the run is.
    pub(crate) fn plan(&self) -> PathBuf {
        self.folder.join("plan.yaml")
    }

    /// The file that names the checkpoint of the best validation.
    pub(crate) fn best(&self) -> PathBuf {
        self.folder.join("checkpoints/best")
    }

    /// The folder of the mean of the last checkpoints.
    pub(crate) fn average(&self) -> PathBuf {
        self.folder.join("checkpoints/average")
    }

    /// Folders of complete checkpoints by step, newest last.
    pub(crate) fn checkpoints(&self) -> Vec<(u64, PathBuf)> {
        let entries = fs::read_dir(self.folder.join("checkpoints")).into_iter().flatten().flatten();
        let mut found: Vec<(u64, PathBuf)> = entries
            .filter_map(|entry| {
                let step = entry.file_name().to_str()?.strip_prefix("step_")?.parse().ok()?;
                Some((step, entry.path()))
            })
            .filter(|(_, path)| path.join("manifest.json").is_file())
            .collect();
        found.sort_unstable();
        found
    }

    /// Makes the folder ready for a run of `plan` and puts the plan there. Says whether there is something to resume.
    pub(crate) fn prepare(&self, plan: &Plan, earlier: Earlier) -> Result<bool, CliError> {
        if earlier == Earlier::Overwrite {
            self.clear()?;
        }
        let path = self.plan();
        if path.exists() && earlier != Earlier::Overwrite {
            // An unreadable plan is as good as another one: whatever is there is not ours to replace.
            let found = Plan::from_path(&path).map(|found| found.mathematics_digest());
            let found = found.unwrap_or_else(|_| "unreadable".to_owned());
            if found != plan.digest {
                return Err(CliError::OtherMathematics {
                    output: self.folder.clone(),
                    found: short(&found),
                    wanted: short(&plan.digest),
                });
            }
        }
        let resumable = !self.checkpoints().is_empty();
        if resumable && earlier == Earlier::Refuse {
            return Err(CliError::OutputTaken { output: self.folder.clone() });
        }
        fs::create_dir_all(&self.folder).writing(&self.folder)?;
        write_whole(&path, Lasting::Always, |out| plan.write_yaml(out))?;
        Ok(resumable)
    }

    /// Deletes what runs write, and nothing else.
    fn clear(&self) -> Result<(), CliError> {
        for name in WRITTEN {
            let path = self.folder.join(name);
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(CliError::Unwritable { path, cause });
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// The first digits of a digest.
fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}

/// What a file must outlive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasting {
    /// The end of this process, however it comes: what is lost with the machine's power is made again.
    Process,
    /// The machine's power too. To wait for the disk takes longer than to make a plan.
    Always,
}

/// Writes a file that is there whole or not at all.
pub(crate) fn write_atomically(path: &Path, text: &str) -> Result<(), CliError> {
    write_whole(path, Lasting::Always, |out| out.write_all(text.as_bytes()))
}

/// Writes the file of a plan whose source is there, whole or not at all, without holding its text.
pub(crate) fn write_plan(path: &Path, plan: &Plan) -> Result<(), CliError> {
    write_whole(path, Lasting::Process, |out| plan.write_yaml(out))
}

fn write_whole(
    path: &Path,
    lasting: Lasting,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), CliError> {
    let mut file = beside(path)?;
    write(&mut file).writing(path)?;
    if lasting == Lasting::Always {
        file.as_file().sync_all().writing(path)?;
    }
    file.persist(path).map_err(|fault| fault.error).writing(path)?;
    Ok(())
}

/// A file in the folder of `path`, which is to take that name when it is whole.
pub(crate) fn beside(path: &Path) -> Result<NamedTempFile, CliError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    // Readable as the user's mask allows; temporary files are private by default.
    let mode = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new();
    file.prefix(".mmc-").permissions(mode).tempfile_in(folder).writing(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(output: &Output, step: u64) {
        let folder = output.folder().join(format!("checkpoints/step_{step:06}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("manifest.json"), "{}").unwrap();
    }

    #[test]
    fn nothing_of_an_earlier_run_is_lost_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(&folder.path().join("run"));
        let mut plan = mmc_plan::sample::plan(&["de", "en"], 2, &[&[0, 1]]);
        plan.digest = plan.mathematics_digest();
        assert!(!output.prepare(&plan, Earlier::Refuse).unwrap());
        assert!(!output.prepare(&plan, Earlier::Resume).unwrap());
        checkpoint(&output, 9);
        checkpoint(&output, 10);
        let newest = output.checkpoints().last().map(|(step, _)| *step);
        assert_eq!(newest, Some(10));
        let refused = output.prepare(&plan, Earlier::Refuse);
        assert!(matches!(refused, Err(CliError::OutputTaken { .. })));
        assert!(output.prepare(&plan, Earlier::Resume).unwrap());
        let mut other = plan.clone();
        other.experiment.seed += 1;
        other.digest = other.mathematics_digest();
        for earlier in [Earlier::Refuse, Earlier::Resume] {
            let refused = output.prepare(&other, earlier);
            assert!(matches!(refused, Err(CliError::OtherMathematics { .. })), "{earlier:?}");
        }
        fs::write(output.folder().join("notes.txt"), "mine").unwrap();
        assert!(!output.prepare(&other, Earlier::Overwrite).unwrap());
        assert!(output.folder().join("notes.txt").is_file());
        assert!(output.checkpoints().is_empty());
    }
}
