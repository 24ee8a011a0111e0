//! The tokenizers of a plan's vocabularies, loaded once each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mmc_plan::{Plan, VocabularyKind};

use super::StreamError;
use crate::tokenizer::Tokenizer;
use crate::transform::{Pieces, looks_at_words};

/// Tokenizers by the names of vocabularies. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tokenizers {
    by_vocabulary: BTreeMap<String, Arc<Tokenizer>>,
    /// Which pieces begin words, of vocabularies of sources whose noise asks for it.
    words: BTreeMap<String, Arc<Pieces>>,
}

impl Tokenizers {
    /// Loads the vocabularies of both sides of the tasks named. Vocabularies that read the same file share its tokenizer.
    pub fn load(plan: &Plan, tasks: &[&str]) -> Result<Self, StreamError> {
        let mut by_file: BTreeMap<(VocabularyKind, &str), Arc<Tokenizer>> = BTreeMap::new();
        let (mut by_vocabulary, mut words) = (BTreeMap::new(), BTreeMap::new());
        for task in tasks {
            let spec = plan
                .tasks
                .get(*task)
                .ok_or_else(|| StreamError::UnknownTask((*task).to_owned()))?;
            for name in [&spec.source_vocabulary, &spec.target_vocabulary] {
                if by_vocabulary.contains_key(name) {
                    continue;
                }
                let vocabulary = plan
                    .vocabularies
                    .get(name)
                    .ok_or_else(|| StreamError::UnknownVocabulary(name.clone()))?;
                let key = (vocabulary.kind, vocabulary.file.as_str());
                let tokenizer = if let Some(tokenizer) = by_file.get(&key) {
                    Arc::clone(tokenizer)
                } else {
                    let path = Path::new(&vocabulary.file);
                    let tokenizer = Arc::new(Tokenizer::load(vocabulary.kind, path)?);
                    by_file.insert(key, Arc::clone(&tokenizer));
                    tokenizer
                };
                let facts = tokenizer.facts();
                if facts.sha256 != vocabulary.sha256 || facts.pieces != vocabulary.pieces {
                    return Err(StreamError::OtherTokenizer {
                        vocabulary: name.clone(),
                        file: vocabulary.file.clone(),
                        expected: vocabulary.sha256.clone(),
                    });
                }
                by_vocabulary.insert(name.clone(), tokenizer);
            }
            let source = &spec.source_vocabulary;
            if spec.transforms.iter().any(looks_at_words)
                && !words.contains_key(source)
                && let Some(tokenizer) = by_vocabulary.get(source)
            {
                words.insert(source.clone(), Arc::new(Pieces::new(tokenizer)));
            }
        }
        Ok(Self { by_vocabulary, words })
    }

    /// The tokenizer of a vocabulary.
    pub fn get(&self, vocabulary: &str) -> Result<Arc<Tokenizer>, StreamError> {
        let found = self.by_vocabulary.get(vocabulary).map(Arc::clone);
        found.ok_or_else(|| StreamError::UnknownVocabulary(vocabulary.to_owned()))
    }

    /// Which pieces of a vocabulary begin words, where a task asks for it.
    pub(super) fn words(&self, vocabulary: &str) -> Option<Arc<Pieces>> {
        self.words.get(vocabulary).map(Arc::clone)
    }
}
