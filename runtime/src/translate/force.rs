//! Forced scoring: how likely a given translation is.

use tch::{Kind, Tensor};

use crate::model::{Direction, Ids, Mode};

use super::search::{Joint, Search, device, log_mean};
use super::sides::Encoded;

/// The scores of pairs, as the search would give them to these translations. All positions are computed at once, with the given
/// words before them.
pub(super) fn scores(search: &Search, directions: &[Direction], pairs: &[&Encoded]) -> Vec<f64> {
    let _unrecorded = tch::no_grad_guard();
    if pairs.is_empty() {
        return Vec::new();
    }
    let device = device(directions);
    let source = Ids::new(pairs.iter().map(|pair| pair.source.as_slice()), device);
    let given: Vec<Vec<u32>> = pairs
        .iter()
        .map(|pair| search.prompt.iter().chain(&pair.target).copied().collect())
        .collect();
    let target = Ids::new(given.iter().map(Vec::as_slice), device);
    let states: Vec<Tensor> = directions
        .iter()
        .map(|direction| {
            let memory = direction.encode(&source, Mode::Evaluate);
            direction.decode(&target, &memory, Mode::Evaluate)
        })
        .collect();
    let coverage = coverage(search, directions, &source, pairs);
    let next = pairs.iter().flat_map(|pair| pair.target.iter().chain([&search.end]));
    let next: Vec<i64> = next.map(|&id| i64::from(id)).collect();
    let next = Tensor::from_slice(&next).to_device(device).unsqueeze(1);
    let mut behind = 0;
    let of_pair = |(row, pair): (i64, &&Encoded)| {
        let length = as_i64(pair.target.len() + 1);
        let from = row * target.grid.columns + as_i64(search.prompt.len()) - 1;
        let logits: Vec<Tensor> = directions
            .iter()
            .zip(&states)
            .map(|(direction, states)| direction.logits(&states.narrow(0, from, length)))
            .collect();
        let next = next.narrow(0, behind, length);
        behind += length;
        log_mean(&logits).gather(1, &next, false).sum(Kind::Double)
    };
    let log_p: Vec<Tensor> = (0..).zip(pairs).map(of_pair).collect();
    // All in one transfer.
    let log_p: Vec<f64> = Vec::try_from(Tensor::stack(&log_p, 0)).unwrap_or_default();
    let score = |(row, (pair, log_p)): (usize, (&&Encoded, f64))| {
        let covered = coverage.get(row).copied().unwrap_or_default();
        search.score(log_p, pair.target.len() + 1, covered)
    };
    pairs.iter().zip(log_p).enumerate().map(score).collect()
}

/// The coverage of each pair's source when its end token is produced, position after position; nothing where it does not count.
fn coverage(
    search: &Search,
    directions: &[Direction],
    source: &Ids,
    pairs: &[&Encoded],
) -> Vec<f64> {
    if search.coverage_penalty <= 0.0 {
        return Vec::new();
    }
    let mut joint = Joint::begin(directions, source, true);
    let longest = pairs.iter().map(|pair| pair.target.len()).max().unwrap_or(0);
    let mut after = Vec::with_capacity(longest + 1);
    for at in 0..=longest {
        // Behind a translation's end anything may stand: its coverage is that of its end.
        let next = |pair: &&Encoded| match at.checked_sub(1) {
            None => search.prompt.clone(),
            Some(at) => vec![pair.target.get(at).copied().unwrap_or(search.end)],
        };
        let next: Vec<Vec<u32>> = pairs.iter().map(next).collect();
        let _ = joint.advance(&Ids::new(next.iter().map(Vec::as_slice), device(directions)));
        after.extend(joint.coverage());
    }
    // `[positions, pairs]`.
    let after: Vec<Vec<f64>> = Vec::try_from(Tensor::stack(&after, 0)).unwrap_or_default();
    let at_end = |(row, pair): (usize, &&Encoded)| after.get(pair.target.len())?.get(row).copied();
    pairs.iter().enumerate().map(|own| at_end(own).unwrap_or_default()).collect()
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
