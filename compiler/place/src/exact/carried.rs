//! What devices carry under limits on load, memory and ready tasks, while the tree places tasks.

use crate::bound::Cover;
use crate::instance::{Instance, narrow, tighten};

/// Loads, bytes and ready tasks of all devices.
#[derive(Debug)]
pub(super) struct Carried<'a> {
    instance: &'a Instance,
    load: Vec<u64>,
    /// Load of tasks that are nowhere.
    load_left: u64,
    /// Per device and module: how many of its tasks use it.
    uses: Vec<Vec<u32>>,
    /// Bytes of the modules of a device.
    held: Vec<u64>,
    /// Per device: the bytes of its tasks, in order of arrival.
    needs: Vec<Vec<u64>>,
    /// Ready tasks of every device, and those that are nowhere.
    ready: Vec<usize>,
    ready_left: usize,
}

impl<'a> Carried<'a> {
    /// Nothing is placed; none when there are no such limits.
    pub(super) fn new(instance: &'a Instance) -> Option<Self> {
        if !has_limits(instance) {
            return None;
        }
        let devices = instance.devices();
        let modules = if instance.most_memory.is_some() { instance.modules() } else { 0 };
        Some(Self {
            instance,
            load: vec![0; devices],
            load_left: instance.load.iter().sum(),
            uses: vec![vec![0; modules]; devices],
            held: vec![0; devices],
            needs: vec![Vec::new(); devices],
            ready: vec![0; devices],
            ready_left: instance.is_ready.iter().filter(|&&is_ready| is_ready).count(),
        })
    }

    /// Whether a device can carry a task beside what it has.
    pub(super) fn fits(&self, task: usize, device: usize) -> bool {
        let instance = self.instance;
        if instance.most_load.is_some_and(|most| self.load[device] + instance.load[task] > most) {
            return false;
        }
        let Some(most) = instance.most_memory else { return true };
        let new = instance.modules_of.of(task).iter().map(|&module| module as usize);
        let new = new.filter(|&module| self.uses[device][module] == 0);
        let bytes: u64 = new.map(|module| instance.module_memory[module]).sum();
        let largest = self.largest(device).max(instance.memory[task]);
        self.held[device] + bytes + largest <= most
    }

    fn largest(&self, device: usize) -> u64 {
        self.needs[device].iter().copied().max().unwrap_or(0)
    }

    /// Whether what is left to be placed may find room, and devices the ready tasks that they need.
    pub(super) fn may_end(&self) -> bool {
        if let Some(most) = self.instance.most_load {
            let room: u64 = self.load.iter().map(|&load| most - load.min(most)).sum();
            if self.load_left > room {
                return false;
            }
        }
        let lacking = self.ready.iter().filter(|&&ready| ready == 0).count();
        !self.instance.ready_everywhere || lacking <= self.ready_left
    }

    /// A task goes to a device.
    pub(super) fn put(&mut self, task: usize, device: usize) {
        let instance = self.instance;
        self.load[device] += instance.load[task];
        self.load_left -= instance.load[task];
        self.ready[device] += usize::from(instance.is_ready[task]);
        self.ready_left -= usize::from(instance.is_ready[task]);
        self.needs[device].push(instance.memory[task]);
        if instance.most_memory.is_some() {
            for &module in instance.modules_of.of(task) {
                let uses = &mut self.uses[device][module as usize];
                if *uses == 0 {
                    self.held[device] += instance.module_memory[module as usize];
                }
                *uses += 1;
            }
        }
    }

    /// The task that came last to a device leaves it.
    pub(super) fn take(&mut self, task: usize, device: usize) {
        let instance = self.instance;
        self.load[device] -= instance.load[task];
        self.load_left += instance.load[task];
        self.ready[device] -= usize::from(instance.is_ready[task]);
        self.ready_left += usize::from(instance.is_ready[task]);
        self.needs[device].pop();
        if instance.most_memory.is_some() {
            for &module in instance.modules_of.of(task) {
                let uses = &mut self.uses[device][module as usize];
                *uses -= 1;
                if *uses == 0 {
                    self.held[device] -= instance.module_memory[module as usize];
                }
            }
        }
    }
}

/// Whether devices are limited by more than the number of their tasks.
pub(super) fn has_limits(instance: &Instance) -> bool {
    let is_weighed = instance.most_load.is_some() || instance.most_memory.is_some();
    is_weighed || instance.ready_everywhere
}

/// The same tables with the numbers of tasks that limits on load, memory and ready tasks leave to a device; none when there is
/// no assignment.
pub(super) fn seated(instance: &Instance) -> Option<Instance> {
    let tasks = instance.tasks();
    let (mut least, mut most) = (usize::from(instance.ready_everywhere), tasks);
    if let Some(limit) = instance.most_load {
        let mut loads = instance.load.clone();
        loads.sort_unstable();
        most = most.min(count(loads.iter(), limit));
        let others = limit.saturating_mul(instance.devices() as u64 - 1);
        let due = loads.iter().sum::<u64>().saturating_sub(others);
        // The largest tasks are the fewest that carry what others can't.
        least = least.max(fewest(loads.iter().rev(), due));
    }
    if let Some(limit) = instance.most_memory {
        let weight = instance.module_memory.clone();
        let cover = Cover::new(&Instance { weight, ..instance.clone() }, tasks);
        let smallest = instance.memory.iter().copied().min().unwrap_or(0);
        let fits = |&tasks: &usize| cover.fewest(tasks) + smallest <= limit;
        most = most.min((0..=tasks).rev().find(fits).unwrap_or(0));
    }
    let seat = |&(low, high): &(u32, u32)| ((low as usize).max(least), (high as usize).min(most));
    let mut seats: Vec<(usize, usize)> = instance.seats.iter().map(seat).collect();
    let is_possible = seats.iter().all(|(low, high)| low <= high)
        && seats.iter().map(|seat| seat.1).sum::<usize>() >= tasks
        && seats.iter().map(|seat| seat.0).sum::<usize>() <= tasks;
    tighten(&mut seats, tasks);
    let seats = seats.into_iter().map(|(low, high)| (narrow(low), narrow(high))).collect();
    is_possible.then(|| Instance { seats, ..instance.clone() })
}

/// How many of some loads, in order, a limit has room for.
fn count<'l>(loads: impl Iterator<Item = &'l u64>, limit: u64) -> usize {
    let sums = loads.scan(0_u64, |sum, load| {
        *sum += load;
        Some(*sum)
    });
    sums.take_while(|&sum| sum <= limit).count()
}

/// How many of some loads, in order, reach an amount.
fn fewest<'l>(loads: impl Iterator<Item = &'l u64>, due: u64) -> usize {
    let mut sum = 0;
    let mut number = 0;
    for load in loads {
        if sum >= due {
            break;
        }
        sum += load;
        number += 1;
    }
    number
}
