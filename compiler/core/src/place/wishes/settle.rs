//! Pins and tasks apart -> the rank of every lane, and the lanes that each task may lie on.
//!
//! Lanes are alike until tasks lie on them, so devices come first: every task that is wished somewhere gets devices, by a search
//! that counts its steps; lanes that hold most of it already go there; and a flow shows that the lanes have room
//! ([`flow`]). What lies elsewhere is moved by [`crate::place::windows`].

mod flow;
mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use fixedbitset::FixedBitSet;
use mmc_syntax::source::Span;

use crate::ir::experiment::{Apart, Experiment, Pair};
use crate::ir::task::TaskTable;
use crate::place::windows::Amounts;

/// Wishes that are left out one by one to find the fewest that can't be kept, at most.
const MOST_TRIALS: usize = 64;

/// A wish, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::place) struct Wish {
    pub(in crate::place) rule: Rule,
    pub(in crate::place) span: Span,
}

/// What is wished of tasks, by their places in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::place) enum Rule {
    /// Each of the tasks lies on these ranks alone.
    Pin(Vec<usize>, Vec<u32>),
    /// No two of the tasks lie on one rank.
    Apart(Vec<usize>),
    /// No two lanes of one of the tasks lie on one rank.
    Copies(Vec<usize>),
}

/// What wishes are kept on.
#[derive(Debug)]
pub(in crate::place) struct Ground<'a> {
    pub(in crate::place) ranks: u32,
    /// The rank of every lane, where it is given.
    pub(in crate::place) given: Option<&'a [u32]>,
    /// Per window: per task, what it takes of all lanes together.
    pub(in crate::place) demands: Vec<Vec<u64>>,
    /// Per task: lanes that it must lie on at least.
    pub(in crate::place) copies: Vec<u64>,
}

/// Where tasks may lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::place) struct Allowed {
    /// Task -> lanes; a task that is not here may lie on any.
    lanes: BTreeMap<usize, FixedBitSet>,
}

/// Wishes that are kept: the rank of every lane, and where tasks may lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::place) struct Settled {
    pub(in crate::place) rank_of_lane: Vec<u32>,
    pub(in crate::place) allowed: Allowed,
}

impl Allowed {
    /// Whether a task may lie on a lane.
    pub(in crate::place) fn holds(&self, task: usize, lane: usize) -> bool {
        self.lanes.get(&task).is_none_or(|lanes| lanes.contains(lane))
    }

    /// Whether a task may lie on any lane.
    pub(in crate::place) fn is_free(&self, task: usize) -> bool {
        !self.lanes.contains_key(&task)
    }

    /// The lanes of a task that may not lie on all.
    pub(in crate::place) fn of(&self, task: usize) -> impl Iterator<Item = usize> + '_ {
        self.lanes.get(&task).into_iter().flat_map(FixedBitSet::ones)
    }

    /// Whether everything lies where it may.
    pub(in crate::place) fn keeps(&self, amounts: &Amounts) -> bool {
        let mut lanes = amounts.iter().enumerate();
        lanes.all(|(lane, tasks)| tasks.keys().all(|&task| self.holds(task, lane)))
    }

    /// Amounts of the tasks that may not lie on all lanes, with room for them; none when there is no room.
    pub(in crate::place) fn amounts(
        &self,
        demand: &[u64],
        copies: &[u64],
        lanes: usize,
    ) -> Option<Amounts> {
        flow::amounts(&self.lanes, demand, copies, lanes)
    }
}

/// The wishes of an experiment; and those that are about no task.
pub(in crate::place) fn read(experiment: &Experiment, table: &TaskTable) -> (Vec<Wish>, Vec<Span>) {
    let wishes = &experiment.placement;
    let per_node = experiment.cluster.value.devices_per_node;
    let select = |pairs: &[Pair]| -> Vec<usize> {
        let is_meant = |(source, target): (&str, &str)| {
            pairs.iter().any(|pair| pair.source == source && pair.target == target)
        };
        let rows = table.tasks.iter().enumerate();
        rows.filter(|(_, row)| is_meant((&row.source, &row.target))).map(|(at, _)| at).collect()
    };
    let pin = |pin: &crate::ir::experiment::Pin| {
        let first = pin.node * per_node;
        let ranks = match pin.device {
            Some(device) => vec![first + device],
            None => (first..first + per_node).collect(),
        };
        Wish { rule: Rule::Pin(select(&pin.pairs), ranks), span: pin.span }
    };
    let apart = |(what, span): &(Apart, Span)| {
        let rule = match what {
            Apart::Pairs(pairs) => Rule::Apart(select(pairs)),
            Apart::Copies => {
                let rows = table.tasks.iter().enumerate();
                Rule::Copies(rows.filter(|(_, row)| row.copies > 1).map(|(at, _)| at).collect())
            }
        };
        Wish { rule, span: *span }
    };
    let all = wishes.pins.iter().map(pin).chain(wishes.apart.iter().map(apart));
    let (found, idle): (Vec<Wish>, Vec<Wish>) = all.partition(|wish| !wish.tasks().is_empty());
    (found, idle.into_iter().map(|wish| wish.span).collect())
}

