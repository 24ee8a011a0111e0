//! Noise on the pieces of a source that its target is to be restored from: of BART (Lewis et al. 2020, section 2.2) or of MASS
//! (Song et al. 2019, section 3). Each kind of noise is a file.

mod insert;
mod mask;
mod mass;
mod permute;
mod rotate;

use std::ops::Range;

use mmc_plan::random::Stream;
use mmc_plan::{Denoise, Objective};

use super::vocabulary::Vocabulary;

pub(crate) use mass::given;

/// The noisy pieces, and under MASS the fragment of the original's that is to be predicted; none: all.
///
/// Under BART sentences are permuted, then pieces masked; under MASS it is the other way round, so that the fragment is one of the
/// original. Then pieces are put in, and the whole is rotated.
pub(crate) fn denoise(
    settings: &Denoise,
    pieces: &[u32],
    vocabulary: Vocabulary<'_>,
    draw: &mut Stream,
) -> (Vec<u32>, Option<Range<usize>>) {
    let permute = |list: Vec<u32>, draw: &mut Stream| match vocabulary.facts {
        // Sentences end where they did before any piece was masked.
        Some(facts) if settings.permute > 0.0 => {
            permute::run(&list, &facts.sentences(pieces), settings.permute, draw)
        }
        _ => list,
    };
    let (mut noisy, fragment) = match settings.objective {
        Objective::Bart => {
            let moved = permute(pieces.to_vec(), draw);
            (mask::run(settings, &moved, vocabulary, draw), None)
        }
        Objective::Mass => {
            let (masked, fragment) = mass::run(settings, pieces, vocabulary, draw);
            (permute(masked, draw), Some(fragment))
        }
    };
    for _ in 0..part(settings.insert, pieces.len()) {
        insert::run(&mut noisy, vocabulary.hidden(settings.random, draw), draw);
    }
    if settings.rotate > 0.0 && draw.unit() < settings.rotate {
        rotate::run(&mut noisy, draw);
    }
    if noisy.is_empty() {
        noisy.push(vocabulary.mask);
    }
    (noisy, fragment)
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

/// A place in `0..bound`.
fn place(bound: usize, draw: &mut Stream) -> usize {
    usize::try_from(draw.below(bound as u64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use mmc_plan::{MaskUnit, Replace};

    use super::super::tests::{assert_even, assert_shares, stream};
    use super::super::words::Pieces;
    use super::*;

    pub(super) const MASK: u32 = 999;

    /// Pieces 0 to 199: words of two, sentences of five.
    pub(super) fn facts() -> Pieces {
        let of = |is: fn(usize) -> bool| (0..200).map(is).collect::<Vec<bool>>();
        Pieces::of(&of(|id| id % 2 == 0), &of(|id| id % 5 == 4))
    }

    pub(super) fn vocabulary(facts: &Pieces) -> Vocabulary<'_> {
        Vocabulary { facts: Some(facts), size: 200, special: &[0, 1, 2], mask: MASK }
    }

    /// Noise that masks nothing.
    pub(super) const NONE: Denoise = Denoise {
        objective: Objective::Bart,
        ratio: 0.0,
        unit: MaskUnit::Subword,
        replace: Replace::Each,
        random: 0.0,
        insert: 0.0,
        rotate: 0.0,
        permute: 0.0,
    };

    fn run(noise: &Denoise, length: u32, trial: u32) -> (Vec<u32>, Option<Range<usize>>) {
        let facts = facts();
        let pieces: Vec<u32> = (0..length).collect();
        denoise(noise, &pieces, vocabulary(&facts), &mut stream(trial))
    }

    #[test]
    fn nothing_changes_without_noise() {
        assert_eq!(run(&NONE, 20, 0), ((0..20).collect(), None));
    }

    /// What the encoder does not see of the original is the fragment, wherever its sentences went.
    #[test]
    fn the_fragment_is_of_the_original_whatever_else_the_noise_does() {
        let mass = Denoise { objective: Objective::Mass, ratio: 0.3, ..NONE };
        for noise in [
            mass,
            Denoise { permute: 1.0, ..mass },
            Denoise { permute: 1.0, rotate: 1.0, insert: 0.2, ..mass },
        ] {
            let mut moved = 0;
            for trial in 0..200 {
                let (found, fragment) = run(&noise, 20, trial);
                let fragment = fragment.unwrap();
                let hidden = found.iter().filter(|&&piece| piece == MASK).count();
                assert_eq!(hidden, if noise.insert > 0.0 { 10 } else { 6 });
                let mut seen: Vec<u32> = found.into_iter().filter(|&id| id != MASK).collect();
                moved += u32::from(!seen.is_sorted());
                seen.sort_unstable();
                let hidden: Vec<u32> = (0..20).filter(|id| !seen.contains(id)).collect();
                assert_eq!(hidden, (0..20).collect::<Vec<u32>>()[fragment].to_vec());
            }
            assert_eq!(moved > 0, noise.permute > 0.0);
        }
    }

    /// Two of four pieces are put in: all fifteen places for them are equally likely, and so many are random.
    #[test]
    fn as_many_pieces_come_in_as_are_told() {
        let mut counts = [0; 64];
        for trial in 0..30_000 {
            let (found, _) = run(&Denoise { insert: 0.5, ..NONE }, 4, trial);
            let rest: Vec<u32> = found.iter().copied().filter(|&piece| piece != MASK).collect();
            assert_eq!((found.len(), rest), (6, vec![0, 1, 2, 3]));
            let of = |sum: usize, &piece: &u32| sum * 2 + usize::from(piece == MASK);
            counts[found.iter().fold(0, of)] += 1;
        }
        let of_two: Vec<u32> =
            (0..64_usize).filter(|set| set.count_ones() == 2).map(|set| counts[set]).collect();
        assert_even(&of_two);
        let mut random = 0;
        for trial in 0..4_000 {
            let (found, _) = run(&Denoise { insert: 0.5, random: 0.3, ..NONE }, 20, trial);
            random += 10 - u32::try_from(found.iter().filter(|id| **id == MASK).count()).unwrap();
        }
        assert_shares(&[random], &[0.3], 40_000);
    }

    #[test]
    fn a_share_of_segments_is_rotated_to_any_piece() {
        let mut firsts = [0; 5];
        for trial in 0..20_000 {
            let (found, _) = run(&Denoise { rotate: 0.4, ..NONE }, 5, trial);
            for pair in found.windows(2) {
                assert_eq!((pair[0] + 1) % 5, pair[1]);
            }
            firsts[found[0] as usize] += 1;
        }
        assert_shares(&firsts, &[0.6 + 0.08, 0.08, 0.08, 0.08, 0.08], 20_000);
    }

    #[test]
    fn a_segment_of_which_nothing_is_left_is_a_mask() {
        let all = Denoise { ratio: 1.0, replace: Replace::Nothing, ..NONE };
        assert_eq!(run(&all, 5, 0), (vec![MASK], None));
    }
}
