//! What was learnt of corpora and tokenizers, kept between commands: one small file a working directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mmc_core::world::{CorpusFacts, SampleFacts, TokenizerFacts};
use serde::{Deserialize, Serialize};

use crate::output;

/// Bumped when the cache's meaning changes; older caches are forgotten.
const FORMAT: u32 = 4;

/// What identifies a file's content without reading it: bytes, and modification time in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) bytes: u64,
    pub(crate) modified: u64,
}

/// A corpus file as it was when it was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) stamp: Stamp,
    pub(crate) facts: CorpusFacts,
    /// Whether its last line has no line end.
    pub(crate) ends_open: bool,
    /// Of its bytes, if they were hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
}

/// The cache's content.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cache {
    format: u32,
    /// By path.
    pub(crate) corpora: BTreeMap<String, Known>,
    /// By kind and path.
    pub(crate) tokenizers: BTreeMap<String, (Stamp, TokenizerFacts)>,
    /// By kind and path of the tokenizer, then by path of the text; the stamps of both.
    pub(crate) samples: BTreeMap<String, BTreeMap<String, ([Stamp; 2], SampleFacts)>>,
}

impl Cache {
    /// Reads a cache; without one, or with one of another format, it is empty. The error is a file that is damaged.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(cause.to_string()),
        };
        let version: Version = serde_json::from_slice(&bytes).map_err(|why| why.to_string())?;
        if version.format != FORMAT {
            return Ok(Self::default());
        }
        serde_json::from_slice(&bytes).map_err(|why| why.to_string())
    }

    /// Writes the cache. One that can't be written is no fault: it only saves time.
    pub(crate) fn write(&mut self, path: &Path) {
        self.format = FORMAT;
        let Ok(text) = serde_json::to_string(self) else { return };
        let made = path.parent().map(fs::create_dir_all);
        if made.is_some_and(|made| made.is_ok()) {
            let _ = output::write_atomically(path, &text);
        }
    }
}

/// In the user's cache folder, else in `.mmc/`.
pub(crate) fn path() -> Option<PathBuf> {
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
    fn caches_read_back_and_damage_is_told_from_absence_and_age() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/facts.json");
        assert!(Cache::read(&path).unwrap().corpora.is_empty());
        let stamp = Stamp { bytes: 4, modified: 5 };
        let facts = CorpusFacts { bytes: 4, lines: 2, not_utf8: Some(1) };
        let known = Known { stamp, facts, ends_open: true, sha256: Some("00".to_owned()) };
        let mut cache = Cache::default();
        cache.corpora.insert("a".to_owned(), known.clone());
        cache.write(&path);
        assert_eq!(Cache::read(&path).unwrap().corpora.get("a"), Some(&known));
        fs::write(&path, "{\"format\": 1, \"lines\": 3}").unwrap();
        assert!(Cache::read(&path).unwrap().corpora.is_empty());
        fs::write(&path, "{\"format\": 3, \"corp").unwrap();
        assert!(Cache::read(&path).is_err());
    }
}