impl Wish {
    /// The tasks that it is about.
    pub(in crate::place) fn tasks(&self) -> &[usize] {
        match &self.rule {
            Rule::Pin(tasks, _) | Rule::Apart(tasks) | Rule::Copies(tasks) => tasks,
        }
    }

    /// Whether a mapping keeps it. `lanes_of`: per task, the lanes that it lies on in any window.
    pub(in crate::place) fn is_kept(&self, lanes_of: &[Vec<usize>], rank_of_lane: &[u32]) -> bool {
        let ranks = |task: usize| {
            let lanes = lanes_of.get(task).into_iter().flatten();
            lanes.filter_map(|&lane| rank_of_lane.get(lane).copied())
        };
        match &self.rule {
            Rule::Pin(tasks, wanted) => {
                tasks.iter().all(|&task| ranks(task).all(|rank| wanted.contains(&rank)))
            }
            Rule::Apart(tasks) => {
                let mut owner: BTreeMap<u32, usize> = BTreeMap::new();
                tasks
                    .iter()
                    .all(|&task| ranks(task).all(|rank| *owner.entry(rank).or_insert(task) == task))
            }
            Rule::Copies(tasks) => tasks.iter().all(|&task| {
                let mut all: Vec<u32> = ranks(task).collect();
                let count = all.len();
                all.sort_unstable();
                all.dedup();
                all.len() == count
            }),
        }
    }
}

/// Whether lanes of a task are wished apart.
fn is_split(wishes: &[Wish], task: usize) -> bool {
    wishes.iter().any(|wish| matches!(&wish.rule, Rule::Copies(tasks) if tasks.contains(&task)))
}

/// Keeps wishes together; none when that can't be, or was not found.
pub(in crate::place) fn settle(
    wishes: &[Wish],
    ground: &Ground<'_>,
    base: &Amounts,
) -> Option<Settled> {
    let homes = search::homes(wishes, ground, base.len())?;
    let rank_of_lane = match ground.given {
        Some(given) => given.to_vec(),
        None => search::lanes(&homes, ground, base),
    };
    let settled = Settled { allowed: allowed(wishes, &homes, &rank_of_lane, base), rank_of_lane };
    let has_room =
        |demand: &Vec<u64>| settled.allowed.amounts(demand, &ground.copies, base.len()).is_some();
    ground.demands.iter().all(has_room).then_some(settled)
}

/// The lanes of the devices of every task. A task with copies apart has one lane of each device: where most of it is, or else
/// where fewest of such tasks are.
fn allowed(
    wishes: &[Wish],
    homes: &BTreeMap<usize, Vec<u32>>,
    rank_of_lane: &[u32],
    base: &Amounts,
) -> Allowed {
    let mut held = vec![0_usize; base.len()];
    let mut found = Allowed::default();
    for (&task, ranks) in homes {
        let mut lanes = FixedBitSet::with_capacity(base.len());
        for rank in ranks {
            let on = (0..base.len()).filter(|&lane| rank_of_lane.get(lane) == Some(rank));
            if is_split(wishes, task) {
                let amount = |lane: usize| base.get(lane).and_then(|tasks| tasks.get(&task));
                let order = |&lane: &usize| {
                    (std::cmp::Reverse(amount(lane)), held.get(lane).copied(), lane)
                };
                let Some(lane) = on.min_by_key(order) else { continue };
                lanes.insert(lane);
                if let Some(count) = held.get_mut(lane) {
                    *count += 1;
                }
            } else {
                lanes.extend(on);
            }
        }
        found.lanes.insert(task, lanes);
    }
    found
}

/// The fewest wishes that can't be kept together: without any one of them the others can.
pub(in crate::place) fn smallest(
    wishes: &[Wish],
    ground: &Ground<'_>,
    base: &Amounts,
) -> Vec<Wish> {
    let mut kept = wishes.to_vec();
    let mut at = 0;
    for _ in 0..MOST_TRIALS.min(wishes.len()) {
        let mut fewer = kept.clone();
        fewer.remove(at);
        if settle(&fewer, ground, base).is_none() {
            kept = fewer;
        } else {
            at += 1;
        }
    }
    kept
}
