//! Checkpoints by logical name: `<output>/checkpoints/step_<N>/`, complete or not there at all.
//!
//! ```text
//! step_000200/modules/<module>.safetensors    parameters by name
//!             optimizer/<module>.safetensors  flat moments `mean`, `square`, and `updates`
//!             streams/<lane>.json             where every task's stream stands
//!             manifest.json                   format, digest, step, what early stopping goes by, the scale of the loss, sha256 of every file above
//!             plan.yaml                       the plan, for translation
//! latest                                      name of the newest
//! best                                        with `stop_early`: name of the one behind the best validation, which is kept
//! ```
//! All ranks write into a folder that gets its name last. Names are of modules and lanes, never of ranks: another placement of
//! the same mathematics resumes from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use mmc_plan::Plan;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tch::{Device, Kind, Tensor};

use crate::dist::World;
use crate::error::{While as _, WorkerError};
use crate::feed::LaneStreams;
use crate::scaler::Scaler;
use crate::store::{ModuleStore, Store};
use crate::watch::Watch;

/// Version of the layout above.
const FORMAT: u32 = 1;

/// Folder of the ranks' lists of what they wrote, while a checkpoint is being made.
const LISTS: &str = "lists";

/// Folders of a checkpoint.
const SUBFOLDERS: [&str; 4] = ["modules", "optimizer", "streams", LISTS];

/// What a checkpoint says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The plan's digest of the mathematics.
    pub digest: String,
    /// Steps done.
    pub step: u64,
    /// What early stopping goes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// The scale of the loss, in half precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaler: Option<Scaler>,
    /// File below the checkpoint's folder -> sha256 in hexadecimal.
    pub files: BTreeMap<String, String>,
}

/// What one rank saves.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// Its modules; those that it owns are written.
    pub store: &'a Store,
    /// Where its streams stand.
    pub streams: &'a BTreeMap<u32, LaneStreams>,
    /// What early stopping goes by: the same on all ranks.
    pub watch: Option<&'a Watch>,
    /// The scale of the loss: the same on all ranks.
    pub scaler: Option<Scaler>,
}

/// What a rank finds again beside its modules.
#[derive(Debug)]
pub struct Resumed {
    /// Where the streams of its lanes stood.
    pub streams: BTreeMap<u32, LaneStreams>,
    /// What early stopping went by.
    pub watch: Option<Watch>,
    /// The scale of the loss.
    pub scaler: Option<Scaler>,
}

/// The folder of an experiment's checkpoints.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// Those below an output folder.
    pub fn new(output: &Path) -> Self {
        Self { folder: output.join("checkpoints") }
    }

    /// The folder of a step's checkpoint.
    pub fn of_step(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step_{step:06}"))
    }

    /// Complete checkpoints by step, newest first.
    fn steps(&self) -> Vec<u64> {
        let names = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut steps: Vec<u64> = names
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("step_")?.parse().ok())
            .collect();
        steps.sort_unstable_by(|a, b| b.cmp(a));
        steps
    }

    /// The newest checkpoint of this mathematics whose files are whole; damaged ones are named to `warn` and passed over.
    pub fn newest_whole(
        &self,
        plan: &Plan,
        warn: &mut dyn FnMut(&str),
    ) -> Result<Option<u64>, WorkerError> {
        for step in self.steps() {
            let folder = self.of_step(step);
            match check(&folder) {
                Ok(manifest) if manifest.digest == plan.digest => return Ok(Some(step)),
                Ok(manifest) => {
                    return Err(WorkerError::Checkpoint(format!(
                        "{} belongs to other mathematics ({}) than the plan ({}); `mmc diff` of its plan.yaml and yours says what differs; train into another output folder, or resume with the old experiment",
                        folder.display(),
                        manifest.digest,
                        plan.digest
                    )));
                }
                Err(fault) => {
                    warn(&format!("{}: {fault}; trying an older checkpoint", folder.display()));
                }
            }
        }
        Ok(None)
    }

    /// Writes a checkpoint with all ranks, then drops the oldest beyond the plan's `keep`, but never the best.
    pub fn save(
        &self,
        step: u64,
        plan: &Plan,
        world: &World,
        contents: &Contents<'_>,
    ) -> Result<PathBuf, WorkerError> {
        let folder = self.of_step(step);
        let part = self.folder.join(format!(".step_{step:06}.part"));
        if world.leads() {
            remove(&part)?;
            for sub in SUBFOLDERS {
                let path = part.join(sub);
                fs::create_dir_all(&path).doing(format_args!("making {}", path.display()))?;
            }
        }
        world.barrier()?;
        write_part(&part, plan, world.seat().rank, contents)?;
        world.barrier()?;
        if world.leads() {
            complete(&part, &folder, step, plan, contents)?;
            let best = contents.watch.and_then(Watch::best);
            for (name, step) in [("latest", Some(step)), ("best", best)] {
                if let Some(step) = step {
                    let text = format!("step_{step:06}\n");
                    write_atomically(&self.folder.join(name), text.as_bytes())?;
                }
            }
            let keep = plan.training.checkpoint.keep.max(1) as usize;
            for old in self.steps().into_iter().skip(keep).filter(|step| Some(*step) != best) {
                remove(&self.of_step(old))?;
            }
        }
        world.barrier()?;
        Ok(folder)
    }

    /// Reads this rank's modules, the streams of its lanes, and what early stopping went by.
    pub fn load(
        &self,
        step: u64,
        store: &mut Store,
        lanes: &[u32],
    ) -> Result<Resumed, WorkerError> {
        let folder = self.of_step(step);
        for (name, module) in &mut store.modules {
            read_module(&folder, name, module)?;
        }
        let mut streams = BTreeMap::new();
        for &lane in lanes {
            let path = folder.join(format!("streams/{lane}.json"));
            let text = fs::read(&path).doing(format_args!("reading {}", path.display()))?;
            let states = serde_json::from_slice(&text)
                .map_err(|fault| WorkerError::Checkpoint(format!("{}: {fault}", path.display())))?;
            streams.insert(lane, states);
        }
        let manifest = read_manifest(&folder)
            .map_err(|fault| WorkerError::Checkpoint(format!("{}: {fault}", folder.display())))?;
        Ok(Resumed { streams, watch: manifest.watch, scaler: manifest.scaler })
    }
}

