//! Forced scoring: how likely a given translation is.

use tch::{Device, Kind, Tensor};

use crate::model::{Direction, Ids, Mode};

use super::search::{Joint, Search, log_mean};
use super::sides::Encoded;

/// The scores of pairs, as the search would give them to these translations. All positions are computed at once, with the given
/// words before them.
pub(super) fn scores(search: &Search, directions: &[Direction], pairs: &[&Encoded]) -> Vec<f64> {
    let _unrecorded = tch::no_grad_guard();
    let source = Ids::new(pairs.iter().map(|pair| pair.source.as_slice()), Device::Cpu);
    let given: Vec<Vec<u32>> = pairs
        .iter()
        .map(|pair| search.prompt.iter().chain(&pair.target).copied().collect())
        .collect();
    let target = Ids::new(given.iter().map(Vec::as_slice), Device::Cpu);
    let states: Vec<Tensor> = directions
        .iter()
        .map(|direction| {
            let memory = direction.encode(&source, Mode::Evaluate);
            direction.decode(&target, &memory, Mode::Evaluate)
        })
        .collect();
    let coverage = coverage(search, directions, &source, pairs);
    let rows = (0_i64..).zip(pairs);
    rows.map(|(row, pair)| {
        let length = pair.target.len() + 1;
        let from = row * target.grid.columns + as_i64(search.prompt.len()) - 1;
        let logits: Vec<Tensor> = directions
            .iter()
            .zip(&states)
            .map(|(direction, states)| direction.logits(&states.narrow(0, from, as_i64(length))))
            .collect();
        let next: Vec<i64> =
            pair.target.iter().chain([&search.end]).map(|&id| i64::from(id)).collect();
        let next = Tensor::from_slice(&next).unsqueeze(1);
        let of_next = log_mean(&logits).gather(1, &next, false);
        let log_p = of_next.sum(Kind::Double).double_value(&[]);
        let covered = usize::try_from(row).ok().and_then(|row| coverage.get(row));
        search.score(log_p, length, covered.copied().unwrap_or_default())
    })
    .collect()
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
    let mut found = vec![0.0; pairs.len()];
    let longest = pairs.iter().map(|pair| pair.target.len()).max().unwrap_or(0);
    for at in 0..=longest {
        // Behind a translation's end anything may stand: its coverage was taken before.
        let next = |pair: &&Encoded| match at.checked_sub(1) {
            None => search.prompt.clone(),
            Some(at) => vec![pair.target.get(at).copied().unwrap_or(search.end)],
        };
        let next: Vec<Vec<u32>> = pairs.iter().map(next).collect();
        let _ = joint.advance(&Ids::new(next.iter().map(Vec::as_slice), Device::Cpu));
        let now = joint.coverage();
        for ((found, now), pair) in found.iter_mut().zip(now).zip(pairs) {
            if pair.target.len() == at {
                *found = now;
            }
        }
    }
    found
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
