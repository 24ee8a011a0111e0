//! The engine from outside: against exhaustive search, under limits, twice, and on instances with known costs.

#![expect(clippy::indexing_slicing, reason = "a panic fails the test")]
#![expect(clippy::disallowed_methods, reason = "instances are read from files")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::collections::BTreeMap;
use std::path::Path;

use mmc_place::{
    Balance, Effort, Limits, Link, Machine, Module, Objective, Problem, Reason, Task, Time, broken,
    cost, solve,
};
use proptest::prelude::*;

fn devices(problem: &Problem, assignment: &[(usize, usize)]) -> Vec<usize> {
    let on_node = problem.machine.devices_per_node;
    assignment.iter().map(|(node, place)| node * on_node + place).collect()
}

/// The least cost of all assignments that keep the limits.
fn least(problem: &Problem) -> Option<u64> {
    let (tasks, devices) = (problem.tasks.len(), problem.machine.devices());
    let mut all = vec![0; tasks];
    let mut best: Option<u64> = None;
    loop {
        if broken(problem, &all).is_empty() {
            let cost = cost(problem, &all);
            best = Some(best.map_or(cost, |least| least.min(cost)));
        }
        let Some(at) = all.iter().position(|&device| device + 1 < devices) else { return best };
        all[at] += 1;
        all[..at].fill(0);
    }
}

/// Counted copies, or predicted time.
fn objectives() -> impl Strategy<Value = Objective> {
    let link = (0..9_u64, 0..9000_u64)
        .prop_map(|(latency, picoseconds_per_byte)| Link { latency, picoseconds_per_byte });
    prop_oneof![
        (0..7_u64, 1..3_u64).prop_map(|(inter, intra)| Objective::spread(inter, intra)),
        (link.clone(), link).prop_map(|(intra, inter)| Objective::Time(Time { intra, inter })),
    ]
}

prop_compose! {
    fn problems()(
        nodes in 1..3_usize, devices_per_node in 1..3_usize, tasks in 1..7_usize, modules in 1..6_usize,
    )(
        machine in Just(Machine { nodes, devices_per_node }),
        tasks in prop::collection::vec(
            (prop::collection::vec(0..modules, 1..4), 1..4_u64, 0..4_u64, any::<bool>())
                .prop_map(|(modules, load, memory, is_ready)| Task { modules, load, memory, is_ready }),
            tasks,
        ),
        modules in prop::collection::vec(
            (1..4_u64, 0..4_u64).prop_map(|(weight, memory)| Module { weight, memory }), modules,
        ),
        is_even in any::<bool>(),
        memory in prop::option::of(6..20_u64),
        load in prop::option::of(4..12_u64),
        ready_everywhere in prop::bool::weighted(0.2),
        apart in prop::collection::vec(prop::collection::vec(0..tasks, 2..4), 0..2),
        pins in prop::collection::vec((0..tasks, 0..nodes * devices_per_node), 0..2),
        objective in objectives(),
    ) -> Problem {
        let balance = if is_even { Balance::Even } else { Balance::Free };
        let limits = Limits { balance, slots: None, memory, load, ready_everywhere, pins, apart };
        Problem { machine, tasks, modules, limits, objective }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn small_problems_are_solved_to_the_optimum(problem in problems()) {
        let effort = Effort::new(1).unwrap();
        match (solve(&problem, effort), least(&problem)) {
            (Ok(answer), Some(least)) => {
                let devices = devices(&problem, &answer.assignment);
                prop_assert_eq!(broken(&problem, &devices), []);
                prop_assert_eq!(answer.cost, cost(&problem, &devices));
                prop_assert_eq!(answer.cost, least);
                prop_assert!(answer.is_optimal());
                prop_assert!(answer.seed_cost.is_none_or(|seed| answer.cost <= seed));
            }
            (Err(infeasible), None) => {
                prop_assert!(!infeasible.reasons.is_empty() && infeasible.is_proved);
            }
            (found, least) => prop_assert!(false, "{found:?}, but {least:?}"),
        }
    }
}

fn matrix(languages: usize) -> Vec<Vec<usize>> {
    let pairs = (0..languages).flat_map(|s| (0..languages).map(move |t| (s, t)));
    pairs.filter(|(s, t)| s != t).map(|(s, t)| vec![s, languages + t]).collect()
}

#[test]
fn an_answer_is_a_function_of_the_problem() {
    let machine = Machine { nodes: 2, devices_per_node: 4 };
    let problem = Problem::of(machine, matrix(9));
    let effort = Effort::new(1).unwrap();
    let first = solve(&problem, effort).unwrap();
    let second = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| solve(&problem, effort))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect::<Vec<_>>()
    });
    assert!(second.iter().all(|answer| *answer == first));
}

/// A pin and a set apart that leave one task free, with nothing to exchange it for: the search ends all the same.
#[test]
fn an_assignment_without_choice_is_found() {
    let mut problem =
        Problem::of(Machine { nodes: 1, devices_per_node: 2 }, vec![vec![0], vec![0]]);
    problem.limits.balance = Balance::Free;
    problem.limits.pins = vec![(0, 0)];
    problem.limits.apart = vec![vec![0, 1]];
    let answer = solve(&problem, Effort::new(1).unwrap()).unwrap();
    assert_eq!(devices(&problem, &answer.assignment), [0, 1]);
}

#[test]
fn reasons_that_forbid_every_assignment_are_the_fewest() {
    let mut problem = Problem::of(Machine { nodes: 1, devices_per_node: 2 }, matrix(3));
    problem.limits.slots = Some(2);
    let fails = |problem: &Problem| solve(problem, Effort::new(1).unwrap()).unwrap_err();
    let found = fails(&problem);
    assert!(found.is_proved);
    assert_eq!(found.reasons, [Reason::Seats { tasks: 6, seats: 4 }]);
    problem.limits.slots = None;
    problem.limits.apart = vec![vec![0, 1], vec![2, 3], vec![1, 2], vec![0, 2]];
    let found = fails(&problem);
    let sets = [0, 2, 3].map(|set| Reason::Apart { set });
    assert_eq!(found.reasons, sets, "three tasks apart from each other on two devices");
}

/// The instances with their best known costs; some of them, with little effort, so that the test stays quick.
#[test]
fn known_costs_are_reached() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/peer/placement");
    let Ok(readme) = std::fs::read_to_string(folder.join("README.md")) else {
        eprintln!("skipped: {} has no instances", folder.display());
        return;
    };
    let known: BTreeMap<&str, u64> = readme
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            Some((*cells.get(1)?, cells.get(4)?.parse().ok()?))
        })
        .collect();
    assert_eq!(known.len(), 16);
    for (name, known) in known {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let number = |key: &str| usize::try_from(json[key].as_u64().unwrap()).unwrap();
        let machine =
            Machine { nodes: number("n_nodes"), devices_per_node: number("gpus_per_node") };
        let tasks: Vec<Vec<usize>> = serde_json::from_value(json["tasks"].clone()).unwrap();
        let problem = Problem::of(machine, tasks);
        let answer = solve(&problem, Effort::new(1).unwrap()).unwrap();
        assert_eq!(broken(&problem, &devices(&problem, &answer.assignment)), []);
        assert!(answer.bound <= known.min(answer.cost), "{name}: bound {}", answer.bound);
        // The large ones are there at once; the others come near, and get there with more effort than a quick test has.
        let limit = if problem.tasks.len() > 1000 { known } else { known * 112 / 100 };
        assert!(answer.cost <= limit, "{name}: {} instead of {known}", answer.cost);
    }
}
