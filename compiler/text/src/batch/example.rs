//! A pair of segments to an example: the task's transforms in their order.

use std::ops::Range;
use std::sync::Arc;

use mmc_plan::random::Stream;
use mmc_plan::{
    Denoise, Plan, Sampling, SkippedPairs, TaskKind, TaskSpec, Transform, VocabularySpec,
};

use super::{StreamError, Tokenizers};
use crate::tokenizer::Tokenizer;
use crate::transform::{
    Filter, Pieces, Vocabulary, denoise, given, looks_at_words, switchout, token_drop, token_mask,
};

/// Ids of a pair as the network reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Example {
    /// Prefix tokens, pieces, end token; nothing of a causal task.
    pub(super) source: Vec<u32>,
    /// Start token, prefix tokens, pieces, end token; under MASS the pieces that the decoder is given.
    pub(super) target: Vec<u32>,
    /// Which predictions of the target are scored; the first is of the id behind the start token.
    pub(super) scored: Range<usize>,
}

impl Example {
    /// What is read first: the source, or all there is.
    pub(super) fn read(&self) -> &[u32] {
        if self.source.is_empty() { &self.target } else { &self.source }
    }
}

/// One side's vocabulary with its tokenizer.
#[derive(Debug)]
struct Side {
    tokenizer: Arc<Tokenizer>,
    prefix: Vec<u32>,
    /// Ids of the tokenizer's file: `0..pieces`.
    pieces: u32,
    bos: u32,
    eos: u32,
    /// `<mask>`; a plan that masks has it.
    mask: u32,
    /// Ids that are no text.
    special: Vec<u32>,
    sampling: Option<Sampling>,
    /// Which pieces begin words, where noise asks for it.
    words: Option<Arc<Pieces>>,
}

impl Side {
    fn new(
        plan: &Plan,
        name: &str,
        tokenizers: &Tokenizers,
        prefix: &[String],
        words: bool,
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
        let tokenizer = tokenizers.get(name)?;
        if let Some(Err(reason)) = spec.sampling.map(|sampling| tokenizer.can_sample(sampling)) {
            let (vocabulary, reason) = (name.to_owned(), reason.to_owned());
            return Err(StreamError::NoSampling { vocabulary, reason });
        }
        let special = [spec.unk, spec.bos, spec.eos, spec.pad].into_iter().chain(spec.mask);
        Ok(Self {
            words: tokenizers.words(name).filter(|_| words),
            tokenizer,
            prefix: prefix.iter().map(id).collect::<Result<_, _>>()?,
            pieces: spec.pieces,
            bos: spec.bos,
            eos: spec.eos,
            mask: spec.mask.unwrap_or(spec.unk),
            special: special.collect(),
            sampling: spec.sampling,
        })
    }

    /// The pieces of a text: of a segmentation that is drawn where the vocabulary says so, in training.
    fn pieces(
        &self,
        text: &str,
        noise: Option<&mut Stream>,
        skipped: &mut SkippedPairs,
    ) -> Option<Vec<u32>> {
        let pieces = match (self.sampling, noise) {
            (Some(sampling), Some(draw)) => self.tokenizer.sample(text, sampling, draw),
            _ => self.tokenizer.encode(text),
        };
        if pieces.is_empty() {
            skipped.empty += 1;
            return None;
        }
        Some(pieces)
    }

    fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary {
            facts: self.words.as_deref(),
            size: self.pieces,
            special: &self.special,
            mask: self.mask,
        }
    }
}

/// What happens to pieces, in its order.
#[derive(Debug)]
enum Step {
    TooLong { source: usize, target: usize },
    Denoise(Denoise),
    Switchout(f64),
    TokenDrop(f64),
    TokenMask(f64),
}

impl Step {
    /// The step of a transform; none when it is about text or prefixes.
    fn new(transform: &Transform) -> Option<Self> {
        Some(match transform {
            Transform::FilterTooLong { source, target } => {
                Self::TooLong { source: *source as usize, target: *target as usize }
            }
            Transform::Denoise(noise) => Self::Denoise(*noise),
            Transform::Switchout { temperature } => Self::Switchout(*temperature),
            Transform::TokenDrop { temperature } => Self::TokenDrop(*temperature),
            Transform::TokenMask { temperature } => Self::TokenMask(*temperature),
            Transform::Tokenize
            | Transform::Prefix { .. }
            | Transform::FilterWordRatio { .. }
            | Transform::FilterRepetitions { .. }
            | Transform::FilterTerminalPunctuation { .. }
            | Transform::FilterNumerals { .. }
            | Transform::FilterScript { .. } => return None,
        })
    }
}

