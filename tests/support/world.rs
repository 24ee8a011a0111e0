//! A world for tests: sources from memory or a folder, every corpus and tokenizer there unless told otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mmc_core::cluster::TextProfile;
use mmc_core::world::{
    CorpusFacts, Remark, Sample, SampleFacts, TokenizerFacts, World, WorldError,
};
use mmc_plan::VocabularyKind;

/// Lines of a corpus that nobody says anything about.
const LINES: u64 = 1_000;

/// Answers from memory, then from a folder.
#[derive(Debug, Default)]
pub(crate) struct TestWorld {
    /// Sources by path.
    pub(crate) sources: BTreeMap<String, String>,
    /// Where other sources are looked for.
    pub(crate) folder: Option<PathBuf>,
    /// Corpus and tokenizer files that are not there.
    pub(crate) missing: BTreeSet<String>,
    /// Tokenizer files that can't turn pieces back into text.
    pub(crate) one_way: BTreeSet<String>,
    /// Lines of corpora.
    pub(crate) lines: BTreeMap<String, u64>,
    /// Corpora whose last line has no end.
    pub(crate) open: BTreeSet<String>,
    /// Lines that are not UTF-8.
    pub(crate) not_utf8: BTreeMap<String, u64>,
    /// Of 1000 pieces of a text, those that no tokenizer knows.
    pub(crate) unknown: BTreeMap<String, u64>,
    /// Corpora that can't be read.
    pub(crate) faults: BTreeMap<String, WorldError>,
    /// What is odd.
    pub(crate) remarks: Vec<Remark>,
}

impl TestWorld {
    /// A world whose only source is `main.mmc`, over the sources of a folder.
    pub(crate) fn with_main(folder: &Path, text: &str) -> Self {
        let sources = BTreeMap::from([("main.mmc".to_owned(), text.to_owned())]);
        Self { sources, folder: Some(folder.to_owned()), ..Self::default() }
    }
}

impl World for TestWorld {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        if self.missing.contains(path) {
            return Err(WorldError::Missing);
        }
        if let Some(text) = self.sources.get(path) {
            return Ok(text.clone());
        }
        let folder = self.folder.as_ref().ok_or(WorldError::Missing)?;
        fs::read_to_string(folder.join(path)).map_err(|_| WorldError::Missing)
    }

    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>> {
        let corpus = |path: &String| {
            let path = path.as_str();
            if self.missing.contains(path) {
                return Err(WorldError::Missing);
            }
            if let Some(fault) = self.faults.get(path) {
                return Err(fault.clone());
            }
            let lines = self.lines.get(path).copied().unwrap_or(LINES);
            let not_utf8 = self.not_utf8.get(path).copied();
            Ok(CorpusFacts { bytes: lines * 50, lines, not_utf8 })
        };
        paths.iter().map(corpus).collect()
    }

    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>> {
        let shards = |pattern: &String| {
            if self.missing.contains(pattern.as_str()) {
                return Vec::new();
            }
            ["0", "1"].map(|shard| pattern.replace('*', shard)).to_vec()
        };
        patterns.iter().map(shards).collect()
    }

    fn samples(&self, wanted: &[Sample]) -> Vec<Result<SampleFacts, WorldError>> {
        let facts = |sample: &Sample| SampleFacts {
            pieces: 1000,
            unknown: self.unknown.get(&sample.text).copied().unwrap_or(0),
        };
        wanted.iter().map(|sample| Ok(facts(sample))).collect()
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }

    fn tokenizer(&self, path: &str, _: VocabularyKind) -> Result<TokenizerFacts, WorldError> {
        if self.missing.contains(path) {
            return Err(WorldError::Missing);
        }
        Ok(TokenizerFacts {
            pieces: 100,
            sha256: "0".repeat(64),
            unk: Some(0),
            bos: Some(1),
            eos: Some(2),
            pad: None,
            one_way: self.one_way.contains(path),
        })
    }
    /// Languages whose files' names end alike are alike.
    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        if self.missing.contains(path) {
            return Err(WorldError::Missing);
        }
        Ok(TextProfile::of_lines([path]))
    }
}
