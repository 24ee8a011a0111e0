//! What is placed: tasks that use modules, on the devices of a machine, under limits, for an objective.

use crate::objective::Objective;

/// Devices in nodes. A device is numbered `node * devices_per_node + its place in the node`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Nodes, at least one.
    pub nodes: usize,
    /// Devices of every node, at least one.
    pub devices_per_node: usize,
}

impl Machine {
    /// Devices of all nodes.
    pub fn devices(&self) -> usize {
        self.nodes * self.devices_per_node
    }

    /// The node of a device.
    pub fn node(&self, device: usize) -> usize {
        device / self.devices_per_node
    }

    /// A device as its node and its place there.
    pub fn place(&self, device: usize) -> (usize, usize) {
        (device / self.devices_per_node, device % self.devices_per_node)
    }
}

/// What is placed as a whole on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Modules that it uses, by number; the same one twice counts once.
    pub modules: Vec<usize>,
    /// Work that it gives its device: any unit for `Spread`, nanoseconds a step for `Time`.
    pub load: u64,
    /// Bytes that it needs while it runs: tasks of a device run in turn, so the largest counts.
    pub memory: u64,
    /// Whether it can run at the first step.
    pub is_ready: bool,
}

impl Task {
    /// A ready task of load one and without memory of its own.
    pub fn of(modules: Vec<usize>) -> Self {
        Self { modules, load: 1, memory: 0, is_ready: true }
    }
}

/// What tasks share: a device holds it once, however many of its tasks use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// What its sharing costs in proportion to: one for `Spread`, bytes that are summed in a step for `Time`.
    pub weight: u64,
    /// Bytes on every device that holds it.
    pub memory: u64,
}

impl Default for Module {
    fn default() -> Self {
        Self { weight: 1, memory: 0 }
    }
}

/// How many tasks a device takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Balance {
    /// On every device the number of tasks over the number of devices, rounded down or up.
    #[default]
    Even,
    /// Per device: the fewest and the most.
    Within(Vec<(usize, usize)>),
    /// Any number.
    Free,
}

/// What an assignment must keep to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Tasks of a device.
    pub balance: Balance,
    /// The most tasks of a device, beside what `balance` says.
    pub slots: Option<usize>,
    /// The most bytes of a device: its modules and its largest task.
    pub memory: Option<u64>,
    /// The most load of a device.
    pub load: Option<u64>,
    /// Whether every device must have a ready task.
    pub ready_everywhere: bool,
    /// Tasks bound to a device, by number.
    pub pins: Vec<(usize, usize)>,
    /// Sets of tasks of which no two may be on one device.
    pub apart: Vec<Vec<usize>>,
}

/// A problem of placement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where to.
    pub machine: Machine,
    /// What.
    pub tasks: Vec<Task>,
    /// What they share.
    pub modules: Vec<Module>,
    /// What must hold.
    pub limits: Limits,
    /// What should be small.
    pub objective: Objective,
}

impl Problem {
    /// A problem of bare module lists, spread evenly, for the count of copies.
    pub fn of(machine: Machine, tasks: Vec<Vec<usize>>) -> Self {
        let modules = tasks.iter().flatten().max().map_or(0, |most| most + 1);
        Self {
            machine,
            tasks: tasks.into_iter().map(Task::of).collect(),
            modules: vec![Module::default(); modules],
            limits: Limits::default(),
            objective: Objective::default(),
        }
    }

    /// Per device: the fewest and the most tasks, of balance and slots together.
    pub fn seats(&self) -> Vec<(usize, usize)> {
        let (tasks, devices) = (self.tasks.len(), self.machine.devices());
        let mut seats = match &self.limits.balance {
            Balance::Even => vec![(tasks / devices, tasks.div_ceil(devices)); devices],
            Balance::Within(seats) => seats.clone(),
            Balance::Free => vec![(0, tasks); devices],
        };
        for (_, most) in &mut seats {
            *most = self.limits.slots.unwrap_or(*most).min(*most);
        }
        seats
    }
}
