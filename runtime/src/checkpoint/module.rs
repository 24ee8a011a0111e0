//! A module's files in a checkpoint.

use std::path::Path;

use tch::{Kind, Tensor};

use super::EMA;
use super::files::{Sha256s, read_tensors, write_tensors};
use crate::error::WorkerError;
use crate::store::ModuleStore;

/// Writes what training knows of a module: parameters, their averages, moments and the count of updates.
pub(super) fn write_module(
    part: &Path,
    name: &str,
    module: &ModuleStore,
    files: &mut Sha256s,
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

/// Reads it again.
pub(super) fn read_module(
    folder: &Path,
    name: &str,
    module: &mut ModuleStore,
) -> Result<(), WorkerError> {
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
    put(&mut module.mean, take("mean")?, &format!("`mean` of module `{name}`"))?;
    put(&mut module.square, take("square")?, &format!("`square` of module `{name}`"))?;
    module.updates =
        u64::try_from(take("updates")?.to_kind(Kind::Int64).int64_value(&[0])).unwrap_or(0);
    Ok(module.refresh()?)
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
        put(&mut piece, saved, &format!("`{parameter}` of module `{name}`"))?;
    }
    Ok(())
}

/// Puts a saved tensor into its place.
fn put(place: &mut Tensor, saved: &Tensor, what: &str) -> Result<(), WorkerError> {
    if saved.size() != place.size() {
        return Err(WorkerError::Checkpoint(format!(
            "{what} was saved with shape {:?}, the plan has {:?}",
            saved.size(),
            place.size()
        )));
    }
    let _unrecorded = tch::no_grad_guard();
    place.f_copy_(saved)?;
    Ok(())
}
