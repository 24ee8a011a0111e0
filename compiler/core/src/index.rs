//! A saved index of corpora and tokenizers: what a plan needs to know of them, so that it can be made where they are not.

use std::cell::RefCell;
use std::collections::BTreeMap;

use mmc_plan::VocabularyKind;
use serde::{Deserialize, Serialize};

use crate::cluster::TextProfile;
use crate::world::{CorpusFacts, TokenizerFacts, World, WorldError};

/// Facts by path, as the experiment's templates spell it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusIndex {
    /// Corpus files.
    #[serde(default)]
    pub corpora: BTreeMap<String, CorpusFacts>,
    /// Tokenizer files.
    #[serde(default)]
    pub tokenizers: BTreeMap<String, TokenizerFacts>,
    /// Letters and words of corpus files that languages are compared by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, TextProfile>,
}

/// Why a text is no index: what the reader says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IndexFault(pub String);

impl CorpusIndex {
    /// Reads an index.
    pub fn from_yaml(text: &str) -> Result<Self, IndexFault> {
        serde_saphyr::from_str(text).map_err(|fault| IndexFault(fault.to_string()))
    }

    /// The canonical text.
    ///
    /// # Panics
    /// Never: an index holds nothing that YAML cannot write.
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(self).expect("an index holds nothing that YAML cannot write")
    }

    /// The indexed corpora that fit a pattern, see [`World::matching`].
    pub fn matching(&self, pattern: &str) -> Vec<String> {
        self.corpora.keys().filter(|path| fits(pattern, path)).cloned().collect()
    }
}

/// Whether a path fits a pattern whose `*` stands for anything but `/`.
pub fn fits(pattern: &str, path: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(rest) = pieces.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
    let mut rest = rest;
    for piece in middle {
        let Some((skipped, after)) = rest.split_once(piece) else { return false };
        if skipped.contains('/') {
            return false;
        }
        rest = after;
    }
    rest.strip_suffix(last).is_some_and(|skipped| !skipped.contains('/'))
}

/// A world that reads sources from another one and knows corpora and tokenizers from an index alone.
#[derive(Clone, Copy)]
pub struct Indexed<'a> {
    /// Where sources come from.
    pub sources: &'a dyn World,
    /// What is known.
    pub index: &'a CorpusIndex,
}

impl World for Indexed<'_> {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        self.sources.source(path)
    }

    fn corpus(&self, path: &str) -> Result<CorpusFacts, WorldError> {
        self.index.corpora.get(path).copied().ok_or(WorldError::Missing)
    }

    fn matching(&self, pattern: &str) -> Vec<String> {
        self.index.matching(pattern)
    }

    fn tokenizer(&self, path: &str, _: VocabularyKind) -> Result<TokenizerFacts, WorldError> {
        self.index.tokenizers.get(path).cloned().ok_or(WorldError::Missing)
    }

    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        self.index.profiles.get(path).cloned().ok_or(WorldError::Missing)
    }
}

/// A world that notes all facts that it was asked for: compiling with it makes the index of an experiment.
pub struct Recorder<'a> {
    world: &'a dyn World,
    seen: RefCell<CorpusIndex>,
}

impl<'a> Recorder<'a> {
    /// Asks `world` and notes the answers.
    pub fn new(world: &'a dyn World) -> Self {
        Self { world, seen: RefCell::default() }
    }

    /// What was found.
    pub fn into_index(self) -> CorpusIndex {
        self.seen.into_inner()
    }
}

impl World for Recorder<'_> {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        self.world.source(path)
    }

    fn corpus(&self, path: &str) -> Result<CorpusFacts, WorldError> {
        let facts = self.world.corpus(path)?;
        self.seen.borrow_mut().corpora.insert(path.to_owned(), facts);
        Ok(facts)
    }

    fn matching(&self, pattern: &str) -> Vec<String> {
        self.world.matching(pattern)
    }

    fn tokenizer(&self, path: &str, kind: VocabularyKind) -> Result<TokenizerFacts, WorldError> {
        let facts = self.world.tokenizer(path, kind)?;
        self.seen.borrow_mut().tokenizers.insert(path.to_owned(), facts.clone());
        Ok(facts)
    }

    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        let profile = self.world.profile(path)?;
        self.seen.borrow_mut().profiles.insert(path.to_owned(), profile.clone());
        Ok(profile)
    }
}

impl std::fmt::Debug for Indexed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexed").field("index", self.index).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Recorder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("seen", &self.seen).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_within_a_folder() {
        assert!(fits("a/*.gz", "a/b.gz"));
        assert!(fits("a/*.*.gz", "a/b.de.gz"));
        assert!(!fits("a/*.gz", "a/b/c.gz"));
        assert!(!fits("a/*.gz", "a/b.zst"));
        assert!(fits("plain", "plain"));
        assert!(!fits("plain", "plainer"));
    }

    #[test]
    fn an_index_reads_back() {
        let mut index = CorpusIndex::default();
        index.corpora.insert("a b/ü.gz".to_owned(), CorpusFacts { bytes: 3, lines: 1 });
        let facts = TokenizerFacts {
            pieces: 10,
            sha256: "00".to_owned(),
            unk: Some(0),
            bos: None,
            eos: Some(1),
            pad: None,
        };
        index.tokenizers.insert("no".to_owned(), facts);
        assert_eq!(CorpusIndex::from_yaml(&index.to_yaml()), Ok(index));
    }
}