/// What turns a task's lines into examples.
#[derive(Debug)]
pub(super) struct Examples {
    filters: Vec<Filter>,
    steps: Vec<Step>,
    /// None of a causal task.
    source: Option<Side>,
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
        let mut filters = Vec::new();
        for transform in &spec.transforms {
            if let Transform::Prefix { source, target } = transform {
                source_prefix.extend(source.iter().cloned());
                target_prefix.extend(target.iter().cloned());
            }
            filters.extend(Filter::new(transform).map_err(StreamError::NotBuilt)?);
        }
        let words = spec.transforms.iter().any(looks_at_words);
        let source = match spec.kind {
            TaskKind::Translate | TaskKind::Denoise => {
                Some(Side::new(plan, &spec.source_vocabulary, tokenizers, &source_prefix, words)?)
            }
            TaskKind::Causal => None,
        };
        Ok(Self {
            filters,
            steps: spec.transforms.iter().filter_map(Step::new).collect(),
            source,
            target: Side::new(plan, &spec.target_vocabulary, tokenizers, &target_prefix, false)?,
        })
    }

    /// The example of a pair, or none, counted by its reason. Without a stream of random numbers nothing is filtered by its text,
    /// no segmentation is drawn and there is no noise.
    pub(super) fn make(
        &self,
        source: &str,
        target: &str,
        mut noise: Option<Stream>,
        skipped: &mut SkippedPairs,
    ) -> Option<Example> {
        if noise.is_some() && !self.filters.iter().all(|filter| filter.keeps(source, target)) {
            skipped.filtered += 1;
            return None;
        }
        let source = match &self.source {
            Some(side) => side.pieces(source, noise.as_mut(), skipped)?,
            None => Vec::new(),
        };
        let target = self.target.pieces(target, noise.as_mut(), skipped)?;
        let mut pieces = Cut { source, target, fragment: None };
        for step in &self.steps {
            match (step, self.source.as_ref().zip(noise.as_mut())) {
                (Step::TooLong { source, target }, _) => {
                    if pieces.source.len() > *source || pieces.target.len() > *target {
                        skipped.too_long += 1;
                        return None;
                    }
                }
                (step, Some((side, draw))) => pieces.disturb(step, [side, &self.target], draw),
                (_, None) => {}
            }
        }
        Some(self.example(pieces))
    }

    /// What the network reads and predicts of pieces.
    fn example(
        &self,
        Cut { source: source_pieces, target: mut target_pieces, fragment }: Cut,
    ) -> Example {
        let read = |side: &Side| {
            let prefix = side.prefix.iter().copied();
            prefix.chain(source_pieces).chain([side.eos]).collect()
        };
        let source: Vec<u32> = self.source.as_ref().map(read).unwrap_or_default();
        let prefix = self.target.prefix.len();
        let scored = match fragment {
            Some(fragment) => {
                given(&mut target_pieces, &fragment, self.target.mask);
                prefix + fragment.start..prefix + fragment.end
            }
            None => prefix..prefix + target_pieces.len() + 1,
        };
        // Thousands of examples wait for their batch's turn: no room is left over.
        let mut target = Vec::with_capacity(prefix + target_pieces.len() + 2);
        target.push(self.target.bos);
        target.extend(&self.target.prefix);
        target.extend(target_pieces);
        target.push(self.target.eos);
        Example { source, target, scored }
    }
}

/// A pair cut into pieces.
#[derive(Debug)]
struct Cut {
    source: Vec<u32>,
    target: Vec<u32>,
    /// Which target pieces are predicted; none: all, and the end.
    fragment: Option<Range<usize>>,
}

impl Cut {
    /// Does what a step of noise does.
    fn disturb(&mut self, step: &Step, [source, target]: [&Side; 2], draw: &mut Stream) {
        match step {
            Step::TooLong { .. } => {}
            Step::Denoise(settings) => {
                let (noisy, fragment) = denoise(settings, &self.source, source.vocabulary(), draw);
                let original = std::mem::replace(&mut self.source, noisy);
                if fragment.is_some() {
                    // The fragment is one of the source's pieces; a segmentation of the target that was drawn may have others.
                    (self.target, self.fragment) = (original, fragment);
                }
            }
            Step::Switchout(temperature) => {
                switchout(&mut self.source, *temperature, source.vocabulary(), draw);
                switchout(&mut self.target, *temperature, target.vocabulary(), draw);
            }
            Step::TokenDrop(temperature) => {
                token_drop(&mut self.source, *temperature, draw);
                token_drop(&mut self.target, *temperature, draw);
            }
            Step::TokenMask(temperature) => {
                token_mask(&mut self.source, *temperature, source.mask, draw);
            }
        }
    }
}
