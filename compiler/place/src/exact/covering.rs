//! The cover bound under what is placed: a device that holds some keys and must reach so many tasks, or so much load, pays at least
//! for the lightest set of keys that has room for as much; nodes alike.

use super::completion::Completions;
use super::rates::{Rate, Rates};
use super::sums::Sums;
use crate::bound::{Keys, node_seats};
use crate::instance::{Instance, tighten};
use crate::objective::{Objective, Spread};

/// The most bits of a sum of weights: tables have one more.
const WEIGHT_BITS: u32 = 31;
/// Units of the most load of a device, and cells of tables by load, at most.
const LOAD_UNITS: u64 = 64;
const FEWEST_UNITS: u64 = 4;
const LOAD_CELLS: u64 = 1 << 22;

/// What a place holds: tabled keys, other modules, how many tasks, and their load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    keys: u32,
    others: u128,
    /// Weight of `others`.
    beside: u64,
    tasks: usize,
    load: u64,
}

/// What a task would add to a place.
#[derive(Debug, Clone, Copy)]
struct Need {
    keys: u32,
    others: u128,
    load: u64,
}

/// What places hold, and what they still must.
#[derive(Debug)]
pub(super) struct Covering<'a> {
    instance: &'a Instance,
    /// Prices of a unit of the tables' weights: on a device, and on a node.
    near: u64,
    far: u64,
    completions: Completions,
    by_load: Option<ByLoad>,
    need: Vec<Need>,
    /// Per bit of `others`: its weight.
    other_weight: Vec<u64>,
    devices: Vec<Place>,
    nodes: Vec<Place>,
    /// Per node: its fewest and its most tasks.
    node_seats: Vec<(usize, usize)>,
    /// What places held before each of the tasks that were put.
    before: Vec<(Place, Place)>,
    sums: Sums,
}

/// Tables by load, in units rounded up: as a place has no more load than its keys have room for, rounded up both.
#[derive(Debug)]
struct ByLoad {
    unit: u64,
    completions: Completions,
    /// Load of a device, at most.
    most: u64,
    /// Load of all tasks.
    total: u64,
}

/// The weights that devices and nodes come to at least, and the sum of their prices.
#[derive(Debug)]
pub(super) struct Weights {
    devices: Vec<Floor>,
    nodes: Vec<Floor>,
    sum: u64,
}

/// The least weight of a place, and the fewest tasks that it ends with.
#[derive(Debug, Clone, Copy)]
struct Floor {
    weight: u64,
    due: usize,
}

/// The coverings of a problem, before anything is placed: of copies one, as devices and nodes have the same weights; of other prices
/// one for devices and one for nodes, by what a place more adds at least.
pub(super) fn all<'a>(instance: &'a Instance, rates: &Rates) -> Vec<Covering<'a>> {
    if let Objective::Spread(Spread { inter, intra, .. }) = instance.objective {
        return vec![Covering::new(instance, instance.weight.clone(), (intra, inter))];
    }
    let weights = |of: fn(Rate) -> u64| -> Vec<u64> {
        (0..instance.modules()).map(|module| of(rates.rate(module, (0, 0)))).collect()
    };
    [(weights(|rate| rate.device), (1, 0)), (weights(|rate| rate.node), (0, 1))]
        .into_iter()
        .filter(|(weights, _)| weights.iter().any(|&weight| weight > 0))
        .map(|(weights, prices)| Covering::new(instance, weights, prices))
        .collect()
}

impl<'a> Covering<'a> {
    fn new(instance: &'a Instance, weight: Vec<u64>, (near, far): (u64, u64)) -> Self {
        // Light units, rounded down, leave a bound.
        let sum = weight.iter().sum::<u64>();
        let shift = (u64::BITS - sum.leading_zeros()).saturating_sub(WEIGHT_BITS);
        let keys = Keys::of(&Instance { weight, ..instance.clone() }).in_units_of(shift);
        let most = instance.seats.iter().map(|&(_, most)| most as usize).max().unwrap_or(0);
        let room = (most * instance.machine.devices_per_node).min(instance.tasks());
        let completions = Completions::new(&keys, room);
        let mut node_seats = node_seats(instance);
        tighten(&mut node_seats, instance.tasks());
        let need = (0..instance.tasks()).map(|task| need(instance, &keys, &completions, task));
        let mut covering = Self {
            instance,
            near: near << shift,
            far: far << shift,
            need: need.collect(),
            other_weight: completions.others.iter().map(|&at| keys.module_weight[at]).collect(),
            completions,
            by_load: None,
            devices: vec![Place::default(); instance.devices()],
            nodes: vec![Place::default(); instance.machine.nodes],
            node_seats,
            before: Vec::new(),
            sums: Sums::default(),
        };
        // Where loads have a price, tables by load prune little for what they take.
        if let Objective::Spread(_) = instance.objective {
            covering.by_load = instance.most_load.and_then(|most| covering.by_load(most));
        }
        covering
    }

