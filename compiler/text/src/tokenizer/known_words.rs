//! Ids of words that were met before, for models whose ids of a text are those of its words, one after the other.
//!
//! The library of `tokenizer.json` files normalises text with an account of where every byte came from, which nobody asks for here and
//! which takes most of the time of encoding. Languages repeat their words: those that are known need none of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Most words that are known; then all are forgotten.
const MOST: usize = 1 << 16;

/// Longer words, in bytes, are not kept: they seldom come back.
const LONGEST: usize = 64;

/// Word -> ids.
#[derive(Debug, Default)]
pub(super) struct KnownWords(Mutex<HashMap<Box<str>, Box<[u32]>>>);

impl Clone for KnownWords {
    /// Knows no word yet: what is known changes no result.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl KnownWords {
    /// The ids of a text's words; of those that are not known, what `encode` says. None if it says so of a word.
    pub(super) fn encode(
        &self,
        text: &str,
        encode: impl Fn(&str) -> Option<Vec<u32>>,
    ) -> Option<Vec<u32>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ids = Vec::with_capacity(text.len() / 2);
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if let Some(found) = known.get(word) {
                ids.extend_from_slice(found);
                continue;
            }
            let found = encode(word)?;
            ids.extend_from_slice(&found);
            if word.len() <= LONGEST {
                if known.len() >= MOST {
                    known.clear();
                }
                known.insert(word.into(), found.into());
            }
        }
        Some(ids)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn known_words_are_asked_for_once_and_forgotten_when_they_are_too_many() {
        let (words, asked) = (KnownWords::default(), Cell::new(0));
        let encode = |word: &str| {
            asked.set(asked.get() + 1);
            (word != "x").then(|| vec![u32::try_from(word.len()).unwrap()])
        };
        assert_eq!(words.encode(" a  bb a ", encode), Some(vec![1, 2, 1]));
        assert_eq!(words.encode("bb a", encode), Some(vec![2, 1]));
        assert_eq!(asked.get(), 2);
        assert_eq!(words.encode("a x a", encode), None);
        let long = "y".repeat(65);
        for _ in 0..2 {
            assert_eq!(words.encode(&long, encode), Some(vec![65]));
        }
        assert_eq!(asked.get(), 5);
        for at in 0..MOST {
            words.encode(&format!("w{at}"), encode).unwrap();
        }
        assert!(words.0.lock().unwrap().len() <= 2);
        assert_eq!(words.encode("a bb", encode), Some(vec![1, 2]));
    }
}
