//! The tree: which task is placed next, and where.

use std::cmp::Reverse;

use super::Exact;
use super::ascent::Ascent;
use super::carried::Carried;
use super::covering::{self, Covering, Weights};
use super::domain::Domains;
use super::held::Held;
use super::levels::Levels;
use super::loads::Loads;
use super::rates::Rates;
use super::seating;
use crate::instance::{Instance, narrow};

const NOWHERE: u32 = u32::MAX;
/// Looks at a cell that take as long as a node of the tree.
const WORK_A_STEP: u64 = 1000;

/// Bounds and devices of a task.
type Choices = Vec<(u64, usize)>;
/// How many choices, and their sum.
type Rank = (usize, Reverse<u64>);

/// What any assignment below pays at least.
#[derive(Debug, Clone, Copy)]
struct Bound {
    /// For copies, by covers.
    covered: u64,
    /// For modules, by ascent.
    shared: u64,
    /// For the largest load.
    load: u64,
}

impl Bound {
    /// Exact when all tasks are placed.
    fn least(&self) -> u64 {
        self.covered.max(self.shared) + self.load
    }
}

struct Tree<'a> {
    instance: &'a Instance,
    rates: Rates,
    held: Held,
    ascent: Ascent,
    /// Of copies, or of what devices and nodes add at least.
    coverings: Vec<Covering<'a>>,
    /// Where the largest load counts.
    loads: Option<Loads>,
    /// What devices carry, when that is limited.
    carried: Option<Carried<'a>>,
    /// Per set apart: its tasks.
    apart: Vec<Vec<u32>>,
    /// Tasks of every device.
    seated: Vec<usize>,
    home: Vec<u32>,
    placed: usize,
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
    let mut tree = Tree::new(&upper, known, most_nodes);
    tree.limit = levels.limit(known).saturating_sub(levels.devices());
    tree.levels = Some(levels);
    let start = tree.limit;
    let is_proved = tree.start();
    tree.found(is_proved, known, start)
}

/// Searches for an assignment that costs less than `known`.
pub(super) fn run(instance: &Instance, known: u64, most_nodes: u64) -> Exact {
    let mut tree = Tree::new(instance, known, most_nodes);
    let start = tree.limit;
    let is_proved = tree.start();
    tree.found(is_proved, known, start)
}

impl<'a> Tree<'a> {
    fn new(instance: &'a Instance, known: u64, most_steps: u64) -> Self {
        let rates = Rates::new(instance);
        let coverings = covering::all(instance, &rates);
        let sets = instance.apart_of.inverse(instance.apart_sets);
        Self {
            instance,
            held: Held::new(instance),
            ascent: Ascent::new(instance),
            steps: coverings.iter().map(Covering::work).sum::<u64>() / WORK_A_STEP,
            coverings,
            loads: Loads::new(instance),
            carried: Carried::new(instance),
            apart: (0..instance.apart_sets).map(|set| sets.of(set).to_vec()).collect(),
            seated: vec![0; instance.devices()],
            home: vec![NOWHERE; instance.tasks()],
            placed: 0,
            limit: (known + rates.first()).saturating_sub(instance.fixed),
            rates,
            best: None,
            levels: None,
            most_steps,
        }
    }

    /// Searches all of it; whether nothing was left out.
    fn start(&mut self) -> bool {
        self.put_bound().is_none_or(|domains| self.descend(domains))
    }

