//! The working directory as the stages see it: folders are listed once, files counted in parallel and once as long as they stay.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use mmc_mammoth::{Files, Lines, Uncounted};
use mmc_text::TextError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::output;

/// What was counted of a file, and what it was known by then: bytes, and modification time in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    bytes: u64,
    modified: u64,
    ends: u64,
    is_open: bool,
}

/// The working directory.
pub(super) struct Directory {
    /// The names in a folder; none: there is no such folder.
    folders: RefCell<BTreeMap<String, Option<BTreeSet<String>>>>,
    counted: RefCell<BTreeMap<String, Counted>>,
    kept: Option<PathBuf>,
    has_new: RefCell<bool>,
}

impl Directory {
    /// With what was counted before.
    pub(super) fn new() -> Self {
        let kept = cache_path();
        let counted = kept.as_deref().and_then(|path| fs::read(path).ok());
        let counted = counted.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self {
            folders: RefCell::default(),
            counted: RefCell::new(counted.unwrap_or_default()),
            kept,
            has_new: RefCell::new(false),
        }
    }

    /// Keeps what was counted. A cache that can't be written is no fault: it only saves time.
    pub(super) fn keep(&self) {
        let (true, Some(path)) = (self.has_new.replace(false), &self.kept) else { return };
        let made = path.parent().map(fs::create_dir_all);
        if let (Some(Ok(())), Ok(text)) = (made, serde_json::to_string(&*self.counted.borrow())) {
            let _ = output::write_atomically(path, &text);
        }
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
        let known = self.counted.borrow().clone();
        let counted: Vec<Result<Counted, Uncounted>> = paths
            .par_iter()
            .map(|path| {
                let (bytes, modified) = stamp(path)?;
                let fits = |known: &&Counted| known.bytes == bytes && known.modified == modified;
                match known.get(*path).filter(fits) {
                    Some(known) => Ok(*known),
                    None => count(path, bytes, modified),
                }
            })
            .collect();
        let mut cache = self.counted.borrow_mut();
        for (path, counted) in paths.iter().zip(&counted) {
            if let Ok(counted) = counted
                && cache.insert((*path).to_owned(), *counted) != Some(*counted)
            {
                self.has_new.replace(true);
            }
        }
        let lines = |counted: Counted| Lines { ends: counted.ends, is_open: counted.is_open };
        counted.into_iter().map(|counted| counted.map(lines)).collect()
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

fn stamp(path: &str) -> Result<(u64, u64), Uncounted> {
    let facts = fs::metadata(path).map_err(|cause| {
        if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
            Uncounted::Missing
        } else {
            Uncounted::Unreadable(cause.to_string())
        }
    })?;
    let modified = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.map_or(0, |age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
    Ok((facts.len(), modified))
}

fn count(path: &str, bytes: u64, modified: u64) -> Result<Counted, Uncounted> {
    match mmc_text::count::count(path) {
        Ok(count) => {
            let ends = count.lines - u64::from(count.ends_open);
            Ok(Counted { bytes, modified, ends, is_open: count.ends_open })
        }
        Err(TextError::Damaged { line, cause, .. }) => {
            Err(Uncounted::Damaged { ends: line, reason: cause.to_string() })
        }
        Err(fault) => Err(Uncounted::Unreadable(fault.to_string())),
    }
}

/// One small file a working directory, in the user's cache folder, else in `.mmc/`.
fn cache_path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let root = folder("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| folder("HOME").map(|home| Path::new(&home).join(".cache")));
    let Some(root) = root else { return Some(PathBuf::from(".mmc/mammoth.json")) };
    let here = std::env::current_dir().ok()?;
    let key = mmc_plan::random::name_key(&here.to_string_lossy());
    Some(root.join("mmc/mammoth").join(format!("{key:016x}.json")))
}
