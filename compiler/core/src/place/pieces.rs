//! Spreads by the placement engine: tasks cut into equal pieces go to lanes so that few parameters are copied; the lanes are
//! then filled in that order, exactly, and exchanges improve what the cuts made worse.

use std::collections::BTreeMap;

use mmc_place::{Effort, Machine, Module, Objective, Problem as Pieces, Task, solve};

use super::exchange::improve;
use super::greedy::fill;
use super::problem::{Problem, Spread};
use crate::ir::task::SHARE_PARTS;

/// Pieces of a lane when tasks differ in demand.
const A_LANE: u64 = 24;
/// Pieces in all, at most.
const MOST: u64 = 20_000;

/// A spread, balanced; none when there are too many tasks and lanes to be cut finely enough.
pub(super) fn spread(problem: &Problem, effort: Effort) -> Option<Spread> {
    let counts = counts(problem)?;
    let owner: Vec<usize> = counts
        .iter()
        .enumerate()
        .flat_map(|(task, &count)| std::iter::repeat_n(task, count))
        .collect();
    let answer = solve(&pieces(problem, &owner), effort).ok()?;
    let lanes = answer.assignment.iter().map(|&(_, lane)| lane);
    let order = order(problem, owner.iter().copied().zip(lanes));
    Some(improve(problem, fill(problem, &order)))
}

/// Pieces of every task: as many as its demand says, at least one.
fn counts(problem: &Problem) -> Option<Vec<usize>> {
    let (tasks, lanes) = (problem.demand.len() as u64, problem.lanes as u64);
    let is_alike = problem.demand.iter().max()? - problem.demand.iter().min()? <= lanes;
    let each = if is_alike && tasks.is_multiple_of(lanes) {
        tasks / lanes
    } else {
        A_LANE.max(4 * tasks.div_ceil(lanes)).min(MOST / lanes)
    };
    if each * lanes < tasks || each * lanes > MOST {
        return None;
    }
    let piece = u128::from(SHARE_PARTS) / u128::from(each);
    let count = |demand: &u64| ((u128::from(*demand) + piece / 2) / piece).max(1);
    problem.demand.iter().map(|demand| usize::try_from(count(demand)).ok()).collect()
}

/// Pieces as tasks of the engine; a lane is a device. A piece away from the others of its task costs a little too.
fn pieces(problem: &Problem, owner: &[usize]) -> Pieces {
    let mut modules: Vec<Module> =
        problem.edges.iter().map(|edge| Module { weight: edge.parameters, memory: 0 }).collect();
    let least = modules.iter().map(|module| module.weight).filter(|&weight| weight > 0).min();
    let together = Module { weight: (least.unwrap_or(0) / 64).max(1), memory: 0 };
    let first = modules.len();
    modules.extend(std::iter::repeat_n(together, problem.demand.len()));
    let task = |&task: &usize| {
        let edges = problem.edges_of.of(task).iter().copied();
        Task::of(edges.chain([first + task]).collect())
    };
    Pieces {
        machine: Machine { nodes: 1, devices_per_node: problem.lanes },
        tasks: owner.iter().map(task).collect(),
        modules,
        limits: mmc_place::Limits::default(),
        objective: Objective::spread(0, 1),
    }
}

/// The tasks lane by lane: each with the lane that has most of it, and at that lane's end or start towards its other lanes.
fn order(problem: &Problem, pieces: impl Iterator<Item = (usize, usize)>) -> Vec<usize> {
    let mut on: Vec<BTreeMap<usize, usize>> = vec![BTreeMap::new(); problem.demand.len()];
    for (task, lane) in pieces {
        if let Some(lanes) = on.get_mut(task) {
            *lanes.entry(lane).or_default() += 1;
        }
    }
    let key = |task: usize| {
        let lanes = on.get(task);
        let home = lanes.and_then(|lanes| {
            lanes.iter().max_by_key(|(lane, count)| (**count, std::cmp::Reverse(**lane)))
        });
        let home = home.map_or(0, |(lane, _)| *lane);
        let before = lanes.is_some_and(|lanes| lanes.keys().any(|&lane| lane < home));
        let after = lanes.is_some_and(|lanes| lanes.keys().any(|&lane| lane > home));
        (home, i8::from(after) - i8::from(before), task)
    };
    let mut order: Vec<usize> = (0..problem.demand.len()).collect();
    order.sort_by_cached_key(|&task| key(task));
    order
}
