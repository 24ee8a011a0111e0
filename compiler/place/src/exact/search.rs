//! The tree: which task is placed next, and where.

use super::Exact;
use super::carried::Carried;
use super::completion::Completions;
use super::domain::Domains;
use super::levels::Levels;
use crate::bound::Keys;
use crate::instance::{Instance, narrow};
use crate::objective::{Objective, Spread};

const NOWHERE: u32 = u32::MAX;
/// Looks at a cell that take as long as a node of the tree.
const WORK_A_STEP: u64 = 1000;

/// What a place holds: tabled keys, other modules, and how many tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
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

/// Bounds and devices of a task.
type Choices = Vec<(u64, usize)>;
/// How many choices, and their sum.
type Rank = (usize, std::cmp::Reverse<u64>);
/// The weights of all devices and of all nodes.
type Weights = (Vec<u64>, Vec<u64>);

struct Tree<'a> {
    instance: &'a Instance,
    spread: Spread,
    completions: Completions,
    need: Vec<Need>,
    /// Per bit of `others`: its weight.
    other_weight: Vec<u64>,
    /// Per set apart: its tasks.
    apart: Vec<Vec<u32>>,
    devices: Vec<Place>,
    nodes: Vec<Place>,
    home: Vec<u32>,
    placed: usize,
    /// What devices carry, when that is limited.
    carried: Option<Carried<'a>>,
    /// The cost to be beaten, without what is fixed and with the first copy of every module.
    limit: u64,
    best: Option<Vec<u32>>,
    /// The problems of the nodes, when the tree places tasks on nodes only.
    levels: Option<Levels<'a>>,
    steps: u64,
    most_steps: u64,
}

/// What was found below a leaf.
pub(super) enum Found {
    /// Nothing that pays less.
    Nothing,
    /// What it pays, and the devices.
    Better(u64, Vec<u32>),
}

/// Searches, nodes first, for an assignment that costs less than `known`.
pub(super) fn run_levels(levels: Levels<'_>, known: u64, most_nodes: u64) -> Exact {
    let upper = levels.upper();
    let Some(mut tree) = Tree::new(&upper, known, most_nodes) else {
        return Exact::NOTHING;
    };
    tree.limit = levels.limit(known).saturating_sub(levels.devices());
    tree.levels = Some(levels);
    let start = tree.limit;
    let is_proved = tree.descend(Domains::new(&upper));
    tree.found(is_proved, known, start)
}

/// Searches for an assignment that costs less than `known`.
pub(super) fn run(instance: &Instance, known: u64, most_nodes: u64) -> Exact {
    let Some(mut tree) = Tree::new(instance, known, most_nodes) else {
        return Exact::NOTHING;
    };
    let start = tree.limit;
    let is_proved = match tree.put_bound() {
        Some(domains) => tree.descend(domains),
        None => true,
    };
    tree.found(is_proved, known, start)
}

impl<'a> Tree<'a> {
    fn new(instance: &'a Instance, known: u64, most_steps: u64) -> Option<Self> {
        let Objective::Spread(spread) = instance.objective else { return None };
        let keys = Keys::of(instance);
        let per_node = instance.machine.devices_per_node;
        let (devices, tasks) = (instance.devices(), instance.tasks());
        let most = instance.seats.iter().map(|&(_, most)| most as usize).max().unwrap_or(0);
        let completions = Completions::new(&keys, (most * per_node).min(tasks));
        if completions.others.len() > 128 {
            return None;
        }
        let steps = completions.work() / WORK_A_STEP;
        let need = (0..tasks).map(|task| need(instance, &keys, &completions, task)).collect();
        let held: u64 = instance.weight.iter().sum();
        let first = held * (spread.inter + spread.intra);
        let sets = instance.apart_of.inverse(instance.apart_sets);
        Some(Self {
            instance,
            spread,
            other_weight: completions.others.iter().map(|&at| instance.weight[at]).collect(),
            completions,
            need,
            apart: (0..instance.apart_sets).map(|set| sets.of(set).to_vec()).collect(),
            devices: vec![Place::default(); devices],
            nodes: vec![Place::default(); instance.machine.nodes],
            home: vec![NOWHERE; tasks],
            placed: 0,
            carried: Carried::new(instance),
            limit: (known + first).saturating_sub(instance.fixed),
            best: None,
            levels: None,
            steps,
            most_steps,
        })
    }

