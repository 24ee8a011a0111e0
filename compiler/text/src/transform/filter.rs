//! Filters on the text of a pair, as `OpusFilter` (Aulamo et al. 2020) and Vázquez et al. 2019 have them.

use mmc_plan::Transform;
use regex::Regex;

use super::words::TERMINAL;

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
            Transform::FilterScript { source, target, least } => {
                Self::Script { scripts: [script(source)?, script(target)?], least: *least }
            }
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
            Self::WordRatio(most) => {
                let [a, b] = [source, target].map(|side| number(side.split_whitespace().count()));
                a.max(b) < most * a.min(b).max(1.0)
            }
            Self::Repetitions { most, shortest, longest } => {
                let repeats = |side: &str| repeats(side, *most, *shortest, *longest);
                !repeats(source) && !repeats(target)
            }
            Self::TerminalPunctuation(least) => {
                let [s, t] = [source, target]
                    .map(|side| number(side.chars().filter(|c| TERMINAL.contains(c)).count()));
                let penalty = (s - t).abs() + (s - 1.0).max(0.0) + (t - 1.0).max(0.0);
                -libm::log(1.0 + penalty) >= *least
            }
            Self::Numerals(least) => {
                let [s, t] = [source, target].map(digits);
                similarity(&s, &t) >= *least
            }
            Self::Script { scripts: [s, t], least } => {
                in_script(s, source) >= *least && in_script(t, target) >= *least
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths of lines are far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}

/// Whether a string of `shortest` to `longest` characters stands `most` times in a row.
fn repeats(side: &str, most: usize, shortest: usize, longest: usize) -> bool {
    let chars: Vec<char> = side.chars().collect();
    (shortest..=longest.min(chars.len() / most.max(1))).any(|period| {
        let mut run = 0;
        chars.iter().zip(chars.iter().skip(period)).any(|(a, b)| {
            run = if a == b { run + 1 } else { 0 };
            run >= period * most.saturating_sub(1)
        })
    })
}

fn digits(side: &str) -> Vec<u32> {
    side.chars().filter_map(|c| c.to_digit(10)).filter(|&digit| digit > 0).collect()
}

/// Twice the length of all matching blocks over the sum of lengths (Ratcliff and Metzener 1988); 1 for two empty ones.
fn similarity(a: &[u32], b: &[u32]) -> f64 {
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    2.0 * number(matching(a, b)) / number(a.len() + b.len())
}

/// The length of the longest common block, the first in `a` and then in `b`, and of those on both sides of it.
fn matching(a: &[u32], b: &[u32]) -> usize {
    let (mut length, mut at) = (0, [0, 0]);
    // Lengths of the common blocks that end at the present element of `a` and at each of `b`.
    let mut before = vec![0; b.len() + 1];
    for (i, x) in a.iter().enumerate() {
        let mut now = vec![0; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            if x != y {
                continue;
            }
            let run = before.get(j).copied().unwrap_or(0) + 1;
            if let Some(place) = now.get_mut(j + 1) {
                *place = run;
            }
            if run > length {
                (length, at) = (run, [i + 1 - run, j + 1 - run]);
            }
        }
        before = now;
    }
    if length == 0 {
        return 0;
    }
    let split = |side: &[u32], from: usize| {
        let left = side.get(..from).unwrap_or_default().to_vec();
        let right = side.get(from + length..).unwrap_or_default().to_vec();
        (left, right)
    };
    let ((a_left, a_right), (b_left, b_right)) = (split(a, at[0]), split(b, at[1]));
    matching(&a_left, &b_left) + length + matching(&a_right, &b_right)
}

/// The letters of a script by its code (ISO 15924); codes of several scripts mean all of them.
fn script(code: &str) -> Result<Regex, String> {
    let class = match code {
        "Hans" | "Hant" => "\\p{sc=Hani}".to_owned(),
        "Jpan" => "[\\p{sc=Hani}\\p{sc=Hira}\\p{sc=Kana}]".to_owned(),
        "Kore" => "[\\p{sc=Hani}\\p{sc=Hang}]".to_owned(),
        code => format!("\\p{{sc={code}}}"),
    };
    Regex::new(&class).map_err(|_| format!("letters of script `{code}`"))
}

/// The part of a line's letters that are of a script; 1 without letters.
fn in_script(script: &Regex, side: &str) -> f64 {
    let (mut letters, mut own) = (0, 0);
    let mut text = [0; 4];
    for letter in side.chars().filter(|c| c.is_alphabetic()) {
        letters += 1;
        own += usize::from(script.is_match(letter.encode_utf8(&mut text)));
    }
    if letters == 0 { 1.0 } else { number(own) / number(letters) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(transform: &Transform, source: &str, target: &str) -> bool {
        Filter::new(transform).unwrap().unwrap().keeps(source, target)
    }

    #[test]
    fn ratios_of_words() {
        let filter = Transform::FilterWordRatio { most: 3.0 };
        assert!(keeps(&filter, "a b", "a b c d e"));
        assert!(!keeps(&filter, "a b", "a b c d e f"));
        assert!(!keeps(&filter, "a b c", ""));
    }

    #[test]
    fn repetitions() {
        let filter = Transform::FilterRepetitions { most: 3, shortest: 2, longest: 5 };
        assert!(keeps(&filter, "haha", "aaaa"));
        assert!(!keeps(&filter, "hahaha", "a"));
        assert!(!keeps(&filter, "a", "so so so so it is"));
        assert!(keeps(&filter, "abcdefabcdefabcdef", "a"), "longer than the longest");
    }

    #[test]
    fn terminal_punctuation() {
        let filter = Transform::FilterTerminalPunctuation { least: -1.0 };
        assert!(keeps(&filter, "Yes.", "Ja."));
        assert!(keeps(&filter, "Yes.", "Ja"));
        assert!(!keeps(&filter, "Yes...", "Ja."), "-ln(1 + 2 + 2)");
    }

    #[test]
    fn numerals() {
        let filter = Transform::FilterNumerals { least: 0.9 };
        assert!(keeps(&filter, "in 1905", "1905 an"));
        assert!(keeps(&filter, "10", "100"), "zeros do not count");
        assert!(!keeps(&filter, "in 1905", "in 1917"));
        // difflib.SequenceMatcher(None, [1,2,3,4], [3,4,1,2]).ratio() is 0.5.
        assert!((similarity(&[1, 2, 3, 4], &[3, 4, 1, 2]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn scripts() {
        let (source, target) = ("Latn".to_owned(), "Cyrl".to_owned());
        let filter = Transform::FilterScript { source, target, least: 0.8 };
        assert!(keeps(&filter, "water 12", "вода"));
        assert!(!keeps(&filter, "water", "water вода"));
        assert!(keeps(&filter, "123", "?!"));
        let (source, target) = ("Zorg".to_owned(), "Latn".to_owned());
        assert!(Filter::new(&Transform::FilterScript { source, target, least: 0.5 }).is_err());
    }
}
