//! What tasks that are nowhere add at least to what places hold: a dual solution of the linear program, by ascent.
//!
//! In the program every task goes to its devices in parts that add up to one, and a module is on a device at least as much as
//! any of its tasks. A dual solution lets every task pay for its modules on every device that it may go to, all tasks of a module
//! together no more than the module costs there; a task is then sure to pay what it pays on its cheapest device (Erlenkotter
//! 1978, for locating facilities). Tasks are raised one after the other, each as far as what is left over allows. What is left
//! over at the end is what a task on a device adds to the bound.

use super::held::Held;
use super::rates::Rates;
use crate::instance::{Instance, Lists};

/// What is not yet paid for, of every module on every device and on every node.
#[derive(Debug)]
pub(super) struct Ascent {
    near: Vec<u64>,
    far: Vec<u64>,
    devices: usize,
    nodes: usize,
    per_node: usize,
    /// Per task: its modules, those with the fewest tasks first: they are paid for first, as few others can.
    modules_of: Lists,
}

impl Ascent {
    pub(super) fn new(instance: &Instance) -> Self {
        let (devices, nodes) = (instance.devices(), instance.machine.nodes);
        let modules_of = (0..instance.tasks()).map(|task| {
            let mut modules = instance.modules_of.of(task).to_vec();
            modules.sort_by_key(|&module| (instance.tasks_of.of(module as usize).len(), module));
            modules
        });
        Self {
            near: vec![0; instance.modules() * devices],
            far: vec![0; instance.modules() * nodes],
            devices,
            nodes,
            per_node: instance.machine.devices_per_node,
            modules_of: Lists::new(modules_of),
        }
    }

    /// What all modules pay at least when tasks that are nowhere go to one of their devices each.
    pub(super) fn climb(&mut self, held: &Held, rates: &Rates, tasks: &[(usize, u64)]) -> u64 {
        let mut sum = self.reset(held, rates);
        for &(task, devices) in tasks {
            sum += self.raise(task, devices);
        }
        sum
    }

    /// What a task adds to the bound if it goes to a device.
    pub(super) fn more(&self, task: usize, device: usize) -> u64 {
        let node = device / self.per_node;
        let left = |&module: &u32| {
            let module = module as usize;
            self.near[module * self.devices + device] + self.far[module * self.nodes + node]
        };
        self.modules_of.of(task).iter().map(left).sum()
    }

    /// Nothing is paid but for what places hold.
    fn reset(&mut self, held: &Held, rates: &Rates) -> u64 {
        let mut sum = 0;
        let rows = self.near.chunks_mut(self.devices).zip(self.far.chunks_mut(self.nodes));
        for (module, (near, far)) in rows.enumerate() {
            if held.is_done(module) {
                sum += rates.price(module, held.count(module));
                continue;
            }
            let rate = rates.rate(module, held.count(module));
            sum += rate.paid;
            let (devices, nodes) = (held.devices(module), held.nodes(module));
            for (device, near) in near.iter_mut().enumerate() {
                *near = rate.device * (1 - (devices >> device & 1));
            }
            for (node, far) in far.iter_mut().enumerate() {
                *far = rate.node * (1 - (nodes >> node & 1));
            }
        }
        sum
    }

    /// Lets a task pay as much as is left over everywhere.
    fn raise(&mut self, task: usize, devices: u64) -> u64 {
        let least = members(devices).map(|device| self.more(task, device)).min().unwrap_or(0);
        if least == 0 {
            return 0;
        }
        let Self { near, far, modules_of, .. } = self;
        let modules = modules_of.of(task);
        let mut left = devices;
        while left > 0 {
            let node = left.trailing_zeros() as usize / self.per_node;
            // What a node is paid for counts on all its devices.
            let rest = spend(far, (self.nodes, node), modules, least);
            let first = node * self.per_node;
            for device in first..first + self.per_node {
                if left >> device & 1 == 1 {
                    spend(near, (self.devices, device), modules, rest);
                    left &= !(1 << device);
                }
            }
        }
        least
    }
}

/// Takes an amount from what is left over of modules at a place; what it could not take.
fn spend(left: &mut [u64], (width, place): (usize, usize), modules: &[u32], amount: u64) -> u64 {
    let mut rest = amount;
    for &module in modules {
        let cell = &mut left[module as usize * width + place];
        let part = rest.min(*cell);
        *cell -= part;
        rest -= part;
    }
    rest
}

/// The numbers in a set.
fn members(set: u64) -> impl Iterator<Item = usize> {
    let mut left = set;
    std::iter::from_fn(move || {
        let first = left.trailing_zeros() as usize;
        left &= left.wrapping_sub(1);
        (first < 64).then_some(first)
    })
}