    /// Places the tasks that are bound to a device, so that devices are alike for all others; none when they can't be there.
    fn put_bound(&mut self) -> Option<Domains> {
        let mut domains = Domains::new(self.instance);
        for task in 0..self.home.len() {
            let Some(device) = self.instance.pinned[task] else { continue };
            let device = device as usize;
            let has_seat = self.devices[device].tasks < self.instance.seats[device].1 as usize;
            if !has_seat || domains.of(task) == 0 || !self.fits(task, device) {
                return None;
            }
            self.put(task, device);
            domains.part(self.instance, &self.apart, task, device);
        }
        Some(domains)
    }

    /// The result of a search that started with a limit of `start` for a cost of `known`.
    fn found(self, is_proved: bool, known: u64, start: u64) -> Exact {
        let cost = self.best.is_some().then(|| known - (start - self.limit));
        Exact { homes: self.best, cost, is_proved, nodes: self.steps }
    }

    /// Searches below; whether nothing was left out.
    fn descend(&mut self, mut domains: Domains) -> bool {
        self.steps += 1;
        if self.steps > self.most_steps {
            return false;
        }
        if self.carried.as_ref().is_some_and(|carried| !carried.may_end()) {
            return true;
        }
        let Some(bound) = self.bound() else { return true };
        if bound >= self.limit {
            return true;
        }
        if self.placed == self.home.len() {
            return self.leaf(bound);
        }
        let Some((task, mut choices)) = self.next_task(&domains) else { return true };
        choices.sort_unstable();
        for (_, device) in choices {
            let (before, node) = (self.devices[device], self.instance.machine.node(device));
            let node_before = self.nodes[node];
            let alike = self.alike(device);
            self.put(task, device);
            let mut below = domains.clone();
            below.part(self.instance, &self.apart, task, device);
            let is_whole = self.descend(below);
            self.home[task] = NOWHERE;
            self.placed -= 1;
            if let Some(carried) = &mut self.carried {
                carried.take(task, device);
            }
            self.devices[device] = before;
            self.nodes[node] = node_before;
            if !is_whole {
                return false;
            }
            // A solution with a twin of the task there is, twins exchanged, one that was just looked for.
            domains.exclude(self.instance, task, alike);
        }
        true
    }

    /// Every task is placed, for less than the limit.
    fn leaf(&mut self, bound: u64) -> bool {
        let Some(levels) = &mut self.levels else {
            self.limit = bound;
            self.best = Some(self.home.clone());
            return true;
        };
        let mut left = self.most_steps - self.steps;
        let limit = self.limit + levels.devices() - bound;
        let found = levels.place(&self.home, limit, &mut left);
        self.steps = self.most_steps - left;
        match found {
            None => return false,
            Some(Found::Nothing) => {}
            Some(Found::Better(devices, homes)) => {
                self.limit = (bound + devices).saturating_sub(levels.devices());
                self.best = Some(homes);
            }
        }
        true
    }

    fn put(&mut self, task: usize, device: usize) {
        let need = self.need[task];
        for place in
            [&mut self.devices[device], &mut self.nodes[self.instance.machine.node(device)]]
        {
            *place = place.with(need);
        }
        self.home[task] = narrow(device);
        self.placed += 1;
        if let Some(carried) = &mut self.carried {
            carried.put(task, device);
        }
    }

    /// Whether a device can carry a task beside what it has.
    fn fits(&self, task: usize, device: usize) -> bool {
        self.carried.as_ref().is_none_or(|carried| carried.fits(task, device))
    }

