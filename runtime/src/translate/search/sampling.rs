//! Sampling: what follows is drawn from the likeliest ids, in place of being searched for.

use mmc_plan::random::{Purpose, Stream};

/// How to draw. The same key draws the same, whatever else is in the batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sampling {
    /// Probabilities are raised to the power of its inverse; above 0.
    pub(crate) temperature: f64,
    /// Only so many of the likeliest ids are drawn from (Fan et al. 2018); 0: all.
    pub(crate) top_k: usize,
    /// Only the likeliest ids that together have this probability are drawn from (Holtzman et al. 2020, section 3.1).
    pub(crate) top_p: f64,
    pub(crate) seed: u64,
}

impl Sampling {
    /// Draws one of `row`: ids with log-probabilities, likeliest first. None when the row is empty.
    pub(crate) fn draw(&self, row: &[(u32, f64)], key: u64, position: usize) -> Option<(u32, f64)> {
        let best = row.first()?.1;
        let kept = if self.top_k > 0 { self.top_k.min(row.len()) } else { row.len() };
        let weights: Vec<f64> = row
            .iter()
            .take(kept)
            .map(|(_, log_p)| libm::exp((log_p - best) / self.temperature))
            .collect();
        let all: f64 = weights.iter().sum();
        let mut nucleus = 0.0;
        let inside = weights
            .iter()
            .position(|weight| {
                nucleus += weight;
                nucleus >= self.top_p * all
            })
            .map_or(weights.len(), |last| last + 1);
        let sum: f64 = weights.iter().take(inside).sum();
        let mut stream = Stream::new(self.seed, Purpose::Sampling, &[key, position as u64]);
        let mut left = stream.unit() * sum;
        let drawn = weights.iter().take(inside).position(|weight| {
            left -= weight;
            left < 0.0
        });
        // Rounding may leave a rest: then it is the last.
        row.get(drawn.unwrap_or(inside.saturating_sub(1))).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: [(u32, f64); 4] = [(7, 0.4), (3, 0.3), (9, 0.2), (1, 0.1)];

    fn counts(temperature: f64, top_k: usize, top_p: f64) -> [u32; 4] {
        let row = ROW.map(|(id, p): (u32, f64)| (id, p.ln()));
        let sampling = Sampling { temperature, top_k, top_p, seed: 5 };
        let mut counts = [0; 4];
        for key in 0..20_000 {
            let (id, _) = sampling.draw(&row, key, 2).expect("a row");
            let at = ROW.iter().position(|(known, _)| *known == id).expect("an id of the row");
            counts[at] += 1;
        }
        counts
    }

    /// Pearson's statistic against expected parts stays below the 0.999 quantile for three degrees of freedom.
    fn assert_drawn(counts: [u32; 4], parts: [f64; 4]) {
        let mut statistic = 0.0;
        for (count, part) in counts.into_iter().zip(parts) {
            let expected = 20_000.0 * part;
            if part == 0.0 {
                assert_eq!(count, 0);
            } else {
                statistic += (f64::from(count) - expected).powi(2) / expected;
            }
        }
        assert!(statistic < 16.27, "{statistic} {counts:?}");
    }

    #[test]
    fn ids_are_drawn_by_their_probabilities() {
        assert_drawn(counts(1.0, 0, 1.0), [0.4, 0.3, 0.2, 0.1]);
        assert_drawn(counts(0.5, 0, 1.0), [16.0 / 30.0, 9.0 / 30.0, 4.0 / 30.0, 1.0 / 30.0]);
        assert_drawn(counts(1.0, 2, 1.0), [4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        assert_drawn(counts(1.0, 0, 0.65), [4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        assert_drawn(counts(1.0, 1, 1.0), [1.0, 0.0, 0.0, 0.0]);
    }
}
