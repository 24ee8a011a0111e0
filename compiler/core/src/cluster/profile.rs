//! Text of a language to a profile of its letters and words, and profiles to distances: offline, for every language.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Lines at the beginning of a file that its profile is made of.
pub const PROFILED_LINES: usize = 10_000;

/// Letters of a group, with the edges of words counted as letters.
const LETTERS: usize = 3;
/// Groups of letters, and words, that a profile keeps: the most frequent ones.
const KEPT: usize = 500;

/// The most frequent groups of three letters and words of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextProfile {
    /// Groups of letters with their counts; `_` is the edge of a word.
    pub letters: BTreeMap<String, u32>,
    /// Words with their counts.
    pub words: BTreeMap<String, u32>,
}

/// What of two profiles is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Groups of letters: one minus the Bhattacharyya coefficient of their frequencies, `1 - sum sqrt(p q)`.
    Letters,
    /// Words: one minus the overlap of their frequencies, `1 - sum min(p, q)`.
    Words,
}

impl TextProfile {
    /// The profile of some lines. Case does not count; what is no letter ends a word.
    pub fn of_lines<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> Self {
        let (mut letters, mut words) = (BTreeMap::new(), BTreeMap::new());
        for line in lines {
            let line = line.as_ref().to_lowercase();
            for word in line.split(|letter: char| !letter.is_alphabetic() && !is_mark(letter)) {
                if word.is_empty() {
                    continue;
                }
                let edged: Vec<char> = ['_'].into_iter().chain(word.chars()).chain(['_']).collect();
                for group in edged.windows(LETTERS) {
                    *letters.entry(group.iter().collect::<String>()).or_insert(0) += 1;
                }
                *words.entry(word.to_owned()).or_insert(0) += 1;
            }
        }
        Self { letters: most_frequent(letters), words: most_frequent(words) }
    }

    /// Whether there is anything to compare.
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// From 0, the same frequencies, to 1, nothing in common.
    pub fn distance(&self, other: &Self, measure: Measure) -> f64 {
        let (a, b) = match measure {
            Measure::Letters => (&self.letters, &other.letters),
            Measure::Words => (&self.words, &other.words),
        };
        let total =
            |counts: &BTreeMap<String, u32>| counts.values().copied().map(f64::from).sum::<f64>();
        let (all_a, all_b) = (total(a), total(b));
        let common =
            a.iter().filter_map(|(key, count)| Some((f64::from(*count), f64::from(*b.get(key)?))));
        let alike: f64 = common
            .map(|(x, y)| match measure {
                Measure::Letters => (x / all_a * (y / all_b)).sqrt(),
                Measure::Words => (x / all_a).min(y / all_b),
            })
            .sum();
        (1.0 - alike).max(0.0)
    }
}

/// Vowel signs and the like, which belong to words of Indic and other scripts without being letters.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}' | '\u{eb1}'..='\u{ece}'
        | '\u{f71}'..='\u{f84}' | '\u{102b}'..='\u{103e}' | '\u{17b4}'..='\u{17d3}' | '\'' | '\u{2019}')
}

/// The most frequent keys; of equal ones the first in order.
fn most_frequent(counts: BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let mut rows: Vec<(String, u32)> = counts.into_iter().collect();
    rows.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    rows.truncate(KEPT);
    rows.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_near_and_another_alphabet_is_far() {
        let german =
            TextProfile::of_lines(["Der Hund läuft.", "Die Katze schläft, der Hund nicht."]);
        let near = TextProfile::of_lines(["der hund LÄUFT", "die Katze: der Hund?"]);
        let far = TextProfile::of_lines(["Собака бежит."]);
        for measure in [Measure::Letters, Measure::Words] {
            assert!(german.distance(&german, measure) < 1e-9);
            assert!((german.distance(&far, measure) - 1.0).abs() < 1e-9);
            let (there, back) = (german.distance(&near, measure), near.distance(&german, measure));
            assert!(there > 0.0 && there < 0.5, "{there}");
            assert_eq!(there.to_bits(), back.to_bits());
        }
        assert!(TextProfile::of_lines(["12 345!"]).is_empty());
    }

    #[test]
    fn profiles_are_bounded() {
        let lines: Vec<String> = (0..2_000_u32)
            .map(|number| char::from_u32(0x4e00 + number).unwrap().to_string())
            .collect();
        let profile = TextProfile::of_lines(&lines);
        assert_eq!((profile.letters.len(), profile.words.len()), (KEPT, KEPT));
    }
}