    /// The task with the fewest devices that are not too dear, of those the one that costs most; with its devices and their
    /// bounds. None when some task has no device left.
    fn next_task(&self, domains: &Domains) -> Option<(usize, Choices)> {
        let firsts = self.firsts();
        let (weights, sum) = self.weights()?;
        let mut best: Option<(Rank, usize, Choices)> = None;
        for task in (0..self.home.len()).filter(|&task| self.home[task] == NOWHERE) {
            let mut choices = Vec::new();
            let mut left = domains.of(task) & firsts;
            while left > 0 {
                let device = left.trailing_zeros() as usize;
                left &= left - 1;
                let bound = self.with_task(&weights, sum, task, device);
                if bound < self.limit && self.fits(task, device) {
                    choices.push((bound, device));
                }
            }
            if choices.is_empty() {
                return None;
            }
            let rank =
                (choices.len(), std::cmp::Reverse(choices.iter().map(|choice| choice.0).sum()));
            if best.as_ref().is_none_or(|best| rank < best.0) {
                best = Some((rank, task, choices));
            }
        }
        best.map(|(_, task, choices)| (task, choices))
    }

    /// Devices that are tried: with room, and of those that are alike the first.
    fn firsts(&self) -> u64 {
        let mut firsts = 0;
        let mut seen: Vec<u64> = Vec::new();
        for device in 0..self.devices.len() {
            let alike = self.alike(device);
            if self.devices[device].tasks < self.instance.seats[device].1 as usize
                && !seen.contains(&alike)
            {
                firsts |= 1 << device;
                seen.push(alike);
            }
        }
        firsts
    }

    /// The devices that can stand for one: itself; if empty, those of its node that are empty with the same seats; if its node
    /// is empty, those of nodes that are empty with the same seats, too.
    fn alike(&self, device: usize) -> u64 {
        if self.devices[device].tasks > 0 {
            return 1 << device;
        }
        let machine = self.instance.machine;
        let seats = |node: usize| {
            let first = node * machine.devices_per_node;
            &self.instance.seats[first..first + machine.devices_per_node]
        };
        let node = machine.node(device);
        let is_alike = |other: usize| {
            let there = machine.node(other);
            let is_near = there == node
                || (self.nodes[node].tasks + self.nodes[there].tasks == 0
                    && seats(there) == seats(node));
            is_near
                && self.devices[other].tasks == 0
                && self.instance.seats[other] == self.instance.seats[device]
        };
        (0..self.devices.len())
            .filter(|&other| is_alike(other))
            .fold(0, |set, other| set | 1 << other)
    }

    /// The weight that every device and every node pays at least, and the sum of their prices; none when some place can't
    /// have as many tasks as it must.
    fn weights(&self) -> Option<(Weights, u64)> {
        let devices: Option<Vec<u64>> = (0..self.devices.len())
            .map(|device| self.weight(&self.devices[device], self.due(device)))
            .collect();
        let nodes: Option<Vec<u64>> = (0..self.nodes.len())
            .map(|node| self.weight(&self.nodes[node], self.node_due(node)))
            .collect();
        let (devices, nodes) = (devices?, nodes?);
        let sum = self.spread.intra * devices.iter().sum::<u64>()
            + self.spread.inter * nodes.iter().sum::<u64>();
        Some(((devices, nodes), sum))
    }

    /// The bound when a task goes to a device.
    fn with_task(&self, weights: &Weights, sum: u64, task: usize, device: usize) -> u64 {
        let node = self.instance.machine.node(device);
        let (here, there) =
            (self.devices[device].with(self.need[task]), self.nodes[node].with(self.need[task]));
        let more =
            usize::from(self.devices[device].tasks >= self.instance.seats[device].0 as usize);
        let due = self.due(device) + more;
        let (Some(near), Some(far)) =
            (self.weight(&here, due), self.weight(&there, self.node_due(node) + more))
        else {
            return u64::MAX;
        };
        sum + self.spread.intra * near - self.spread.intra * weights.0[device]
            + self.spread.inter * far
            - self.spread.inter * weights.1[node]
    }

