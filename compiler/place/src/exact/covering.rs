//! The cover bound under what is placed: a device that holds some keys and must reach so many tasks pays at least for the lightest
//! set of keys that has room for as many; nodes alike.

use super::completion::Completions;
use crate::bound::{Keys, node_seats};
use crate::instance::{Instance, tighten};
use crate::objective::{Objective, Spread};

/// The most bits of a sum of weights: tables have one more.
const WEIGHT_BITS: u32 = 31;

/// What a place holds: tabled keys, other modules, and how many tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    keys: u32,
    others: u128,
    tasks: usize,
}

/// What a task would add to a place.
#[derive(Debug, Clone, Copy)]
struct Need {
    keys: u32,
    others: u128,
}

/// What places hold, and what they still must.
#[derive(Debug)]
pub(super) struct Covering<'a> {
    instance: &'a Instance,
    /// Prices of a unit of the tables' weights.
    spread: Spread,
    completions: Completions,
    need: Vec<Need>,
    /// Per bit of `others`: its weight.
    other_weight: Vec<u64>,
    devices: Vec<Place>,
    nodes: Vec<Place>,
    /// Per node: its fewest and its most tasks.
    node_seats: Vec<(usize, usize)>,
}

/// The weights that devices and nodes come to at least, and the sum of their prices.
#[derive(Debug)]
pub(super) struct Weights {
    devices: Vec<u64>,
    nodes: Vec<u64>,
    sum: u64,
}

impl<'a> Covering<'a> {
    /// Nothing is placed; none when prices are not of copies.
    pub(super) fn new(instance: &'a Instance) -> Option<Self> {
        let Objective::Spread(spread) = instance.objective else { return None };
        let sum = instance.weight.iter().sum::<u64>();
        // Light units, rounded down, leave a bound.
        let shift = (u64::BITS - sum.leading_zeros()).saturating_sub(WEIGHT_BITS);
        let keys = Keys::of(instance).in_units_of(shift);
        let most = instance.seats.iter().map(|&(_, most)| most as usize).max().unwrap_or(0);
        let room = (most * instance.machine.devices_per_node).min(instance.tasks());
        let completions = Completions::new(&keys, room);
        let mut node_seats = node_seats(instance);
        tighten(&mut node_seats, instance.tasks());
        let need = (0..instance.tasks()).map(|task| need(instance, &keys, &completions, task));
        Some(Self {
            instance,
            spread: Spread { inter: spread.inter << shift, intra: spread.intra << shift, ..spread },
            need: need.collect(),
            other_weight: completions.others.iter().map(|&at| keys.module_weight[at]).collect(),
            completions,
            devices: vec![Place::default(); instance.devices()],
            nodes: vec![Place::default(); instance.machine.nodes],
            node_seats,
        })
    }

    /// What making the tables took, in looks at a cell.
    pub(super) fn work(&self) -> u64 {
        self.completions.work()
    }

    /// A task goes to a device; what its device and its node held before.
    pub(super) fn put(&mut self, task: usize, device: usize) -> (Place, Place) {
        let (need, node) = (self.need[task], self.instance.machine.node(device));
        let before = (self.devices[device], self.nodes[node]);
        self.devices[device] = before.0.with(need);
        self.nodes[node] = before.1.with(need);
        before
    }

    /// A device and its node hold what they held before.
    pub(super) fn restore(&mut self, device: usize, before: (Place, Place)) {
        self.devices[device] = before.0;
        self.nodes[self.instance.machine.node(device)] = before.1;
    }

    /// What devices and nodes come to at least; none when some place can't have as many tasks as it must.
    pub(super) fn weights(&self) -> Option<Weights> {
        let devices = (0..self.devices.len())
            .map(|device| self.weight(&self.devices[device], self.due(device)))
            .collect::<Option<Vec<u64>>>()?;
        let nodes = (0..self.nodes.len())
            .map(|node| self.weight(&self.nodes[node], self.node_due(node, 0)))
            .collect::<Option<Vec<u64>>>()?;
        let sum = self.spread.intra * devices.iter().sum::<u64>()
            + self.spread.inter * nodes.iter().sum::<u64>();
        Some(Weights { devices, nodes, sum })
    }

