//! A pair of segments to an example: the task's transforms in their order.

use std::sync::Arc;

use mmc_plan::{Plan, TaskSpec, Transform, VocabularySpec};
use serde::{Deserialize, Serialize};

use super::{StreamError, Tokenizers};
use crate::tokenizer::Tokenizer;

/// Ids of a pair as the network reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Example {
    /// Prefix tokens, pieces, end token.
    pub(super) source: Vec<u32>,
    /// Start token, prefix tokens, pieces, end token.
    pub(super) target: Vec<u32>,
}

/// Pairs that were read and not used, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// A side without text.
    pub empty: u64,
    /// A side beyond the transform's bound, or a pair that no batch can hold.
    pub too_long: u64,
    /// A side that is not UTF-8.
    pub not_utf8: u64,
}

/// One side's vocabulary with its tokenizer.
#[derive(Debug)]
struct Side {
    tokenizer: Arc<Tokenizer>,
    prefix: Vec<u32>,
    bos: u32,
    eos: u32,
    most: usize,
}

impl Side {
    fn new(
        plan: &Plan,
        name: &str,
        tokenizers: &Tokenizers,
        prefix: &[String],
        most: usize,
    ) -> Result<Self, StreamError> {
        let spec: &VocabularySpec = plan
            .vocabularies
            .get(name)
            .ok_or_else(|| StreamError::UnknownVocabulary(name.to_owned()))?;
        let id = |token: &String| {
            let fault =
                || StreamError::UnknownToken { token: token.clone(), vocabulary: name.to_owned() };
            spec.added_id(token).ok_or_else(fault)
        };
        Ok(Self {
            tokenizer: tokenizers.get(name)?,
            prefix: prefix.iter().map(id).collect::<Result<_, _>>()?,
            bos: spec.bos,
            eos: spec.eos,
            most,
        })
    }

    fn pieces(&self, text: &str, skipped: &mut Skipped) -> Option<Vec<u32>> {
        let pieces = self.tokenizer.encode(text);
        if pieces.is_empty() {
            skipped.empty += 1;
            return None;
        }
        if pieces.len() > self.most {
            skipped.too_long += 1;
            return None;
        }
        Some(pieces)
    }
}

/// What turns a task's lines into examples.
#[derive(Debug)]
pub(super) struct Examples {
    source: Side,
    target: Side,
}

impl Examples {
    /// The transforms of a task.
    pub(super) fn new(
        plan: &Plan,
        spec: &TaskSpec,
        tokenizers: &Tokenizers,
    ) -> Result<Self, StreamError> {
        let (mut source_prefix, mut target_prefix) = (Vec::new(), Vec::new());
        let (mut source_most, mut target_most) = (usize::MAX, usize::MAX);
        for transform in &spec.transforms {
            match transform {
                Transform::Tokenize => {}
                Transform::Prefix { source, target } => {
                    source_prefix.extend(source.iter().cloned());
                    target_prefix.extend(target.iter().cloned());
                }
                Transform::FilterWordRatio { .. }
                | Transform::FilterRepetitions { .. }
                | Transform::FilterTerminalPunctuation { .. }
                | Transform::FilterNumerals { .. }
                | Transform::FilterScript { .. }
                | Transform::Denoise(_)
                | Transform::Switchout { .. }
                | Transform::TokenDrop { .. }
                | Transform::TokenMask { .. } => {
                    return Err(StreamError::NotBuilt(format!("{transform:?}")));
                }
                Transform::FilterTooLong { source, target } => {
                    source_most = source_most.min(*source as usize);
                    target_most = target_most.min(*target as usize);
                }
            }
        }
        let source = (&spec.source_vocabulary, &source_prefix, source_most);
        let target = (&spec.target_vocabulary, &target_prefix, target_most);
        let side = |(name, prefix, most): (&String, &Vec<String>, usize)| {
            Side::new(plan, name, tokenizers, prefix, most)
        };
        Ok(Self { source: side(source)?, target: side(target)? })
    }

    /// Target predictions that are given, not scored: the prefix.
    pub(super) fn unscored(&self) -> usize {
        self.target.prefix.len()
    }

    /// The example of a pair, or none, counted by its reason.
    pub(super) fn make(
        &self,
        source: &str,
        target: &str,
        skipped: &mut Skipped,
    ) -> Option<Example> {
        let source_pieces = self.source.pieces(source, skipped)?;
        let target_pieces = self.target.pieces(target, skipped)?;
        let mut source = self.source.prefix.clone();
        source.extend(source_pieces);
        source.push(self.source.eos);
        let mut target = vec![self.target.bos];
        target.extend(&self.target.prefix);
        target.extend(target_pieces);
        target.push(self.target.eos);
        Some(Example { source, target })
    }
}
