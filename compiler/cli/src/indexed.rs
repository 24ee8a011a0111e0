//! The world of `--index`: what the index says, and whether the files that happen to be here are the ones it speaks of.

use std::cell::RefCell;

use mmc_core::cluster::TextProfile;
use mmc_core::index::{CorpusIndex, Indexed};
use mmc_core::world::{
    CorpusFacts, Remark, Sample, SampleFacts, TokenizerFacts, World, WorldError,
};
use mmc_plan::VocabularyKind;

use crate::disk::Disk;

/// An index beside a disk.
#[derive(Debug)]
pub(crate) struct Compared<'a> {
    index: &'a CorpusIndex,
    disk: &'a Disk,
    /// Whether files are read and compared by their hashes.
    verify: bool,
    stale: RefCell<Vec<String>>,
}

impl<'a> Compared<'a> {
    /// Compares sizes; with `verify` contents, of the files whose hash the index has.
    pub(crate) fn new(index: &'a CorpusIndex, disk: &'a Disk, verify: bool) -> Self {
        Self { index, disk, verify, stale: RefCell::default() }
    }

    fn indexed(&self) -> Indexed<'a> {
        Indexed { sources: self.disk, index: self.index }
    }
}

impl World for Compared<'_> {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        self.disk.source(path)
    }

    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>> {
        let answers = self.indexed().corpora(paths);
        let sizes = self.disk.sizes(paths);
        let mut stale = self.stale.borrow_mut();
        let mut alike = Vec::new();
        for ((path, answer), size) in paths.iter().zip(&answers).zip(sizes) {
            match (answer, size) {
                (Ok(facts), Some(size)) if facts.bytes != size => stale.push(path.clone()),
                (Ok(_), Some(_)) => alike.push(path.clone()),
                (Ok(_) | Err(_), _) => {}
            }
        }
        if self.verify {
            alike.retain(|path| self.index.sha256.contains_key(path.as_str()));
            drop(self.disk.corpora(&alike));
            let found = self.disk.hashes(alike.iter());
            let is_other = |path: &String| found.get(path) != self.index.sha256.get(path);
            stale.extend(alike.into_iter().filter(is_other));
        }
        answers
    }

    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>> {
        self.indexed().matching(patterns)
    }

    fn tokenizer(&self, path: &str, kind: VocabularyKind) -> Result<TokenizerFacts, WorldError> {
        self.indexed().tokenizer(path, kind)
    }

    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        self.indexed().profile(path)
    }

    fn samples(&self, wanted: &[Sample]) -> Vec<Result<SampleFacts, WorldError>> {
        self.indexed().samples(wanted)
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut remarks = self.disk.remarks();
        let stale = self.stale.borrow();
        if !stale.is_empty() {
            remarks.push(Remark::StaleIndex { paths: stale.clone() });
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_here_and_others_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let paths =
            ["a", "b", "c"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        let mut index = CorpusIndex::default();
        for path in &paths {
            index.corpora.insert(path.clone(), CorpusFacts { bytes: 2, lines: 1, not_utf8: None });
            index.sha256.insert(path.clone(), "0".repeat(64));
        }
        std::fs::write(&paths[0], "longer\n").unwrap();
        std::fs::write(&paths[1], "x\n").unwrap();
        let names = paths.clone();
        for (verify, expected) in [(false, &paths[..1]), (true, &paths[..2])] {
            let disk = Disk::new(verify);
            let world = Compared::new(&index, &disk, verify);
            assert!(world.corpora(&names).iter().all(|answer| answer.as_ref().unwrap().lines == 1));
            let stale = world.remarks().into_iter().find_map(|remark| match remark {
                Remark::StaleIndex { paths } => Some(paths),
                Remark::StaleCache { .. } | Remark::CacheDamaged { .. } => None,
            });
            assert_eq!(stale.as_deref(), Some(expected));
        }
    }
}
