//! Every instance of MAMMOTH's allocation beside the peer's best answer and the best of some sorted orders: cost, ratios,
//! bound and CPU seconds as a table; every answer is scored once more by the peer's scorer.
//!
//! `cargo bench -p mmc-place --bench allocation` (folder: `../shared/peer/gpu_assignment`, or `MMC_ALLOCATION`).

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement reads files, runs the scorer and prints"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mmc_place::mammoth::{Allocation, Instance, Task, allocate};
use mmc_place::{Effort, Machine};
use serde_json::Value;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/peer/gpu_assignment");
    let folder = std::env::var_os("MMC_ALLOCATION").map_or(root, PathBuf::from);
    let effort =
        std::env::var("MMC_EFFORT").ok().and_then(|level| Effort::new(level.parse().ok()?));
    if !folder.join("instances").is_dir() {
        println!("no instances in {}", folder.display());
        return;
    }
    let baseline = least(&folder.join("trivial_baseline.csv"), "total_intended");
    let peer = least(&folder.join("results.csv"), "total_intended");
    let peer_cpu = least(&folder.join("results.csv"), "cpu_s");
    println!(
        "{:30} {:>9} {:>9} {:>6} {:>9} {:>6} {:>9} {:>6} {:>7} {:>6}",
        "instance", "cost", "bound", "gap", "baseline", "ratio", "peer", "ratio", "CPU s", "faster"
    );
    let mut many = Vec::new();
    for (name, path) in instances(&folder) {
        let text = fs::read_to_string(&path).expect("an instance is readable");
        let instance = instance(&serde_json::from_str(&text).expect("an instance is JSON"));
        let before = cpu_seconds();
        let found = allocate(&instance, effort.unwrap_or_default()).expect("slots for all tasks");
        let cpu = cpu_seconds() - before;
        check(&folder, &path, &found);
        let cost = tenths(found.terms.tenths());
        let column = |of: &BTreeMap<String, f64>| match of.get(&name) {
            Some(other) => (format!("{other:.1}"), format!("{:.3}", cost / other)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let ((floor, over_floor), (best, over_best)) = (column(&baseline), column(&peer));
        let faster = peer_cpu
            .get(&name)
            .map_or("-".to_owned(), |peer| format!("{:.0}x", peer / cpu.max(1e-3)));
        let bound = tenths(found.bound);
        let gap = format!("{:.1}%", 100.0 * (cost / bound - 1.0));
        println!(
            "{name:30} {cost:>9.1} {bound:>9.1} {gap:>6} {floor:>9} {over_floor:>6} {best:>9} {over_best:>6} {cpu:>7.3} {faster:>6}{}",
            if found.terms.unready_devices > 0 {
                format!("  {} devices not ready", found.terms.unready_devices)
            } else {
                String::new()
            }
        );
        if name.starts_with("mp")
            && let Some(floor) = baseline.get(&name)
        {
            many.push(cost / floor);
        }
    }
    many.sort_by(f64::total_cmp);
    println!("median of the mp instances: {:.3} of the baseline", many[many.len() / 2]);
}

#[expect(clippy::cast_precision_loss, reason = "costs are far below 2^53")]
fn tenths(cost: u64) -> f64 {
    cost as f64 / 10.0
}

fn instances(folder: &Path) -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(folder.join("instances")).expect("the folder is readable");
    entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), path))
        .collect()
}

fn instance(json: &Value) -> Instance {
    let number =
        |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("a small number");
    let rows = json["tasks"].as_array().expect("tasks");
    let word = |value: &Value| value.as_str().expect("a name").to_owned();
    let group = |language: &str| word(&json["group_map"][language]);
    let mut names = BTreeSet::new();
    for row in rows {
        for side in ["src", "tgt"] {
            names.insert(word(&row[side]));
            names.insert(group(&word(&row[side])));
        }
    }
    let names: Vec<String> = names.into_iter().collect();
    let id = |name: &str| {
        names.binary_search_by(|other| other.as_str().cmp(name)).expect("a known name")
    };
    let task = |row: &Value| {
        let (source, target) = (word(&row["src"]), word(&row["tgt"]));
        Task {
            source: id(&source),
            source_group: id(&group(&source)),
            target: id(&target),
            target_group: id(&group(&target)),
            is_ready: row["ready"] == Value::Bool(true),
        }
    };
    Instance {
        machine: Machine {
            nodes: number(&json["n_nodes"]),
            devices_per_node: number(&json["n_gpus_per_node"]),
        },
        slots: number(&json["n_slots_per_gpu"]),
        tasks: rows.iter().map(task).collect(),
    }
}

/// Per instance the least number of a column.
fn least(path: &Path, column: &str) -> BTreeMap<String, f64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let Some(at) = header.iter().position(|name| *name == column) else { return BTreeMap::new() };
    let mut least = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        if let (Some(name), Some(Ok(number))) =
            (cells.first(), cells.get(at).map(|cell| cell.parse::<f64>()))
        {
            let entry = least.entry((*name).to_owned()).or_insert(number);
            *entry = entry.min(number);
        }
    }
    least
}

/// Scores an answer with the peer's scorer.
fn check(folder: &Path, instance: &PathBuf, found: &Allocation) {
    let pairs: Vec<[usize; 2]> =
        found.assignment.iter().map(|&(node, device)| [node, device]).collect();
    let answer = std::env::temp_dir().join(format!("mmc-allocation-{}.json", std::process::id()));
    fs::write(&answer, serde_json::to_string(&pairs).expect("numbers are JSON"))
        .expect("a temporary file");
    let files = [&folder.join("score.py"), instance, &answer];
    let scored = Command::new("python3").args(files).arg("--json").output();
    let output = scored.expect("python3 runs the scorer");
    let score: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("{}: {}", instance.display(), String::from_utf8_lossy(&output.stderr))
    });
    let theirs = score["total_intended"].as_f64().expect("a total");
    let ours = tenths(found.terms.tenths());
    assert!((theirs - ours).abs() < 0.05, "{}: {ours} here, {theirs} there", instance.display());
    fs::remove_file(&answer).expect("a temporary file can be removed");
}

/// CPU seconds of this process: nanoseconds on a core, of its main thread (Linux, sched-stats).
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/schedstat").expect("Linux tells what ran");
    let nanoseconds: f64 =
        stat.split(' ').next().expect("a first field").parse().expect("a number");
    nanoseconds / 1e9
}