    /// The fewest tasks that a device ends with.
    fn due(&self, device: usize) -> usize {
        self.devices[device].tasks.max(self.instance.seats[device].0 as usize)
    }

    fn node_due(&self, node: usize) -> usize {
        let first = node * self.instance.machine.devices_per_node;
        (first..first + self.instance.machine.devices_per_node).map(|device| self.due(device)).sum()
    }

    /// The least weight of a place that ends with so many tasks at least.
    fn weight(&self, place: &Place, tasks: usize) -> Option<u64> {
        let tabled = self.completions.weight(place.keys, tasks);
        (tabled < u32::MAX).then(|| u64::from(tabled) + self.weight_of(place.others))
    }

    /// What any assignment below costs at least; none when there is none.
    fn bound(&self) -> Option<u64> {
        let dues: usize = (0..self.devices.len()).map(|device| self.due(device)).sum();
        let extra = self.home.len().checked_sub(dues)?;
        let near = self.spread.intra * self.least_over_devices(extra)?;
        let far = self.spread.inter * self.least_over_nodes(extra)?;
        Some((near + far).max(self.packed()))
    }

    /// What is held, and what tasks without a module in common must add to it: each, on the device where it adds least.
    fn packed(&self) -> u64 {
        let held = |places: &[Place]| places.iter().map(|place| self.held(place)).sum::<u64>();
        let mut sum =
            self.spread.intra * held(&self.devices) + self.spread.inter * held(&self.nodes);
        let mut taken = Need { keys: 0, others: 0 };
        for task in (0..self.home.len()).filter(|&task| self.home[task] == NOWHERE) {
            let need = self.need[task];
            if need.keys & taken.keys > 0 || need.others & taken.others > 0 {
                continue;
            }
            let adds = (0..self.devices.len())
                .filter(|&device| {
                    self.devices[device].tasks < self.instance.seats[device].1 as usize
                })
                .map(|device| {
                    let node = self.instance.machine.node(device);
                    self.spread.intra * self.added(&self.devices[device], need)
                        + self.spread.inter * self.added(&self.nodes[node], need)
                });
            let least = adds.min().unwrap_or(0);
            if least > 0 {
                sum += least;
                taken.keys |= need.keys;
                taken.others |= need.others;
            }
        }
        sum
    }

    /// The weight that a place holds.
    fn held(&self, place: &Place) -> u64 {
        u64::from(self.completions.weight(place.keys, 0)) + self.weight_of(place.others)
    }

    /// The weight of the tabled keys and the other modules that a place would hold in addition.
    fn added(&self, place: &Place, need: Need) -> u64 {
        let own = u64::from(self.completions.own(need.keys & !place.keys));
        own + self.weight_of(need.others & !place.others)
    }

    fn weight_of(&self, mut others: u128) -> u64 {
        let mut weight = 0;
        while others > 0 {
            weight += self.other_weight[others.trailing_zeros() as usize];
            others &= others - 1;
        }
        weight
    }

    /// The least weight of all devices when so many tasks more than are due must be seated.
    fn least_over_devices(&self, extra: usize) -> Option<u64> {
        let rows = (0..self.devices.len()).map(|device| {
            (self.devices[device], self.due(device), self.instance.seats[device].1 as usize)
        });
        self.least_over(rows, extra)
    }

    fn least_over_nodes(&self, extra: usize) -> Option<u64> {
        let per_node = self.instance.machine.devices_per_node;
        let rows = (0..self.nodes.len()).map(|node| {
            let seats = &self.instance.seats[node * per_node..(node + 1) * per_node];
            let most = seats.iter().map(|&(_, most)| most as usize).sum();
            (self.nodes[node], self.node_due(node), most)
        });
        self.least_over(rows, extra)
    }

    fn least_over(
        &self,
        rows: impl Iterator<Item = (Place, usize, usize)>,
        extra: usize,
    ) -> Option<u64> {
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