/// Writes what one rank owns, and the list of it.
fn write_part(
    part: &Path,
    plan: &Plan,
    rank: u32,
    contents: &Contents<'_>,
) -> Result<(), WorkerError> {
    let Contents { store, streams, watch: _, scaler: _ } = contents;
    let mut files = BTreeMap::new();
    let owned = plan.ranks.get(rank as usize).map(|spec| spec.owns.as_slice());
    for name in owned.unwrap_or_default() {
        if let Some(module) = store.modules.get(name) {
            write_module(part, name, module, &mut files)?;
        }
    }
    for (lane, states) in *streams {
        write_file(part, &format!("streams/{lane}.json"), &json(states)?, &mut files)?;
    }
    write_file(part, &format!("{LISTS}/{rank}.json"), &json(&files)?, &mut BTreeMap::new())
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, WorkerError> {
    serde_json::to_vec_pretty(value).map_err(|fault| WorkerError::Checkpoint(fault.to_string()))
}

/// Merges the ranks' lists into the manifest and gives the folder its name.
fn complete(
    part: &Path,
    folder: &Path,
    step: u64,
    plan: &Plan,
    contents: &Contents<'_>,
) -> Result<(), WorkerError> {
    let mut files = BTreeMap::new();
    for rank in 0..plan.ranks.len() {
        let path = part.join(format!("{LISTS}/{rank}.json"));
        let text = fs::read(&path).doing(format_args!("reading {}", path.display()))?;
        let listed: BTreeMap<String, String> = serde_json::from_slice(&text)
            .map_err(|fault| WorkerError::Checkpoint(format!("{}: {fault}", path.display())))?;
        files.extend(listed);
    }
    remove(&part.join(LISTS))?;
    write_file(part, "plan.yaml", plan.to_yaml().as_bytes(), &mut files)?;
    let (digest, watch, scaler) = (plan.digest.clone(), contents.watch.copied(), contents.scaler);
    let manifest = Manifest { format: FORMAT, digest, step, watch, scaler, files };
    write_file(part, "manifest.json", &json(&manifest)?, &mut BTreeMap::new())?;
    for sub in ["modules", "optimizer", "streams", "."] {
        sync(&part.join(sub))?;
    }
    remove(folder)?;
    fs::rename(part, folder).doing(format_args!("naming {}", folder.display()))?;
    folder.parent().map_or(Ok(()), sync)
}

fn read_manifest(folder: &Path) -> Result<Manifest, String> {
    let text = fs::read(folder.join("manifest.json")).map_err(|e| format!("manifest.json: {e}"))?;
    serde_json::from_slice(&text).map_err(|e| format!("manifest.json: {e}"))
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

fn write_module(
    part: &Path,
    name: &str,
    module: &ModuleStore,
    files: &mut BTreeMap<String, String>,
) -> Result<(), WorkerError> {
    let parameters = module.pieces(&module.flat)?;
    write_tensors(part, &format!("modules/{name}.safetensors"), &parameters, files)?;
    let updates = Tensor::from_slice(&[i64::try_from(module.updates).unwrap_or(i64::MAX)]);
    let state = [
        ("mean".to_owned(), module.mean.shallow_clone()),
        ("square".to_owned(), module.square.shallow_clone()),
        ("updates".to_owned(), updates),
    ];
    write_tensors(part, &format!("optimizer/{name}.safetensors"), &state, files)
}

fn read_module(folder: &Path, name: &str, module: &mut ModuleStore) -> Result<(), WorkerError> {
    let parameters = read_tensors(&folder.join(format!("modules/{name}.safetensors")))?;
    for (parameter, mut piece) in module.pieces(&module.flat)? {
        let saved = parameters.get(&parameter).ok_or_else(|| {
            WorkerError::Checkpoint(format!("module `{name}` was saved without `{parameter}`"))
        })?;
        if saved.size() != piece.size() {
            return Err(WorkerError::Checkpoint(format!(
                "`{parameter}` of module `{name}` was saved with shape {:?}, the plan has {:?}",
                saved.size(),
                piece.size()
            )));
        }
        tch::no_grad(|| piece.f_copy_(saved))?;
    }
    let path = folder.join(format!("optimizer/{name}.safetensors"));
    let state = read_tensors(&path)?;
    let take = |key: &str| {
        state
            .get(key)
            .ok_or_else(|| WorkerError::Checkpoint(format!("{} has no `{key}`", path.display())))
    };
    module.mean.f_copy_(take("mean")?)?;
    module.square.f_copy_(take("square")?)?;
    module.updates =
        u64::try_from(take("updates")?.to_kind(Kind::Int64).int64_value(&[0])).unwrap_or(0);
    Ok(())
}

/// The tensors of a safetensors file by name.
pub fn read_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>, WorkerError> {
    let named = Tensor::read_safetensors(path)
        .map_err(|fault| WorkerError::Checkpoint(format!("reading {}: {fault}", path.display())))?;
    Ok(named.into_iter().collect())
}

fn write_tensors(
    part: &Path,
    file: &str,
    named: &[(String, Tensor)],
    files: &mut BTreeMap<String, String>,
) -> Result<(), WorkerError> {
    let path = part.join(file);
    let here = |(name, tensor): &(String, Tensor)| (name.clone(), tensor.to_device(Device::Cpu));
    let named: Vec<(String, Tensor)> = named.iter().map(here).collect();
    let tensors: Vec<(&str, &Tensor)> =
        named.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    Tensor::write_safetensors(&tensors, &path)
        .map_err(|fault| WorkerError::Checkpoint(format!("writing {}: {fault}", path.display())))?;
    sync(&path)?;
    let sum = sum(&path).doing(format_args!("reading {}", path.display()))?;
    files.insert(file.to_owned(), sum);
    Ok(())
}

fn write_file(
    part: &Path,
    file: &str,
    bytes: &[u8],
    files: &mut BTreeMap<String, String>,
) -> Result<(), WorkerError> {
    let path = part.join(file);
    fs::write(&path, bytes).doing(format_args!("writing {}", path.display()))?;
    sync(&path)?;
    files.insert(file.to_owned(), hexadecimal(&Sha256::digest(bytes)));
    Ok(())
}

/// Replaces a file: readers see the old one or the new one.
fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WorkerError> {
    let doing = format!("writing {}", path.display());
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).doing(&doing)?;
    file.write_all(bytes).doing(&doing)?;
    file.as_file().sync_all().doing(&doing)?;
    file.persist(path).map_err(|fault| fault.error).doing(&doing)?;
    Ok(())
}

fn sync(path: &Path) -> Result<(), WorkerError> {
    let doing = format!("syncing {}", path.display());
    File::open(path).doing(&doing)?.sync_all().doing(&doing)
}

fn remove(folder: &Path) -> Result<(), WorkerError> {
    match fs::remove_dir_all(folder) {
        Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => {
            Err(fault).doing(format_args!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn sum(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hexadecimal(&hasher.finalize()))
}

/// Bytes as pairs of digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
