//! What an assignment adds up to on every device: tasks, ready tasks, load, bytes; what that costs, and how far it exceeds limits.

use std::collections::{BTreeMap, BTreeSet};

use crate::counts::Counts;
use crate::instance::{Instance, narrow};
use crate::objective::{Evenness, Objective};

/// What a broken rule weighs beside a byte or a unit of load above a limit.
const BROKEN: i64 = 1 << 30;

/// Numbers of the devices with how many devices have each, so that the least and the most are at hand.
#[derive(Debug, Clone)]
struct Tally {
    numbers: Vec<u32>,
    /// Per number: devices that have it.
    devices: Vec<u32>,
    least: usize,
    most: usize,
}

impl Tally {
    fn new(devices: usize) -> Self {
        Self { numbers: vec![0; devices], devices: vec![narrow(devices)], least: 0, most: 0 }
    }

    fn add(&mut self, device: usize) {
        let number = self.numbers[device] as usize;
        self.numbers[device] += 1;
        self.devices[number] -= 1;
        if number + 1 == self.devices.len() {
            self.devices.push(0);
        }
        self.devices[number + 1] += 1;
        self.most = self.most.max(number + 1);
        if number == self.least && self.devices[number] == 0 {
            self.least += 1;
        }
    }

    fn remove(&mut self, device: usize) {
        let number = self.numbers[device] as usize;
        self.numbers[device] -= 1;
        self.devices[number] -= 1;
        self.devices[number - 1] += 1;
        self.least = self.least.min(number - 1);
        if number == self.most && self.devices[number] == 0 {
            self.most -= 1;
        }
    }

    fn price(&self, evenness: &Evenness) -> u64 {
        evenness.range * (self.most - self.least) as u64
            + evenness.empty * u64::from(self.devices[0])
            + evenness.first * u64::from(self.numbers[0] as usize > self.least)
    }
}

/// The sums of all devices.
#[derive(Debug, Clone)]
pub(crate) struct Tallies {
    tasks: Tally,
    ready: Tally,
    load: Vec<u64>,
    /// Loads in order, where the largest one is part of the cost.
    loads: Option<BTreeSet<(u64, u32)>>,
    module_bytes: Vec<u64>,
    /// Per device: the bytes of its tasks and how many need as much, where bytes are limited.
    task_bytes: Vec<BTreeMap<u64, u32>>,
    /// Sets apart on devices.
    apart: Counts,
    /// Members of such sets beyond the first on a device.
    collisions: i64,
    /// Load and bytes above their limits.
    over: i64,
}

impl Tallies {
    pub(crate) fn new(instance: &Instance) -> Self {
        let devices = instance.devices();
        let members = instance.apart_of.inverse(instance.apart_sets);
        let is_timed = matches!(instance.objective, Objective::Time(_));
        Self {
            tasks: Tally::new(devices),
            ready: Tally::new(devices),
            load: vec![0; devices],
            loads: is_timed.then(|| (0..devices).map(|device| (0, narrow(device))).collect()),
            module_bytes: vec![0; devices],
            task_bytes: vec![BTreeMap::new(); devices],
            apart: Counts::new(devices, (0..instance.apart_sets).map(|set| members.of(set).len())),
            collisions: 0,
            over: 0,
        }
    }

    /// The price of the devices' sums.
    pub(crate) fn cost(&self, instance: &Instance) -> i64 {
        let price = match &instance.objective {
            Objective::Spread(spread) => {
                self.tasks.price(&spread.tasks) + self.ready.price(&spread.ready)
            }
            Objective::Time(_) => {
                let last = self.loads.as_ref().and_then(BTreeSet::last);
                last.map_or(0, |(load, _)| *load)
            }
        };
        i64::try_from(price).expect("prices fit 63 bits")
    }

    /// How far limits are exceeded.
    pub(crate) fn excess(&self, instance: &Instance) -> i64 {
        let without = if instance.ready_everywhere { self.ready.devices[0] } else { 0 };
        self.over + (self.collisions + i64::from(without)) * BROKEN
    }

