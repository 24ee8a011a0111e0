//! Noise of BART (Lewis et al. 2020, section 2.2) and MASS (Song et al. 2019, section 3) on the pieces of a source.

use std::ops::Range;

use mmc_plan::random::Stream;
use mmc_plan::{Denoise, MaskUnit, Objective, Replace};

use super::swap::random_piece;
use super::words::Pieces;

/// What noise has to know of a vocabulary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vocabulary<'a> {
    /// Which pieces begin words and end sentences.
    pub(crate) facts: Option<&'a Pieces>,
    /// Pieces.
    pub(crate) size: u32,
    /// Ids that are no text.
    pub(crate) special: &'a [u32],
    /// `<mask>`.
    pub(crate) mask: u32,
}

/// The noisy pieces, and under MASS which of the original's are to be predicted; none: all.
///
/// In this order: sentences are permuted, pieces masked, inserted, and the whole rotated.
pub(crate) fn denoise(
    settings: &Denoise,
    pieces: &[u32],
    vocabulary: Vocabulary<'_>,
    draw: &mut Stream,
) -> (Vec<u32>, Option<Range<usize>>) {
    let mut noisy = pieces.to_vec();
    if settings.permute > 0.0
        && let Some(facts) = vocabulary.facts
    {
        noisy = permuted(&noisy, &facts.sentences(&noisy), settings.permute, draw);
    }
    let mut hidden = |draw: &mut Stream| {
        if settings.random > 0.0 && draw.unit() < settings.random {
            random_piece(vocabulary.size, vocabulary.special, draw)
        } else {
            vocabulary.mask
        }
    };
    let scored = match settings.objective {
        Objective::Mass => {
            let length = part(settings.ratio, noisy.len()).clamp(1, noisy.len().max(1));
            let from = whole(draw.below((noisy.len().saturating_sub(length) + 1) as u64));
            let run = from..(from + length).min(noisy.len());
            for piece in noisy.get_mut(run.clone()).unwrap_or_default() {
                *piece = hidden(draw);
            }
            Some(run)
        }
        Objective::Bart => {
            noisy = masked(settings, &noisy, vocabulary.facts, &mut hidden, draw);
            None
        }
    };
    for _ in 0..part(settings.insert, pieces.len()) {
        let at = whole(draw.below(noisy.len() as u64 + 1));
        let piece = hidden(draw);
        noisy.insert(at, piece);
    }
    if settings.rotate > 0.0 && draw.unit() < settings.rotate && !noisy.is_empty() {
        let first = whole(draw.below(noisy.len() as u64));
        noisy.rotate_left(first);
    }
    if noisy.is_empty() {
        noisy.push(vocabulary.mask);
    }
    (noisy, scored)
}

/// A run of units: kept as it is, or masked together.
#[derive(Debug, Clone, Copy)]
enum Run {
    Kept,
    Masked(usize),
}

/// Masked runs of units cover `ratio` of them. All arrangements of the runs among the units that are kept are equally likely.
fn masked(
    settings: &Denoise,
    pieces: &[u32],
    facts: Option<&Pieces>,
    hidden: &mut dyn FnMut(&mut Stream) -> u32,
    draw: &mut Stream,
) -> Vec<u32> {
    let units = match (settings.unit, facts) {
        (MaskUnit::Word | MaskUnit::SpanPoisson(_), Some(facts)) => facts.words(pieces),
        (MaskUnit::Subword | MaskUnit::Word | MaskUnit::SpanPoisson(_), _) => vec![1; pieces.len()],
    };
    let budget = part(settings.ratio, units.len());
    let mut runs: Vec<Run> = vec![Run::Kept; units.len() - budget];
    match settings.unit {
        MaskUnit::Subword | MaskUnit::Word => runs.resize(units.len(), Run::Masked(1)),
        MaskUnit::SpanPoisson(mean) => {
            let mut left = budget;
            while left > 0 {
                let length = poisson(mean, draw).min(left);
                left -= length;
                runs.push(Run::Masked(length));
            }
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
                // A run of no units is a mask that was put in (Lewis et al. 2020, text infilling).
                let covered = take(count).len();
                let masks = match settings.replace {
                    Replace::Nothing => 0,
                    Replace::One => 1,
                    Replace::Each => covered,
                };
                noisy.extend((0..masks).map(|_| hidden(draw)));
            }
        }
    }
    noisy
}

