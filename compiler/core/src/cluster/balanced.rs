//! Distances to clusters of bounded weight whose members are near: the least sum of distances within clusters.
//!
//! Few languages are solved exactly, by the best partition of every subset. More are improved from two starts by moves and
//! exchanges, and a bound says how far from the optimum that can be. Distances are rounded to whole parts first.

use super::distances::Distances;
use super::merge::{Linkage, agglomerate};

/// Parts of a distance of 1.
const PARTS: f64 = 1e9;
/// Things that are solved exactly, at most: every subset is looked at.
const MOST_EXACT: usize = 13;
/// Rounds of moves and exchanges, at most.
const MOST_ROUNDS: usize = 10_000;

/// What clusters must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Number of clusters, none empty.
    pub count: usize,
    /// Of every thing.
    pub weights: Vec<u64>,
    /// Weight of a cluster, at least.
    pub least: u64,
    /// Weight of a cluster, at most.
    pub most: u64,
}

impl Wanted {
    /// Clusters whose sizes differ by at most one.
    pub fn even(things: usize, count: usize) -> Self {
        let (least, most) = (things / count.max(1), things.div_ceil(count.max(1)));
        Self { count, weights: vec![1; things], least: least as u64, most: most as u64 }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Sum of distances within clusters, in billionths.
    pub within: u64,
    /// No clusters as wanted have a smaller sum.
    pub bound: u64,
    /// Of every cluster.
    pub weights: Vec<u64>,
}

impl Balance {
    /// Whether the clusters are known to be the best.
    pub fn is_best(&self) -> bool {
        self.within == self.bound
    }
}

/// Distances in whole parts.
struct Costs {
    things: usize,
    cells: Vec<u64>,
}

impl Costs {
    fn new(distances: &Distances) -> Self {
        let things = distances.items();
        let pairs = (0..things).flat_map(|i| (0..things).map(move |j| (i, j)));
        Self { things, cells: pairs.map(|(i, j)| parts(distances.get(i, j))).collect() }
    }

    fn get(&self, i: usize, j: usize) -> u64 {
        self.cells.get(i * self.things + j).copied().unwrap_or_default()
    }

    fn within(&self, labels: &[usize]) -> u64 {
        let pairs = labels.iter().enumerate().flat_map(|(i, a)| {
            labels
                .iter()
                .enumerate()
                .skip(i + 1)
                .filter(move |(_, b)| a == *b)
                .map(move |(j, _)| (i, j))
        });
        pairs.map(|(i, j)| self.get(i, j)).sum()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "distances are finite and not negative, and far below 2^64 billionths"
)]
fn parts(distance: f64) -> u64 {
    (distance * PARTS).round() as u64
}

/// The nearest clusters as wanted, numbered by their first member; nothing when there are none (or none was found).
pub fn balanced(distances: &Distances, wanted: &Wanted) -> Option<(Vec<usize>, Balance)> {
    let costs = Costs::new(distances);
    let exact = costs.things <= MOST_EXACT;
    let labels = if exact { best(&costs, wanted)? } else { improved(distances, &costs, wanted)? };
    let labels = renumbered(&labels);
    let within = costs.within(&labels);
    let bound = if exact { within } else { bound(&costs, wanted).min(within) };
    let mut weights = vec![0; wanted.count];
    for (label, weight) in labels.iter().zip(&wanted.weights) {
        if let Some(cell) = weights.get_mut(*label) {
            *cell += weight;
        }
    }
    Some((labels, Balance { within, bound, weights }))
}

/// The best partition: that of a set into so many clusters is a cluster with the set's first member, and the best of the rest.
fn best(costs: &Costs, wanted: &Wanted) -> Option<Vec<usize>> {
    let sets = 1_usize << costs.things;
    let cost: Vec<Option<u64>> = (0..sets).map(|set| cluster_cost(set, costs, wanted)).collect();
    // By number of clusters: for every set the least cost and the cluster of its first member.
    let mut tables: Vec<Vec<Option<(u64, usize)>>> = vec![vec![None; sets]];
    if let Some(cell) = tables.first_mut().and_then(|table| table.first_mut()) {
        *cell = Some((0, 0));
    }
    for _ in 0..wanted.count {
        let before = tables.last()?;
        let table = (0..sets).map(|set| least(set, &cost, before)).collect();
        tables.push(table);
    }
    let (mut labels, mut set) = (vec![0; costs.things], sets - 1);
    for (label, table) in tables.iter().skip(1).rev().enumerate() {
        let (_, cluster) = (*table.get(set)?)?;
        for (thing, cell) in labels.iter_mut().enumerate() {
            if cluster >> thing & 1 == 1 {
                *cell = label;
            }
        }
        set &= !cluster;
    }
    (costs.things > 0).then_some(labels)
}

fn least(
    set: usize,
    cost: &[Option<u64>],
    before: &[Option<(u64, usize)>],
) -> Option<(u64, usize)> {
    if set == 0 {
        return None;
    }
    let first = set & set.wrapping_neg();
    let others = set & !first;
    let (mut found, mut part) = (None, others);
    loop {
        let cluster = part | first;
        let whole = cost.get(cluster).copied().flatten();
        let rest = before.get(set & !cluster).copied().flatten();
        if let (Some(cost), Some((rest, _))) = (whole, rest) {
            let candidate = (cost + rest, cluster);
            found = Some(found.map_or(candidate, |best: (u64, usize)| best.min(candidate)));
        }
        if part == 0 {
            return found;
        }
        part = (part - 1) & others;
    }
}

/// The sum of distances within a set, if its weight is within bounds.
fn cluster_cost(set: usize, costs: &Costs, wanted: &Wanted) -> Option<u64> {
    let members: Vec<usize> = (0..costs.things).filter(|thing| set >> thing & 1 == 1).collect();
    let weight: u64 = members.iter().filter_map(|thing| wanted.weights.get(*thing)).sum();
    let fits = !members.is_empty() && (wanted.least..=wanted.most).contains(&weight);
    let pairs = members
        .iter()
        .enumerate()
        .flat_map(|(at, i)| members.iter().skip(at + 1).map(move |j| (*i, *j)));
    fits.then(|| pairs.map(|(i, j)| costs.get(i, j)).sum())
}

/// Clusters in the making.
struct Search<'a> {
    costs: &'a Costs,
    wanted: &'a Wanted,
    labels: Vec<usize>,
    loads: Vec<u64>,
    sizes: Vec<usize>,
    /// Of every thing to every cluster: the sum of distances, row by row.
    sums: Vec<u64>,
}