    /// What making the tables took, in looks at a cell.
    pub(super) fn work(&self) -> u64 {
        self.completions.work()
            + self.by_load.as_ref().map_or(0, |by_load| by_load.completions.work())
    }

    /// A task goes to a device.
    pub(super) fn put(&mut self, task: usize, device: usize) {
        let (need, node) = (self.need[task], self.instance.machine.node(device));
        self.before.push((self.devices[device], self.nodes[node]));
        self.devices[device] = self.with(&self.devices[device], need);
        self.nodes[node] = self.with(&self.nodes[node], need);
    }

    /// The task that came last leaves its device.
    pub(super) fn take(&mut self, device: usize) {
        let Some((here, there)) = self.before.pop() else { return };
        self.devices[device] = here;
        self.nodes[self.instance.machine.node(device)] = there;
    }

    /// What devices and nodes come to at least; none when some place can't have as many tasks as it must.
    pub(super) fn weights(&self) -> Option<Weights> {
        let floor =
            |place: &Place, due: usize| self.weight(place, due).map(|weight| Floor { weight, due });
        let rows = self.devices.iter().enumerate().filter(|_| self.near > 0);
        let devices = rows
            .map(|(device, place)| floor(place, self.due(device)))
            .collect::<Option<Vec<Floor>>>()?;
        let rows = self.nodes.iter().enumerate().filter(|_| self.far > 0);
        let nodes = rows
            .map(|(node, place)| floor(place, self.node_due(node)))
            .collect::<Option<Vec<Floor>>>()?;
        let sum = |floors: &[Floor]| floors.iter().map(|floor| floor.weight).sum::<u64>();
        let sum = self.near * sum(&devices) + self.far * sum(&nodes);
        Some(Weights { devices, nodes, sum })
    }

    /// The bound when a task goes to a device; none when it can't.
    pub(super) fn with_task(&self, weights: &Weights, task: usize, device: usize) -> Option<u64> {
        let need = self.need[task];
        let is_full = self.devices[device].tasks >= self.instance.seats[device].0 as usize;
        let more = usize::from(is_full);
        let mut sum = weights.sum;
        if self.near > 0 {
            let floor = weights.devices[device];
            let here = self.with(&self.devices[device], need);
            sum += self.near * (self.weight(&here, floor.due + more)? - floor.weight);
        }
        if self.far > 0 {
            let node = self.instance.machine.node(device);
            let floor = weights.nodes[node];
            let there = self.with(&self.nodes[node], need);
            let due = (self.due_by_devices(node) + more).max(floor.due);
            sum += self.far * (self.weight(&there, due)? - floor.weight);
        }
        Some(sum)
    }

    /// What any assignment below costs at least; none when there is none.
    pub(super) fn bound(&mut self) -> Option<u64> {
        let mut sums = std::mem::take(&mut self.sums);
        let bound = self.count(&mut sums);
        self.sums = sums;
        bound
    }

    fn count(&self, sums: &mut Sums) -> Option<u64> {
        let mut bound = 0;
        if self.near > 0 {
            let devices = (0..self.devices.len()).map(|device| {
                (self.devices[device], self.due(device), self.instance.seats[device].1 as usize)
            });
            bound += self.near * self.least_over(sums, devices)?;
        }
        if self.far > 0 {
            let nodes = self.nodes.iter().enumerate();
            let nodes = nodes.map(|(at, place)| (*place, self.node_due(at), self.node_seats[at].1));
            bound += self.far * self.least_over(sums, nodes)?;
        }
        Some(bound)
    }

