//! Files of checkpoints: written, waited for until they lie on the disk, and summed up; tensors by name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tch::{Device, Tensor};

use crate::error::{While as _, WorkerError};

/// File below a folder -> sha256 in hexadecimal.
pub(super) type Sha256s = BTreeMap<String, String>;

/// A value as the bytes of a file.
pub(super) fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, WorkerError> {
    serde_json::to_vec_pretty(value).map_err(|fault| WorkerError::Checkpoint(fault.to_string()))
}

/// The tensors of a safetensors file by name.
pub fn read_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>, WorkerError> {
    Ok(read_named(path)?.into_iter().collect())
}

/// The tensors of a safetensors file, in its order.
pub(super) fn read_named(path: &Path) -> Result<Vec<(String, Tensor)>, WorkerError> {
    Tensor::read_safetensors(path)
        .map_err(|fault| WorkerError::Checkpoint(format!("reading {}: {fault}", path.display())))
}

/// Writes named tensors to a file of a folder, and notes its sum.
pub(super) fn write_tensors(
    part: &Path,
    file: &str,
    named: &[(String, Tensor)],
    files: &mut Sha256s,
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

/// Writes bytes to a file of a folder, and notes their sum.
pub(super) fn write_file(
    part: &Path,
    file: &str,
    bytes: &[u8],
    files: &mut Sha256s,
) -> Result<(), WorkerError> {
    let path = part.join(file);
    fs::write(&path, bytes).doing(format_args!("writing {}", path.display()))?;
    sync(&path)?;
    files.insert(file.to_owned(), hexadecimal(&Sha256::digest(bytes)));
    Ok(())
}

/// What a file or folder is called until it is whole.
pub(super) fn part_name(path: &Path) -> String {
    format!(".{}.part", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Whether a name is one of [`part_name`].
pub(super) fn is_part(name: &str) -> bool {
    name.starts_with('.') && Path::new(name).extension().is_some_and(|end| end == "part")
}

/// Replaces a file: readers see the old one or the new one, also when the machine's power is lost.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WorkerError> {
    let doing = format!("writing {}", path.display());
    let part = path.with_file_name(part_name(path));
    fs::write(&part, bytes).doing(&doing)?;
    sync(&part)?;
    fs::rename(&part, path).doing(&doing)?;
    path.parent().map_or(Ok(()), sync)
}

/// Waits until a file, or the names in a folder, lie on the disk.
pub(super) fn sync(path: &Path) -> Result<(), WorkerError> {
    let doing = format!("syncing {}", path.display());
    File::open(path).doing(&doing)?.sync_all().doing(&doing)
}

/// Removes a folder or a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), WorkerError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => {
            Err(fault).doing(format_args!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The sha256 of a file, in hexadecimal.
pub(super) fn sum(path: &Path) -> std::io::Result<String> {
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
