//! The search beside all assignments, and on instances that it proves.

use proptest::prelude::*;

use super::levels::Levels;
use super::search::run_levels;
use super::{is_solvable, search};
use crate::cost::{broken, cost};
use crate::instance::Instance;
use crate::objective::{Link, Objective, Time};
use crate::problem::{Balance, Limits, Machine, Module, Problem, Task};

fn cheapest(problem: &Problem) -> Option<u64> {
    let (tasks, devices) = (problem.tasks.len(), problem.machine.devices());
    let count = devices.pow(u32::try_from(tasks).expect("few tasks"));
    let digits = |mut code: usize| -> Vec<usize> {
        (0..tasks)
            .map(|_| {
                let device = code % devices;
                code /= devices;
                device
            })
            .collect()
    };
    let assignments = (0..count).map(digits);
    assignments
        .filter(|homes| broken(problem, homes).is_empty())
        .map(|homes| cost(problem, &homes))
        .min()
}

/// Counted copies, or predicted time.
fn objectives() -> impl Strategy<Value = Objective> {
    let link = (0..20_u64, 0..9000_u64)
        .prop_map(|(latency, picoseconds_per_byte)| Link { latency, picoseconds_per_byte });
    prop_oneof![
        (0..7_u64, 0..3_u64).prop_map(|(inter, intra)| Objective::spread(inter, intra)),
        (link.clone(), link).prop_map(|(intra, inter)| Objective::Time(Time { intra, inter })),
    ]
}

/// Even, free, or any numbers of tasks.
fn balances(devices: usize) -> impl Strategy<Value = Balance> {
    let seats = (0..3_usize, 0..4_usize).prop_map(|(least, more)| (least, least + more));
    let within = prop::collection::vec(seats, devices).prop_map(Balance::Within);
    prop_oneof![Just(Balance::Even), Just(Balance::Free), within]
}

prop_compose! {
    fn problems()(
        nodes in 1..4_usize, devices_per_node in 1..4_usize, modules in 1..9_usize,
    )(
        tasks in prop::collection::vec(
            prop::collection::vec(0..modules, 0..4), 1..(if nodes * devices_per_node > 4 { 6 } else { 8 }),
        ),
        machine in Just(Machine { nodes, devices_per_node }),
        modules in prop::collection::vec((0..40_u64).prop_map(|weight| Module { weight, memory: 0 }), modules),
        balance in balances(nodes * devices_per_node),
        objective in objectives(),
        loads in prop::collection::vec(0..40_u64, 8),
        pin in prop::option::of(0..nodes * devices_per_node),
        apart in prop::collection::vec(0..8_usize, 0..4),
        load in prop::option::of(20..120_u64),
    ) -> Problem {
        let apart = apart.into_iter().filter(|&task| task < tasks.len()).collect();
        let pins = pin.map(|device| (0, device)).into_iter().collect();
        Problem {
            machine,
            tasks: tasks.into_iter().zip(loads).map(|(modules, load)| Task { load, ..Task::of(modules) }).collect(),
            modules,
            limits: Limits { balance, pins, apart: vec![apart], load, ..Limits::default() },
            objective,
        }
    }
}

proptest! {
    #[test]
    fn what_is_proved_is_the_cheapest_of_all(problem in problems(), slack in 0..3_u64) {
        let instance = Instance::new(&problem);
        prop_assert!(is_solvable(&instance));
        let least = cheapest(&problem);
        let known = least.map_or(1_000_000, |least| least + slack);
        let found = search(&instance, known, 1_000_000);
        prop_assert!(found.is_proved);
        let devices = found.homes.map(|homes| homes.iter().map(|&home| home as usize).collect::<Vec<_>>());
        let cost = devices.as_ref().map(|devices| cost(&problem, devices));
        prop_assert_eq!(cost, found.cost);
        prop_assert_eq!(cost, least.filter(|_| slack > 0 || least.is_none()));
        if let Some(devices) = devices {
            prop_assert!(broken(&problem, &devices).is_empty());
        }
    }
}

