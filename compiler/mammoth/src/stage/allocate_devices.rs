//! Tasks to GPUs, and starting steps moved so that every GPU can start.

use std::collections::BTreeMap;

use mmc_core::diagnostics::Halt;

use crate::error::MammothError;
use crate::files::Addition;
use crate::job::{Job, Task};
use crate::stage::assignment::{self, Assigned, Devices, Placed};
use crate::warning::MammothWarning;
use crate::yaml::Value;

/// The step at which a task starts.
const START: &str = "introduce_at_training_step";
/// Where the peer keeps costs, one JSON object a line.
const LOG: &str = "gpu_assignment_cost_log.jsonl";

pub(super) fn run(job: &mut Job<'_>) -> Result<(), Halt> {
    let mut tasks = job.pairs()?;
    // The answer must not depend on the order in which they were written.
    tasks.sort_by(|a, b| a.key.cmp(&b.key));
    let devices = devices(job, tasks.len())?;
    if job.flags.count("time_budget_s").is_some() {
        job.sink.report(MammothWarning::NoTimeBudget);
    }
    let before = starts(job, &tasks)?;
    let moved = adjust(job, &tasks, devices, &before)?;
    let places = places(job, &tasks, devices, &moved)?;
    for (task, (node, gpu)) in tasks.iter().zip(&places) {
        let place =
            job.tree.add(Value::Text(format!("{node}:{gpu}").into()), job.tree.span(task.id));
        job.tree.set(task.id, "node_gpu", place);
    }
    top_level(job, devices);
    let after = start_everywhere(job, &places, &moved)?;
    for (task, start) in tasks.iter().zip(&after) {
        if let Some(start) = start {
            job.set_int(task, START, *start);
        }
    }
    report_moves(job, &before, &after);
    Ok(())
}

/// Nodes, GPUs and slots, what is not given computed from the rest.
fn devices(job: &mut Job<'_>, tasks: usize) -> Result<Devices, Halt> {
    let nodes = job.count("n_nodes")?;
    let Some(gpus_per_node) = job.count("n_gpus_per_node")? else {
        let span = job.options_place();
        return Err(job.missing(
            "`config_config`",
            "n_gpus_per_node",
            span,
            "write how many GPUs a node has",
        ));
    };
    let slots = job.count("n_slots_per_gpu")?;
    let span = job.options_place();
    let nodes = match (nodes, slots) {
        (Some(nodes), _) => nodes,
        (None, Some(slots)) => tasks.div_ceil(gpus_per_node * slots),
        (None, None) => return Err(job.halt(MammothError::NoDevices { span })),
    };
    let asked = Devices { nodes, gpus_per_node, slots_per_gpu: 0 };
    let used = if job.bugs() { asked } else { enough(job, asked, tasks) };
    let gpus = used.gpus();
    let slots_per_gpu = slots.unwrap_or_else(|| tasks.div_ceil(gpus));
    let (slots, needed) = (slots_per_gpu * gpus, tasks.div_ceil(gpus));
    if tasks > slots && gpus > 1 {
        return Err(job.halt(MammothError::TooFewSlots { tasks, slots, gpus, needed, span }));
    }
    Ok(Devices { slots_per_gpu, ..used })
}

/// As many GPUs as can have a task: MAMMOTH does not start one without.
fn enough(job: &mut Job<'_>, asked: Devices, tasks: usize) -> Devices {
    if tasks >= asked.gpus() {
        return asked;
    }
    let nodes = asked.nodes.min(tasks);
    let used = Devices { nodes, gpus_per_node: tasks / nodes, ..asked };
    let span = job.options_place();
    job.sink.report(MammothWarning::MoreGpusThanTasks {
        tasks,
        gpus: asked.gpus(),
        used: used.gpus(),
        nodes: used.nodes,
        gpus_per_node: used.gpus_per_node,
        span,
    });
    used
}

type Starts = Vec<Option<i128>>;

fn starts(job: &mut Job<'_>, tasks: &[Task]) -> Result<Starts, Halt> {
    tasks.iter().map(|task| job.task_int(task, START)).collect()
}

