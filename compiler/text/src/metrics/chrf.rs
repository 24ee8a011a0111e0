//! chrF (Popović 2015) and chrF++ (Popović 2017) of a corpus, as sacreBLEU computes them.

use std::fmt;

use super::count::{matches, number, runs};
use super::words::{at_spaces, is_space};
use super::{MetricError, VERSION, check, of_segment, word};

/// What stands in for a precision or recall without n-grams.
const EPSILON: f64 = 1e-16;

/// How chrF is computed; the default is sacreBLEU's chrF2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChrfOptions {
    /// Longest character n-grams.
    pub characters: usize,
    /// Longest word n-grams: 0 for chrF, 2 for chrF++.
    pub words: usize,
    /// How much more recall counts than precision.
    pub beta: u32,
    /// Whether case is ignored.
    pub lowercase: bool,
    /// Whether spaces are characters.
    pub whitespace: bool,
}

impl Default for ChrfOptions {
    fn default() -> Self {
        Self { characters: 6, words: 0, beta: 2, lowercase: false, whitespace: false }
    }
}

impl ChrfOptions {
    /// chrF2++.
    pub fn plus_plus() -> Self {
        Self { words: 2, ..Self::default() }
    }
}

/// A score with its name and signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Chrf {
    /// 0 to 100.
    pub score: f64,
    /// `chrF2`, `chrF2++`.
    pub name: String,
    /// sacreBLEU's signature.
    pub signature: String,
}

impl fmt::Display for Chrf {
    /// sacreBLEU's line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{} = {:.2}", self.name, self.signature, self.score)
    }
}

/// N-grams of one order: of the translation, of the reference, of both.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    ours: u64,
    theirs: u64,
    both: u64,
}

fn counts<T: Ord>(ours: &[T], theirs: &[T], order: usize) -> Counts {
    let (ours, theirs) = (runs(ours, order), runs(theirs, order));
    Counts {
        // N-grams that could match nothing are not held against the translation.
        ours: if theirs.is_empty() { 0 } else { ours.values().sum() },
        theirs: theirs.values().sum(),
        both: matches(&ours, &theirs),
    }
}

/// A text as characters and as words with punctuation at their ends cut off.
struct Text {
    characters: Vec<char>,
    words: Vec<String>,
}

impl Text {
    fn new(text: &str, options: &ChrfOptions) -> Self {
        let text = if options.lowercase { text.to_lowercase() } else { text.to_owned() };
        let kept = |c: &char| options.whitespace || !is_space(*c);
        let mut words = Vec::new();
        for word in at_spaces(&text).filter(|_| options.words > 0) {
            let (first, last) = (word.chars().next(), word.chars().next_back());
            let single = word.chars().nth(1).is_none();
            let cut = match (first, last) {
                (_, Some(last)) if !single && last.is_ascii_punctuation() => {
                    word.len() - last.len_utf8()
                }
                (Some(first), _) if !single && first.is_ascii_punctuation() => first.len_utf8(),
                _ => 0,
            };
            let (head, tail) = word.split_at(cut);
            words.extend(
                [head, tail].into_iter().filter(|part| !part.is_empty()).map(str::to_owned),
            );
        }
        Self { characters: text.chars().filter(kept).collect(), words }
    }

    /// The counts of every order, characters first.
    fn against(&self, reference: &Self, options: &ChrfOptions) -> Vec<Counts> {
        let characters = (1..=options.characters)
            .map(|order| counts(&self.characters, &reference.characters, order));
        let words = (1..=options.words).map(|order| counts(&self.words, &reference.words, order));
        characters.chain(words).collect()
    }
}

/// The F-score of counts: precision and recall are averaged over the orders that both sides have.
fn f_score(counts: &[Counts], beta: u32) -> f64 {
    let share = |part: u64, of: u64| if of > 0 { number(part) / number(of) } else { EPSILON };
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0_u64);
    for order in counts.iter().filter(|order| order.ours > 0 && order.theirs > 0) {
        precision += share(order.both, order.ours);
        recall += share(order.both, order.theirs);
        orders += 1;
    }
    if orders == 0 {
        return 0.0;
    }
    precision /= number(orders);
    recall /= number(orders);
    if precision + recall <= 0.0 {
        return 0.0;
    }
    let factor = f64::from(beta) * f64::from(beta);
    100.0 * ((1.0 + factor) * precision * recall / ((factor * precision) + recall))
}

/// Sums over a corpus, of which chrF is made. Those of its parts add up to them.
#[derive(Debug, Clone, Default)]
pub struct ChrfCounts(Vec<Counts>);

impl ChrfCounts {
    /// Sums of the numbers that [`Self::numbers`] gives.
    pub fn of(numbers: &[u64]) -> Self {
        let (orders, _) = numbers.as_chunks();
        Self(orders.iter().map(|&[ours, theirs, both]| Counts { ours, theirs, both }).collect())
    }

    /// Of each order, those of characters first: n-grams of the translations, of the references, of both.
    pub fn numbers(&self) -> Vec<u64> {
        self.0.iter().flat_map(|order| [order.ours, order.theirs, order.both]).collect()
    }

    /// Adds one segment; of several references the one with the best score counts.
    pub fn add(&mut self, translation: &str, references: &[&str], options: &ChrfOptions) {
        let ours = Text::new(translation, options);
        let mut best: Option<(f64, Vec<Counts>)> = None;
        for reference in references {
            let found = ours.against(&Text::new(reference, options), options);
            let score = f_score(&found, options.beta);
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, found));
            }
        }
        self.0.resize(options.characters + options.words, Counts::default());
        for (sum, found) in self.0.iter_mut().zip(best.into_iter().flat_map(|(_, found)| found)) {
            sum.ours += found.ours;
            sum.theirs += found.theirs;
            sum.both += found.both;
        }
    }

    /// chrF, 0 to 100.
    pub fn score(&self, options: &ChrfOptions) -> f64 {
        f_score(&self.0, options.beta)
    }
}

/// chrF of a corpus: `references[r][i]` is reference `r` of translation `i`; of several the one with the best score counts.
pub fn chrf(
    translations: &[String],
    references: &[Vec<String>],
    options: &ChrfOptions,
) -> Result<Chrf, MetricError> {
    check(translations, references)?;
    let mut counts = ChrfCounts::default();
    for (at, translation) in translations.iter().enumerate() {
        counts.add(translation, &of_segment(references, at), options);
    }
    let signature = format!(
        "nrefs:{}|case:{}|eff:yes|nc:{}|nw:{}|space:{}|version:{VERSION}",
        references.len(),
        word(options.lowercase, "lc", "mixed"),
        options.characters,
        options.words,
        word(options.whitespace, "yes", "no")
    );
    let name = format!("chrF{}{}", options.beta, "+".repeat(options.words));
    Ok(Chrf { score: counts.score(options), name, signature })
}
