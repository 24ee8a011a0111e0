//! A search that leaves nothing out: the cheapest assignment of a small problem, proved.
//!
//! Branch and bound over tasks. Two bounds of a partial assignment: the cover bound under what is placed ([`covering`]), by tasks
//! and where loads are limited by load, and what tasks that are nowhere add at least, one by one ([`ascent`]); of predicted time
//! with the largest load beside the dearer of the two. Where nodes have no price, all devices are those of one. A
//! device that would cost a task too much leaves its domain for good. A task with one device left is placed at once, one with
//! none ends the branch, and so do devices that can't get as many tasks as they must. Of devices, and nodes, that are alike and
//! still empty only the first is tried; and a device that was tried for a task is not tried again for tasks of the same modules.

mod ascent;
mod carried;
mod completion;
mod covering;
mod domain;
mod held;
mod levels;
mod loads;
mod rates;
mod search;
mod seating;
mod sums;
#[cfg(test)]
mod tests;

use crate::instance::Instance;
use crate::objective::{Objective, Spread};
use crate::problem::Machine;

/// The most devices: sets of them are words.
const MOST_DEVICES: usize = 64;

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact {
    /// Per task its device, if something cheaper than what was known was found.
    pub homes: Option<Vec<u32>>,
    /// What it costs.
    pub cost: Option<u64>,
    /// Whether nothing is cheaper than that, or than what was known.
    pub is_proved: bool,
    /// Nodes of the tree.
    pub nodes: u64,
}

impl Exact {
    /// Not searched.
    const NOTHING: Self = Self { homes: None, cost: None, is_proved: false, nodes: 0 };

    /// With what a second search found that knew what this one had found.
    fn then(self, second: Self) -> Self {
        Self {
            homes: second.homes.or(self.homes),
            cost: second.cost.or(self.cost),
            is_proved: second.is_proved,
            nodes: self.nodes + second.nodes,
        }
    }
}

/// Whether the search knows the objective of a problem, and can count it.
pub fn is_solvable(instance: &Instance) -> bool {
    let is_known = match &instance.objective {
        Objective::Spread(spread) => spread.tasks.is_free() && spread.ready.is_free(),
        Objective::Time(_) => true,
    };
    is_known && instance.devices() <= MOST_DEVICES && instance.tasks() > 0
}

/// The same tables on one node, where nodes have no price, so that all devices are alike; none when that is no change.
fn one_level(instance: &Instance) -> Option<Instance> {
    let Objective::Spread(Spread { inter: 0, .. }) = instance.objective else { return None };
    let machine = Machine { nodes: 1, devices_per_node: instance.devices() };
    (instance.machine != machine).then(|| Instance { machine, ..instance.clone() })
}

/// Searches for an assignment that costs less than `known`, through at most so many nodes.
///
/// The problem is one that [`is_solvable`].
pub fn search(instance: &Instance, known: u64, most_nodes: u64) -> Exact {
    if let Some(level) = one_level(instance) {
        return search(&level, known, most_nodes);
    }
    if carried::has_limits(instance) {
        return match carried::seated(instance) {
            Some(seated) => search::run(&seated, known, most_nodes),
            None => Exact { is_proved: true, ..Exact::NOTHING },
        };
    }
    let Some(levels) = levels::Levels::new(instance) else {
        return search::run(instance, known, most_nodes);
    };
    // Most small problems are done either way; of others, those whose nodes matter are done nodes first.
    let mut found = search::run(instance, known, most_nodes / 3);
    if !found.is_proved {
        let known = found.cost.unwrap_or(known);
        found = found.then(search::run_levels(levels, known, most_nodes / 3));
    }
    if !found.is_proved {
        let known = found.cost.unwrap_or(known);
        found = found.then(search::run(instance, known, most_nodes - most_nodes / 3));
    }
    found
}
