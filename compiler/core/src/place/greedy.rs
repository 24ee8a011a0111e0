//! Spreads by filling the lanes in turn: an order of the tasks, cut where a lane is full, is balanced and splits fewer
//! tasks than there are lanes. Many orders are tried, each keeping together what shares modules; exchanges improve the best.

use std::collections::BTreeMap;

use mmc_plan::stretch;

use super::MANY;
use super::exchange::improve;
use super::problem::{Problem, SLACK, Spread};
use crate::ir::task::SHARE_PARTS;

/// Tasks times orders that are tried, at most.
const ORDER_WORK: usize = 400_000;
/// Orders that are tried however many tasks there are.
const FEWEST_ORDERS: usize = 6;
/// Places of the model that orders are made from: the largest ones.
const MOST_PLACES: usize = 4;

/// What stands in place of a module where a path is too short.
const NOTHING: usize = usize::MAX;

/// Lanes in the making: tasks with their amounts, in the order in which they filled them.
type Filled = Vec<Vec<(usize, u64)>>;

/// Per place of the model (source embedding, encoder stacks ...): the module of every task there.
pub fn places(paths: impl Iterator<Item = impl Iterator<Item = usize>>) -> Vec<Vec<usize>> {
    let mut places: Vec<Vec<usize>> = Vec::new();
    for (task, path) in paths.enumerate() {
        for (at, module) in path.enumerate() {
            match places.get_mut(at) {
                Some(place) => place.push(module),
                None => places.push([vec![NOTHING; task], vec![module]].concat()),
            }
        }
        for place in &mut places {
            place.resize(task + 1, NOTHING);
        }
    }
    places
}

/// A good spread, balanced.
///
/// `places` as [`places`] tells them, so that orders can follow one place first and another one next.
pub fn spread(problem: &Problem, places: &[Vec<usize>]) -> Spread {
    let columns = columns(places);
    let ways = ways(problem, &columns);
    let is_long = problem.demand.len() >= MANY;
    let found = stretch::every(is_long, &ways, |way| {
        let lanes = filled(problem, &way.order(problem));
        (problem.cost_of(lanes.iter().map(|lane| lane.iter().map(|(task, _)| *task))), lanes)
    });
    // The first of the cheapest.
    let best = found.into_iter().min_by_key(|(cost, _)| *cost);
    improve(problem, finished(best.map_or_else(Vec::new, |(_, lanes)| lanes)))
}

/// An order of the tasks.
enum Way<'c> {
    /// By name.
    Plain,
    /// See [`tiled`].
    Tiled(&'c [usize], &'c [usize], usize),
}

impl Way<'_> {
    fn order(&self, problem: &Problem) -> Vec<usize> {
        match *self {
            Way::Plain => (0..problem.demand.len()).collect(),
            Way::Tiled(first, second, blocks) => tiled(problem, first, second, blocks),
        }
    }
}

/// A balanced spread, of the tasks in their order.
pub fn in_turn(problem: &Problem) -> Spread {
    fill(problem, &(0..problem.demand.len()).collect::<Vec<usize>>())
}

/// Fills lane after lane: a task that reaches over the end of a lane by more than half of [`SLACK`] goes on in the next one.
pub fn fill(problem: &Problem, order: &[usize]) -> Spread {
    finished(filled(problem, order))
}

fn finished(mut lanes: Filled) -> Spread {
    // In order of the tasks, maps are made at once.
    for tasks in &mut lanes {
        tasks.sort_unstable();
    }
    Spread { lanes: lanes.into_iter().map(BTreeMap::from_iter).collect() }
}

fn filled(problem: &Problem, order: &[usize]) -> Filled {
    let mut lanes: Filled = vec![Vec::new(); problem.lanes];
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
                tasks.push((task, cut - at));
            }
            at = cut;
            if !is_last && at + half >= border {
                lane += 1;
            }
        }
    }
    lanes
}

