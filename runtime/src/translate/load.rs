//! From a plan and a checkpoint to the layers of one direction; only the modules that it needs are read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mmc_plan::path::ModulePath;
use mmc_plan::{Plan, Precision};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tch::{Device, Kind, Tensor};

use super::TranslateError;
use crate::average::mean;
use crate::model::{Direction, Network, Weights};

/// The modules of a direction by the model's patterns; all of them are in the plan.
pub(super) fn path(plan: &Plan, source: &str, target: &str) -> Result<ModulePath, TranslateError> {
    for language in [source, target] {
        if !plan.languages.contains_key(language) {
            let known: Vec<&str> = plan.languages.keys().map(String::as_str).collect();
            let (language, known) = (language.to_owned(), known.join(", "));
            return Err(TranslateError::Language { language, known });
        }
    }
    if !plan.model.has_encoder() && source != target {
        return Err(TranslateError::Continues { language: target.to_owned() });
    }
    let path = plan.module_path(source, target).ok_or_else(|| TranslateError::NoPath {
        source_language: source.to_owned(),
        target_language: target.to_owned(),
    })?;
    for module in path.modules() {
        if !plan.modules.contains_key(module) {
            return Err(TranslateError::NoModule {
                direction: format!("{source}-{target}"),
                module: module.clone(),
                alike: alike(plan, module),
            });
        }
    }
    Ok(path)
}

/// The plan's modules at the place of one that it lacks.
fn alike(plan: &Plan, module: &str) -> String {
    let parts = match module.split('.').next() {
        Some("encoder" | "decoder") => 2,
        _ => 1,
    };
    let place: Vec<&str> = module.split('.').take(parts).collect();
    let same = |name: &&String| name.split('.').take(parts).eq(place.iter().copied());
    let names: Vec<&str> = plan.modules.keys().filter(same).map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The folder of a checkpoint: the one given, the one that `best` or `latest` names, or the newest of an experiment's.
pub(super) fn checkpoint(given: &Path) -> Result<PathBuf, TranslateError> {
    if given.join("modules").is_dir() {
        return Ok(given.to_owned());
    }
    for pointer in [given.to_owned(), given.join("latest"), given.join("checkpoints/latest")] {
        if let Ok(name) = fs::read_to_string(&pointer) {
            let named = pointer.with_file_name(name.trim());
            if named.join("modules").is_dir() {
                return Ok(named);
            }
        }
    }
    Err(TranslateError::NoCheckpoint(given.to_owned()))
}

/// A checkpoint and those before it in its folder, `count` in all, newest first.
pub(super) fn and_before(newest: PathBuf, count: usize) -> Result<Vec<PathBuf>, TranslateError> {
    if count == 1 {
        return Ok(vec![newest]);
    }
    let step = |path: &Path| -> Option<u64> {
        path.file_name()?.to_str()?.strip_prefix("step_")?.parse().ok()
    };
    // Whole ones only: the manifest is written last.
    let whole = |path: &Path| path.join("manifest.json").is_file();
    let last = step(&newest);
    let folder = newest.parent().unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<(u64, PathBuf)> =
        entries.filter_map(|path| Some((step(&path).filter(|_| whole(&path))?, path))).collect();
    found.retain(|(step, _)| last.is_some_and(|last| *step <= last));
    found.sort();
    found.reverse();
    if found.len() < count {
        return Err(TranslateError::TooFew { newest, wanted: count, found: found.len() });
    }
    found.truncate(count);
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Modules that have been read, as often as directions share them; their parameters lie on a device.
#[derive(Debug)]
pub(super) struct Stock {
    device: Device,
    weights: BTreeMap<String, Weights>,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Stock {
    /// Nothing yet.
    pub(super) fn on(device: Device) -> Self {
        Self { device, weights: BTreeMap::new(), files: 0, bytes: 0 }
    }
}

/// Number and bytes of a checkpoint's files of modules.
pub(super) fn size(checkpoint: &Path) -> (u64, u64) {
    let entries = fs::read_dir(checkpoint.join("modules")).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| Some(entry.metadata().ok()?.len()));
    sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size))
}

