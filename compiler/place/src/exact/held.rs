//! Which devices and nodes hold a module while the tree places tasks.

use crate::instance::Instance;

/// Sets of devices and of nodes, module by module.
#[derive(Debug)]
pub(super) struct Held {
    devices: Vec<u64>,
    nodes: Vec<u64>,
    /// Per module and device: how many of its tasks are there.
    uses: Vec<u32>,
    /// Per module: its tasks that are nowhere.
    left: Vec<usize>,
    per_node: usize,
    width: usize,
}

impl Held {
    /// Nothing is placed.
    pub(super) fn new(instance: &Instance) -> Self {
        let (modules, width) = (instance.modules(), instance.devices());
        Self {
            devices: vec![0; modules],
            nodes: vec![0; modules],
            uses: vec![0; modules * width],
            left: (0..modules).map(|module| instance.tasks_of.of(module).len()).collect(),
            per_node: instance.machine.devices_per_node,
            width,
        }
    }

    /// A task goes to a device.
    pub(super) fn put(&mut self, modules: &[u32], device: usize) {
        for module in modules.iter().map(|&module| module as usize) {
            self.uses[module * self.width + device] += 1;
            self.devices[module] |= 1 << device;
            self.nodes[module] |= 1 << (device / self.per_node);
            self.left[module] -= 1;
        }
    }

    /// A task leaves a device.
    pub(super) fn take(&mut self, modules: &[u32], device: usize) {
        let node = device / self.per_node;
        let near = (u64::MAX >> (64 - self.per_node)) << (node * self.per_node);
        for module in modules.iter().map(|&module| module as usize) {
            let uses = &mut self.uses[module * self.width + device];
            *uses -= 1;
            if *uses == 0 {
                self.devices[module] &= !(1 << device);
                if self.devices[module] & near == 0 {
                    self.nodes[module] &= !(1 << node);
                }
            }
            self.left[module] += 1;
        }
    }

    /// The devices that hold a module.
    #[inline]
    pub(super) fn devices(&self, module: usize) -> u64 {
        self.devices[module]
    }

    /// The nodes that hold a module.
    #[inline]
    pub(super) fn nodes(&self, module: usize) -> u64 {
        self.nodes[module]
    }

    /// How many nodes, and how many devices.
    #[inline]
    pub(super) fn count(&self, module: usize) -> (usize, usize) {
        (self.nodes[module].count_ones() as usize, self.devices[module].count_ones() as usize)
    }

    /// Whether all tasks of a module are placed.
    #[inline]
    pub(super) fn is_done(&self, module: usize) -> bool {
        self.left[module] == 0
    }
}