    /// The bound when a task goes to a device; none when it can't.
    pub(super) fn with_task(&self, weights: &Weights, task: usize, device: usize) -> Option<u64> {
        let node = self.instance.machine.node(device);
        let (here, there) =
            (self.devices[device].with(self.need[task]), self.nodes[node].with(self.need[task]));
        let is_full = self.devices[device].tasks >= self.instance.seats[device].0 as usize;
        let more = usize::from(is_full);
        let near = self.weight(&here, self.due(device) + more)?;
        let far = self.weight(&there, self.node_due(node, more))?;
        let devices = self.spread.intra * (near - weights.devices[device]);
        Some(weights.sum + devices + self.spread.inter * (far - weights.nodes[node]))
    }

    /// What any assignment below costs at least; none when there is none.
    pub(super) fn bound(&self) -> Option<u64> {
        let devices = (0..self.devices.len()).map(|device| {
            (self.devices[device], self.due(device), self.instance.seats[device].1 as usize)
        });
        let nodes = self.nodes.iter().enumerate();
        let nodes = nodes.map(|(at, place)| (*place, self.node_due(at, 0), self.node_seats[at].1));
        let near = self.spread.intra * self.least_over(devices)?;
        Some(near + self.spread.inter * self.least_over(nodes)?)
    }

    /// The fewest tasks that a device ends with.
    fn due(&self, device: usize) -> usize {
        self.devices[device].tasks.max(self.instance.seats[device].0 as usize)
    }

    /// The fewest tasks that a node ends with when so many more than are due come to a device of it.
    fn node_due(&self, node: usize, more: usize) -> usize {
        let first = node * self.instance.machine.devices_per_node;
        let devices = first..first + self.instance.machine.devices_per_node;
        let due = devices.map(|device| self.due(device)).sum::<usize>();
        (due + more).max(self.node_seats[node].0)
    }

    /// The least weight of a place that ends with so many tasks at least.
    fn weight(&self, place: &Place, tasks: usize) -> Option<u64> {
        let tabled = self.completions.weight(place.keys, tasks);
        (tabled < u32::MAX).then(|| u64::from(tabled) + self.weight_of(place.others))
    }

    fn weight_of(&self, mut others: u128) -> u64 {
        let mut weight = 0;
        while others > 0 {
            weight += self.other_weight[others.trailing_zeros() as usize];
            others &= others - 1;
        }
        weight
    }

    /// The least weight of places, each with what it holds, its fewest and its most tasks, when all tasks are seated.
    fn least_over(&self, rows: impl Iterator<Item = (Place, usize, usize)> + Clone) -> Option<u64> {
        let due: usize = rows.clone().map(|row| row.1).sum();
        let extra = self.instance.tasks().checked_sub(due)?;
        let mut sums = vec![u64::MAX; extra + 1];
        sums[0] = 0;
        for (place, due, most) in rows {
            let mut next = vec![u64::MAX; extra + 1];
            for more in 0..=extra.min(most.checked_sub(due)?) {
                let Some(weight) = self.weight(&place, due + more) else { break };
                for (before, sum) in sums[..=extra - more].iter().enumerate() {
                    let cell = &mut next[before + more];
                    *cell = (*cell).min(sum.saturating_add(weight));
                }
            }
            sums = next;
        }
        sums.pop().filter(|&sum| sum < u64::MAX)
    }
}

impl Place {
    fn with(self, need: Need) -> Self {
        Self {
            keys: self.keys | need.keys,
            others: self.others | need.others,
            tasks: self.tasks + 1,
        }
    }
}

/// What a task adds to a place.
fn need(instance: &Instance, keys: &Keys, completions: &Completions, task: usize) -> Need {
    let tabled = keys.of_task[task].iter().filter_map(|&key| completions.bit[key]);
    let others = instance.modules_of.of(task).iter();
    let others =
        others.filter_map(|&module| completions.others.binary_search(&(module as usize)).ok());
    Need {
        keys: tabled.fold(0, |set, bit| set | 1 << bit),
        others: others.fold(0, |set, bit| set | 1 << bit),
    }
}