impl<'a> Search<'a> {
    fn new(costs: &'a Costs, wanted: &'a Wanted, labels: Vec<usize>) -> Self {
        let count = wanted.count;
        let (mut loads, mut sizes) = (vec![0; count], vec![0; count]);
        let mut sums = vec![0; count * labels.len()];
        for (thing, label) in labels.iter().enumerate() {
            if let (Some(load), Some(size)) = (loads.get_mut(*label), sizes.get_mut(*label)) {
                *load += wanted.weights.get(thing).copied().unwrap_or_default();
                *size += 1;
            }
            for (other, row) in sums.chunks_mut(count).enumerate() {
                if let Some(cell) = row.get_mut(*label) {
                    *cell += costs.get(other, thing);
                }
            }
        }
        Self { costs, wanted, labels, loads, sizes, sums }
    }

    fn weight(&self, thing: usize) -> u64 {
        self.wanted.weights.get(thing).copied().unwrap_or_default()
    }

    fn label(&self, thing: usize) -> usize {
        self.labels.get(thing).copied().unwrap_or_default()
    }

    fn load(&self, label: usize) -> u64 {
        self.loads.get(label).copied().unwrap_or_default()
    }

    fn sum(&self, thing: usize, label: usize) -> u64 {
        self.sums.get(thing * self.wanted.count + label).copied().unwrap_or_default()
    }

    /// By how much a load is out of bounds.
    fn excess(&self, load: u64) -> u64 {
        load.saturating_sub(self.wanted.most) + self.wanted.least.saturating_sub(load)
    }

    fn is_feasible(&self) -> bool {
        self.loads.iter().all(|load| self.excess(*load) == 0)
            && self.sizes.iter().all(|size| *size > 0)
    }

    fn assign(&mut self, thing: usize, label: usize) {
        let (old, weight) = (self.label(thing), self.weight(thing));
        if let Some(cell) = self.labels.get_mut(thing) {
            *cell = label;
        }
        for (at, (load, size)) in self.loads.iter_mut().zip(&mut self.sizes).enumerate() {
            if at == old {
                (*load, *size) = (*load - weight, *size - 1);
            }
            if at == label {
                (*load, *size) = (*load + weight, *size + 1);
            }
        }
        for other in 0..self.labels.len() {
            let (distance, row) = (self.costs.get(other, thing), other * self.wanted.count);
            if let Some(cell) = self.sums.get_mut(row + old) {
                *cell -= distance;
            }
            if let Some(cell) = self.sums.get_mut(row + label) {
                *cell += distance;
            }
        }
    }

    /// What a change of two loads and of the sum is worth: first less out of bounds, then a smaller sum. Negative: better.
    fn worth(&self, loads: [(u64, u64); 2], gain: i128) -> (i128, i128) {
        let out = |load: u64| i128::from(self.excess(load));
        (loads.iter().map(|(old, new)| out(*new) - out(*old)).sum(), gain)
    }

