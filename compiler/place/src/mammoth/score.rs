//! The terms of MAMMOTH's cost of an assignment, from their definitions.

use std::collections::{BTreeMap, BTreeSet};

use super::instance::{
    FIRST, INTER, INTRA, Instance, PIECE, RANGE, READY_FIRST, READY_RANGE, UNREADY,
};
use crate::mammoth::instance::EMPTY;

/// What an assignment costs, every term before its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Weight 1: 5 for every node of a component beyond the first, and 1 for every device beyond the first.
    pub communication: u64,
    /// Weight 0.1: slots without a task of the component, over devices and the components on them.
    pub homogeneity: u64,
    /// Weight 0.5: most less fewest ready tasks of a device, 500 for a device without, 10 if device 0 hasn't the fewest.
    pub ready: u64,
    /// Weight 100: most less fewest tasks of a device, 99 999 999 for an empty one, 10 if device 0 hasn't the fewest.
    pub unassigned: u64,
    /// Weight 50: 99 999 999 for every piece of a split pair that isn't alone on its device.
    pub split: u64,
    /// Devices without a ready task.
    pub unready_devices: usize,
}

impl Terms {
    /// The weighted sum, in tenths.
    pub fn tenths(&self) -> u64 {
        INTRA * self.communication
            + self.homogeneity
            + READY_RANGE * self.ready
            + RANGE * self.unassigned
            + PIECE / 99_999_999 * self.split
    }
}

/// The terms of an assignment: per task the number of its device, `node * devices per node + its place in the node`.
pub fn score(instance: &Instance, devices: &[usize]) -> Terms {
    let count = instance.machine.devices();
    let (mut tasks, mut ready) = (vec![0_u64; count], vec![0_u64; count]);
    let mut copies: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
    let mut pieces: BTreeMap<(usize, usize, usize), u64> = BTreeMap::new();
    let rows = instance.tasks.iter().zip(instance.components()).zip(devices);
    for ((task, components), &device) in rows {
        tasks[device] += 1;
        ready[device] += u64::from(task.is_ready);
        *pieces.entry((device, task.source, task.target)).or_default() += 1;
        for component in components {
            *copies.entry(component).or_default().entry(device).or_default() += 1;
        }
    }
    let mut terms = Terms {
        ready: spread(&ready, UNREADY / READY_RANGE, READY_FIRST / READY_RANGE),
        unassigned: spread(&tasks, EMPTY / RANGE, FIRST / RANGE),
        split: pieces.values().filter(|&&pieces| pieces > 1).sum::<u64>() * 99_999_999,
        unready_devices: ready.iter().filter(|&&ready| ready == 0).count(),
        ..Terms::default()
    };
    for devices in copies.values() {
        let nodes: BTreeSet<usize> =
            devices.keys().map(|&device| instance.machine.node(device)).collect();
        let beyond = |count: usize| count as u64 - 1;
        terms.communication += INTER / INTRA * beyond(nodes.len()) + beyond(devices.len());
        terms.homogeneity += devices
            .values()
            .map(|&tasks| (instance.slots - tasks.min(instance.slots)) as u64)
            .sum::<u64>();
    }
    terms
}

/// Most less fewest, with what an empty device costs and what a first one costs that hasn't the fewest.
fn spread(counts: &[u64], empty: u64, first: u64) -> u64 {
    let fewest = counts.iter().copied().min().unwrap_or(0);
    let most = counts.iter().copied().max().unwrap_or(0);
    let empties = counts.iter().filter(|&&count| count == 0).count() as u64;
    let is_more = counts.first().is_some_and(|&count| count > fewest);
    most - fewest + empty * empties + first * u64::from(is_more)
}
