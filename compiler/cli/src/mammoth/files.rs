//! The working directory as the stages see it: folders are listed once, files counted in parallel and once as long as they stay.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mmc_core::world::WorldError;
use mmc_mammoth::{Files, Lines, Uncounted};

use crate::cache::Known;
use crate::disk::Disk;

/// The working directory.
pub(super) struct Directory {
    /// The names in a folder; none: there is no such folder.
    folders: RefCell<BTreeMap<String, Option<BTreeSet<String>>>>,
    /// Counts, and their cache.
    disk: Disk,
}

impl Directory {
    /// With what was counted before.
    pub(super) fn new() -> Self {
        Self { folders: RefCell::default(), disk: Disk::new(false) }
    }

    /// Keeps what was counted.
    pub(super) fn keep(&self) {
        self.disk.keep();
    }
}

impl Files for Directory {
    fn exists(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        if name.is_empty() || matches!(name, "." | "..") {
            return Path::new(path).exists();
        }
        let folder = if folder.is_empty() { "/" } else { folder };
        let mut folders = self.folders.borrow_mut();
        let names = folders.entry(folder.to_owned()).or_insert_with(|| names(folder));
        names.as_ref().is_some_and(|names| names.contains(name))
    }

    fn text(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(path).map_err(|cause| cause.to_string())
    }

    fn lines(&self, paths: &[&str]) -> Vec<Result<Lines, Uncounted>> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let lines = |Known { facts, ends_open: is_open, .. }: Known| Lines {
            ends: facts.lines - u64::from(is_open),
            is_open,
        };
        let known = self.disk.known(&paths).into_iter();
        known.map(|known| known.map(lines).map_err(uncounted)).collect()
    }
}

fn uncounted(fault: WorldError) -> Uncounted {
    let reason = fault.to_string();
    match fault {
        WorldError::Missing => Uncounted::Missing,
        WorldError::Unreadable(reason) => Uncounted::Unreadable(reason),
        WorldError::Truncated { lines: ends } | WorldError::Damaged { lines: ends, .. } => {
            Uncounted::Damaged { ends, reason }
        }
    }
}

/// The names in a folder of what is there; a link to nothing is not.
fn names(folder: &str) -> Option<BTreeSet<String>> {
    let entries = fs::read_dir(folder).ok()?;
    let is_there = |entry: &fs::DirEntry| {
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        !is_link || entry.path().exists()
    };
    let name = |entry: fs::DirEntry| entry.file_name().into_string().ok();
    Some(entries.flatten().filter(is_there).filter_map(name).collect())
}
