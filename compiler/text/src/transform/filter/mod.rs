//! Filters on the text of a pair, as `OpusFilter` (Aulamo et al. 2020) and Vázquez et al. 2019 have them. Each is a file, which says when a
//! pair stays.

mod numerals;
mod repetitions;
mod script;
mod terminal_punctuation;
mod word_ratio;

use mmc_plan::Transform;
use regex::Regex;

/// One filter, ready to look.
#[derive(Debug)]
pub(crate) enum Filter {
    WordRatio(f64),
    Repetitions { most: usize, shortest: usize, longest: usize },
    TerminalPunctuation(f64),
    Numerals(f64),
    Script { scripts: [Regex; 2], least: f64 },
}

impl Filter {
    /// The filter of a transform; none when the transform is no filter on text, `Err` names a script that is not known.
    pub(crate) fn new(transform: &Transform) -> Result<Option<Self>, String> {
        Ok(Some(match transform {
            Transform::FilterWordRatio { most } => Self::WordRatio(*most),
            Transform::FilterRepetitions { most, shortest, longest } => Self::Repetitions {
                most: *most as usize,
                shortest: (*shortest).max(1) as usize,
                longest: *longest as usize,
            },
            Transform::FilterTerminalPunctuation { least } => Self::TerminalPunctuation(*least),
            Transform::FilterNumerals { least } => Self::Numerals(*least),
            Transform::FilterScript { source, target, least } => Self::Script {
                scripts: [script::letters(source)?, script::letters(target)?],
                least: *least,
            },
            Transform::Tokenize
            | Transform::Prefix { .. }
            | Transform::FilterTooLong { .. }
            | Transform::Denoise(_)
            | Transform::Switchout { .. }
            | Transform::TokenDrop { .. }
            | Transform::TokenMask { .. } => return Ok(None),
        }))
    }

    /// Whether a pair stays.
    pub(crate) fn keeps(&self, source: &str, target: &str) -> bool {
        match self {
            Self::WordRatio(most) => word_ratio::keeps([source, target], *most),
            Self::Repetitions { most, shortest, longest } => [source, target]
                .iter()
                .all(|side| !repetitions::repeats(side, *most, [*shortest, *longest])),
            Self::TerminalPunctuation(least) => {
                terminal_punctuation::keeps([source, target], *least)
            }
            Self::Numerals(least) => numerals::keeps([source, target], *least),
            Self::Script { scripts, least } => {
                let sides = scripts.iter().zip([source, target]);
                sides.into_iter().all(|(script, side)| script::part(script, side) >= *least)
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths of lines are far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_that_look_at_text_are_filters_and_look_at_both_sides() {
        let script = |source: &str, target: &str| Transform::FilterScript {
            source: source.to_owned(),
            target: target.to_owned(),
            least: 0.8,
        };
        let cases = [
            (Transform::FilterWordRatio { most: 3.0 }, "a b", "a b", "a b c d e f"),
            (
                Transform::FilterRepetitions { most: 3, shortest: 2, longest: 5 },
                "here",
                "there",
                "hahaha",
            ),
            (Transform::FilterTerminalPunctuation { least: -1.0 }, "Yes.", "Ja.", "Ja..."),
            (Transform::FilterNumerals { least: 0.9 }, "19", "19", "18"),
            (script("Latn", "Latn"), "water", "woda", "вода"),
        ];
        for (transform, source, target, bad) in cases {
            let filter = Filter::new(&transform).unwrap().unwrap();
            assert!(filter.keeps(source, target), "{transform:?}");
            assert!(!filter.keeps(source, bad), "{transform:?}");
            assert!(!filter.keeps(bad, target), "{transform:?}");
        }
        assert!(Filter::new(&Transform::Tokenize).unwrap().is_none());
        assert!(Filter::new(&script("Zorg", "Latn")).is_err());
    }
}
