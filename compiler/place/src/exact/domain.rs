//! Devices that tasks may still go to.

use crate::instance::Instance;

/// Per task a set of devices.
#[derive(Debug, Clone)]
pub(super) struct Domains {
    of: Vec<u64>,
}

impl Domains {
    /// Every device, but for tasks that are bound to one.
    pub(super) fn new(instance: &Instance) -> Self {
        let all = u64::MAX >> (64 - instance.devices());
        let pinned = |task: usize| instance.pinned[task].map_or(all, |device| 1 << device);
        Self { of: (0..instance.tasks()).map(pinned).collect() }
    }

    /// The devices of a task.
    #[inline]
    pub(super) fn of(&self, task: usize) -> u64 {
        self.of[task]
    }

    /// A task goes to none of some devices.
    #[inline]
    pub(super) fn remove(&mut self, task: usize, devices: u64) {
        self.of[task] &= !devices;
    }

    /// No task of a set apart goes where one of its members is.
    pub(super) fn part(
        &mut self,
        instance: &Instance,
        members: &[Vec<u32>],
        task: usize,
        device: usize,
    ) {
        for &set in instance.apart_of.of(task) {
            for &other in members[set as usize].iter().filter(|&&other| other as usize != task) {
                self.of[other as usize] &= !(1 << device);
            }
        }
    }

    /// No task with the same modules as one goes to some devices.
    pub(super) fn exclude(&mut self, instance: &Instance, task: usize, devices: u64) {
        for (other, of) in self.of.iter_mut().enumerate() {
            if instance.class[other] == instance.class[task] {
                *of &= !devices;
            }
        }
    }
}
