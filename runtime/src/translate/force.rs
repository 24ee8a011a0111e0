//! Forced scoring: how likely a given translation is.

use tch::{Device, Kind, Tensor};

use crate::model::{Direction, Ids, Mode};

use super::search::Search;

/// A source and the translation to score: ids; the source with its end token, the target's pieces alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) source: Vec<u32>,
    pub(super) target: Vec<u32>,
}

/// The scores of pairs, as the search would give them to these translations: the log-probability of pieces and end token divided
/// by the length penalty. All positions are computed at once, with the given words before them.
pub(super) fn scores(search: &Search, direction: &Direction, pairs: &[&Pair]) -> Vec<f64> {
    tch::no_grad(|| {
        let source = Ids::new(pairs.iter().map(|pair| pair.source.as_slice()), Device::Cpu);
        let memory = direction.encode(&source, Mode::Evaluate);
        let given: Vec<Vec<u32>> = pairs
            .iter()
            .map(|pair| search.prompt.iter().chain(&pair.target).copied().collect())
            .collect();
        let target = Ids::new(given.iter().map(Vec::as_slice), Device::Cpu);
        let states = direction.decode(&target, &memory, Mode::Evaluate);
        let rows = (0_i64..).zip(pairs);
        rows.map(|(row, pair)| {
            let length = pair.target.len() + 1;
            let from = row * target.grid.columns + as_i64(search.prompt.len()) - 1;
            let logits = direction.logits(&states.narrow(0, from, as_i64(length)));
            let next: Vec<i64> =
                pair.target.iter().chain([&search.end]).map(|&id| i64::from(id)).collect();
            let next = Tensor::from_slice(&next).unsqueeze(1);
            let of_next =
                logits.gather(1, &next, false) - logits.logsumexp([-1_i64].as_slice(), true);
            search.score(of_next.sum(Kind::Double).double_value(&[]), length)
        })
        .collect()
    })
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
