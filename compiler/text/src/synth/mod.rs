//! Parallel corpora of artificial languages in families: a function of options and seed, the same bytes on every machine.
//!
//! Sentences are trees of meanings ([`meaning`]); each language is a lexicon, sound changes, suffixes and word order derived
//! from its family ([`language`]); a language says a tree ([`say`]). Everything is integer arithmetic on keyed random
//! streams. `docs/synth.md` describes the languages; the families are the ground truth for clustering.

mod files;
mod language;
mod meaning;
mod say;
mod sound;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use files::Written;

use crate::error::TextError;

/// What corpus is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynthOptions {
    /// Families with their languages.
    pub families: Vec<Family>,
    /// Training sentences of the largest corpus.
    pub train: u64,
    /// Validation sentences.
    pub valid: u64,
    /// Test sentences.
    pub test: u64,
    /// Meanings in the lexicon: nouns, verbs, adjectives and adverbs together, at least [`LEAST_MEANINGS`].
    pub meanings: u32,
    /// Of 100 meanings, how many a language says with its family's root (the others with a root of its own).
    pub relatedness: u32,
    /// Size of each further pair's training corpus in percent of the one before it; 100: all equal.
    pub skew: u32,
    /// Root of all random streams.
    pub seed: u64,
}

/// Languages of common descent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// Codes of its languages.
    pub languages: Vec<String>,
}

/// The smallest lexicon.
pub const LEAST_MEANINGS: u32 = 40;

impl SynthOptions {
    /// Families `aa`, `bb`, ... of languages `aa1`, `aa2`, ...; sizes that a small model learns in a minute.
    pub fn new(families: u8, languages: u32) -> Self {
        let family = |letter: u8| {
            let name = char::from(letter).to_string().repeat(2);
            let languages = (1..=languages).map(|number| format!("{name}{number}")).collect();
            Family { name, languages }
        };
        Self {
            families: (b'a'..=b'z').take(usize::from(families)).map(family).collect(),
            train: 12_000,
            valid: 200,
            test: 200,
            meanings: 200,
            relatedness: 80,
            skew: 100,
            seed: 1,
        }
    }

    /// What is wrong with the options, for people.
    fn fault(&self) -> Option<String> {
        let languages: Vec<&String> =
            self.families.iter().flat_map(|family| &family.languages).collect();
        let mut distinct: Vec<&String> = languages.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let plain = |code: &&&String| {
            code.is_empty() || !code.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if languages.len() < 2 {
            return Some("a parallel corpus needs at least two languages".to_owned());
        }
        if distinct.len() < languages.len() {
            return Some("every language needs a code of its own".to_owned());
        }
        if let Some(code) = languages.iter().find(plain) {
            return Some(format!("`{code}` is no language code: letters, digits and `_` make one"));
        }
        if self.meanings < LEAST_MEANINGS {
            return Some(format!("a lexicon needs at least {LEAST_MEANINGS} meanings"));
        }
        if self.relatedness > 100 {
            return Some("relatedness is a percentage, 0 to 100".to_owned());
        }
        if !(1..=100).contains(&self.skew) {
            return Some("skew is a percentage, 1 to 100".to_owned());
        }
        None
    }
}

/// Writes the corpora, `families.yaml` and a `README.md` into a folder. Errors: options without sense, a system that refuses,
/// more different sentences than the lexicon has.
pub fn write(options: &SynthOptions, folder: &Path) -> Result<Written, TextError> {
    if let Some(reason) = options.fault() {
        return Err(TextError::Synth { reason });
    }
    files::write(options, folder)
}
