//! The world on disk: sources, corpus files and tokenizers, with a cache of what was learnt about them.
//!
//! A corpus that the cache doesn't know is answered with a stand-in and noted; [`Disk::learn`] then counts all such files at
//! once, in parallel, and the compilation is repeated. With a warm cache nothing is read twice and nothing is compiled twice.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use indicatif::{ProgressBar, ProgressStyle};
use mmc_core::cluster::TextProfile;
use mmc_core::cluster::profile::PROFILED_LINES;
use mmc_core::world::{CorpusFacts, TokenizerFacts, World, WorldError};
use mmc_plan::VocabularyKind;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::output;

/// Bumped when the cache's meaning changes; older caches are forgotten.
const CACHE_FORMAT: u32 = 1;

/// What identifies a file's content without reading it: bytes, and modification time in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    modified: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Cache {
    format: u32,
    lines: BTreeMap<String, (Stamp, u64)>,
    tokenizers: BTreeMap<String, (Stamp, TokenizerFacts)>,
}

/// A file as it was when its lines were counted.
type Counted = Result<(Stamp, u64), WorldError>;

/// The world on disk, seen from the working directory.
#[derive(Debug)]
pub(crate) struct Disk {
    cache: RefCell<Cache>,
    /// Where the cache is kept, if anywhere.
    kept: Option<PathBuf>,
    changed: RefCell<bool>,
    missed: RefCell<BTreeSet<String>>,
    faults: RefCell<BTreeMap<String, WorldError>>,
}

impl Disk {
    /// With the cache of the working directory.
    pub(crate) fn new() -> Self {
        let kept = cache_path();
        let cache: Option<Cache> = kept
            .as_deref()
            .and_then(|path| fs::read(path).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let cache = cache.filter(|cache| cache.format == CACHE_FORMAT).unwrap_or_default();
        Self {
            cache: RefCell::new(Cache { format: CACHE_FORMAT, ..cache }),
            kept,
            changed: RefCell::new(false),
            missed: RefCell::default(),
            faults: RefCell::default(),
        }
    }

    /// Counts the corpora that were asked for and not known; false: there were none, all answers so far were true.
    pub(crate) fn learn(&self) -> bool {
        let missed = self.missed.take();
        if missed.is_empty() {
            return false;
        }
        let bytes =
            missed.iter().filter_map(|path| fs::metadata(path).ok()).map(|facts| facts.len());
        let bar = counting_bar(bytes.sum());
        let counted: Vec<(String, Counted)> = missed
            .into_par_iter()
            .map(|path| {
                let found = count(&path);
                if let Ok((stamp, _)) = found {
                    bar.inc(stamp.bytes);
                }
                (path, found)
            })
            .collect();
        bar.finish_and_clear();
        for (path, found) in counted {
            match found {
                Ok(known) => drop(self.cache.borrow_mut().lines.insert(path, known)),
                Err(fault) => drop(self.faults.borrow_mut().insert(path, fault)),
            }
        }
        *self.changed.borrow_mut() = true;
        true
    }

    /// Keeps what was learnt for the next time. A cache that can't be written is no fault: it only saves time.
    pub(crate) fn keep(&self) {
        if !self.changed.replace(false) {
            return;
        }
        let (Some(path), Ok(text)) = (&self.kept, serde_json::to_string(&*self.cache.borrow()))
        else {
            return;
        };
        let made = path.parent().map(fs::create_dir_all);
        if made.is_some_and(|made| made.is_ok()) {
            let _ = output::write_atomically(path, &text);
        }
    }
}

impl World for Disk {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        fs::read_to_string(path).map_err(|cause| fault(&cause))
    }

    fn corpus(&self, path: &str) -> Result<CorpusFacts, WorldError> {
        if let Some(fault) = self.faults.borrow().get(path) {
            return Err(fault.clone());
        }
        let stamp = stamp(path)?;
        if let Some((known, lines)) = self.cache.borrow().lines.get(path)
            && *known == stamp
        {
            return Ok(CorpusFacts { bytes: stamp.bytes, lines: *lines });
        }
        self.missed.borrow_mut().insert(path.to_owned());
        Ok(CorpusFacts { bytes: stamp.bytes, lines: 1 })
    }

    fn matching(&self, pattern: &str) -> Vec<String> {
        let (start, pattern) = match pattern.strip_prefix('/') {
            Some(rest) => ("/", rest),
            None => ("", pattern),
        };
        let segments: Vec<&str> = pattern.split('/').collect();
        let mut found = Vec::new();
        walk(start, &segments, &mut found);
        found.sort_unstable();
        found
    }

