//! Spreads by filling the lanes in turn: an order of the tasks, cut where a lane is full, is balanced and splits fewer
//! tasks than there are lanes. Many orders are tried, each keeping together what shares modules; exchanges improve the best.

use std::collections::BTreeMap;

use super::exchange::improve;
use super::problem::{Problem, SLACK, Spread};
use crate::ir::task::SHARE_PARTS;

/// Tasks times orders that are tried, at most.
const ORDER_WORK: usize = 400_000;
/// Places of the model that orders are made from: the largest ones.
const MOST_PLACES: usize = 4;

/// A good spread, balanced.
///
/// `places` tells, per task, its module at every place of the model (source embedding, encoder stacks ...), so that orders
/// can follow one place first and another one next; paths may have different lengths.
pub fn spread(problem: &Problem, places: &[Vec<usize>]) -> Spread {
    let mut best: Option<(super::problem::Cost, Spread)> = None;
    for order in orders(problem, places) {
        let spread = fill(problem, &order);
        let cost = problem.cost(&spread);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, spread));
        }
    }
    let spread = best.map_or(Spread { lanes: Vec::new() }, |(_, spread)| spread);
    improve(problem, spread)
}

/// A balanced spread, of the tasks in their order.
pub fn in_turn(problem: &Problem) -> Spread {
    fill(problem, &(0..problem.demand.len()).collect::<Vec<usize>>())
}

/// Fills lane after lane: a task that reaches over the end of a lane by more than half of [`SLACK`] goes on in the next one.
pub fn fill(problem: &Problem, order: &[usize]) -> Spread {
    let mut lanes = vec![BTreeMap::new(); problem.lanes];
    let half = SLACK / 2;
    // All tasks in a row: lane `l` is the part from `l` to `l + 1` times `SHARE_PARTS`.
    let (mut lane, mut at) = (0_usize, 0_u64);
    for &task in order {
        let end = at + problem.demand.get(task).copied().unwrap_or(0);
        while at < end {
            let border = (lane as u64 + 1) * SHARE_PARTS;
            let is_last = lane + 1 == lanes.len();
            let cut = if is_last || end <= border + half { end } else { border.max(at) };
            if let Some(tasks) = lanes.get_mut(lane)
                && cut > at
            {
                tasks.insert(task, cut - at);
            }
            at = cut;
            if !is_last && at + half >= border {
                lane += 1;
            }
        }
    }
    Spread { lanes }
}

/// Orders that keep together what shares modules, the plain one first.
fn orders(problem: &Problem, places: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let tasks = problem.demand.len();
    let mut orders = vec![(0..tasks).collect::<Vec<usize>>()];
    let budget = (ORDER_WORK / tasks.max(1)).max(6);
    let columns = columns(places);
    let mut blocks: Vec<usize> =
        (1..=problem.lanes).filter(|n| problem.lanes.is_multiple_of(*n)).collect();
    blocks.sort_unstable();
    for &count in &blocks {
        for first in &columns {
            for second in &columns {
                if orders.len() >= budget {
                    return orders;
                }
                orders.push(tiled(problem, first, second, count));
            }
        }
    }
    orders
}

/// Per place: the module of every task there, numbered so that modules with the same modules elsewhere are neighbours.
fn columns(places: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let width = places.iter().map(Vec::len).max().unwrap_or(0);
    let raw: Vec<Vec<usize>> = (0..width)
        .map(|at| places.iter().map(|path| path.get(at).copied().unwrap_or(usize::MAX)).collect())
        .collect();
    let mut unique: Vec<Vec<usize>> = Vec::new();
    for column in &raw {
        let ranked = ranked(column, &raw);
        let varied = ranked.iter().any(|rank| Some(rank) != ranked.first());
        if varied && !unique.contains(&ranked) {
            unique.push(ranked);
        }
    }
    // Finer places tell more tasks apart; coarser ones are their neighbours' order already.
    unique.sort_by_key(|column| std::cmp::Reverse(column.iter().max().copied()));
    unique.truncate(MOST_PLACES);
    unique
}

/// The modules of a column numbered by what always goes with them (a language's group), then by name.
fn ranked(column: &[usize], all: &[Vec<usize>]) -> Vec<usize> {
    let mut company: BTreeMap<usize, Vec<Option<usize>>> = BTreeMap::new();
    for (task, module) in column.iter().enumerate() {
        let here = all.iter().map(|other| other.get(task).copied());
        if let Some(known) = company.get_mut(module) {
            for (known, here) in known.iter_mut().zip(here) {
                if *known != here {
                    *known = None;
                }
            }
        } else {
            company.insert(*module, here.collect());
        }
    }
    // Its own column tells every module apart; leave it to the end.
    let mut order: Vec<(Vec<Option<usize>>, usize)> = company
        .into_iter()
        .map(|(module, known)| {
            let parents = known.into_iter().filter(|other| *other != Some(module)).collect();
            (parents, module)
        })
        .collect();
    order.sort();
    let rank: BTreeMap<usize, usize> =
        order.into_iter().enumerate().map(|(at, (_, module))| (module, at)).collect();
    column.iter().filter_map(|module| rank.get(module).copied()).collect()
}

/// Tiles of the plane of two places: blocks of equal weight of the first, within them by the second.
fn tiled(problem: &Problem, first: &[usize], second: &[usize], blocks: usize) -> Vec<usize> {
    let key = |column: &[usize], task: usize| column.get(task).copied().unwrap_or(0);
    let mut weight: BTreeMap<usize, u128> = BTreeMap::new();
    for (task, demand) in problem.demand.iter().enumerate() {
        *weight.entry(key(first, task)).or_default() += u128::from(*demand);
    }
    let total: u128 = weight.values().sum::<u128>().max(1);
    let mut before = 0;
    let block: BTreeMap<usize, u128> = weight
        .into_iter()
        .map(|(module, weight)| {
            let middle = 2 * before + weight;
            before += weight;
            (module, middle * blocks as u128 / (2 * total))
        })
        .collect();
    let mut order: Vec<usize> = (0..problem.demand.len()).collect();
    order.sort_by_cached_key(|&task| {
        let one = key(first, task);
        (block.get(&one).copied(), key(second, task), one, task)
    });
    order
}
