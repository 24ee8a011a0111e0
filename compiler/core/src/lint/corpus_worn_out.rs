//! A corpus is read so often that the plan is hardly meant.

use super::corpus_repeated::{epochs, finding};
use super::{Found, Lint, Subject, denial};

/// Times beyond which more steps only make the model know its text by heart.
pub(super) const MOST_EPOCHS: u128 = 100;

pub(super) const LINT: Lint =
    denial("mmc::lint::corpus_worn_out", "a corpus is read more than a hundred times", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let worn = epochs(subject).filter(|(epochs, _)| *epochs > MOST_EPOCHS);
    let help = "train shorter, give small corpora less weight (a larger temperature, `unimax`), or allow this lint if it is meant";
    finding(subject, worn.collect(), help)
}
