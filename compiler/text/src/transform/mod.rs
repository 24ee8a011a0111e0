//! What happens to a pair between its lines and its ids: filters on text, noise on pieces. A file says and does one of them.
//!
//! Noise draws from a stream that the caller keys by task, epoch and line: the same example has the same noise whoever reads it,
//! and after a resumption too.

mod denoise;
mod filter;
mod places;
mod switchout;
mod token_drop;
mod token_mask;
mod vocabulary;
mod words;

use mmc_plan::{MaskUnit, Objective, Transform};

pub(crate) use denoise::{denoise, given};
pub(crate) use filter::Filter;
pub(crate) use switchout::switchout;
pub(crate) use token_drop::token_drop;
pub(crate) use token_mask::token_mask;
pub(crate) use vocabulary::Vocabulary;
pub(crate) use words::Pieces;

/// Whether a transform needs to know which pieces begin words or end sentences.
pub(crate) fn looks_at_words(transform: &Transform) -> bool {
    let Transform::Denoise(noise) = transform else { return false };
    let by_piece = noise.objective == Objective::Mass || noise.unit == MaskUnit::Subword;
    !by_piece || noise.permute > 0.0
}

#[cfg(test)]
mod tests {
    //! What tests of distributions share.

    use mmc_plan::random::{Purpose, Stream};

    /// The stream of a trial.
    pub(super) fn stream(trial: u32) -> Stream {
        Stream::new(5, Purpose::Noise, &[trial.into()])
    }

    /// Fails where a count of `trials` is more than five standard deviations from what its probability gives.
    pub(super) fn assert_shares(counts: &[u32], shares: &[f64], trials: u32) {
        assert_eq!(counts.len(), shares.len());
        let trials = f64::from(trials);
        for (at, (&count, share)) in counts.iter().zip(shares).enumerate() {
            let (expected, deviation) = (trials * share, (trials * share * (1.0 - share)).sqrt());
            let off = (f64::from(count) - expected).abs();
            assert!(off <= 5.0 * deviation, "{at}: {count}, not {expected:.1}, of {counts:?}");
        }
    }

    /// How likely 0, 1, 2 and 3 of three pieces are to change.
    pub(super) fn changed_of_three(temperature: f64) -> [f64; 4] {
        let weights = [0.0, 1.0, 2.0, 3.0].map(|n: f64| (-n / temperature).exp());
        weights.map(|weight| weight / weights.iter().sum::<f64>())
    }

    /// Fails where counts, of as many equally likely cases, are not about equal.
    pub(super) fn assert_even(counts: &[u32]) {
        let trials = counts.iter().sum();
        let share = 1.0 / f64::from(u32::try_from(counts.len()).unwrap());
        assert_shares(counts, &vec![share; counts.len()], trials);
    }
}
