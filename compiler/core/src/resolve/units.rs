//! Units of the language: what each measures and its factor.

use std::fmt;

/// What a number measures. Values are kept in the unit that the variant's line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dimension {
    /// Nothing: a ratio or a count named by its field.
    Plain,
    /// Tokens.
    Tokens,
    /// Optimiser steps.
    Steps,
    /// Sentences, that is lines of a corpus.
    Sentences,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    Rate,
    /// Floating-point operations per second.
    Flops,
    /// Seconds.
    Time,
    /// Watts.
    Power,
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "a plain number",
            Self::Tokens => "a number of tokens",
            Self::Steps => "a number of steps",
            Self::Sentences => "a number of sentences",
            Self::Bytes => "an amount of memory",
            Self::Rate => "a rate of transfer",
            Self::Flops => "a rate of computation",
            Self::Time => "a time",
            Self::Power => "a power",
        })
    }
}

/// One unit: `value * times / over` in the dimension's own unit. Both are whole so that results round once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    pub(crate) word: &'static str,
    pub(crate) dimension: Dimension,
    pub(crate) times: u64,
    pub(crate) over: u64,
}

const fn unit(word: &'static str, dimension: Dimension, times: u64, over: u64) -> Unit {
    Unit { word, dimension, times, over }
}

/// All units, in the order in which messages list them.
pub(crate) const UNITS: &[Unit] = &[
    unit("tokens", Dimension::Tokens, 1, 1),
    unit("token", Dimension::Tokens, 1, 1),
    unit("steps", Dimension::Steps, 1, 1),
    unit("step", Dimension::Steps, 1, 1),
    unit("sentences", Dimension::Sentences, 1, 1),
    unit("sentence", Dimension::Sentences, 1, 1),
    unit("lines", Dimension::Sentences, 1, 1),
    unit("GiB", Dimension::Bytes, 1 << 30, 1),
    unit("GB", Dimension::Bytes, 1_000_000_000, 1),
    unit("MiB", Dimension::Bytes, 1 << 20, 1),
    unit("MB", Dimension::Bytes, 1_000_000, 1),
    unit("KiB", Dimension::Bytes, 1 << 10, 1),
    unit("kB", Dimension::Bytes, 1_000, 1),
    unit("TiB", Dimension::Bytes, 1 << 40, 1),
    unit("TB", Dimension::Bytes, 1_000_000_000_000, 1),
    unit("bytes", Dimension::Bytes, 1, 1),
    unit("GB/s", Dimension::Rate, 1_000_000_000, 1),
    unit("Gbit/s", Dimension::Rate, 125_000_000, 1),
    unit("MB/s", Dimension::Rate, 1_000_000, 1),
    unit("Mbit/s", Dimension::Rate, 125_000, 1),
    unit("GiB/s", Dimension::Rate, 1 << 30, 1),
    unit("TB/s", Dimension::Rate, 1_000_000_000_000, 1),
    unit("TFLOP/s", Dimension::Flops, 1_000_000_000_000, 1),
    unit("GFLOP/s", Dimension::Flops, 1_000_000_000, 1),
    unit("FLOP/s", Dimension::Flops, 1, 1),
    unit("us", Dimension::Time, 1, 1_000_000),
    unit("ms", Dimension::Time, 1, 1_000),
    unit("s", Dimension::Time, 1, 1),
    unit("min", Dimension::Time, 60, 1),
    unit("h", Dimension::Time, 3_600, 1),
    unit("W", Dimension::Power, 1, 1),
    unit("kW", Dimension::Power, 1_000, 1),
];

/// The unit of a word.
pub(crate) fn find(word: &str) -> Option<&'static Unit> {
    UNITS.iter().find(|unit| unit.word == word)
}

/// The words for a dimension.
pub(crate) fn words(dimension: Dimension) -> Vec<&'static str> {
    let singular = ["token", "step", "sentence"];
    UNITS
        .iter()
        .filter(|unit| unit.dimension == dimension && !singular.contains(&unit.word))
        .map(|unit| unit.word)
        .collect()
}

/// Times and over of what may be written against the digits.
pub(crate) fn suffix(word: &str) -> Option<(u64, u64)> {
    Some(match word {
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "%" => (1, 100),
        _ => return None,
    })
}
