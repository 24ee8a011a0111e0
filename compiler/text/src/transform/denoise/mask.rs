//! Token masking, token deletion and text infilling (Lewis et al. 2020, section 2.2): units of the text give way to masks.

use mmc_plan::random::Stream;
use mmc_plan::{Denoise, MaskUnit, Replace};

use super::super::vocabulary::Vocabulary;
use super::part;

/// A run of units: kept as it is, or masked together.
#[derive(Debug, Clone, Copy)]
enum Run {
    Kept,
    Masked(usize),
}

/// Masked runs of units, which are pieces or words, cover `ratio` of them. All arrangements of the runs among the units that are kept are
/// equally likely.
pub(super) fn run(
    settings: &Denoise,
    pieces: &[u32],
    vocabulary: Vocabulary<'_>,
    draw: &mut Stream,
) -> Vec<u32> {
    let units = match (settings.unit, vocabulary.facts) {
        (MaskUnit::Word | MaskUnit::SpanPoisson(_), Some(facts)) => facts.words(pieces),
        (MaskUnit::Subword | MaskUnit::Word | MaskUnit::SpanPoisson(_), _) => vec![1; pieces.len()],
    };
    let budget = part(settings.ratio, units.len());
    let mut runs: Vec<Run> = vec![Run::Kept; units.len() - budget];
    match settings.unit {
        MaskUnit::Subword | MaskUnit::Word => runs.resize(units.len(), Run::Masked(1)),
        MaskUnit::SpanPoisson(mean) => {
            runs.extend(spans(budget, mean, draw).into_iter().map(Run::Masked));
        }
    }
    draw.shuffle(&mut runs);
    let (mut noisy, mut rest, mut units) = (Vec::new(), pieces, units.into_iter());
    let mut take = |count: usize| {
        let length = units.by_ref().take(count).sum();
        let (taken, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = behind;
        taken
    };
    for run in runs {
        match run {
            Run::Kept => noisy.extend(take(1)),
            Run::Masked(count) => {
                let covered = take(count).len();
                let masks = match settings.replace {
                    Replace::Nothing => 0,
                    Replace::One => 1,
                    Replace::Each => covered,
                };
                noisy.extend((0..masks).map(|_| vocabulary.hidden(settings.random, draw)));
            }
        }
    }
    noisy
}

/// In so many empty spans in a row a span of one follows, whatever its length was to be. With the least mean that a plan may have, 0.1,
/// that comes once in 10^43 spans; it is for an end that is certain.
const EMPTY_SPANS: usize = 1_000;

/// Lengths of spans that cover `budget` units together: each a Poisson variable, the last cut to what is left. A span of no units is a
/// mask that is put in.
fn spans(budget: usize, mean: f64, draw: &mut Stream) -> Vec<usize> {
    let (mut spans, mut left, mut empty) = (Vec::new(), budget, 0);
    while left > 0 {
        let drawn = if empty == EMPTY_SPANS { 1 } else { poisson(mean, draw) };
        let length = drawn.min(left);
        empty = if length == 0 { empty + 1 } else { 0 };
        left -= length;
        spans.push(length);
    }
    spans
}

/// A Poisson variable (Knuth, TAOCP 2, section 3.4.1).
fn poisson(mean: f64, draw: &mut Stream) -> usize {
    let bound = libm::exp(-mean);
    let (mut count, mut product) = (0, draw.unit());
    while product > bound && count < 1_000 {
        count += 1;
        product *= draw.unit();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{assert_shares, stream};
    use super::super::tests::{MASK, NONE, facts, vocabulary};
    use super::*;

    fn masked(unit: MaskUnit, replace: Replace, length: u32, trial: u32) -> Vec<u32> {
        let facts = facts();
        let pieces: Vec<u32> = (0..length).collect();
        let settings = Denoise { ratio: 0.3, unit, replace, ..NONE };
        run(&settings, &pieces, vocabulary(&facts), &mut stream(trial))
    }

    #[test]
    fn each_piece_is_masked_with_the_ratio() {
        let mut hidden = [0; 20];
        for trial in 0..4_000 {
            let found = masked(MaskUnit::Subword, Replace::Each, 20, trial);
            assert_eq!(found.iter().filter(|&&piece| piece == MASK).count(), 6);
            for (at, (count, piece)) in (0..).zip(hidden.iter_mut().zip(&found)) {
                assert!(*piece == MASK || *piece == at);
                *count += u32::from(*piece == MASK);
            }
        }
        assert_shares(&hidden, &[0.3; 20], 4_000);
    }

    #[test]
    fn words_are_masked_whole_and_deleted_whole() {
        for trial in 0..200 {
            let found = masked(MaskUnit::Word, Replace::One, 40, trial);
            assert_eq!(found.len(), 40 - 6);
            let found = masked(MaskUnit::Word, Replace::Each, 40, trial);
            assert!(found.chunks(2).all(|word| (word[0] == MASK) == (word[1] == MASK)));
            let found = masked(MaskUnit::Word, Replace::Nothing, 40, trial);
            assert!(found.len() == 28 && found.chunks(2).all(|word| word[0] + 1 == word[1]));
        }
    }

    #[test]
    fn spans_cover_the_ratio() {
        let unit = MaskUnit::SpanPoisson(3.0);
        for trial in 0..200 {
            for replace in [Replace::One, Replace::Nothing, Replace::Each] {
                let found = masked(unit, replace, 200, trial);
                let kept = found.iter().filter(|&&piece| piece != MASK);
                assert_eq!(kept.count(), 140, "30 of 100 words are covered");
                match replace {
                    Replace::One => assert!(found.len() > 140),
                    Replace::Nothing => assert_eq!(found.len(), 140),
                    Replace::Each => assert_eq!(found.len(), 200),
                }
            }
        }
    }

    /// Lengths of spans from none to nine, of 30 000 and more. Those of a large budget are like free ones: one of them is cut.
    #[test]
    fn lengths_of_spans_are_poisson_variables() {
        for mean in [0.1, 3.0] {
            let mut counts = [0; 10];
            let spans = spans(if mean < 1.0 { 3_000 } else { 90_000 }, mean, &mut stream(0));
            for &length in &spans {
                if let Some(count) = counts.get_mut(length) {
                    *count += 1;
                }
            }
            let mut share = (-mean).exp();
            let shares: [f64; 10] = std::array::from_fn(|at| {
                let here = share;
                share *= mean / f64::from(u32::try_from(at + 1).unwrap());
                here
            });
            // Shares of a handful of spans are no matter of standard deviations.
            let seen = shares.iter().take_while(|share| **share > 1e-3).count();
            let trials = u32::try_from(spans.len()).unwrap();
            assert_shares(&counts[..seen], &shares[..seen], trials);
        }
    }

    #[test]
    fn spans_of_next_to_no_mean_end_too() {
        for mean in [1e-300, f64::MIN_POSITIVE, 0.0] {
            assert_eq!(spans(2, mean, &mut stream(0)).iter().sum::<usize>(), 2);
        }
    }
}
