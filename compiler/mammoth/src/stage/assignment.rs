//! Tasks to GPUs by the peer's cost, as it was meant: the placement engine's own search for it.

use std::collections::BTreeMap;

use mmc_place::mammoth::{Instance, Task, allocate};
use mmc_place::{Effort, Machine};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Devices {
    pub(super) nodes: usize,
    pub(super) gpus_per_node: usize,
    pub(super) slots_per_gpu: usize,
}

impl Devices {
    /// GPUs of all nodes.
    pub(super) fn gpus(self) -> usize {
        self.nodes * self.gpus_per_node
    }
}

/// A task as the cost sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    /// Source language and its group.
    pub(super) source: (String, String),
    /// Target language and its group.
    pub(super) target: (String, String),
    pub(super) is_ready: bool,
}

/// An assignment.
pub(super) struct Assigned {
    /// Node and GPU of every task.
    pub(super) places: Vec<(usize, usize)>,
    /// Tenths of the peer's cost.
    pub(super) tenths: u64,
    /// Whether a GPU has two pieces of a pair.
    pub(super) is_crowded: bool,
}

/// Searches. `as_coded`: the term of ready tasks is left out, as it is in the peer by mistake. None: there are too few slots.
pub(super) fn assign(tasks: &[Placed], devices: Devices, as_coded: bool) -> Option<Assigned> {
    let mut numbers = BTreeMap::new();
    let as_task = |task| numbered(task, &mut numbers, as_coded);
    let instance = Instance {
        machine: Machine { nodes: devices.nodes, devices_per_node: devices.gpus_per_node },
        slots: devices.slots_per_gpu,
        tasks: tasks.iter().map(as_task).collect(),
    };
    let found = allocate(&instance, Effort::default())?;
    let is_crowded = found.terms.split > 0;
    Some(Assigned { places: found.assignment, tenths: found.terms.tenths(), is_crowded })
}

/// A task by numbers.
fn numbered<'t>(task: &'t Placed, numbers: &mut BTreeMap<&'t str, usize>, as_coded: bool) -> Task {
    let mut number = |name: &'t str| {
        let next = numbers.len();
        *numbers.entry(name).or_insert(next)
    };
    Task {
        source: number(&task.source.0),
        source_group: number(&task.source.1),
        target: number(&task.target.0),
        target_group: number(&task.target.1),
        // Where all can start, the term says nothing that the balance of tasks does not say.
        is_ready: as_coded || task.is_ready,
    }
}
