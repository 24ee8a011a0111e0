//! What happens to a pair of segments between the file and the batch.
//!
//! Filters on text (`FilterWordRatio` to `FilterScript`) look at both lines before any other transform does, wherever they stand in
//! the list; all others act on pieces, in the order of the list, which `Tokenize` opens. Noise (`Denoise` and everything below it)
//! is drawn anew whenever an example is read, in training only.

use serde::{Deserialize, Serialize};

use crate::flow;

/// The piece that stands for what was masked; a vocabulary's `mask` is its id.
pub const MASK_TOKEN: &str = "<mask>";

/// One transform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Transform {
    /// Segments to pieces of the task's vocabularies.
    Tokenize,
    /// Added tokens put before the source and before the target pieces.
    Prefix {
        /// Tokens before the source.
        #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "flow::names")]
        source: Vec<String>,
        /// Tokens before the target; given to the decoder after its start token, never scored.
        #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "flow::names")]
        target: Vec<String>,
    },
    /// Drops pairs with more pieces than this on either side (without start and end tokens).
    FilterTooLong {
        /// Most source pieces.
        source: u32,
        /// Most target pieces.
        target: u32,
    },
    /// Drops pairs one side of which has at least `most` times as many words as the other; words are what white space
    /// separates.
    FilterWordRatio {
        /// Above 1.
        most: f64,
    },
    /// Drops pairs one side of which says something `most` times in a row: a string of `shortest` to `longest` characters that
    /// does not begin with white space, with or without white space between.
    FilterRepetitions {
        /// How often a string stands in a row, at least 2.
        most: u32,
        /// Characters of the shortest string that counts.
        shortest: u32,
        /// Characters of the longest.
        longest: u32,
    },
    /// Drops pairs whose sides end differently: with `s` and `t` terminal punctuation marks (`.?!…` and their like in other
    /// scripts), those with `-ln(1 + |s-t| + max(s-1, 0) + max(t-1, 0)) < least` (Vázquez et al. 2019, section 2).
    FilterTerminalPunctuation {
        /// At most 0.
        least: f64,
    },
    /// Drops pairs whose numbers differ: the sequences of digits other than 0 of both sides are less similar than `least`,
    /// where similarity is twice the length of all matching blocks over the sum of lengths (Ratcliff and Metzener 1988).
    FilterNumerals {
        /// From 0 to 1.
        least: f64,
    },
    /// Drops pairs one side of which has a smaller part of its letters in its language's script.
    FilterScript {
        /// Script of the source, ISO 15924 (`Latn`).
        source: String,
        /// Script of the target.
        target: String,
        /// From 0 to 1.
        least: f64,
    },
    /// Noise on the source pieces; the target stays.
    Denoise(Denoise),
    /// Replaces `n` pieces of each side by others, each drawn uniformly from the vocabulary without itself, `n` with probability
    /// proportional to `exp(-n / temperature)`, `0 <= n <= length` (Wang et al. 2018, algorithm 1).
    Switchout {
        /// Above 0.
        temperature: f64,
    },
    /// Leaves out pieces of each side, as many as `Switchout` would replace.
    TokenDrop {
        /// Above 0.
        temperature: f64,
    },
    /// Puts `<mask>` in the place of pieces of the source, as many as `Switchout` would replace.
    TokenMask {
        /// Above 0.
        temperature: f64,
    },
}

impl Transform {
    /// Whether it changes pieces at random.
    pub fn is_noise(&self) -> bool {
        match self {
            Self::Denoise(_)
            | Self::Switchout { .. }
            | Self::TokenDrop { .. }
            | Self::TokenMask { .. } => true,
            Self::Tokenize
            | Self::Prefix { .. }
            | Self::FilterTooLong { .. }
            | Self::FilterWordRatio { .. }
            | Self::FilterRepetitions { .. }
            | Self::FilterTerminalPunctuation { .. }
            | Self::FilterNumerals { .. }
            | Self::FilterScript { .. } => false,
        }
    }

    /// Whether it is noise whose text is its own target (MASS).
    pub fn is_mass(&self) -> bool {
        matches!(self, Self::Denoise(noise) if noise.objective == Objective::Mass)
    }

    /// Whether it needs the piece `<mask>`.
    pub fn masks(&self) -> bool {
        match self {
            Self::Denoise(_) | Self::TokenMask { .. } => true,
            Self::Tokenize
            | Self::Prefix { .. }
            | Self::FilterTooLong { .. }
            | Self::FilterWordRatio { .. }
            | Self::FilterRepetitions { .. }
            | Self::FilterTerminalPunctuation { .. }
            | Self::FilterNumerals { .. }
            | Self::FilterScript { .. }
            | Self::Switchout { .. }
            | Self::TokenDrop { .. } => false,
        }
    }
}

/// Noise of BART (Lewis et al. 2020, section 2.2) or MASS (Song et al. 2019, section 3). In this order: sentences are
/// permuted, pieces masked (under MASS the other way round), inserted, and the whole rotated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denoise {
    /// What is masked and what is predicted.
    pub objective: Objective,
    /// Part of the pieces that is masked, `0 <= x <= 1`.
    pub ratio: f64,
    /// What is masked together; under MASS a run of pieces, `Subword`.
    pub unit: MaskUnit,
    /// What stands in the place of a masked unit; under MASS `Each`.
    pub replace: Replace,
    /// Part of the masked pieces that are replaced by random pieces in place of `<mask>`.
    pub random: f64,
    /// Pieces put in at random places, as a part of all; each is `<mask>` or, with probability `random`, a random piece.
    pub insert: f64,
    /// Probability that the pieces are rotated to start at a random one.
    pub rotate: f64,
    /// Part of the sentences of a segment (they end in `.?!` and their like) that change places.
    pub permute: f64,
}

/// What a noisy source is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Spans all over the source are masked; the whole target is predicted.
    Bart,
    /// One run of `ratio` times the length is masked for the encoder, and all but that run for the decoder, which predicts the
    /// run alone. For a text that is source and target, without noise besides.
    Mass,
}

/// What is masked together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskUnit {
    /// One piece.
    Subword,
    /// The pieces of one word.
    Word,
    /// As many words as a Poisson variable says, with this mean, from [`LEAST_SPAN`] to [`LONGEST_SPAN`].
    SpanPoisson(f64),
}

/// The least mean of masked spans: shorter ones are next to all empty, masks that are put in.
pub const LEAST_SPAN: f64 = 0.1;

/// The largest mean of masked spans, in words.
pub const LONGEST_SPAN: f64 = 500.0;

/// What stands in the place of a masked unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replace {
    /// Nothing: the unit is deleted.
    Nothing,
    /// One `<mask>`.
    One,
    /// One `<mask>` for each of its pieces.
    Each,
}

/// Segmentations drawn in training in place of the best one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Among so many best segmentations; none: among all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbest: Option<u32>,
    /// Exponent of their probabilities (Kudo 2018, section 3.2).
    pub alpha: f64,
}