    fn tokenizer(&self, path: &str, kind: VocabularyKind) -> Result<TokenizerFacts, WorldError> {
        let stamp = stamp(path)?;
        let key = format!("{kind:?} {path}");
        if let Some((known, facts)) = self.cache.borrow().tokenizers.get(&key)
            && *known == stamp
        {
            return Ok(facts.clone());
        }
        let bytes = fs::read(path).map_err(|cause| fault(&cause))?;
        let found = mmc_text::tokenizer::facts(&bytes, kind).map_err(WorldError::Unreadable)?;
        let mmc_text::tokenizer::TokenizerFacts { pieces, unk, bos, eos, pad, sha256 } = found;
        let facts = TokenizerFacts { pieces, sha256, unk, bos, eos, pad };
        self.cache.borrow_mut().tokenizers.insert(key, (stamp, facts.clone()));
        *self.changed.borrow_mut() = true;
        Ok(facts)
    }

    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        stamp(path)?;
        profile(path).map_err(|fault| WorldError::Unreadable(fault.to_string()))
    }
}

/// The profile of a file's first lines.
fn profile(path: &str) -> Result<TextProfile, mmc_text::TextError> {
    let mut reader = mmc_text::lines::open(path)?;
    let mut lines = Vec::new();
    while lines.len() < PROFILED_LINES
        && let Some(line) = reader.next_text()?
    {
        lines.push(line.to_owned());
    }
    Ok(TextProfile::of_lines(lines))
}

/// Paths below `folder` (empty, or ending in `/`) that fit the segments.
fn walk(folder: &str, segments: &[&str], found: &mut Vec<String>) {
    let Some((segment, rest)) = segments.split_first() else { return };
    let mut enter = |name: &str| {
        let path = format!("{folder}{name}");
        if rest.is_empty() {
            if Path::new(&path).is_file() {
                found.push(path);
            }
        } else if Path::new(&path).is_dir() {
            walk(&format!("{path}/"), rest, found);
        }
    };
    if !segment.contains('*') {
        enter(segment);
        return;
    }
    let listed = if folder.is_empty() { "." } else { folder };
    for entry in fs::read_dir(listed).into_iter().flatten().flatten() {
        if let Some(name) = entry.file_name().to_str()
            && mmc_core::index::fits(segment, name)
        {
            enter(name);
        }
    }
}

fn fault(cause: &std::io::Error) -> WorldError {
    if cause.kind() == ErrorKind::NotFound {
        WorldError::Missing
    } else {
        WorldError::Unreadable(cause.to_string())
    }
}

fn stamp(path: &str) -> Result<Stamp, WorldError> {
    let facts = fs::metadata(path).map_err(|cause| fault(&cause))?;
    if !facts.is_file() {
        return Err(WorldError::Unreadable("not a file".to_owned()));
    }
    let modified = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.map_or(0, |age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
    Ok(Stamp { bytes: facts.len(), modified })
}

/// The stamp is taken first: a file that changes meanwhile is counted again next time.
fn count(path: &str) -> Counted {
    let stamp = stamp(path)?;
    let counted = mmc_text::count::count(path);
    let counted = counted.map_err(|fault| WorldError::Unreadable(fault.to_string()))?;
    Ok((stamp, counted.lines))
}

/// Shown on a terminal when counting takes time.
fn counting_bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style =
        ProgressStyle::with_template("counting lines {wide_bar} {bytes}/{total_bytes}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// One small file a working directory, in the user's cache folder, else in `.mmc/`.
fn cache_path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let root = folder("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| folder("HOME").map(|home| Path::new(&home).join(".cache")));
    let Some(root) = root else { return Some(PathBuf::from(".mmc/facts.json")) };
    let here = std::env::current_dir().ok()?;
    let key = mmc_plan::random::name_key(&here.to_string_lossy());
    Some(root.join("mmc/facts").join(format!("{key:016x}.json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_corpora_are_counted_once_and_again_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "1\n2\n3").unwrap();
        let path = path.to_str().unwrap();
        let disk = Disk { kept: Some(folder.path().join("cache/facts.json")), ..Disk::new() };
        assert_eq!(disk.corpus(path).unwrap().bytes, 5);
        assert!(disk.learn());
        assert_eq!(disk.corpus(path).unwrap(), CorpusFacts { bytes: 5, lines: 3 });
        assert!(!disk.learn());
        fs::write(path, "1\n2\n3\n4\n").unwrap();
        let _ = disk.corpus(path);
        assert!(disk.learn());
        assert_eq!(disk.corpus(path).unwrap(), CorpusFacts { bytes: 8, lines: 4 });
        disk.keep();
        assert!(folder.path().join("cache/facts.json").is_file());
        assert_eq!(disk.corpus("absent"), Err(WorldError::Missing));
    }

    #[test]
    fn damaged_corpora_are_faults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gz");
        fs::write(&path, "no gzip").unwrap();
        let (disk, path) = (Disk::new(), path.to_str().unwrap());
        let _ = disk.corpus(path);
        assert!(disk.learn());
        assert!(matches!(disk.corpus(path), Err(WorldError::Unreadable(_))));
        assert!(!disk.learn());
    }

    #[test]
    fn patterns_find_files_in_byte_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/2.de", "b/1.de", "a/1.de", "a/x.en", "a/c/1.de"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let root = folder.path().to_str().unwrap();
        let found = Disk::new().matching(&format!("{root}/*/*.de"));
        let names: Vec<&str> = found.iter().filter_map(|path| path.strip_prefix(root)).collect();
        assert_eq!(names, ["/a/1.de", "/b/1.de", "/b/2.de"]);
    }
}
