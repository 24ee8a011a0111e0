//! Switch-out, token drop and token mask: a random number of a side's pieces are replaced, left out or masked.

use mmc_plan::random::Stream;

/// What happens to the pieces that are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'a> {
    /// Others take their places, drawn uniformly from `0..pieces` without those listed (Wang et al. 2018, algorithm 1).
    Replace {
        /// Size of the vocabulary.
        pieces: u32,
        /// Ids that are no text.
        special: &'a [u32],
    },
    /// They are left out; at least one piece stays.
    Drop,
    /// This id takes their places.
    Mask(u32),
}

/// Changes `n` pieces, `n` with probability proportional to `exp(-n / temperature)`, `0 <= n <= length`; which ones is uniform.
pub(crate) fn change(
    pieces: &mut Vec<u32>,
    temperature: f64,
    change: Change<'_>,
    draw: &mut Stream,
) {
    let mut places: Vec<usize> = (0..pieces.len()).collect();
    let count = number(pieces.len(), temperature, draw);
    draw.shuffle(&mut places);
    places.truncate(count);
    match change {
        Change::Replace { pieces: size, special } => {
            for at in places {
                if let Some(piece) = pieces.get_mut(at) {
                    *piece = random_piece(size, special, draw);
                }
            }
        }
        Change::Mask(id) => {
            for at in places {
                if let Some(piece) = pieces.get_mut(at) {
                    *piece = id;
                }
            }
        }
        Change::Drop => {
            places.truncate(pieces.len().saturating_sub(1));
            places.sort_unstable_by(|a, b| b.cmp(a));
            for at in places {
                pieces.remove(at);
            }
        }
    }
}

/// A piece that is text; after many vain draws, whatever comes.
pub(super) fn random_piece(size: u32, special: &[u32], draw: &mut Stream) -> u32 {
    let mut piece = 0;
    for _ in 0..64 {
        piece = u32::try_from(draw.below(u64::from(size))).unwrap_or(0);
        if !special.contains(&piece) {
            break;
        }
    }
    piece
}

/// The number of pieces that change.
fn number(length: usize, temperature: f64, draw: &mut Stream) -> usize {
    let weight = |n: usize| {
        #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
        let n = n as f64;
        libm::exp(-n / temperature)
    };
    let all: f64 = (0..=length).map(weight).sum();
    let point = draw.unit() * all;
    let mut upper = 0.0;
    for n in 0..=length {
        upper += weight(n);
        if point < upper {
            return n;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use mmc_plan::random::Purpose;

    use super::*;

    fn stream(key: u64) -> Stream {
        Stream::new(5, Purpose::Noise, &[key])
    }

    #[test]
    fn counts_have_their_distribution() {
        let trials = 40_000_u32;
        let mut counts = [0_u32; 4];
        for trial in 0..trials {
            counts[number(3, 0.8, &mut stream(trial.into()))] += 1;
        }
        let weights: Vec<f64> = (0..4).map(|n| (-f64::from(n) / 0.8).exp()).collect();
        let all: f64 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(weights) {
            let found = f64::from(*count) / f64::from(trials);
            assert!((found - weight / all).abs() < 0.01, "{counts:?}");
        }
    }

    #[test]
    fn each_change_does_what_it_says() {
        let original: Vec<u32> = (10..30).collect();
        let (mut dropped, mut masked) = (0, 0);
        for key in 0..200 {
            let changed = |what: Change<'_>| {
                let mut pieces = original.clone();
                change(&mut pieces, 3.0, what, &mut stream(key));
                pieces
            };
            let less = changed(Change::Drop);
            assert!(less.is_sorted() && less.iter().all(|piece| original.contains(piece)));
            dropped += original.len() - less.len();
            let hidden = changed(Change::Mask(99));
            let differ = hidden.iter().zip(&original).filter(|(a, b)| a != b);
            masked += differ.inspect(|(a, _)| assert_eq!(**a, 99)).count();
            let replaced = changed(Change::Replace { pieces: 9, special: &[0, 1, 2] });
            assert_eq!(replaced.len(), original.len());
            assert!(replaced.iter().all(|&piece| piece > 2));
        }
        assert_eq!(dropped, masked, "one stream, one count");
        assert!(masked > 0);
    }
}
