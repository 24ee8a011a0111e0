//! Bytes to a file, whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::TextError;

/// Writes beside the file and renames, so that a reader never sees half of it. Makes the folder when it is absent.
pub(crate) fn atomically(path: &Path, bytes: &[u8]) -> Result<(), TextError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).map_err(|cause| TextError::unwritable(folder, cause))?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(name);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    written.map_err(|cause| {
        // The fault to report is the first one; the leftover is of no use.
        let _ = fs::remove_file(&beside);
        TextError::unwritable(path, cause)
    })
}
