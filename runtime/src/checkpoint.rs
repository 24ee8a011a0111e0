//! Checkpoints by logical name: `<output>/checkpoints/step_<N>/`, complete or not there at all.
//!
//! ```text
//! step_000200/modules/<module>.safetensors    parameters by name
//!             ema/<module>.safetensors        with `ema`: their moving averages, likewise; none of frozen modules
//!             optimizer/<module>.safetensors  flat moments `mean`, `square`, and `updates`
//!             streams/<lane>.json             where every task's stream stands
//!             manifest.json                   format, digest, step, what early stopping goes by, the scale of the loss, steps left out, sha256 of every file above
//!             plan.yaml                       the plan, for translation
//! average/                                    with `average`: `modules`, `ema`, manifest and plan of the mean of the last checkpoints
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

use mmc_plan::{Plan, SkippedPairs};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tch::{Device, Kind, Tensor};

use crate::average::mean;
use crate::dist::World;
use crate::error::{While as _, WorkerError};
use crate::feed::LaneStreams;
use crate::scaler::Scaler;
use crate::skips::Skips;
use crate::store::{ModuleStore, Store};
use crate::watch::Watch;

/// Version of the layout above.
const FORMAT: u32 = 1;

/// Folder of the ranks' lists of what they wrote, while a checkpoint is being made.
const LISTS: &str = "lists";

/// Folder of the moving averages of parameters, where the plan keeps some.
const EMA: &str = "ema";

/// Folders of parameters in a plan's checkpoints.
fn parameters(plan: &Plan) -> impl Iterator<Item = &'static str> {
    std::iter::once("modules").chain(plan.training.ema.map(|_| EMA))
}

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
    /// Steps that were left out.
    #[serde(default, skip_serializing_if = "Skips::is_none")]
    pub skips: Skips,
    /// File below the checkpoint's folder -> sha256 in hexadecimal.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// Of a plan's checkpoint in which nothing is yet.
    fn of(step: u64, plan: &Plan) -> Self {
        Self {
            format: FORMAT,
            digest: plan.digest.clone(),
            step,
            watch: None,
            scaler: None,
            skips: Skips::default(),
            files: BTreeMap::new(),
        }
    }
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
    /// Steps that were left out: the same on all ranks.
    pub skips: Skips,
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
    /// Steps that were left out.
    pub skips: Skips,
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

    /// Writes a checkpoint with all ranks, then drops the oldest beyond the plan's `keep`, but never the best, nor those that are
    /// to be averaged.
    pub fn save(
        &self,
        step: u64,
        plan: &Plan,
        world: &World,
        contents: &Contents<'_>,
    ) -> Result<PathBuf, WorkerError> {
        let Contents { watch, scaler, skips, .. } = *contents;
        let manifest =
            Manifest { watch: watch.copied(), scaler, skips, ..Manifest::of(step, plan) };
        let subs: Vec<&str> =
            ["optimizer", "streams"].into_iter().chain(parameters(plan)).collect();
        let folder = self.of_step(step);
        publish((&folder, &subs), plan, world, manifest, &|part| {
            write_part(part, owned(plan, world), contents)
        })?;
        if world.leads() {
            let best = contents.watch.and_then(Watch::best);
            for (name, step) in [("latest", Some(step)), ("best", best)] {
                if let Some(step) = step {
                    let text = format!("step_{step:06}\n");
                    write_atomically(&self.folder.join(name), text.as_bytes())?;
                }
            }
            let mut stay = plan.averaged_at(step);
            stay.extend(best);
            let keep = plan.training.checkpoint.keep.max(1) as usize;
            for old in self.steps().into_iter().skip(keep).filter(|step| !stay.contains(step)) {
                remove(&self.of_step(old))?;
            }
        }
        world.barrier()?;
        Ok(folder)
    }

    /// Writes the mean of the parameters of checkpoints with all ranks: the folder `average`.
    pub fn average(
        &self,
        steps: &[u64],
        plan: &Plan,
        world: &World,
    ) -> Result<PathBuf, WorkerError> {
        let folder = self.folder.join("average");
        let manifest = Manifest::of(steps.first().copied().unwrap_or(0), plan);
        let subs: Vec<&str> = parameters(plan).collect();
        publish((&folder, &subs), plan, world, manifest, &|part| {
            let mut files = BTreeMap::new();
            for sub in &subs {
                for name in owned(plan, world).iter().filter(|name| is_in(plan, sub, name)) {
                    let file = format!("{sub}/{name}.safetensors");
                    let all = steps.iter().map(|step| read_named(&self.of_step(*step).join(&file)));
                    let all = all.collect::<Result<Vec<_>, _>>()?;
                    let kind = all.iter().flatten().next().map_or(Kind::Float, |(_, x)| x.kind());
                    write_tensors(part, &file, &mean(all, kind), &mut files)?;
                }
            }
            Ok(files)
        })?;
        world.barrier()?;
        Ok(folder)
    }

    /// Pairs of lines that were left out up to a checkpoint, per task with such pairs: of all lanes, on whatever rank they ran.
    pub fn skipped(
        &self,
        step: u64,
        plan: &Plan,
    ) -> Result<BTreeMap<String, SkippedPairs>, WorkerError> {
        let folder = self.of_step(step);
        let mut skipped: BTreeMap<String, SkippedPairs> = BTreeMap::new();
        for lane in 0..plan.lanes.len() {
            for (task, state) in read_streams(&folder, lane)? {
                if state.skipped != SkippedPairs::default() {
                    *skipped.entry(task).or_default() += state.skipped;
                }
            }
        }
        Ok(skipped)
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
            streams.insert(lane, read_streams(&folder, lane as usize)?);
        }
        let manifest = read_manifest(&folder)
            .map_err(|fault| WorkerError::Checkpoint(format!("{}: {fault}", folder.display())))?;
        let Manifest { watch, scaler, skips, .. } = manifest;
        Ok(Resumed { streams, watch, scaler, skips })
    }
}

