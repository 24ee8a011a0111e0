//! The world on disk: sources, corpus files and tokenizers, with a cache of what was learnt about them.
//!
//! A corpus file is looked for in its folder's list ([`listing`]), then known from the cache by its size and time, else
//! counted; all that must be counted at once, on all cores.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use indicatif::{ProgressBar, ProgressStyle};
use mmc_core::cluster::TextProfile;
use mmc_core::cluster::profile::PROFILED_LINES;
use mmc_core::world::{
    CorpusFacts, Remark, Sample, SampleFacts, TokenizerFacts, World, WorldError,
};
use mmc_plan::VocabularyKind;
use mmc_text::TextError;
use rayon::prelude::*;

use crate::cache::{self, Cache, Known, Stamp};
use crate::cores;
use crate::listing::{self, Asked};
use crate::samples;

/// The world on disk, seen from the working directory.
#[derive(Debug)]
pub(crate) struct Disk {
    cache: RefCell<Cache>,
    /// Where the cache is kept, if anywhere.
    kept: Option<PathBuf>,
    /// Whether every file is read and hashed, whatever the cache says.
    verify: bool,
    changed: RefCell<bool>,
    remarks: RefCell<Vec<Remark>>,
    asked: Asked,
}

impl Disk {
    /// With the cache of the working directory; `verify`: files are read and hashed even when it knows them.
    pub(crate) fn new(verify: bool) -> Self {
        Self::with_cache(cache::path(), verify)
    }

    fn with_cache(kept: Option<PathBuf>, verify: bool) -> Self {
        let read = kept.as_deref().map(Cache::read).transpose();
        let (cache, remarks) = match (read, &kept) {
            (Err(reason), Some(path)) => {
                let path = path.display().to_string();
                (Cache::default(), vec![Remark::CacheDamaged { path, reason }])
            }
            (read, _) => (read.ok().flatten().unwrap_or_default(), Vec::new()),
        };
        let changed = RefCell::new(!remarks.is_empty());
        let (cache, remarks) = (RefCell::new(cache), RefCell::new(remarks));
        Self { cache, kept, verify, changed, remarks, asked: Asked::default() }
    }

    /// Keeps what was learnt for the next time.
    pub(crate) fn keep(&self) {
        if self.changed.replace(false)
            && let Some(path) = &self.kept
        {
            self.cache.borrow_mut().write(path);
        }
    }

    /// The hashes that were taken of these files.
    pub(crate) fn hashes<'p>(
        &self,
        paths: impl Iterator<Item = &'p String>,
    ) -> BTreeMap<String, String> {
        let cache = self.cache.borrow();
        let hash = |path: &String| Some((path.clone(), cache.corpora.get(path)?.sha256.clone()?));
        paths.filter_map(hash).collect()
    }

    /// Sizes of the files that are there.
    pub(crate) fn sizes(&self, paths: &[String]) -> Vec<Option<u64>> {
        let stamps = self.stamps(paths);
        stamps.into_iter().map(|stamp| stamp.ok().map(|stamp| stamp.bytes)).collect()
    }

    fn stamps(&self, paths: &[String]) -> Vec<Result<Stamp, WorldError>> {
        let found = listing::matching(paths, &self.asked);
        let is_there = |(path, found): (_, Vec<String>)| (!found.is_empty()).then_some(path);
        let there: Vec<Option<&String>> = paths.iter().zip(found).map(is_there).collect();
        let stamped = cores::each(there.iter().copied().flatten().collect(), |path| stamp(path));
        let mut stamped = stamped.into_iter();
        let answer = |path: Option<&String>| {
            path.and_then(|_| stamped.next()).unwrap_or(Err(WorldError::Missing))
        };
        there.into_iter().map(answer).collect()
    }

    /// What is known of files, after counting those that are not known yet: an answer for each path, in their order.
    pub(crate) fn known(&self, paths: &[String]) -> Vec<Result<Known, WorldError>> {
        let stamps = self.stamps(paths);
        let unknown = paths.iter().zip(&stamps).filter_map(|(path, stamp)| {
            let stamp = stamp.as_ref().ok()?;
            (!self.is_known(path, stamp)).then_some((path, *stamp))
        });
        let unknown: Vec<(&String, Stamp)> = unknown.collect();
        let faults = if unknown.is_empty() { BTreeMap::new() } else { self.count(unknown) };
        let cache = self.cache.borrow();
        let known = |path: &String| match (faults.get(path), cache.corpora.get(path.as_str())) {
            (Some(fault), _) => Err(fault.clone()),
            (None, Some(known)) => Ok(known.clone()),
            (None, None) => Err(WorldError::Missing),
        };
        paths.iter().zip(stamps).map(|(path, stamp)| stamp.and_then(|_| known(path))).collect()
    }

    /// Whether the cache's facts of a file may be given again.
    fn is_known(&self, path: &str, stamp: &Stamp) -> bool {
        let cache = self.cache.borrow();
        !self.verify && cache.corpora.get(path).is_some_and(|known| known.stamp == *stamp)
    }

    /// Counts files, the largest first, and puts them into the cache.
    fn count(&self, mut files: Vec<(&String, Stamp)>) -> BTreeMap<String, WorldError> {
        files.sort_by_key(|(_, stamp)| std::cmp::Reverse(stamp.bytes));
        let bar = counting_bar(files.iter().map(|(_, stamp)| stamp.bytes).sum());
        let verify = self.verify;
        let counted: Vec<Result<Known, WorldError>> = files
            .par_iter()
            .with_max_len(1)
            .map(|(path, stamp)| {
                let known = count(path, *stamp, verify);
                bar.inc(stamp.bytes);
                known
            })
            .collect();
        bar.finish_and_clear();
        let (mut faults, mut unnoticed) = (BTreeMap::new(), Vec::new());
        let mut cache = self.cache.borrow_mut();
        for ((path, _), counted) in files.into_iter().zip(counted) {
            match counted {
                Ok(known) => {
                    let before = cache.corpora.insert(path.clone(), known.clone());
                    if before.is_some_and(|before| is_other(&before, &known)) {
                        unnoticed.push(path.clone());
                    }
                }
                Err(fault) => drop(faults.insert(path.clone(), fault)),
            }
        }
        if !unnoticed.is_empty() {
            unnoticed.sort_unstable();
            self.remarks.borrow_mut().push(Remark::StaleCache { paths: unnoticed });
        }
        *self.changed.borrow_mut() = true;
        faults
    }
}

