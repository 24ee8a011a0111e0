//! Text to the words that BLEU counts: sacreBLEU's tokenizations that need no model.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;

use super::MetricError;

/// A way of cutting text into words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tokenization {
    /// That of `mteval-v13a.pl`, sacreBLEU's default.
    #[default]
    V13a,
    /// Punctuation and symbols of all scripts, as `mteval-v14.pl --international-tokenization`.
    International,
    /// Chinese characters one by one, the rest as [`Tokenization::V13a`].
    Chinese,
    /// Every character a word.
    Character,
    /// At spaces only.
    Space,
}

impl fmt::Display for Tokenization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V13a => "13a",
            Self::International => "intl",
            Self::Chinese => "zh",
            Self::Character => "char",
            Self::Space => "none",
        })
    }
}

impl FromStr for Tokenization {
    type Err = MetricError;

    /// By sacreBLEU's name.
    fn from_str(name: &str) -> Result<Self, MetricError> {
        let needs = match name {
            "13a" => return Ok(Self::V13a),
            "intl" => return Ok(Self::International),
            "zh" => return Ok(Self::Chinese),
            "char" => return Ok(Self::Character),
            "none" => return Ok(Self::Space),
            "ja-mecab" | "ko-mecab" => "the MeCab analyser and its dictionary",
            "spm" | "flores101" | "flores200" | "spBLEU-1K" => "a SentencePiece model of its own",
            _ => return Err(MetricError::UnknownTokenization { name: name.to_owned() }),
        };
        Err(MetricError::TokenizationNotBuilt { name: name.to_owned(), needs })
    }
}

/// What Python's `str.split` takes for space: Unicode's white space and the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The words of a text that is cut at spaces.
pub(super) fn at_spaces(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// A pattern and what its matches become.
type Rule = (Regex, &'static str);

fn rules(patterns: &[(&str, &'static str)]) -> Vec<Rule> {
    let compile = |&(pattern, becomes): &(&str, &'static str)| {
        (Regex::new(pattern).expect("the patterns are constants"), becomes)
    };
    patterns.iter().map(compile).collect()
}

/// sacreBLEU's `TokenizerRegexp`: ASCII punctuation, but periods and commas between digits.
static WESTERN: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    rules(&[
        (r"([\{-\~\[-\x60\x20-\x26\(-\+:-@/])", " $1 "),
        (r"([^0-9])([\.,])", "$1 $2 "),
        (r"([\.,])([^0-9])", " $1 $2"),
        (r"([0-9])(-)", "$1 $2 "),
    ])
});

/// sacreBLEU's `TokenizerV14International`.
static INTERNATIONAL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    rules(&[(r"(\P{N})(\p{P})", "$1 $2 "), (r"(\p{P})(\P{N})", " $1 $2"), (r"(\p{S})", " $1 ")])
});

/// sacreBLEU's `_UCODE_RANGES`. Two of its ranges are written with five digits where Python reads four, and so mean
/// U+2001 to U+2A6D and U+2F81 to U+2FA1; its scores depend on that.
const CHINESE: [(char, char); 22] = [
    ('\u{3400}', '\u{4db5}'),
    ('\u{4e00}', '\u{9fa5}'),
    ('\u{9fa6}', '\u{9fbb}'),
    ('\u{f900}', '\u{fa2d}'),
    ('\u{fa30}', '\u{fa6a}'),
    ('\u{fa70}', '\u{fad9}'),
    ('\u{2001}', '\u{2a6d}'),
    ('\u{2f81}', '\u{2fa1}'),
    ('\u{ff00}', '\u{ffef}'),
    ('\u{2e80}', '\u{2eff}'),
    ('\u{3000}', '\u{303f}'),
    ('\u{31c0}', '\u{31ef}'),
    ('\u{2f00}', '\u{2fdf}'),
    ('\u{2ff0}', '\u{2fff}'),
    ('\u{3100}', '\u{312f}'),
    ('\u{31a0}', '\u{31bf}'),
    ('\u{fe10}', '\u{fe1f}'),
    ('\u{fe30}', '\u{fe4f}'),
    ('\u{2600}', '\u{26ff}'),
    ('\u{2700}', '\u{27bf}'),
    ('\u{3200}', '\u{32ff}'),
    ('\u{3300}', '\u{33ff}'),
];

fn apply(rules: &[Rule], text: &str) -> String {
    rules.iter().fold(text.to_owned(), |text, (pattern, becomes)| {
        pattern.replace_all(&text, *becomes).into_owned()
    })
}

impl Tokenization {
    /// A text with spaces between its words.
    pub(super) fn spaced(self, text: &str) -> String {
        let text = text.trim_end_matches(is_space);
        match self {
            Self::Space => text.to_owned(),
            Self::Character => text.chars().flat_map(|c| [c, ' ']).collect(),
            Self::International => apply(&INTERNATIONAL, text),
            Self::V13a => {
                let mut text = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
                for (entity, sign) in
                    [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")]
                {
                    text = text.replace(entity, sign);
                }
                apply(&WESTERN, &format!(" {text} "))
            }
            Self::Chinese => {
                let mut parted = String::with_capacity(text.len() * 2);
                for c in text.trim_matches(is_space).chars() {
                    if CHINESE.iter().any(|&(first, last)| (first..=last).contains(&c)) {
                        parted.extend([' ', c, ' ']);
                    } else {
                        parted.push(c);
                    }
                }
                apply(&WESTERN, &parted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(tokenization: Tokenization, text: &str) -> Vec<String> {
        at_spaces(&tokenization.spaced(text)).map(str::to_owned).collect()
    }

    #[test]
    fn numbers_entities_and_dashes() {
        let text = "It cost 1,000.5-ish (&quot;well&quot;), in 1990-2000. ";
        let expected = [
            "It", "cost", "1,000.5", "-", "ish", "(", "\"", "well", "\"", ")", ",", "in", "1990",
            "-", "2000", ".",
        ];
        assert_eq!(words(Tokenization::V13a, text), expected);
        let text = "«Ça coûte 1.000,50 €», dit-il en 1990.";
        let expected =
            ["«", "Ça", "coûte", "1.000,50", "€", "»", ",", "dit", "-", "il", "en", "1990."];
        assert_eq!(words(Tokenization::International, text), expected);
    }

    #[test]
    fn names_are_sacrebleu_s_and_unbuilt_ones_are_refused() {
        for name in ["13a", "intl", "zh", "char", "none"] {
            assert_eq!(name.parse::<Tokenization>().unwrap().to_string(), name);
        }
        let refused = "ja-mecab".parse::<Tokenization>();
        assert!(matches!(refused, Err(MetricError::TokenizationNotBuilt { .. })));
        let refused = "v13".parse::<Tokenization>();
        assert!(matches!(refused, Err(MetricError::UnknownTokenization { .. })));
    }
}