/// Moves all tasks ahead when fewer can start than there are GPUs, by the step at which enough can. The peer's index is one too
/// far: it takes the step of one task more.
fn adjust(
    job: &mut Job<'_>,
    tasks: &[Task],
    devices: Devices,
    starts: &Starts,
) -> Result<Starts, Halt> {
    let gpus = devices.gpus();
    let mut order: Vec<i128> = starts.iter().map(|start| start.unwrap_or_default()).collect();
    let ready = order.iter().filter(|start| **start == 0).count();
    if ready >= gpus {
        return Ok(starts.clone());
    }
    order.sort_unstable();
    let index = if job.bugs() { gpus } else { gpus.min(tasks.len()) - 1 };
    let Some(ahead) = order.get(index) else {
        let (tasks, span) = (tasks.len(), job.options_place());
        return Err(job.halt(MammothError::ReadyIndex { tasks, gpus, ready, span }));
    };
    Ok(starts.iter().map(|start| start.map(|start| (start - ahead).max(0))).collect())
}

fn places(
    job: &mut Job<'_>,
    tasks: &[Task],
    devices: Devices,
    starts: &Starts,
) -> Result<Vec<(usize, usize)>, Halt> {
    if devices.gpus() < 2 {
        return Ok(vec![(0, 0); tasks.len()]);
    }
    let groups = job.groups()?;
    let mut placed = Vec::new();
    for (task, start) in tasks.iter().zip(starts) {
        let name = |job: &mut Job<'_>, language: &str| {
            let group = job.group(groups, language)?;
            let name = job.tree.text(group).map(str::to_owned);
            Ok(name.unwrap_or_else(|| format!("{:?}", job.tree.value(group))))
        };
        placed.push(Placed {
            source: (task.source.clone(), name(job, &task.source)?),
            target: (task.target.clone(), name(job, &task.target)?),
            is_ready: start.unwrap_or_default() == 0,
        });
    }
    let span = job.options_place();
    let Some(assigned) = assignment::assign(&placed, devices, job.bugs()) else {
        let reason = "there are too few slots".to_owned();
        return Err(job.halt(MammothError::NoAssignment { reason, span }));
    };
    if assigned.is_crowded {
        job.sink.report(MammothWarning::PiecesTogether { span });
    }
    log(job, tasks.len(), devices, &assigned);
    Ok(assigned.places)
}

/// The record that `--log_name` asks for.
fn log(job: &mut Job<'_>, tasks: usize, devices: Devices, assigned: &Assigned) {
    let Some(name) = job.flags.text("log_name") else { return };
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    let Devices { nodes, gpus_per_node, slots_per_gpu } = devices;
    let cost = assigned.tenths;
    let line = format!(
        "{{\"method\": \"mmc\", \"name\": \"{name}\", \"n_nodes\": {nodes}, \"n_gpus_per_node\": {gpus_per_node}, \
         \"n_slots_per_gpu\": {slots_per_gpu}, \"n_lps\": {tasks}, \"best_cost\": {}.{}}}",
        cost / 10,
        cost % 10,
    );
    job.additions.push(Addition { file: LOG, line });
}

/// What the whole configuration says of devices.
fn top_level(job: &mut Job<'_>, devices: Devices) {
    let root = job.tree.root();
    let span = job.options_place();
    let count = |count: usize| Value::Int(i128::try_from(count).unwrap_or_default());
    let ranks = (0..devices.gpus_per_node).map(|gpu| job.tree.add(count(gpu), span)).collect();
    for (key, value) in [
        ("n_nodes", count(devices.nodes)),
        ("world_size", count(devices.gpus())),
        ("gpu_ranks", Value::List(ranks)),
    ] {
        let id = job.tree.add(value, span);
        job.tree.set(root, key, id);
    }
}

/// Moves the tasks of every GPU ahead by the first of their starting steps.
fn start_everywhere(
    job: &mut Job<'_>,
    places: &[(usize, usize)],
    starts: &Starts,
) -> Result<Starts, Halt> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "steps; beyond the range the cast stays at its end"
    )]
    let most = job.train_steps()? as i128;
    let mut first: BTreeMap<(usize, usize), i128> = BTreeMap::new();
    for (place, start) in places.iter().zip(starts) {
        if let Some(start) = start {
            let least = first.entry(*place).or_insert(most);
            *least = (*least).min(*start);
        }
    }
    let ahead = |place: &(usize, usize)| first.get(place).copied().unwrap_or_default().max(0);
    Ok(places
        .iter()
        .zip(starts)
        .map(|(place, start)| start.map(|start| start - ahead(place)))
        .collect())
}

fn report_moves(job: &mut Job<'_>, before: &Starts, after: &Starts) {
    let moves = before.iter().zip(after).filter_map(|(before, after)| Some((*before)? - (*after)?));
    let moves: Vec<i128> = moves.filter(|steps| *steps != 0).collect();
    if let Some(most) = moves.iter().max().copied() {
        let span = job.options_place();
        job.sink.report(MammothWarning::CurriculumMoved { moved: moves.len(), most, span });
    }
}