/// Whether a file with the same stamp has another content.
fn is_other(before: &Known, after: &Known) -> bool {
    before.stamp == after.stamp
        && (before.facts.lines != after.facts.lines
            || before.sha256.is_some() && before.sha256 != after.sha256)
}

impl World for Disk {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        fs::read_to_string(path).map_err(|cause| fault(&cause))
    }

    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>> {
        self.known(paths).into_iter().map(|known| known.map(|known| known.facts)).collect()
    }

    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>> {
        listing::matching(patterns, &self.asked)
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
        let mmc_text::tokenizer::TokenizerFacts { pieces, unk, bos, eos, pad, sha256, one_way } =
            found;
        let facts = TokenizerFacts { pieces, sha256, unk, bos, eos, pad, one_way };
        self.cache.borrow_mut().tokenizers.insert(key, (stamp, facts.clone()));
        *self.changed.borrow_mut() = true;
        Ok(facts)
    }

    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        stamp(path)?;
        profile(path).map_err(|fault| WorldError::Unreadable(fault.to_string()))
    }

    fn samples(&self, wanted: &[Sample]) -> Vec<Result<SampleFacts, WorldError>> {
        let (answers, has_new) = samples::answer(wanted, &mut self.cache.borrow_mut());
        *self.changed.borrow_mut() |= has_new;
        answers
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.borrow().clone()
    }
}

/// The profile of a file's first lines.
fn profile(path: &str) -> Result<TextProfile, TextError> {
    let mut reader = mmc_text::lines::open(path)?;
    let mut lines = Vec::new();
    while lines.len() < PROFILED_LINES
        && let Some(line) = reader.next_text()?
    {
        lines.push(line.to_owned());
    }
    Ok(TextProfile::of_lines(lines))
}

fn fault(cause: &std::io::Error) -> WorldError {
    if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
        WorldError::Missing
    } else {
        WorldError::Unreadable(cause.to_string())
    }
}

