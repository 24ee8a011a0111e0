//! BLEU (Papineni et al. 2002) of a corpus, as sacreBLEU computes it.

use std::collections::BTreeMap;
use std::fmt;

use super::count::{number, runs};
use super::words::{Tokenization, at_spaces};
use super::{MetricError, VERSION, check, of_segment, word};

/// The longest n-grams.
const ORDER: usize = 4;

/// The logarithm of a precision of 0.
const LOG_OF_ZERO: f64 = -9_999_999_999.0;

/// What stands in for precisions of 0 (Chen and Cherry 2014).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Smoothing {
    /// Half, a quarter, ... of a match: NIST's way, sacreBLEU's default.
    #[default]
    Exp,
    /// So many matches; sacreBLEU's default is 0.1.
    Floor(f64),
    /// So many added to matches and totals of orders above 1; sacreBLEU's default is 1.
    AddK(f64),
    /// Nothing.
    None,
}

impl fmt::Display for Smoothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exp => f.write_str("exp"),
            Self::Floor(value) => write!(f, "floor[{value:.2}]"),
            Self::AddK(value) => write!(f, "add-k[{value:.2}]"),
            Self::None => f.write_str("none"),
        }
    }
}

/// How BLEU is computed; the default is sacreBLEU's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BleuOptions {
    /// What words are.
    pub tokenization: Tokenization,
    /// What stands in for precisions of 0.
    pub smoothing: Smoothing,
    /// Whether case is ignored.
    pub lowercase: bool,
    /// Whether orders longer than the text don't count: for single sentences.
    pub effective_order: bool,
}

/// A score with what it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Bleu {
    /// 0 to 100.
    pub score: f64,
    /// Of 1-grams to 4-grams, 0 to 100, smoothed.
    pub precisions: [f64; ORDER],
    /// Brevity penalty, 0 to 1.
    pub brevity_penalty: f64,
    /// Words of the translations.
    pub translation_words: u64,
    /// Words of the references that are closest in length.
    pub reference_words: u64,
    /// sacreBLEU's signature.
    pub signature: String,
}

impl fmt::Display for Bleu {
    /// sacreBLEU's line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p1, p2, p3, p4] = self.precisions;
        let (ours, theirs) = (self.translation_words, self.reference_words);
        let ratio = if theirs == 0 { 0.0 } else { number(ours) / number(theirs) };
        write!(
            f,
            "BLEU|{} = {:.2} {p1:.1}/{p2:.1}/{p3:.1}/{p4:.1} (BP = {:.3} ratio = {ratio:.3} hyp_len = {ours} ref_len = {theirs})",
            self.signature, self.score, self.brevity_penalty
        )
    }
}

/// Sums over a corpus, of which BLEU is made. Those of its parts add up to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BleuCounts {
    matches: [u64; ORDER],
    totals: [u64; ORDER],
    translation: u64,
    reference: u64,
}

impl BleuCounts {
    /// Sums of so many numbers as [`Self::numbers`] gives; what is missing is 0.
    pub fn of(numbers: &[u64]) -> Self {
        let mut numbers = numbers.iter().copied();
        let mut next = || numbers.next().unwrap_or(0);
        let (matches, totals) = ([(); ORDER].map(|()| next()), [(); ORDER].map(|()| next()));
        Self { matches, totals, translation: next(), reference: next() }
    }

    /// N-grams that match by order, all of them by order, words of the translations, words of the references.
    pub fn numbers(&self) -> Vec<u64> {
        let Self { matches, totals, translation, reference } = self;
        [matches.as_slice(), totals, &[*translation, *reference]].concat()
    }

    /// Adds one segment.
    pub fn add(&mut self, translation: &str, references: &[&str], options: &BleuOptions) {
        let spaced = |text: &str| {
            let text = if options.lowercase { text.to_lowercase() } else { text.to_owned() };
            options.tokenization.spaced(&text)
        };
        let references: Vec<String> = references.iter().map(|text| spaced(text)).collect();
        self.add_words(&spaced(translation), &references);
    }

