//! Bounds beside exhaustive search, cover functions beside all sets of modules.

use proptest::prelude::*;

use super::{Cover, bound, keys::Keys, matrix, share};
use crate::cost::{broken, cost};
use crate::instance::Instance;
use crate::objective::{Evenness, Link, Objective, Spread, Time};
use crate::problem::{Balance, Limits, Machine, Module, Problem, Task};

/// Tasks of a table of languages in groups of some size: languages and groups of both sides.
fn table(languages: usize, group: usize, is_diagonal_empty: bool) -> Vec<Vec<usize>> {
    let cells = (0..languages * languages).map(|cell| (cell / languages, cell % languages));
    cells
        .filter(|(source, target)| !is_diagonal_empty || source != target)
        .map(|(source, target)| {
            let (of_target, groups) = (languages, 2 * languages);
            vec![
                source,
                of_target + target,
                groups + source / group,
                groups + languages + target / group,
            ]
        })
        .collect()
}

fn cheapest(problem: &Problem) -> Option<u64> {
    let (tasks, devices) = (problem.tasks.len(), problem.machine.devices());
    let count = devices.pow(u32::try_from(tasks).expect("few tasks"));
    (0..count)
        .map(|code| {
            (0..tasks)
                .scan(code, |rest, _| {
                    let device = *rest % devices;
                    *rest /= devices;
                    Some(device)
                })
                .collect::<Vec<_>>()
        })
        .filter(|assignment| broken(problem, assignment).is_empty())
        .map(|assignment| cost(problem, &assignment))
        .min()
}

fn objectives() -> impl Strategy<Value = Objective> {
    let evenness = (0..5_u64, 0..50_u64, 0..9_u64).prop_map(|(range, empty, first)| Evenness {
        range,
        empty,
        first,
    });
    let link = (0..50_u64, 0..5000_u64)
        .prop_map(|(latency, picoseconds_per_byte)| Link { latency, picoseconds_per_byte });
    prop_oneof![
        (0..9_u64, 1..3_u64, evenness.clone(), evenness).prop_map(
            |(inter, intra, tasks, ready)| Objective::Spread(Spread { inter, intra, tasks, ready })
        ),
        (link.clone(), link).prop_map(|(intra, inter)| Objective::Time(Time { intra, inter })),
    ]
}

prop_compose! {
    fn problems()(
        nodes in 1..3_usize, devices_per_node in 1..3_usize, tasks in 1..7_usize, modules in 1..7_usize,
    )(
        machine in Just(Machine { nodes, devices_per_node }),
        tasks in prop::collection::vec(
            (prop::collection::vec(0..modules, 0..4), 0..9_u64, any::<bool>())
                .prop_map(|(modules, load, is_ready)| Task { modules, load, memory: 0, is_ready }),
            tasks,
        ),
        modules in prop::collection::vec((0..5_u64).prop_map(|weight| Module { weight, memory: 0 }), modules),
        balance in prop_oneof![Just(Balance::Even), Just(Balance::Free)],
        objective in objectives(),
    ) -> Problem {
        let limits = Limits { balance, ..Limits::default() };
        Problem { machine, tasks, modules, limits, objective }
    }
}

proptest! {
    #[test]
    fn no_assignment_is_below_the_bound(problem in problems()) {
        if let Some(least) = cheapest(&problem) {
            let bound = bound(&Instance::new(&problem));
            prop_assert!(bound <= least, "bound {} above {}", bound, least);
        }
    }

    #[test]
    fn covers_are_no_more_than_sets_of_modules_say(problem in problems()) {
        let instance = Instance::new(&problem);
        let (keys, most) = (Keys::of(&instance), instance.tasks());
        let exact = keys.by_subsets(most).expect("few keys");
        let by_sides = matrix::by_sides(&keys, most).unwrap_or_default();
        for (tasks, exact) in exact.iter().enumerate() {
            prop_assert!(share::by_shares(&instance, most)[tasks] <= *exact);
            prop_assert!(by_sides.get(tasks).copied().unwrap_or(0) <= *exact, "{} tasks", tasks);
        }
    }
}

#[test]
fn covers_of_tables_are_exact() {
    for (languages, group) in [(4, 4), (5, 2), (6, 6), (6, 3), (7, 3)] {
        for is_diagonal_empty in [false, true] {
            let tasks = table(languages, group, is_diagonal_empty);
            let instance =
                Instance::new(&Problem::of(Machine { nodes: 2, devices_per_node: 2 }, tasks));
            let (keys, most) = (Keys::of(&instance), instance.tasks());
            let exact = keys.by_subsets(most).expect("few keys");
            let found = matrix::by_sides(&keys, most).expect("a table has two sides");
            if !is_diagonal_empty || group == languages {
                assert_eq!(found, exact, "{languages} languages in groups of {group}");
            }
        }
    }
}

#[test]
fn hull_and_table_agree_where_the_function_is_convex() {
    let instance =
        Instance::new(&Problem::of(Machine { nodes: 2, devices_per_node: 4 }, table(6, 6, true)));
    let cover = Cover::new(&instance, 30);
    for least in 2..=3 {
        let places = vec![(least, 4); 8];
        let (hull, exact) = (cover.on_hull(30, &places), cover.by_table(30, &places));
        assert!(hull <= exact, "{hull} on the hull, {exact} by the table");
    }
}

/// Instances with best known costs, where they are at hand.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a test reads its instances")]
#[test]
fn bounds_are_not_above_known_costs() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/peer/placement");
    let Ok(readme) = std::fs::read_to_string(format!("{folder}/README.md")) else {
        eprintln!("no instances in {folder}");
        return;
    };
    let mut seen = 0;
    for line in
        readme.lines().filter(|line| line.starts_with("| m2m") || line.starts_with("| centric"))
    {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let known: u64 = cells[4].parse().expect("a cost");
        let text =
            std::fs::read_to_string(format!("{folder}/{}.json", cells[1])).expect("an instance");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let number = |name: &str| {
            json[name].as_u64().and_then(|n| usize::try_from(n).ok()).expect("a number")
        };
        let tasks: Vec<Vec<usize>> =
            serde_json::from_value(json["tasks"].clone()).expect("lists of modules");
        let machine =
            Machine { nodes: number("n_nodes"), devices_per_node: number("gpus_per_node") };
        let bound = bound(&Instance::new(&Problem::of(machine, tasks)));
        assert!(bound <= known, "{}: bound {bound} above {known}", cells[1]);
        eprintln!("{}: bound {bound}, best known {known}", cells[1]);
        seen += 1;
    }
    assert_eq!(seen, 16);
}