    /// The best move of a thing to another cluster.
    fn best_move(&self) -> Option<((i128, i128), usize, usize)> {
        let mut best = None;
        for thing in 0..self.labels.len() {
            let (from, weight) = (self.label(thing), self.weight(thing));
            if self.sizes.get(from).is_none_or(|size| *size < 2) {
                continue;
            }
            for to in (0..self.wanted.count).filter(|to| *to != from) {
                let loads = [
                    (self.load(from), self.load(from) - weight),
                    (self.load(to), self.load(to) + weight),
                ];
                let gain = i128::from(self.sum(thing, to)) - i128::from(self.sum(thing, from));
                let candidate = (self.worth(loads, gain), thing, to);
                if best.is_none_or(|best| candidate < best) {
                    best = Some(candidate);
                }
            }
        }
        best.filter(|(worth, _, _)| *worth < (0, 0))
    }

    /// The best exchange of two things.
    fn best_exchange(&self) -> Option<((i128, i128), usize, usize)> {
        let mut best = None;
        for i in 0..self.labels.len() {
            for j in i + 1..self.labels.len() {
                let (a, b) = (self.label(i), self.label(j));
                if a == b {
                    continue;
                }
                let (x, y) = (self.weight(i), self.weight(j));
                let loads =
                    [(self.load(a), self.load(a) - x + y), (self.load(b), self.load(b) - y + x)];
                let new = self.sum(i, b) + self.sum(j, a) - 2 * self.costs.get(i, j);
                let gain = i128::from(new) - i128::from(self.sum(i, a) + self.sum(j, b));
                let candidate = (self.worth(loads, gain), i, j);
                if best.is_none_or(|best| candidate < best) {
                    best = Some(candidate);
                }
            }
        }
        best.filter(|(worth, _, _)| *worth < (0, 0))
    }

    fn improve(&mut self) {
        for _ in 0..MOST_ROUNDS {
            match (self.best_move(), self.best_exchange()) {
                (Some((worth, thing, to)), exchange)
                    if exchange.is_none_or(|(other, _, _)| worth <= other) =>
                {
                    self.assign(thing, to);
                }
                (_, Some((_, i, j))) => {
                    let (a, b) = (self.label(i), self.label(j));
                    self.assign(i, b);
                    self.assign(j, a);
                }
                _ => break,
            }
        }
    }
}

/// The better of two improved starts: the leaves of the average-linkage tree cut into runs, and things in turn.
fn improved(distances: &Distances, costs: &Costs, wanted: &Wanted) -> Option<Vec<usize>> {
    let things = costs.things;
    if wanted.count > things || wanted.count == 0 {
        return None;
    }
    let tree = agglomerate(distances, Linkage::Average);
    let mut runs = vec![0; things];
    for (at, leaf) in tree.leaf_order().into_iter().enumerate() {
        if let Some(cell) = runs.get_mut(leaf) {
            *cell = at * wanted.count / things;
        }
    }
    let turns = (0..things).map(|thing| thing % wanted.count).collect();
    let mut found: Option<(u64, Vec<usize>)> = None;
    for start in [runs, turns] {
        let mut search = Search::new(costs, wanted, start);
        search.improve();
        let within = costs.within(&search.labels);
        if search.is_feasible() && found.as_ref().is_none_or(|(least, _)| within < *least) {
            found = Some((within, search.labels));
        }
    }
    found.map(|(_, labels)| labels)
}

/// Two bounds, the greater of which holds. So many things in so many clusters have a least number of pairs within clusters,
/// which cost at least what as many of the nearest pairs do. And if every cluster has `least` things, every thing is with its
/// `least - 1` nearest at best.
fn bound(costs: &Costs, wanted: &Wanted) -> u64 {
    let things = costs.things;
    let mut pairs: Vec<u64> =
        (0..things).flat_map(|i| (i + 1..things).map(move |j| costs.get(i, j))).collect();
    pairs.sort_unstable();
    let (size, larger) = (things / wanted.count, things % wanted.count);
    let number = larger * (size + 1) * size / 2
        + (wanted.count - larger) * size * size.saturating_sub(1) / 2;
    let nearest_pairs: u64 = pairs.iter().take(number).sum();
    if wanted.weights.iter().any(|weight| *weight != 1) {
        return nearest_pairs;
    }
    let with = usize::try_from(wanted.least.saturating_sub(1)).unwrap_or(usize::MAX);
    let halves: u64 = (0..things)
        .map(|i| {
            let mut row: Vec<u64> =
                (0..things).filter(|j| *j != i).map(|j| costs.get(i, j)).collect();
            row.sort_unstable();
            row.iter().take(with).sum::<u64>()
        })
        .sum();
    nearest_pairs.max(halves.div_ceil(2))
}

/// Clusters numbered by their first member.
fn renumbered(labels: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    labels
        .iter()
        .map(|label| {
            order.iter().position(|known| known == label).unwrap_or_else(|| {
                order.push(*label);
                order.len() - 1
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
