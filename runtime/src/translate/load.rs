//! From a plan and a checkpoint to the layers of one direction; only the modules that it needs are read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mmc_plan::path::ModulePath;
use mmc_plan::{Plan, Precision};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tch::{Kind, Tensor};

use super::TranslateError;
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

/// The layers of a direction with the checkpoint's parameters.
pub(super) fn direction(
    plan: &Plan,
    path: &ModulePath,
    checkpoint: &Path,
    name: &str,
) -> Result<Direction, TranslateError> {
    let kind = match plan.training.precision {
        Precision::Fp32 | Precision::Bf16 | Precision::Fp16 => Kind::Float,
        Precision::Fp64 => Kind::Double,
    };
    let manifest = manifest(checkpoint)?;
    let mut weights = BTreeMap::new();
    for module in path.modules() {
        if weights.contains_key(module) {
            continue;
        }
        let file = checkpoint.join(format!("modules/{module}.safetensors"));
        if !file.is_file() {
            return Err(TranslateError::NotSaved {
                direction: name.to_owned(),
                module: module.clone(),
                checkpoint: checkpoint.to_owned(),
            });
        }
        verify(&manifest, module, &file)?;
        let named = Tensor::read_safetensors(&file).map_err(|fault| {
            let (path, fault) = (file.clone(), fault.to_string());
            TranslateError::Parameters { path, fault }
        })?;
        let named = named.into_iter().map(|(name, tensor)| (name, tensor.to_kind(kind)));
        weights.insert(module.clone(), Weights::new(named.collect()));
    }
    let network = Network::build(plan, &weights)?;
    Ok(network.direction(path)?)
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

/// Refuses a module's file that is not as it was saved.
fn verify(manifest: &Manifest, module: &str, file: &Path) -> Result<(), TranslateError> {
    let fault = |fault: String| TranslateError::Parameters { path: file.to_owned(), fault };
    let mut hasher = Sha256::new();
    let mut opened = fs::File::open(file).map_err(|cause| fault(cause.to_string()))?;
    std::io::copy(&mut opened, &mut hasher).map_err(|cause| fault(cause.to_string()))?;
    let digits = format!("{:x}", hasher.finalize());
    match manifest.files.get(&format!("modules/{module}.safetensors")) {
        Some(saved) if *saved == digits => Ok(()),
        Some(_) => Err(fault("it is damaged: its sha256 differs from the manifest's".to_owned())),
        None => Err(fault("the checkpoint's manifest does not list it".to_owned())),
    }
}
