//! Instances with known costs, or problems of growing size: cost, bound, work and CPU seconds as a table.
//!
//! `cargo bench -p mmc-place --bench placement` (folder: `../shared/peer/placement`, or `MMC_PLACEMENT`; `MMC_EFFORT=3`;
//! `MMC_SCALE=1`: 2 000 to 1 000 000 tasks on 8 to 1 024 devices).

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement reads files and prints"
)]

use std::fs;
use std::path::{Path, PathBuf};

use mmc_place::{Effort, Machine, Problem, broken, solve};
use serde_json::Value;

fn main() {
    let level = std::env::var("MMC_EFFORT").ok().and_then(|level| level.parse().ok());
    let effort = level.and_then(Effort::new).unwrap_or_default();
    println!(
        "{:24} {:>9} {:>7} {:>7} {:>9} {:>9} {:>9} {:13} {:>11} {:>7} {:>9} {:>8}",
        "instance",
        "tasks",
        "devices",
        "known",
        "seed",
        "cost",
        "bound",
        "algorithm",
        "work",
        "CPU s",
        "us a task",
        "MiB"
    );
    if std::env::var_os("MMC_SCALE").is_some() {
        for (languages, nodes, on_node) in SIZES {
            let machine = Machine { nodes, devices_per_node: on_node };
            let name = format!("m2m-L{languages}-group-{nodes}x{on_node}");
            row(&name, None, &Problem::of(machine, matrix(languages)), effort);
        }
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/peer/placement");
    let folder = std::env::var_os("MMC_PLACEMENT").map_or(root, PathBuf::from);
    let Ok(readme) = fs::read_to_string(folder.join("README.md")) else {
        println!("no instances in {}", folder.display());
        return;
    };
    for line in readme.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let Some(Ok(known)) = cells.get(4).map(|cell| cell.parse::<u64>()) {
            row(cells[1], Some(known), &read(&folder.join(format!("{}.json", cells[1]))), effort);
        }
    }
}

/// Languages, nodes, devices of a node: about 2 k, 20 k, 200 k and 1 M pairs.
const SIZES: [(usize, usize, usize); 8] = [
    (46, 1, 8),
    (46, 8, 8),
    (142, 4, 8),
    (142, 32, 8),
    (448, 16, 8),
    (448, 128, 8),
    (1001, 64, 8),
    (1001, 128, 8),
];

/// Every ordered pair of languages, with the groups that they are in: about as many as a group has members.
fn matrix(languages: usize) -> Vec<Vec<usize>> {
    let groups = languages.isqrt();
    let group = |language: usize| language * groups / languages;
    let pairs =
        (0..languages).flat_map(|source| (0..languages).map(move |target| (source, target)));
    let modules = |(source, target): (usize, usize)| {
        let target_side = languages + groups;
        vec![
            source,
            languages + group(source),
            target_side + group(target),
            target_side + groups + target,
        ]
    };
    pairs.filter(|(source, target)| source != target).map(modules).collect()
}

fn read(path: &Path) -> Problem {
    let text = fs::read_to_string(path).expect("an instance is readable");
    let json: Value = serde_json::from_str(&text).expect("an instance is JSON");
    let number =
        |key: &str| usize::try_from(json[key].as_u64().expect("a number")).expect("a small number");
    let machine = Machine { nodes: number("n_nodes"), devices_per_node: number("gpus_per_node") };
    let tasks = serde_json::from_value(json["tasks"].clone()).expect("tasks are lists of numbers");
    Problem::of(machine, tasks)
}

#[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
fn row(name: &str, known: Option<u64>, problem: &Problem, effort: Effort) {
    let before = cpu_seconds();
    let answer = solve(problem, effort).expect("every device has seats enough");
    let cpu = cpu_seconds() - before;
    let on_node = problem.machine.devices_per_node;
    let devices: Vec<usize> =
        answer.assignment.iter().map(|(node, place)| node * on_node + place).collect();
    assert_eq!(broken(problem, &devices), [], "{name} keeps its limits");
    let tasks = problem.tasks.len();
    println!(
        "{name:24} {tasks:>9} {:>7} {:>7} {:>9} {:>9} {:>9} {:13} {:>11} {cpu:>7.2} {:>9.1} {:>8}",
        problem.machine.devices(),
        known.map_or("-".to_owned(), |known| known.to_string()),
        answer.seed_cost.map_or("-".to_owned(), |seed| seed.to_string()),
        answer.cost,
        answer.bound,
        answer.algorithm.name(),
        answer.work,
        1e6 * cpu / tasks as f64,
        peak_mebibytes(),
    );
}

/// CPU seconds of this process: nanoseconds on a core, of its main thread (Linux, sched-stats).
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/schedstat").expect("Linux tells what ran");
    let nanoseconds: f64 =
        stat.split(' ').next().expect("a first field").parse().expect("a number");
    nanoseconds / 1e9
}

/// The most memory that this process had.
fn peak_mebibytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells what is used");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a high-water mark");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
