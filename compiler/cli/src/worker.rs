//! Where the worker program is: named, beside `mmc`, in the environment, in PATH.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::CliError;

const NAME: &str = "mmc-worker";

/// The worker: `named` (`--worker`), else beside this program, else `MMC_WORKER`, else in PATH.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf, CliError> {
    if let Some(path) = named {
        return usable(path);
    }
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(NAME)));
    if let Some(path) = beside.filter(|path| path.is_file()) {
        return usable(&path);
    }
    if let Some(path) = std::env::var_os("MMC_WORKER").filter(|path| !path.is_empty()) {
        return usable(Path::new(&path));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    in_path(&folders).ok_or(CliError::WorkerMissing)
}

fn in_path(folders: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(folders)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join(NAME))
        .find_map(|path| usable(&path).ok())
}

fn usable(path: &Path) -> Result<PathBuf, CliError> {
    let refuse = |reason: String| CliError::WorkerUnusable { path: path.to_owned(), reason };
    let facts = path.metadata().map_err(|cause| refuse(cause.to_string()))?;
    if !facts.is_file() || facts.permissions().mode() & 0o111 == 0 {
        return Err(refuse("not an executable file".to_owned()));
    }
    // A bare name would be looked up in PATH when started.
    std::path::absolute(path).map_err(|cause| refuse(cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executable_files_are_workers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        assert!(matches!(find(Some(&path)), Err(CliError::WorkerUnusable { .. })));
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        assert!(matches!(find(Some(&path)), Err(CliError::WorkerUnusable { .. })));
        assert_eq!(in_path(folder.path().as_os_str()), None);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(Some(&path)).unwrap(), path);
        assert_eq!(in_path(folder.path().as_os_str()), Some(path));
    }
}