/// `share` of the sentences change places among themselves.
fn permuted(pieces: &[u32], lengths: &[usize], share: f64, draw: &mut Stream) -> Vec<u32> {
    let mut sentences: Vec<&[u32]> = Vec::new();
    let mut rest = pieces;
    for &length in lengths {
        let (sentence, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        sentences.push(sentence);
        rest = behind;
    }
    let mut chosen: Vec<usize> = (0..sentences.len()).collect();
    draw.shuffle(&mut chosen);
    chosen.truncate(part(share, sentences.len()));
    let mut moved: Vec<&[u32]> =
        chosen.iter().filter_map(|&at| sentences.get(at).copied()).collect();
    draw.shuffle(&mut moved);
    for (at, sentence) in chosen.into_iter().zip(moved) {
        if let Some(place) = sentences.get_mut(at) {
            *place = sentence;
        }
    }
    sentences.concat()
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

/// A part of a count, rounded.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a small count, from 0 to all of it"
)]
fn part(share: f64, count: usize) -> usize {
    (libm::round(share * count as f64).max(0.0) as usize).min(count)
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use mmc_plan::random::Purpose;

    use super::*;

    const MASK: u32 = 999;

    fn noise(unit: MaskUnit, replace: Replace) -> Denoise {
        Denoise {
            objective: Objective::Bart,
            ratio: 0.3,
            unit,
            replace,
            random: 0.0,
            insert: 0.0,
            rotate: 0.0,
            permute: 0.0,
        }
    }

    /// Words of two pieces, sentences of five.
    fn facts() -> Pieces {
        let of = |is: fn(usize) -> bool| (0..200).map(is).collect::<Vec<bool>>();
        Pieces::of(&of(|id| id % 2 == 0), &of(|id| id % 5 == 4))
    }

    fn run(noise: &Denoise, length: u32, key: u64) -> (Vec<u32>, Option<Range<usize>>) {
        let facts = facts();
        let pieces: Vec<u32> = (0..length).collect();
        let vocabulary =
            Vocabulary { facts: Some(&facts), size: 200, special: &[0, 1, 2], mask: MASK };
        denoise(noise, &pieces, vocabulary, &mut Stream::new(3, Purpose::Noise, &[key]))
    }

    #[test]
    fn each_piece_is_masked_with_the_ratio() {
        let noise = noise(MaskUnit::Subword, Replace::Each);
        let mut hidden = vec![0.0; 20];
        for key in 0..4_000 {
            let (found, scored) = run(&noise, 20, key);
            assert_eq!((found.len(), scored), (20, None));
            assert_eq!(found.iter().filter(|&&piece| piece == MASK).count(), 6);
            for (sum, piece) in hidden.iter_mut().zip(&found) {
                *sum += f64::from(u8::from(*piece == MASK)) / 4_000.0;
            }
        }
        assert!(hidden.iter().all(|part| (part - 0.3).abs() < 0.03), "{hidden:?}");
    }

    #[test]
    fn words_are_masked_whole_and_deleted_whole() {
        for key in 0..200 {
            let (found, _) = run(&noise(MaskUnit::Word, Replace::One), 40, key);
            assert_eq!(found.len(), 40 - 6);
            let (found, _) = run(&noise(MaskUnit::Word, Replace::Nothing), 40, key);
            assert!(found.len() == 28 && found.chunks(2).all(|word| word[0] + 1 == word[1]));
        }
    }

    #[test]
    fn spans_cover_the_ratio_and_have_their_mean() {
        let noise = noise(MaskUnit::SpanPoisson(3.0), Replace::One);
        let (mut masks, mut covered) = (0, 0);
        for key in 0..2_000 {
            let (found, _) = run(&noise, 200, key);
            let kept = found.iter().filter(|&&piece| piece != MASK).count();
            assert_eq!(kept, 140, "30 of 100 words are covered");
            masks += found.len() - kept;
            covered += 30;
        }
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let mean = f64::from(covered) / masks as f64;
        // The last span is cut to what is left.
        assert!((2.6..3.0).contains(&mean), "{mean}");
    }

    #[test]
    fn mass_scores_what_it_masks() {
        let mass =
            Denoise { objective: Objective::Mass, ..noise(MaskUnit::Subword, Replace::Each) };
        for key in 0..100 {
            let (found, scored) = run(&mass, 20, key);
            let scored = scored.unwrap();
            assert_eq!(scored.len(), 6);
            for (at, piece) in found.iter().enumerate() {
                assert_eq!(*piece == MASK, scored.contains(&at));
            }
        }
    }

    #[test]
    fn sentences_and_the_whole_move_and_pieces_come_in() {
        let none = Denoise { ratio: 0.0, ..noise(MaskUnit::Subword, Replace::Each) };
        let moving = Denoise { permute: 1.0, rotate: 1.0, insert: 0.1, ..none };
        let mut firsts = std::collections::BTreeSet::new();
        for key in 0..200 {
            let (found, _) = run(&moving, 20, key);
            assert_eq!(found.iter().filter(|&&piece| piece == MASK).count(), 2);
            let mut rest: Vec<u32> = found.iter().copied().filter(|&piece| piece != MASK).collect();
            firsts.extend(rest.first().copied());
            rest.sort_unstable();
            assert_eq!(rest, (0..20).collect::<Vec<u32>>());
        }
        assert!(firsts.len() > 10, "{firsts:?}");
        let randoms = Denoise { random: 1.0, ..noise(MaskUnit::Subword, Replace::Each) };
        assert!(!run(&randoms, 20, 1).0.contains(&MASK));
    }
}