    /// Tables by load, when no device may have more than `most`.
    fn by_load(&self, most: u64) -> Option<ByLoad> {
        let total: u64 = self.instance.load.iter().sum();
        let most = most.min(total).max(1);
        let devices = total.div_ceil(most);
        if devices > self.instance.devices() as u64 {
            return None;
        }
        let units = LOAD_UNITS.min(LOAD_CELLS / (devices.max(1) * self.completions.sets() as u64));
        let unit = most.div_ceil(units.max(FEWEST_UNITS));
        let asked = if self.far > 0 { total } else { most };
        let room = usize::try_from(asked.div_ceil(unit)).ok()?;
        let needs: Vec<(u32, u64)> = self.need.iter().map(|need| (need.keys, need.load)).collect();
        Some(ByLoad {
            unit,
            completions: self.completions.by_load(&needs, unit, room),
            most,
            total,
        })
    }

    /// What any assignment below costs at least by limits on load; none when there is none.
    pub(super) fn bound_by_load(&mut self) -> Option<u64> {
        let Some(by_load) = &self.by_load else { return Some(0) };
        let mut sums = std::mem::take(&mut self.sums);
        let bound = self.weigh(by_load, &mut sums);
        self.sums = sums;
        bound
    }

    fn weigh(&self, by_load: &ByLoad, sums: &mut Sums) -> Option<u64> {
        let mut bound = 0;
        let each = self.instance.machine.devices_per_node as u64;
        for (price, places, most) in [
            (self.near, &self.devices, by_load.most),
            (self.far, &self.nodes, by_load.most.saturating_mul(each)),
        ] {
            if price == 0 {
                continue;
            }
            let units =
                |load: u64| usize::try_from(load.div_ceil(by_load.unit)).unwrap_or(usize::MAX);
            let due = places.iter().map(|place| units(place.load)).sum::<usize>();
            sums.start(units(by_load.total).saturating_sub(due));
            for place in places {
                if place.load > most {
                    return None;
                }
                let others = place.beside;
                let due = units(place.load);
                sums.add(units(most) - due, |more| {
                    let tabled = by_load.completions.weight(place.keys, due + more);
                    (tabled < u32::MAX).then(|| u64::from(tabled) + others)
                });
            }
            bound += price * sums.least()?;
        }
        Some(bound)
    }

    /// The fewest tasks that a device ends with.
    fn due(&self, device: usize) -> usize {
        self.devices[device].tasks.max(self.instance.seats[device].0 as usize)
    }

    /// The fewest tasks that a node ends with.
    fn node_due(&self, node: usize) -> usize {
        self.due_by_devices(node).max(self.node_seats[node].0)
    }

    /// The fewest tasks that the devices of a node end with together.
    fn due_by_devices(&self, node: usize) -> usize {
        let first = node * self.instance.machine.devices_per_node;
        let devices = first..first + self.instance.machine.devices_per_node;
        devices.map(|device| self.due(device)).sum::<usize>()
    }

    /// The least weight of a place that ends with so many tasks at least.
    fn weight(&self, place: &Place, tasks: usize) -> Option<u64> {
        let tabled = self.completions.weight(place.keys, tasks);
        (tabled < u32::MAX).then(|| u64::from(tabled) + place.beside)
    }

    /// A place with a task more.
    #[inline]
    fn with(&self, place: &Place, need: Need) -> Place {
        Place {
            keys: place.keys | need.keys,
            others: place.others | need.others,
            beside: place.beside + self.weight_of(need.others & !place.others),
            tasks: place.tasks + 1,
            load: place.load + need.load,
        }
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
    fn least_over(
        &self,
        sums: &mut Sums,
        rows: impl Iterator<Item = (Place, usize, usize)> + Clone,
    ) -> Option<u64> {
        let due: usize = rows.clone().map(|row| row.1).sum();
        sums.start(self.instance.tasks().checked_sub(due)?);
        for (place, due, most) in rows {
            let others = place.beside;
            sums.add(most.checked_sub(due)?, |more| {
                let tabled = self.completions.weight(place.keys, due + more);
                (tabled < u32::MAX).then(|| u64::from(tabled) + others)
            });
        }
        sums.least()
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
        load: instance.load[task],
    }
}
