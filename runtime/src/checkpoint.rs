//! Checkpoints by logical name: `<output>/checkpoints/step_<N>/`, complete or not there at all.
//!
//! ```text
//! step_000200/modules/<module>.safetensors    parameters by name
//!             ema/<module>.safetensors        with `ema`: their moving averages, likewise; none of frozen modules
//!             optimizer/<module>.safetensors  flat moments `mean`, `square`, and `updates`
//!             streams/<lane>.json             where every task's stream stands
//!             manifest.json                   format, digest, step, the best validation so far, the scale of the loss, steps left out, sha256 of every file above
//!             plan.yaml                       the plan, for translation
//! average/                                    with `average`: `modules`, `ema`, manifest and plan of the mean of the last checkpoints
//! latest                                      name of the newest
//! best                                        with `stop_early` or `best`: name of the one behind the best validation, which is kept
//! ```
//! All ranks write into a folder that gets its name last. Names are of modules and lanes, never of ranks: another placement of
//! the same mathematics resumes from it.

mod files;
mod module;
mod newest;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mmc_plan::{Plan, SkippedPairs};
use serde::{Deserialize, Serialize};
use tch::Kind;

use crate::average::mean;
use crate::dist::World;
use crate::error::{While as _, WorkerError};
use crate::feed::LaneStreams;
use crate::scaler::Scaler;
use crate::skips::Skips;
use crate::store::Store;
use crate::watch::Watch;

pub(crate) use files::hexadecimal;
pub use files::read_tensors;
use files::{
    Sha256s, is_part, json, part_name, read_named, remove, sync, write_atomically, write_file,
    write_tensors,
};
use module::{read_module, write_module};
pub use newest::Newest;

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
    /// The best validation so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// The scale of the loss, in half precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaler: Option<Scaler>,
    /// Steps that were left out.
    #[serde(default, skip_serializing_if = "Skips::is_none")]
    pub skips: Skips,
    /// File below the checkpoint's folder -> sha256 in hexadecimal.
    pub files: Sha256s,
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
    /// The best validation so far: the same on all ranks.
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
    /// The best validation so far.
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

    /// Names in the folder, which need not exist.
    fn names(&self) -> impl Iterator<Item = String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok())
    }

    /// Checkpoints by step, newest first.
    fn steps(&self) -> Vec<u64> {
        let step = |name: String| name.strip_prefix("step_")?.parse().ok();
        let mut steps: Vec<u64> = self.names().filter_map(step).collect();
        steps.sort_unstable_by(|a, b| b.cmp(a));
        steps
    }

    /// Makes the folder ready for a run: removes what was being written when an earlier one was killed. A run that begins anew is
    /// refused where checkpoints are: it would drop them for its own.
    pub fn make_ready(&self, resume: bool) -> Result<(), WorkerError> {
        if !resume && !self.steps().is_empty() {
            return Err(WorkerError::Checkpoint(format!(
                "{} holds checkpoints of an earlier run: go on with `--resume`, delete them, or train into another output folder",
                self.folder.display()
            )));
        }
        self.names()
            .filter(|name| is_part(name))
            .try_for_each(|name| remove(&self.folder.join(name)))
    }

    /// Writes a checkpoint with all ranks, then drops the oldest beyond the plan's `keep`, but never the best, nor those that are
    /// to be averaged. Newer ones go too: they are those that were damaged when training went on from an older one.
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
            let (newer, kept): (Vec<u64>, Vec<u64>) =
                self.steps().into_iter().partition(|known| *known > step);
            let old = kept.into_iter().skip(keep).filter(|step| !stay.contains(step));
            for gone in newer.into_iter().chain(old) {
                remove(&self.of_step(gone))?;
            }
        }
        world.barrier()?;
        Ok(folder)
    }

    /// Writes the mean of the parameters of checkpoints with all ranks: the folder `average`. A damaged one is a fault, not a part of
    /// the mean.
    pub fn average(
        &self,
        steps: &[u64],
        plan: &Plan,
        world: &World,
    ) -> Result<PathBuf, WorkerError> {
        let whole = |step: &u64| newest::check_of(&self.of_step(*step)).map(drop);
        if world.leads() {
            steps.iter().try_for_each(whole)?;
        }
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

    /// Reads this rank's modules, the streams of its lanes, and the best validation so far.
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

/// Makes a folder with all ranks, each of which writes its part and says what it wrote; it gets its name when it is whole. Others
/// may read it behind the barrier that must follow.
fn publish(
    (folder, subs): (&Path, &[&str]),
    plan: &Plan,
    world: &World,
    manifest: Manifest,
    write: &dyn Fn(&Path) -> Result<Sha256s, WorkerError>,
) -> Result<(), WorkerError> {
    let part = folder.with_file_name(part_name(folder));
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
) -> Result<Sha256s, WorkerError> {
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
        let listed: Sha256s = serde_json::from_slice(&text)
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