/// Orders that keep together what shares modules, the plain one first.
fn ways<'c>(problem: &Problem, columns: &'c [Vec<usize>]) -> Vec<Way<'c>> {
    let budget = (ORDER_WORK / problem.demand.len().max(1)).max(FEWEST_ORDERS);
    let blocks = (1..=problem.lanes).filter(|count| problem.lanes.is_multiple_of(*count));
    let tiles = blocks.flat_map(|count| {
        let of = move |first: &'c Vec<usize>| {
            columns.iter().map(move |second| Way::Tiled(first, second, count))
        };
        columns.iter().flat_map(of)
    });
    [Way::Plain].into_iter().chain(tiles).take(budget).collect()
}

/// Per place: the module of every task there, numbered so that modules with the same modules elsewhere are neighbours.
fn columns(places: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let tasks = places.first().map_or(0, Vec::len);
    let all = stretch::every(tasks >= MANY, places, |column| ranked(column, places));
    let mut unique: Vec<Vec<usize>> = Vec::new();
    for ranked in all {
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
    // Behind all modules stands what is no module: the place of a path that is too short.
    let end = column.iter().filter(|module| **module < NOTHING).max().map_or(0, |last| last + 1);
    // Module -> the places where its company is always the same, with it; nothing for a module that is not here.
    let mut company: Vec<Option<Vec<(usize, usize)>>> = vec![None; end + 1];
    for (task, &module) in column.iter().enumerate() {
        let here = |place: usize| all.get(place).and_then(|other| other.get(task)).copied();
        match company.get_mut(module.min(end)) {
            Some(Some(known)) => known.retain(|&(place, module)| here(place) == Some(module)),
            Some(new) => {
                let places = (0..all.len()).filter_map(|place| Some((place, here(place)?)));
                *new = Some(places.collect());
            }
            None => {}
        }
    }
    let known = company.into_iter().enumerate().filter_map(|(at, known)| Some((at, known?)));
    let mut order: Vec<(Vec<Option<usize>>, usize)> = known
        .map(|(at, known)| {
            let module = if at == end { NOTHING } else { at };
            let mut modules = vec![None; all.len()];
            for (place, module) in known {
                if let Some(slot) = modules.get_mut(place) {
                    *slot = Some(module);
                }
            }
            // Its own column tells every module apart; leave it to the end.
            modules.retain(|other| *other != Some(module));
            (modules, at)
        })
        .collect();
    order.sort();
    let mut rank = vec![0; end + 1];
    for (at, (_, module)) in order.into_iter().enumerate() {
        if let Some(rank) = rank.get_mut(module) {
            *rank = at;
        }
    }
    column.iter().filter_map(|&module| rank.get(module.min(end)).copied()).collect()
}

/// Tiles of the plane of two places: blocks of equal weight of the first, within them by the second.
fn tiled(problem: &Problem, first: &[usize], second: &[usize], blocks: usize) -> Vec<usize> {
    let mut weight = vec![0_u128; first.iter().max().map_or(0, |last| last + 1)];
    for (&one, demand) in first.iter().zip(&problem.demand) {
        if let Some(weight) = weight.get_mut(one) {
            *weight += u128::from(*demand);
        }
    }
    let total: u128 = weight.iter().sum::<u128>().max(1);
    let mut before = 0;
    let block: Vec<u128> = weight
        .into_iter()
        .map(|weight| {
            let middle = 2 * before + weight;
            before += weight;
            middle * blocks as u128 / (2 * total)
        })
        .collect();
    // Block, second, first and task in one number, which is sorted at once.
    let mut order: Vec<u128> = first
        .iter()
        .zip(second)
        .enumerate()
        .map(|(task, (&one, &two))| {
            let block = block.get(one).map_or(0, |block| narrow(*block));
            let words = [block, narrow(two as u128), narrow(one as u128), narrow(task as u128)];
            words.into_iter().fold(0, |key, word| key << u32::BITS | u128::from(word))
        })
        .collect();
    order.sort_unstable();
    let task = |key: u128| usize::try_from(key & u128::from(u32::MAX)).unwrap_or(usize::MAX);
    order.into_iter().map(task).collect()
}

/// A number of a block, of a module or of a task, which are far fewer.
fn narrow(number: u128) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
