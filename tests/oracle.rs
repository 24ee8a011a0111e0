//! The solver against the search of all cases: no spread of tasks over lanes is cheaper than the program's, and the greedy
//! one is never cheaper than that.

use mmc_core::ir::task::SHARE_PARTS;
use mmc_core::place::exhaustive::least_cost;
use mmc_core::place::problem::{Cost, Edge, Problem, Spread};
use mmc_core::place::{greedy, ilp};
use proptest::prelude::*;

/// Shares in proportion to weights.
fn shares(weights: &[u64]) -> Vec<u64> {
    let sum: u64 = weights.iter().sum();
    let mut shares: Vec<u64> = weights.iter().map(|weight| weight * SHARE_PARTS / sum).collect();
    let rest = SHARE_PARTS - shares.iter().sum::<u64>();
    if let Some(first) = shares.first_mut() {
        *first += rest;
    }
    shares
}

fn problems() -> impl Strategy<Value = Problem> {
    (2_usize..=6, 2_usize..=3).prop_flat_map(|(tasks, lanes)| {
        let weights = prop_oneof![Just(vec![1; tasks]), prop::collection::vec(1_u64..100, tasks),];
        let edge = (1_u64..20, 1_u32..(1 << tasks) - 1);
        (weights, prop::collection::vec(edge, 0..6)).prop_map(move |(weights, edges)| {
            let edges = edges
                .into_iter()
                .map(|(parameters, set)| Edge {
                    parameters: parameters * 1000,
                    tasks: (0..tasks).filter(|task| set >> task & 1 == 1).collect(),
                })
                .collect();
            Problem::from_edges(lanes, &shares(&weights), edges)
        })
    })
}

/// A task's places for the greedy orders: its edges.
fn places(problem: &Problem) -> Vec<Vec<usize>> {
    greedy::places((0..problem.demand.len()).map(|task| problem.edges_of.of(task).iter().copied()))
}

fn checked(problem: &Problem, spread: &Spread) -> Cost {
    assert!(problem.is_exact(spread), "{spread:?} is not exact");
    problem.cost(spread)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_program_is_optimal_and_greed_is_not_better(problem in problems()) {
        let least = least_cost(&problem).unwrap();
        let greedy = checked(&problem, &greedy::spread(&problem, &places(&problem)));
        prop_assert!(greedy >= least, "greedy {:?} below the least {:?}", greedy, least);
        let exact = ilp::spread(&problem);
        prop_assert!(exact.is_some(), "the solver gave up");
        // Whether it says so or was stopped by its limit: on problems of this size it has found the best by then.
        let (exact, _) = exact.unwrap();
        let exact = checked(&problem, &exact);
        prop_assert_eq!(exact.replicas, least.replicas);
        prop_assert_eq!(exact.pieces, least.pieces);
    }
}