    /// Places the tasks that are bound to a device, so that devices are alike for all others; none when they can't be there.
    fn put_bound(&mut self) -> Option<Domains> {
        let mut domains = Domains::new(self.instance);
        for task in 0..self.home.len() {
            let Some(device) = self.instance.pinned[task] else { continue };
            let device = device as usize;
            if !self.has_seat(device) || domains.of(task) == 0 || !self.fits(task, device) {
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
        let Some(bound) = self.bound(&domains) else { return true };
        if bound.least() >= self.limit {
            return true;
        }
        if self.placed == self.home.len() {
            return self.leaf(bound.least());
        }
        let Some((task, mut choices)) = self.next_task(&mut domains, &bound) else { return true };
        choices.sort_unstable();
        for (_, device) in choices {
            let alike = self.alike(device);
            self.put(task, device);
            let mut below = domains.clone();
            below.part(self.instance, &self.apart, task, device);
            let is_whole = self.descend(below);
            self.take(task, device);
            if !is_whole {
                return false;
            }
            // A solution with a twin of the task there is, twins exchanged, one that was just looked for.
            domains.exclude(self.instance, task, alike);
        }
        true
    }

    /// Every task is placed, for less than the limit.
    fn leaf(&mut self, cost: u64) -> bool {
        let Some(levels) = &mut self.levels else {
            self.limit = cost;
            self.best = Some(self.home.clone());
            return true;
        };
        let mut left = self.most_steps - self.steps;
        let limit = self.limit + levels.devices() - cost;
        let found = levels.place(&self.home, limit, &mut left);
        self.steps = self.most_steps - left;
        match found {
            None => return false,
            Some(Found::Nothing) => {}
            Some(Found::Better(devices, homes)) => {
                self.limit = (cost + devices).saturating_sub(levels.devices());
                self.best = Some(homes);
            }
        }
        true
    }

    /// A task goes to a device.
    fn put(&mut self, task: usize, device: usize) {
        self.held.put(self.instance.modules_of.of(task), device);
        self.home[task] = narrow(device);
        self.placed += 1;
        self.seated[device] += 1;
        if let Some(loads) = &mut self.loads {
            loads.put(self.instance.load[task], device);
        }
        if let Some(carried) = &mut self.carried {
            carried.put(task, device);
        }
        for covering in &mut self.coverings {
            covering.put(task, device);
        }
    }

    /// The task that came last to a device leaves it.
    fn take(&mut self, task: usize, device: usize) {
        self.held.take(self.instance.modules_of.of(task), device);
        self.home[task] = NOWHERE;
        self.placed -= 1;
        self.seated[device] -= 1;
        if let Some(loads) = &mut self.loads {
            loads.take(self.instance.load[task], device);
        }
        if let Some(carried) = &mut self.carried {
            carried.take(task, device);
        }
        for covering in &mut self.coverings {
            covering.take(device);
        }
    }

    fn has_seat(&self, device: usize) -> bool {
        self.seated[device] < self.instance.seats[device].1 as usize
    }

    /// Whether a device can carry a task beside what it has.
    fn fits(&self, task: usize, device: usize) -> bool {
        self.carried.as_ref().is_none_or(|carried| carried.fits(task, device))
    }

    /// What any assignment below costs at least; none when there is none.
    fn bound(&mut self, domains: &Domains) -> Option<Bound> {
        let rows = self.instance.seats.iter().zip(&self.seated);
        let due: usize = rows.map(|(seats, &here)| here.max(seats.0 as usize)).sum();
        if due > self.home.len() {
            return None;
        }
        let mut covered = 0;
        for covering in &mut self.coverings {
            covered += covering.bound()?;
        }
        let load = self.loads.as_ref().map_or(0, Loads::least);
        if covered + load >= self.limit {
            return Some(Bound { covered, shared: 0, load });
        }
        let open = self.open();
        let mut tasks: Vec<(usize, u64)> =
            self.free().map(|task| (task, domains.of(task) & open)).collect();
        // Those that can go to few places are paid for first.
        tasks.sort_by_key(|&(_, domain)| domain.count_ones());
        let shared = self.ascent.climb(&self.held, &self.rates, &tasks);
        if shared + load < self.limit {
            let mut laden = 0;
            for covering in &mut self.coverings {
                laden += covering.bound_by_load()?;
            }
            covered = covered.max(laden);
        }
        Some(Bound { covered, shared, load })
    }

    /// The task with the fewest devices that are not too dear, of those the one that costs most; with its devices and their
    /// bounds. What is too dear leaves the domains. None when some task has no device left, or some devices too few seats or tasks.
    fn next_task(&self, domains: &mut Domains, bound: &Bound) -> Option<(usize, Choices)> {
        let firsts = self.firsts();
        let weights = self.coverings.iter().map(Covering::weights).collect::<Option<Vec<_>>>()?;
        let (mut choices, mut fewest) = (Choices::new(), Choices::new());
        let mut best: Option<(Rank, usize)> = None;
        for task in self.free() {
            choices.clear();
            for &(device, alike) in &firsts {
                if domains.of(task) >> device & 1 == 0 {
                    continue;
                }
                let bound = self.with_task(bound, &weights, task, device);
                if bound < self.limit && self.fits(task, device) {
                    choices.push((bound, device));
                } else {
                    domains.remove(task, alike);
                }
            }
            if choices.is_empty() {
                return None;
            }
            let rank = (choices.len(), Reverse(choices.iter().map(|choice| choice.0).sum()));
            if best.as_ref().is_none_or(|best| rank < best.0) {
                best = Some((rank, task));
                std::mem::swap(&mut choices, &mut fewest);
            }
        }
        let (_, task) = best?;
        self.is_seatable(domains).then_some((task, fewest))
    }

    /// The bound when a task goes to a device.
    fn with_task(&self, bound: &Bound, weights: &[Weights], task: usize, device: usize) -> u64 {
        let load = self.loads.as_ref().map_or(0, |of| of.with(self.instance.load[task], device));
        let load = bound.load.max(load);
        let shared = bound.shared + self.ascent.more(task, device);
        if shared + load >= self.limit {
            return shared + load;
        }
        let mut covered = 0;
        for (covering, weights) in self.coverings.iter().zip(weights) {
            match covering.with_task(weights, task, device) {
                Some(more) => covered += more,
                None => return u64::MAX,
            }
        }
        covered.max(shared) + load
    }

    /// Tasks that are nowhere.
    fn free(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.home.len()).filter(|&task| self.home[task] == NOWHERE)
    }

    /// Devices with room.
    fn open(&self) -> u64 {
        let open = (0..self.seated.len()).filter(|&device| self.has_seat(device));
        open.fold(0, |set, device| set | 1 << device)
    }

    /// Whether all tasks may find seats.
    fn is_seatable(&self, domains: &Domains) -> bool {
        let open = self.open();
        let domains: Vec<u64> = self.free().map(|task| domains.of(task) & open).collect();
        let left = |(&(least, most), &here): (&(u32, u32), &usize)| {
            ((least as usize).saturating_sub(here), most as usize - here)
        };
        let seats: Vec<(usize, usize)> =
            self.instance.seats.iter().zip(&self.seated).map(left).collect();
        seating::is_possible(&domains, &seats)
    }

    /// Devices that are tried, with those that each stands for: with room, and of those that are alike the first.
    fn firsts(&self) -> Vec<(usize, u64)> {
        let mut firsts: Vec<(usize, u64)> = Vec::new();
        for device in (0..self.seated.len()).filter(|&device| self.has_seat(device)) {
            let alike = self.alike(device);
            if firsts.iter().all(|&(_, known)| known != alike) {
                firsts.push((device, alike));
            }
        }
        firsts
    }

    /// The devices that can stand for one: itself; if empty, those of its node that are empty with the same seats; if its node
    /// is empty, those of nodes that are empty with the same seats, too.
    fn alike(&self, device: usize) -> u64 {
        if self.seated[device] > 0 {
            return 1 << device;
        }
        let machine = self.instance.machine;
        let on_node = |node: usize| {
            let first = node * machine.devices_per_node;
            first..first + machine.devices_per_node
        };
        let is_empty = |node: usize| self.seated[on_node(node)].iter().all(|&tasks| tasks == 0);
        let node = machine.node(device);
        let is_alike = |other: usize| {
            let there = machine.node(other);
            let is_near = there == node
                || (is_empty(node)
                    && is_empty(there)
                    && self.instance.seats[on_node(there)] == self.instance.seats[on_node(node)]);
            is_near
                && self.seated[other] == 0
                && self.instance.seats[other] == self.instance.seats[device]
        };
        (0..self.seated.len())
            .filter(|&other| is_alike(other))
            .fold(0, |set, other| set | 1 << other)
    }
}