proptest! {
    #[test]
    fn what_is_proved_nodes_first_is_the_cheapest_of_all(
        problem in problems(),
        (inter, intra) in (0..7_u64, 0..3_u64),
        slack in 0..3_u64,
    ) {
        let Limits { balance, pins, .. } = problem.limits;
        let limits = Limits { balance, pins, ..Limits::default() };
        let problem = Problem { limits, objective: Objective::spread(inter, intra), ..problem };
        let instance = Instance::new(&problem);
        let least = cheapest(&problem);
        let (Some(levels), Some(least)) = (Levels::new(&instance), least) else { return Ok(()) };
        let found = run_levels(levels, least + slack, 1_000_000);
        prop_assert!(found.is_proved);
        prop_assert_eq!(found.cost, (slack > 0).then_some(least));
        if let Some(homes) = found.homes {
            let homes: Vec<usize> = homes.iter().map(|&home| home as usize).collect();
            prop_assert!(broken(&problem, &homes).is_empty());
            prop_assert_eq!(cost(&problem, &homes), least);
        }
    }
}

#[test]
fn nodes_of_other_seats_are_not_alike() {
    // One node has a device for two tasks, the other has two for one each: the heavier module is split on neither.
    for weights in [[1, 5], [5, 1]] {
        for seats in [[2, 0, 1, 1], [1, 1, 2, 0]] {
            let machine = Machine { nodes: 2, devices_per_node: 2 };
            let mut problem = Problem::of(machine, vec![vec![0], vec![0], vec![1], vec![1]]);
            for (module, weight) in problem.modules.iter_mut().zip(weights) {
                module.weight = weight;
            }
            problem.limits.balance = Balance::Within(seats.map(|seats| (0, seats)).to_vec());
            let instance = Instance::new(&problem);
            if let Some(levels) = Levels::new(&instance) {
                let found = run_levels(levels, 100, 1_000_000);
                assert_eq!((found.is_proved, found.cost), (true, Some(1)));
            }
            let found = search(&instance, 100, 1_000_000);
            assert_eq!((found.is_proved, found.cost), (true, Some(1)));
        }
    }
}

/// Every ordered pair of some languages.
fn pairs(languages: usize, nodes: usize, devices_per_node: usize) -> Problem {
    let pair = |source| (0..languages).map(move |target| (source, target));
    let tasks = (0..languages).flat_map(pair).filter(|(source, target)| source != target);
    let tasks = tasks.map(|(source, target)| vec![source, languages + target]).collect();
    Problem::of(Machine { nodes, devices_per_node }, tasks)
}

#[test]
fn tables_of_languages_are_proved() {
    // The costs that constraint programming proves, or for 6 languages on 2 x 4 finds and can't prove in a minute.
    for (languages, nodes, per_node, least) in
        [(4, 2, 2, 28), (5, 2, 2, 40), (6, 2, 2, 42), (6, 2, 4, 52)]
    {
        let instance = Instance::new(&pairs(languages, nodes, per_node));
        let found = search(&instance, least + 1, 1_000_000);
        assert_eq!((found.is_proved, found.cost), (true, Some(least)), "{languages} languages");
        let none = search(&instance, least, 1_000_000);
        assert_eq!((none.is_proved, none.cost), (true, None), "{languages} languages");
    }
}

#[test]
fn a_search_that_runs_out_of_nodes_says_so() {
    let instance = Instance::new(&pairs(6, 2, 4));
    assert!(!search(&instance, 52, 50).is_proved);
}

#[test]
fn answers_to_small_problems_are_proved() {
    for problem in [pairs(4, 2, 4), pairs(5, 2, 3), pairs(6, 2, 2)] {
        assert_proved(&problem);
    }
}

fn assert_proved(problem: &Problem) {
    let answer = crate::solve(problem, crate::Effort::default()).expect("an assignment");
    assert!(answer.is_optimal(), "{} above {}", answer.cost, answer.bound);
}

#[test]
fn answers_under_limits_are_proved() {
    let mut loaded = pairs(4, 2, 5);
    for (task, row) in loaded.tasks.iter_mut().enumerate() {
        row.load = 1 + task as u64 % 3;
    }
    loaded.limits = Limits { balance: Balance::Free, load: Some(4), ..Limits::default() };
    let mut stored = pairs(4, 2, 5);
    for (module, row) in stored.modules.iter_mut().enumerate() {
        row.memory = 1 + module as u64 % 4;
    }
    stored.limits.memory = Some(8);
    stored.limits.ready_everywhere = true;
    for problem in [loaded, stored] {
        assert_proved(&problem);
    }
}

#[test]
fn what_limits_forbid_is_proved() {
    // Six tasks of two modules each: on two devices some device holds more than four modules.
    let mut problem = pairs(3, 1, 2);
    for module in &mut problem.modules {
        module.memory = 1;
    }
    problem.limits.memory = Some(3);
    let infeasible = crate::solve(&problem, crate::Effort::default()).expect_err("too little");
    assert!(infeasible.is_proved);
}
