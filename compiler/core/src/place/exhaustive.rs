//! The cheapest spread by looking at all of them: the tests' oracle for small problems. Shares no code with the solver.

use super::problem::{Cost, Problem, SLACK};
use crate::ir::task::SHARE_PARTS;

/// The least cost, or none when there are too many cases (more than six tasks or three lanes).
///
/// A case is a non-empty set of lanes for every task. It can be filled when no set of lanes is asked for more than it
/// holds by the tasks confined to it (Gale 1957); lanes are full then, because the demands sum to all lanes.
pub fn least_cost(problem: &Problem) -> Option<Cost> {
    let tasks = problem.demand.len();
    if tasks > 6 || problem.lanes > 3 || problem.lanes == 0 {
        return None;
    }
    let sets = (1_usize << problem.lanes) - 1;
    let mut case = vec![1_usize; tasks];
    let mut best: Option<Cost> = None;
    loop {
        let cost = cost(problem, &case);
        if best.is_none_or(|least| cost < least) && fits(problem, &case) {
            best = Some(cost);
        }
        let Some(at) = case.iter().position(|&set| set < sets) else { return best };
        for (place, set) in case.iter_mut().enumerate().take(at + 1) {
            *set = if place == at { *set + 1 } else { 1 };
        }
    }
}

fn cost(problem: &Problem, case: &[usize]) -> Cost {
    let replicas = problem
        .edges
        .iter()
        .map(|edge| {
            let held =
                edge.tasks.iter().filter_map(|&task| case.get(task)).fold(0, |all, set| all | set);
            u128::from(edge.parameters) * u128::from(held.count_ones().saturating_sub(1))
        })
        .sum();
    Cost { replicas, pieces: case.iter().map(|set| set.count_ones() as usize).sum() }
}

fn fits(problem: &Problem, case: &[usize]) -> bool {
    (1..1_usize << problem.lanes).all(|lanes| {
        let confined: u64 = problem
            .demand
            .iter()
            .zip(case)
            .filter(|(_, set)| **set & !lanes == 0)
            .map(|(demand, _)| *demand)
            .sum();
        confined <= u64::from(lanes.count_ones()) * (SHARE_PARTS + SLACK)
    })
}
