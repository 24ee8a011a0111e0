//! A problem as JSON text -> a problem whose numbers are in range, or a fault with its place in the text.

use std::ops::Range;

use serde::Deserialize;

use crate::check::check;
use crate::locate::{Step, locate};
use crate::objective::{Link, Objective, Time};
use crate::problem::{Balance, Limits, Machine, Module, Problem, Task};

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// In one line.
    pub message: String,
    /// Bytes of the text that are at fault.
    pub span: Range<usize>,
    /// What to do.
    pub help: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// For people.
    #[serde(rename = "name", default)]
    _name: Option<String>,
    #[serde(rename = "pairs", default)]
    _pairs: Option<Vec<String>>,
    n_nodes: usize,
    gpus_per_node: usize,
    n_modules: Option<usize>,
    tasks: Vec<Row>,
    #[serde(default)]
    modules: Vec<ModuleRow>,
    #[serde(default)]
    limits: LimitRows,
    #[serde(default)]
    objective: ObjectiveRow,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a task is a list of module numbers, or an object with `modules`")]
enum Row {
    Bare(Vec<usize>),
    Full(TaskRow),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskRow {
    modules: Vec<usize>,
    #[serde(default = "one")]
    load: u64,
    #[serde(default)]
    memory: u64,
    #[serde(default = "yes")]
    ready: bool,
    pin: Option<(usize, usize)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModuleRow {
    #[serde(default = "one")]
    weight: u64,
    #[serde(default)]
    memory: u64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct LimitRows {
    balance: BalanceRow,
    slots: Option<usize>,
    memory: Option<u64>,
    load: Option<u64>,
    ready_everywhere: bool,
    apart: Vec<Vec<usize>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum BalanceRow {
    #[default]
    Even,
    Free,
    Within(Vec<(usize, usize)>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ObjectiveRow {
    Spread { inter: u64, intra: u64 },
    Time { intra: LinkRow, inter: LinkRow },
}

impl Default for ObjectiveRow {
    fn default() -> Self {
        Self::Spread { inter: 5, intra: 1 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkRow {
    latency: u64,
    picoseconds_per_byte: u64,
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

/// Reads a problem.
///
/// # Errors
/// The first fault: no JSON, an unknown or a missing key, a number out of range.
pub fn read(text: &str) -> Result<Problem, FileFault> {
    let file: File = serde_json::from_str(text).map_err(|error| unreadable(text, &error))?;
    let machine = Machine { nodes: file.n_nodes, devices_per_node: file.gpus_per_node };
    if machine.devices() == 0 {
        let key = if file.n_nodes == 0 { "n_nodes" } else { "gpus_per_node" };
        let help = "a machine has at least one node with at least one GPU";
        return Err(fault(text, "no GPUs to place tasks on", &[Step::Key(key)], help));
    }
    let mut limits = limits(text, file.limits, file.tasks.len(), machine)?;
    let rows: Vec<TaskRow> = file.tasks.into_iter().map(TaskRow::from).collect();
    let named = rows.iter().flat_map(|row| &row.modules).max().map_or(0, |most| most + 1);
    let is_described = !file.modules.is_empty();
    let count = if is_described { file.modules.len() } else { file.n_modules.unwrap_or(named) };
    for (at, row) in rows.iter().enumerate() {
        if let Some(place) = row.modules.iter().position(|&module| module >= count) {
            let message = format!(
                "task {at} uses module {}, but there are {count} modules",
                row.modules[place]
            );
            let task = [Step::Key("tasks"), Step::Item(at), Step::Item(place)];
            let inside =
                [Step::Key("tasks"), Step::Item(at), Step::Key("modules"), Step::Item(place)];
            let path: &[Step] = if locate(text, &inside).is_some() { &inside } else { &task };
            return Err(fault(text, &message, path, "modules are numbered from 0"));
        }
        if let Some((node, gpu)) = row.pin {
            if node >= machine.nodes || gpu >= machine.devices_per_node {
                let path = [Step::Key("tasks"), Step::Item(at), Step::Key("pin")];
                let message = format!("task {at} is bound to a GPU that there is not");
                let help = format!(
                    "`pin` is [node, GPU of the node]; there are {} nodes with {} GPUs",
                    machine.nodes, machine.devices_per_node
                );
                return Err(fault(text, &message, &path, &help));
            }
            limits.pins.push((at, node * machine.devices_per_node + gpu));
        }
    }
    let modules = if is_described {
        let module = |row: ModuleRow| Module { weight: row.weight, memory: row.memory };
        file.modules.into_iter().map(module).collect()
    } else {
        vec![Module::default(); count]
    };
    let tasks = rows.into_iter().map(TaskRow::task).collect();
    let problem = Problem { machine, tasks, modules, limits, objective: file.objective.into() };
    let help = "a smaller unit keeps sums below 2^62";
    check(&problem)
        .map_err(|wrong| fault(text, &wrong.to_string(), &[Step::Key("modules")], help))?;
    Ok(problem)
}

impl From<Row> for TaskRow {
    fn from(row: Row) -> Self {
        match row {
            Row::Full(row) => row,
            Row::Bare(modules) => Self { modules, load: 1, memory: 0, ready: true, pin: None },
        }
    }
}

impl TaskRow {
    fn task(self) -> Task {
        let Self { modules, load, memory, ready, pin: _ } = self;
        Task { modules, load, memory, is_ready: ready }
    }
}

impl From<ObjectiveRow> for Objective {
    fn from(row: ObjectiveRow) -> Self {
        let link = |row: LinkRow| Link {
            latency: row.latency,
            picoseconds_per_byte: row.picoseconds_per_byte,
        };
        match row {
            ObjectiveRow::Spread { inter, intra } => Self::spread(inter, intra),
            ObjectiveRow::Time { intra, inter } => {
                Self::Time(Time { intra: link(intra), inter: link(inter) })
            }
        }
    }
}

/// Limits without pins, which stand with the tasks.
fn limits(
    text: &str,
    rows: LimitRows,
    tasks: usize,
    machine: Machine,
) -> Result<Limits, FileFault> {
    let devices = machine.devices();
    for (set, members) in rows.apart.iter().enumerate() {
        if let Some(at) = members.iter().position(|&task| task >= tasks) {
            let path = [Step::Key("limits"), Step::Key("apart"), Step::Item(set), Step::Item(at)];
            let message = format!("there is no task {}, there are {tasks}", members[at]);
            return Err(fault(text, &message, &path, "tasks are numbered from 0"));
        }
    }
    let balance = match rows.balance {
        BalanceRow::Even => Balance::Even,
        BalanceRow::Free => Balance::Free,
        BalanceRow::Within(seats) if seats.len() != devices => {
            let path = [Step::Key("limits"), Step::Key("balance")];
            let message = format!("bounds for {} GPUs, but there are {devices}", seats.len());
            return Err(fault(
                text,
                &message,
                &path,
                "give the fewest and the most tasks of every GPU",
            ));
        }
        BalanceRow::Within(seats) => Balance::Within(seats),
    };
    let LimitRows { slots, memory, load, ready_everywhere, apart, balance: _ } = rows;
    Ok(Limits { balance, slots, memory, load, ready_everywhere, pins: Vec::new(), apart })
}

fn fault(text: &str, message: &str, path: &[Step<'_>], help: &str) -> FileFault {
    // The nearest place around what is not there.
    let span = (0..=path.len()).rev().find_map(|steps| locate(text, &path[..steps]));
    FileFault { message: message.to_owned(), span: span.unwrap_or(0..0), help: help.to_owned() }
}

/// A fault of the JSON reader: it tells line and column.
fn unreadable(text: &str, error: &serde_json::Error) -> FileFault {
    let start: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = (start + error.column().saturating_sub(1)).min(text.len().saturating_sub(1));
    let at = (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let length = text[at..].chars().next().map_or(0, char::len_utf8);
    let words = error.to_string();
    let message = words.split(" at line ").next().unwrap_or(&words).to_owned();
    let help = "`docs/commands.md` lists the keys of a problem".to_owned();
    FileFault { message, span: at..at + length, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_and_a_full_problem() {
        let bare = read(r#"{"n_nodes": 1, "gpus_per_node": 2, "tasks": [[0, 1], [1]]}"#).unwrap();
        assert_eq!(bare, Problem::of(bare.machine, vec![vec![0, 1], vec![1]]));
        let full = read(
            r#"{"n_nodes": 2, "gpus_per_node": 2, "modules": [{"weight": 3, "memory": 7}, {}],
                "tasks": [{"modules": [0], "load": 4, "ready": false, "pin": [1, 0]}, [1]],
                "limits": {"balance": {"within": [[0, 2], [0, 2], [0, 2], [0, 2]]}, "memory": 9, "apart": [[0, 1]]},
                "objective": {"time": {"intra": {"latency": 5, "picoseconds_per_byte": 2}, "inter": {"latency": 9, "picoseconds_per_byte": 80}}}}"#,
        )
        .unwrap();
        assert_eq!(full.modules, [Module { weight: 3, memory: 7 }, Module::default()]);
        assert_eq!(full.limits.pins, [(0, 2)]);
        assert_eq!(full.tasks[0], Task { modules: vec![0], load: 4, memory: 0, is_ready: false });
        assert!(matches!(full.objective, Objective::Time(_)));
    }

    #[test]
    fn faults_point_into_the_text() {
        let wrong = |text: &str| {
            let fault = read(text).unwrap_err();
            (fault.message, text[fault.span].to_owned())
        };
        let module =
            r#"{"n_nodes": 1, "gpus_per_node": 2, "n_modules": 2, "tasks": [[0, 1], [17]]}"#;
        assert_eq!(
            wrong(module),
            ("task 1 uses module 17, but there are 2 modules".into(), "17".into())
        );
        let pin =
            r#"{"n_nodes": 1, "gpus_per_node": 2, "tasks": [{"modules": [0], "pin": [0, 2]}]}"#;
        assert_eq!(wrong(pin).1, "[0, 2]");
        let none = r#"{"n_nodes": 0, "gpus_per_node": 2, "tasks": []}"#;
        assert_eq!(wrong(none), ("no GPUs to place tasks on".into(), "0".into()));
        let apart =
            r#"{"n_nodes": 1, "gpus_per_node": 2, "tasks": [[0]], "limits": {"apart": [[0, 5]]}}"#;
        assert_eq!(wrong(apart), ("there is no task 5, there are 1".into(), "5".into()));
        let key = r#"{"n_nodes": 1, "gpus": 2}"#;
        assert!(wrong(key).0.starts_with("unknown field `gpus`"));
        assert_eq!(wrong("").1, "");
        assert_eq!(wrong("{\"n_nodes\": é}").1, "é");
    }
}