/// Where a lane's streams stood.
fn read_streams(folder: &Path, lane: usize) -> Result<LaneStreams, WorkerError> {
    let path = folder.join(format!("streams/{lane}.json"));
    let text = fs::read(&path).doing(format_args!("reading {}", path.display()))?;
    serde_json::from_slice(&text)
        .map_err(|fault| WorkerError::Checkpoint(format!("{}: {fault}", path.display())))
}

/// File below a folder -> sha256 in hexadecimal.
type Sha256s = BTreeMap<String, String>;

/// Makes a folder with all ranks, each of which writes its part and says what it wrote; it gets its name when it is whole. Others
/// may read it behind the barrier that must follow.
fn publish(
    (folder, subs): (&Path, &[&str]),
    plan: &Plan,
    world: &World,
    manifest: Manifest,
    write: &dyn Fn(&Path) -> Result<Sha256s, WorkerError>,
) -> Result<(), WorkerError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let part = folder.with_file_name(format!(".{name}.part"));
    if world.leads() {
        remove(&part)?;
        for sub in subs.iter().chain([&LISTS]) {
            let path = part.join(sub);
            fs::create_dir_all(&path).doing(format_args!("making {}", path.display()))?;
        }
    }
    world.barrier()?;
    let list = format!("{LISTS}/{}.json", world.seat().rank);
    write_file(&part, &list, &json(&write(&part)?)?, &mut BTreeMap::new())?;
    world.barrier()?;
    if world.leads() { complete((&part, folder), subs, plan, manifest) } else { Ok(()) }
}

/// The modules that a rank writes.
fn owned<'p>(plan: &'p Plan, world: &World) -> &'p [String] {
    plan.ranks.get(world.seat().rank as usize).map(|spec| spec.owns.as_slice()).unwrap_or_default()
}

/// Whether a module has a file in a folder of a checkpoint: frozen ones have no moving average.
fn is_in(plan: &Plan, sub: &str, module: &str) -> bool {
    sub != EMA || plan.modules.get(module).is_some_and(|spec| !spec.frozen)
}

/// Writes what a rank owns.
fn write_part(
    part: &Path,
    owned: &[String],
    contents: &Contents<'_>,
) -> Result<BTreeMap<String, String>, WorkerError> {
    let Contents { store, streams, .. } = contents;
    let mut files = BTreeMap::new();
    for name in owned {
        if let Some(module) = store.modules.get(name) {
            write_module(part, name, module, &mut files)?;
        }
    }
    for (lane, states) in *streams {
        write_file(part, &format!("streams/{lane}.json"), &json(states)?, &mut files)?;
    }
    Ok(files)
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, WorkerError> {
    serde_json::to_vec_pretty(value).map_err(|fault| WorkerError::Checkpoint(fault.to_string()))
}

/// Merges the ranks' lists into the manifest and gives the folder its name.
fn complete(
    (part, folder): (&Path, &Path),
    subs: &[&str],
    plan: &Plan,
    mut manifest: Manifest,
) -> Result<(), WorkerError> {
    let files = &mut manifest.files;
    for rank in 0..plan.ranks.len() {
        let path = part.join(format!("{LISTS}/{rank}.json"));
        let text = fs::read(&path).doing(format_args!("reading {}", path.display()))?;
        let listed: BTreeMap<String, String> = serde_json::from_slice(&text)
            .map_err(|fault| WorkerError::Checkpoint(format!("{}: {fault}", path.display())))?;
        files.extend(listed);
    }
    remove(&part.join(LISTS))?;
    write_file(part, "plan.yaml", plan.to_yaml().as_bytes(), files)?;
    write_file(part, "manifest.json", &json(&manifest)?, &mut BTreeMap::new())?;
    for sub in subs.iter().chain([&"."]) {
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
    if let Some(average) = module.average() {
        let averages = module.pieces(average)?;
        write_tensors(part, &format!("{EMA}/{name}.safetensors"), &averages, files)?;
    }
    let updates = Tensor::from_slice(&[i64::try_from(module.updates).unwrap_or(i64::MAX)]);
    let state = [
        ("mean".to_owned(), module.mean.shallow_clone()),
        ("square".to_owned(), module.square.shallow_clone()),
        ("updates".to_owned(), updates),
    ];
    write_tensors(part, &format!("optimizer/{name}.safetensors"), &state, files)
}

fn read_module(folder: &Path, name: &str, module: &mut ModuleStore) -> Result<(), WorkerError> {
    read_pieces(folder, "modules", name, module.pieces(&module.flat)?)?;
    if let Some(average) = module.average() {
        read_pieces(folder, EMA, name, module.pieces(average)?)?;
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

/// Reads the saved parameters of a module, or their averages, into the places of its flat tensor.
fn read_pieces(
    folder: &Path,
    sub: &str,
    name: &str,
    pieces: Vec<(String, Tensor)>,
) -> Result<(), WorkerError> {
    let parameters = read_tensors(&folder.join(format!("{sub}/{name}.safetensors")))?;
    for (parameter, mut piece) in pieces {
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
    Ok(())
}

/// The tensors of a safetensors file by name.
pub fn read_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>, WorkerError> {
    Ok(read_named(path)?.into_iter().collect())
}

fn read_named(path: &Path) -> Result<Vec<(String, Tensor)>, WorkerError> {
    Tensor::read_safetensors(path)
        .map_err(|fault| WorkerError::Checkpoint(format!("reading {}: {fault}", path.display())))
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