    pub(crate) fn put(&mut self, instance: &Instance, task: usize, device: usize) {
        self.tasks.add(device);
        if instance.is_ready[task] {
            self.ready.add(device);
        }
        for &set in instance.apart_of.of(task) {
            self.collisions += i64::from(!self.apart.add(set as usize, device));
        }
        let load = self.load[device] + instance.load[task];
        self.set_load(instance, device, load);
        if let Some(limit) = instance.most_memory {
            let before = self.bytes_over(device, limit);
            *self.task_bytes[device].entry(instance.memory[task]).or_default() += 1;
            self.over += self.bytes_over(device, limit) - before;
        }
    }

    pub(crate) fn take(&mut self, instance: &Instance, task: usize, device: usize) {
        self.tasks.remove(device);
        if instance.is_ready[task] {
            self.ready.remove(device);
        }
        for &set in instance.apart_of.of(task) {
            self.collisions -= i64::from(!self.apart.remove(set as usize, device));
        }
        let load = self.load[device] - instance.load[task];
        self.set_load(instance, device, load);
        if let Some(limit) = instance.most_memory {
            let before = self.bytes_over(device, limit);
            let bytes = &mut self.task_bytes[device];
            if let Some(count) = bytes.get_mut(&instance.memory[task]) {
                *count -= 1;
                if *count == 0 {
                    bytes.remove(&instance.memory[task]);
                }
            }
            self.over += self.bytes_over(device, limit) - before;
        }
    }

    /// A device holds a module, or holds it no more.
    pub(crate) fn hold(&mut self, instance: &Instance, module: usize, device: usize, holds: bool) {
        let Some(limit) = instance.most_memory else { return };
        let before = self.bytes_over(device, limit);
        let bytes = &mut self.module_bytes[device];
        let memory = instance.module_memory[module];
        *bytes = if holds { *bytes + memory } else { *bytes - memory };
        self.over += self.bytes_over(device, limit) - before;
    }

    fn bytes_over(&self, device: usize, limit: u64) -> i64 {
        let largest = self.task_bytes[device].last_key_value().map_or(0, |(bytes, _)| *bytes);
        let needed = self.module_bytes[device].saturating_add(largest);
        i64::try_from(needed.saturating_sub(limit)).unwrap_or(i64::MAX / 2)
    }

    fn set_load(&mut self, instance: &Instance, device: usize, load: u64) {
        let before = std::mem::replace(&mut self.load[device], load);
        if let Some(loads) = &mut self.loads {
            loads.remove(&(before, narrow(device)));
            loads.insert((load, narrow(device)));
        }
        if let Some(limit) = instance.most_load {
            let over =
                |load: u64| i64::try_from(load.saturating_sub(limit)).unwrap_or(i64::MAX / 2);
            self.over += over(load) - over(before);
        }
    }
}

/// Which changes touch the sums of devices in a way that matters.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matters {
    /// Moves change what counts.
    pub(crate) moves: bool,
    /// Swaps do, whatever the tasks.
    pub(crate) swaps: bool,
    /// Loads count.
    load: bool,
    /// Ready tasks count.
    ready: bool,
}

impl Matters {
    pub(crate) fn of(instance: &Instance) -> Self {
        let (is_timed, tasks, ready) = match &instance.objective {
            Objective::Spread(spread) => (false, !spread.tasks.is_free(), !spread.ready.is_free()),
            Objective::Time(_) => (true, false, false),
        };
        let swaps = instance.most_memory.is_some() || instance.apart_sets > 0;
        let ready = ready || instance.ready_everywhere;
        let load = is_timed || instance.most_load.is_some();
        Self { moves: swaps || tasks || ready || load, swaps, load, ready }
    }

    /// Whether an exchange of two tasks changes what counts.
    #[inline]
    pub(crate) fn swap(self, instance: &Instance, one: usize, other: usize) -> bool {
        self.swaps
            || self.load && instance.load[one] != instance.load[other]
            || self.ready && instance.is_ready[one] != instance.is_ready[other]
    }
}