    fn add_words(&mut self, translation: &str, references: &[String]) {
        let ours: Vec<&str> = at_spaces(translation).collect();
        let theirs: Vec<Vec<&str>> =
            references.iter().map(|reference| at_spaces(reference).collect()).collect();
        let slots = self.matches.iter_mut().zip(&mut self.totals);
        for (order, (matches, totals)) in (1..=ORDER).zip(slots) {
            // An n-gram may match as often as it stands in the reference that has it most often.
            let mut allowed: BTreeMap<&[&str], u64> = BTreeMap::new();
            for reference in &theirs {
                for (run, count) in runs(reference, order) {
                    let most = allowed.entry(run).or_default();
                    *most = count.max(*most);
                }
            }
            for (run, count) in runs(&ours, order) {
                *totals += count;
                *matches += count.min(allowed.get(run).copied().unwrap_or(0));
            }
        }
        // The reference closest in length counts, the shorter of two.
        let lengths = theirs.iter().map(Vec::len);
        let closest = lengths.min_by_key(|&length| (length.abs_diff(ours.len()), length));
        self.translation += ours.len() as u64;
        self.reference += closest.unwrap_or(0) as u64;
    }

    /// BLEU, 0 to 100.
    pub fn score(&self, options: &BleuOptions) -> f64 {
        self.parts(options).0
    }

    /// BLEU, precisions and brevity penalty.
    fn parts(&self, options: &BleuOptions) -> (f64, [f64; ORDER], f64) {
        let ratio = number(self.reference) / number(self.translation);
        let penalty = match (self.translation < self.reference, self.translation) {
            (false, _) => 1.0,
            (true, 0) => 0.0,
            (true, _) => libm::exp(1.0 - ratio),
        };
        let mut precisions = [0.0; ORDER];
        if self.matches.iter().all(|&matches| matches == 0) {
            return (0.0, precisions, penalty);
        }
        let (mut halvings, mut orders) = (1.0, ORDER);
        let counts = self.matches.iter().zip(&self.totals).zip(&mut precisions);
        for (order, ((&matches, &total), precision)) in (1..=ORDER).zip(counts) {
            let added = match options.smoothing {
                Smoothing::AddK(value) if order > 1 => value,
                Smoothing::Exp | Smoothing::Floor(_) | Smoothing::AddK(_) | Smoothing::None => 0.0,
            };
            let (matches, total) = (number(matches) + added, number(total) + added);
            if total <= 0.0 {
                break;
            }
            if options.effective_order {
                orders = order;
            }
            *precision = if matches > 0.0 {
                100.0 * matches / total
            } else {
                match options.smoothing {
                    Smoothing::Exp => {
                        halvings *= 2.0;
                        100.0 / (halvings * total)
                    }
                    Smoothing::Floor(value) => 100.0 * value / total,
                    Smoothing::AddK(_) | Smoothing::None => 0.0,
                }
            };
        }
        let log = |&p: &f64| if p > 0.0 { libm::log(p) } else { LOG_OF_ZERO };
        let sum: f64 = precisions.iter().take(orders).map(log).sum();
        (penalty * libm::exp(sum / number(orders as u64)), precisions, penalty)
    }
}

/// BLEU of a corpus: `references[r][i]` is reference `r` of translation `i`. A single sentence is a corpus of one
/// (sacreBLEU recommends `effective_order` then).
pub fn bleu(
    translations: &[String],
    references: &[Vec<String>],
    options: &BleuOptions,
) -> Result<Bleu, MetricError> {
    check(translations, references)?;
    let mut counts = BleuCounts::default();
    for (at, translation) in translations.iter().enumerate() {
        counts.add(translation, &of_segment(references, at), options);
    }
    let (score, precisions, brevity_penalty) = counts.parts(options);
    let signature = format!(
        "nrefs:{}|case:{}|eff:{}|tok:{}|smooth:{}|version:{VERSION}",
        references.len(),
        word(options.lowercase, "lc", "mixed"),
        word(options.effective_order, "yes", "no"),
        options.tokenization,
        options.smoothing
    );
    let (translation_words, reference_words) = (counts.translation, counts.reference);
    Ok(Bleu { score, precisions, brevity_penalty, translation_words, reference_words, signature })
}
