//! A saved index of corpora and tokenizers: what a plan needs to know of them, so that it can be made where they are not.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use mmc_plan::VocabularyKind;
use serde::{Deserialize, Serialize};

use crate::cluster::TextProfile;
use crate::world::{CorpusFacts, Remark, Sample, SampleFacts, TokenizerFacts, World, WorldError};

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
    /// Tokenizer file -> text ([`Sample::text_name`]) -> what the one made of the other's first lines.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub samples: BTreeMap<String, BTreeMap<String, SampleFacts>>,
    /// `sha256` of corpus files in hexadecimal, where they were taken (`--verify`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sha256: BTreeMap<String, String>,
}

/// Why a text is no index: what the reader says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IndexFault(pub String);

impl CorpusIndex {
    /// Reads an index.
    pub fn from_yaml(text: &str) -> Result<Self, IndexFault> {
        // A million files are some hundred megabytes: what `to_yaml` wrote of corpora is read line by line.
        let (corpora, rest) = plain_corpora(text).unwrap_or_default();
        let mut index: Self = serde_saphyr::from_str(rest.unwrap_or(text))
            .map_err(|fault| IndexFault(fault.to_string()))?;
        if rest.is_some() {
            index.corpora = corpora;
        }
        Ok(index)
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
        let start = pattern.split('*').next().unwrap_or_default();
        self.corpora
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(start))
            .filter(|path| fits(pattern, path))
            .cloned()
            .collect()
    }
}

/// The section `corpora` at the start of an index, when every path in it is plain, and what follows it.
fn plain_corpora(text: &str) -> Option<(BTreeMap<String, CorpusFacts>, Option<&str>)> {
    let mut rest = text.strip_prefix("corpora:\n")?;
    let mut corpora = Vec::new();
    while let Some(line) = rest.strip_prefix("  ") {
        let (path, after) = line.split_once('\n')?;
        let path = path.strip_suffix(':')?;
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
        // Words such as `no` and numbers are quoted, and have no slash.
        if !path.bytes().all(is_plain) || !path.contains('/') || path.starts_with('-') {
            return None;
        }
        let (bytes, after) = number(after, "    bytes: ")?;
        let (lines, after) = number(after, "    lines: ")?;
        let (not_utf8, after) = match number(after, "    not_utf8: ") {
            Some((line, after)) => (Some(line), after),
            None => (None, after),
        };
        corpora.push((path.to_owned(), CorpusFacts { bytes, lines, not_utf8 }));
        rest = after;
    }
    // In order of name, a map is made at once.
    Some((corpora.into_iter().collect(), Some(rest)))
}

/// The number of a line with this start, and the text behind the line.
fn number<'a>(text: &'a str, start: &str) -> Option<(u64, &'a str)> {
    let (digits, rest) = text.strip_prefix(start)?.split_once('\n')?;
    Some((digits.parse().ok()?, rest))
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

    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>> {
        // Paths come in about the order of the index: what is asked for next is mostly what stands next.
        let mut next = self.index.corpora.range::<String, _>(..);
        let mut facts = |path: &String| {
            let here = next.next().filter(|(known, _)| *known == path);
            let (_, facts) = here.or_else(|| {
                next = self
                    .index
                    .corpora
                    .range::<String, _>((Bound::Included(path), Bound::Unbounded));
                next.next().filter(|(known, _)| *known == path)
            })?;
            Some(*facts)
        };
        paths.iter().map(|path| facts(path).ok_or(WorldError::Missing)).collect()
    }

    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>> {
        patterns.iter().map(|pattern| self.index.matching(pattern)).collect()
    }

    fn tokenizer(&self, path: &str, _: VocabularyKind) -> Result<TokenizerFacts, WorldError> {
        self.index.tokenizers.get(path).cloned().ok_or(WorldError::Missing)
    }

    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        self.index.profiles.get(path).cloned().ok_or(WorldError::Missing)
    }

    fn samples(&self, wanted: &[Sample]) -> Vec<Result<SampleFacts, WorldError>> {
        let known = |sample: &Sample| {
            self.index.samples.get(&sample.tokenizer)?.get(&sample.text_name()).copied()
        };
        wanted.iter().map(|sample| known(sample).ok_or(WorldError::Missing)).collect()
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

    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>> {
        let found = self.world.corpora(paths);
        let mut seen = self.seen.borrow_mut();
        for (path, facts) in paths.iter().zip(&found) {
            if let Ok(facts) = facts {
                seen.corpora.insert(path.clone(), *facts);
            }
        }
        found
    }

    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>> {
        self.world.matching(patterns)
    }

    fn remarks(&self) -> Vec<Remark> {
        self.world.remarks()
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

    fn samples(&self, wanted: &[Sample]) -> Vec<Result<SampleFacts, WorldError>> {
        let found = self.world.samples(wanted);
        let mut seen = self.seen.borrow_mut();
        for (sample, facts) in wanted.iter().zip(&found) {
            if let Ok(facts) = facts {
                let texts = seen.samples.entry(sample.tokenizer.clone()).or_default();
                texts.insert(sample.text_name(), *facts);
            }
        }
        found
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
    fn plain_paths_are_read_line_by_line_and_to_the_same() {
        let mut index = CorpusIndex::default();
        for at in 0..20 {
            let facts = CorpusFacts { bytes: at, lines: at, not_utf8: (at % 3 == 0).then_some(at) };
            index.corpora.insert(format!("a/{at}.de-en.gz"), facts);
        }
        index.sha256.insert("a/1.de-en.gz".to_owned(), "00".to_owned());
        let text = index.to_yaml();
        let (plain, rest) = plain_corpora(&text).unwrap();
        assert_eq!((plain.len(), rest.unwrap().starts_with("tokenizers:")), (20, true));
        assert_eq!(CorpusIndex::from_yaml(&text), Ok(index.clone()));
        index.corpora.insert("no".to_owned(), CorpusFacts::default());
        assert!(plain_corpora(&index.to_yaml()).is_none());
        assert_eq!(CorpusIndex::from_yaml(&index.to_yaml()), Ok(index));
        assert!(CorpusIndex::from_yaml("corpora:\n  a/b:\n    bytes: x\n    lines: 1\n").is_err());
    }

    #[test]
    fn an_index_reads_back() {
        let mut index = CorpusIndex::default();
        index
            .corpora
            .insert("a b/ü.gz".to_owned(), CorpusFacts { bytes: 3, lines: 1, not_utf8: Some(1) });
        let facts = TokenizerFacts {
            pieces: 10,
            sha256: "00".to_owned(),
            unk: Some(0),
            bos: None,
            eos: Some(1),
            pad: None,
            one_way: true,
        };
        index.tokenizers.insert("no".to_owned(), facts);
        assert_eq!(CorpusIndex::from_yaml(&index.to_yaml()), Ok(index));
    }
}