/// The layers of a direction, with the mean of the checkpoints' parameters: of their moving averages where the plan keeps some,
/// unless `raw` ones are wanted.
pub(super) fn direction(
    plan: &Plan,
    path: &ModulePath,
    (checkpoints, raw): (&[PathBuf], bool),
    name: &str,
    stock: &mut Stock,
) -> Result<Direction, TranslateError> {
    let kind = match plan.training.precision {
        Precision::Fp32 | Precision::Bf16 | Precision::Fp16 => Kind::Float,
        Precision::Fp64 => Kind::Double,
    };
    let manifests = checkpoints.iter().map(|folder| manifest(folder));
    let manifests = manifests.collect::<Result<Vec<Manifest>, TranslateError>>()?;
    let mut weights = BTreeMap::new();
    for module in path.modules() {
        if !stock.weights.contains_key(module) {
            let is_averaged = plan.training.ema.is_some() && !raw && !is_frozen(plan, module);
            let saved =
                format!("{}/{module}.safetensors", if is_averaged { "ema" } else { "modules" });
            let mut all = Vec::new();
            for (checkpoint, manifest) in checkpoints.iter().zip(&manifests) {
                let file = file(checkpoint, &saved, module, name)?;
                stock.files += 1;
                stock.bytes += verify(manifest, &saved, &file)?;
                all.push(Tensor::read_safetensors(&file).map_err(|fault| {
                    let (path, fault) = (file.clone(), fault.to_string());
                    TranslateError::Parameters { path, fault }
                })?);
            }
            let there = |(name, x): (String, Tensor)| (name, x.to_device(stock.device));
            let parameters = mean(all, kind).into_iter().map(there).collect();
            stock.weights.insert(module.clone(), Weights::new(parameters));
        }
        if let Some(known) = stock.weights.get(module) {
            let shared = known.named().iter().map(|(name, x)| (name.clone(), x.shallow_clone()));
            weights.insert(module.clone(), Weights::new(shared.collect()));
        }
    }
    let network = Network::build(plan, &weights)?;
    Ok(network.direction(path)?)
}

fn is_frozen(plan: &Plan, module: &str) -> bool {
    plan.modules.get(module).is_some_and(|spec| spec.frozen)
}

/// The file in which a module that a direction needs was saved.
fn file(
    checkpoint: &Path,
    saved: &str,
    module: &str,
    direction: &str,
) -> Result<PathBuf, TranslateError> {
    let file = checkpoint.join(saved);
    if file.is_file() {
        return Ok(file);
    }
    Err(TranslateError::NotSaved {
        direction: direction.to_owned(),
        module: module.to_owned(),
        checkpoint: checkpoint.to_owned(),
    })
}

/// What is read of a checkpoint's manifest: its files' sums in hexadecimal.
#[derive(Debug, Deserialize)]
struct Manifest {
    files: BTreeMap<String, String>,
}

fn manifest(checkpoint: &Path) -> Result<Manifest, TranslateError> {
    let path = checkpoint.join("manifest.json");
    let fault = |fault: String| TranslateError::Parameters { path: path.clone(), fault };
    let text = fs::read(&path).map_err(|cause| fault(cause.to_string()))?;
    serde_json::from_slice(&text).map_err(|cause| fault(cause.to_string()))
}

/// Refuses a module's file that is not as it was saved; gives its length in bytes.
fn verify(manifest: &Manifest, saved: &str, file: &Path) -> Result<u64, TranslateError> {
    let fault = |fault: String| TranslateError::Parameters { path: file.to_owned(), fault };
    let mut hasher = Sha256::new();
    let mut opened = fs::File::open(file).map_err(|cause| fault(cause.to_string()))?;
    let bytes =
        std::io::copy(&mut opened, &mut hasher).map_err(|cause| fault(cause.to_string()))?;
    let digits = format!("{:x}", hasher.finalize());
    match manifest.files.get(saved) {
        Some(known) if *known == digits => Ok(bytes),
        Some(_) => Err(fault("it is damaged: its sha256 differs from the manifest's".to_owned())),
        None => Err(fault("the checkpoint's manifest does not list it".to_owned())),
    }
}