pub(crate) fn stamp(path: &str) -> Result<Stamp, WorldError> {
    let facts = fs::metadata(path).map_err(|cause| fault(&cause))?;
    if !facts.is_file() {
        return Err(WorldError::Unreadable("not a file".to_owned()));
    }
    let modified = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.map_or(0, |age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
    Ok(Stamp { bytes: facts.len(), modified })
}

/// The stamp was taken before: a file that changes meanwhile is counted again next time.
fn count(path: &str, stamp: Stamp, verify: bool) -> Result<Known, WorldError> {
    let counted = if verify {
        mmc_text::count::inspect(path).map(|(count, hash)| (count, Some(hash)))
    } else {
        mmc_text::count::count(path).map(|count| (count, None))
    };
    let (count, sha256) = counted.map_err(|found| {
        if let TextError::Unreadable { cause, .. } = &found {
            return fault(cause);
        }
        let TextError::Damaged { line: lines, cause, .. } = found else {
            return WorldError::Unreadable(found.to_string());
        };
        if cause.kind() == ErrorKind::UnexpectedEof {
            WorldError::Truncated { lines }
        } else {
            WorldError::Damaged { lines, reason: cause.to_string() }
        }
    })?;
    let facts = CorpusFacts { bytes: stamp.bytes, lines: count.lines, not_utf8: count.not_utf8 };
    Ok(Known { stamp, facts, ends_open: count.ends_open, sha256 })
}

/// Shown on a terminal while files are counted.
fn counting_bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style =
        ProgressStyle::with_template("counting lines {wide_bar} {bytes}/{total_bytes}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn facts(disk: &Disk, path: &str) -> Result<CorpusFacts, WorldError> {
        disk.corpora(&[path.into()]).remove(0)
    }

    fn lines(disk: &Disk, path: &str) -> u64 {
        facts(disk, path).unwrap().lines
    }

    /// Writes a file with a time of its own.
    fn write(path: &str, text: &str, age: u64) {
        fs::write(path, text).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age);
        fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn corpora_are_counted_once_and_again_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let path = path.to_str().unwrap();
        let kept = folder.path().join("cache/facts.json");
        let disk = || Disk::with_cache(Some(kept.clone()), false);
        write(path, "1\n2\n3", 1000);
        let first = disk();
        assert_eq!(lines(&first, path), 3);
        first.keep();
        let second = disk();
        assert_eq!(lines(&second, path), 3);
        assert!(!*second.changed.borrow(), "nothing was counted");
        write(path, "12\n34", 900);
        assert_eq!(lines(&second, path), 2);
        assert_eq!(facts(&second, "absent"), Err(WorldError::Missing));
        assert!(second.remarks().is_empty());
    }

    #[test]
    fn verification_sees_what_size_and_time_hide() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let path = path.to_str().unwrap();
        let kept = folder.path().join("cache/facts.json");
        let time = |path: &str| fs::metadata(path).unwrap().modified().unwrap();
        write(path, "1\n2\n3", 1000);
        let first = Disk::with_cache(Some(kept.clone()), false);
        assert_eq!(lines(&first, path), 3);
        let before = time(path);
        fs::write(path, "1\n2 3").unwrap();
        fs::File::options().append(true).open(path).unwrap().set_modified(before).unwrap();
        assert_eq!(lines(&first, path), 3);
        first.keep();
        let second = Disk::with_cache(Some(kept), true);
        assert_eq!(lines(&second, path), 2);
        let paths = vec![path.to_owned()];
        assert_eq!(second.hashes(paths.iter()).len(), 1);
        assert_eq!(second.remarks(), [Remark::StaleCache { paths }]);
    }

    #[test]
    fn damage_has_names() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let disk = Disk::with_cache(None, false);
        fs::write(path("plain.gz"), "this is not gzip at all").unwrap();
        assert!(matches!(facts(&disk, &path("plain.gz")), Err(WorldError::Damaged { .. })));
        fs::write(path("plain.zst"), "this is not zstandard at all").unwrap();
        assert!(matches!(facts(&disk, &path("plain.zst")), Err(WorldError::Damaged { .. })));
        // A stored block whose end is missing.
        let gz = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01\x05\0\xfa\xffa\nb\n";
        fs::write(path("cut.gz"), gz).unwrap();
        assert!(matches!(facts(&disk, &path("cut.gz")), Err(WorldError::Truncated { lines: _ })));
        fs::File::create(path("bad")).unwrap().write_all(b"a\n\xff\n").unwrap();
        assert_eq!(facts(&disk, &path("bad")).unwrap().not_utf8, Some(2));
        fs::create_dir(path("folder")).unwrap();
        assert!(matches!(facts(&disk, &path("folder")), Err(WorldError::Unreadable(_))));
    }

    #[test]
    fn a_damaged_cache_is_told_and_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("facts.json");
        fs::write(&kept, "{").unwrap();
        let disk = Disk::with_cache(Some(kept.clone()), false);
        assert!(matches!(disk.remarks().as_slice(), [Remark::CacheDamaged { .. }]));
        disk.keep();
        assert!(Disk::with_cache(Some(kept), false).remarks().is_empty());
    }
}
