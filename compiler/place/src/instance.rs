//! A problem as the search reads it: flat tables, what costs the same everywhere taken out, what goes together merged.

use std::collections::HashMap;

use crate::objective::Objective;
use crate::problem::{Machine, Problem};

/// Lists of numbers, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lists {
    start: Vec<usize>,
    items: Vec<u32>,
}

impl Lists {
    /// From any lists.
    pub fn new(lists: impl IntoIterator<Item = Vec<u32>>) -> Self {
        let (mut start, mut items) = (vec![0], Vec::new());
        for list in lists {
            items.extend(list);
            start.push(items.len());
        }
        Self { start, items }
    }

    /// Per number below `bound`: the lists that it is in, ascending.
    #[must_use]
    pub fn inverse(&self, bound: usize) -> Self {
        let mut start = vec![0; bound + 1];
        for &item in &self.items {
            start[item as usize + 1] += 1;
        }
        for at in 0..bound {
            start[at + 1] += start[at];
        }
        let mut next = start.clone();
        let mut items = vec![0; self.items.len()];
        for at in 0..self.len() {
            for &item in self.of(at) {
                items[next[item as usize]] = narrow(at);
                next[item as usize] += 1;
            }
        }
        Self { start, items }
    }

    /// Number of lists.
    pub fn len(&self) -> usize {
        self.start.len() - 1
    }

    /// Whether there are no lists.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One list.
    #[inline]
    pub fn of(&self, at: usize) -> &[u32] {
        &self.items[self.start[at]..self.start[at + 1]]
    }

    /// Numbers in all lists.
    pub fn total(&self) -> usize {
        self.items.len()
    }
}

/// A number of a task, module or device as the tables hold it.
pub(crate) fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("a problem has fewer than four billion tasks, modules and devices")
}

/// A problem of placement in flat tables. Tasks keep their numbers; modules don't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Where to.
    pub machine: Machine,
    /// What should be small.
    pub objective: Objective,
    /// Per task: its modules, ascending. Modules used by the same tasks are one; what costs the same anywhere is left out.
    pub modules_of: Lists,
    /// Per module: its tasks, ascending.
    pub tasks_of: Lists,
    /// Per module: its weight.
    pub weight: Vec<u64>,
    /// Per module: its bytes.
    pub module_memory: Vec<u64>,
    /// What is left out costs this.
    pub fixed: u64,
    /// Per device: the fewest and the most tasks.
    pub seats: Vec<(u32, u32)>,
    /// Per task: the device that it is bound to.
    pub pinned: Vec<Option<u32>>,
    /// Per task: the sets of which no other member may be on its device.
    pub apart_of: Lists,
    /// Number of such sets.
    pub apart_sets: usize,
    /// Per task: its load.
    pub load: Vec<u64>,
    /// Per task: its bytes.
    pub memory: Vec<u64>,
    /// Per task: whether it is ready.
    pub is_ready: Vec<bool>,
    /// The most bytes of a device.
    pub most_memory: Option<u64>,
    /// The most load of a device.
    pub most_load: Option<u64>,
    /// Whether every device must have a ready task.
    pub ready_everywhere: bool,
    /// Per task: a number shared by exactly the tasks that can stand for each other.
    pub class: Vec<u32>,
}

impl Instance {
    /// The tables of a problem whose numbers are in range.
    pub fn new(problem: &Problem) -> Self {
        let shared = Shared::of(problem);
        let limits = &problem.limits;
        let mut pinned = vec![None; problem.tasks.len()];
        for &(task, device) in &limits.pins {
            pinned[task] = Some(narrow(device));
        }
        let sets = Lists::new(limits.apart.iter().map(|set| {
            let mut set: Vec<u32> = set.iter().map(|&task| narrow(task)).collect();
            set.sort_unstable();
            set.dedup();
            set
        }));
        let mut instance = Self {
            machine: problem.machine,
            objective: problem.objective.clone(),
            tasks_of: shared.modules_of.inverse(shared.weight.len()),
            modules_of: shared.modules_of,
            weight: shared.weight,
            module_memory: shared.memory,
            fixed: shared.fixed,
            seats: tight_seats(problem).into_iter().map(|(l, m)| (narrow(l), narrow(m))).collect(),
            pinned,
            apart_of: sets.inverse(problem.tasks.len()),
            apart_sets: sets.len(),
            load: problem.tasks.iter().map(|task| task.load).collect(),
            memory: problem.tasks.iter().map(|task| task.memory).collect(),
            is_ready: problem.tasks.iter().map(|task| task.is_ready).collect(),
            most_memory: limits.memory,
            most_load: limits.load,
            ready_everywhere: limits.ready_everywhere,
            class: Vec::new(),
        };
        instance.class = instance.classes();
        instance
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.modules_of.len()
    }

    /// Number of modules.
    pub fn modules(&self) -> usize {
        self.tasks_of.len()
    }

    /// Number of devices.
    pub fn devices(&self) -> usize {
        self.machine.devices()
    }

    /// The price of a module on `k` devices of `n` nodes.
    #[inline]
    pub fn price(&self, module: usize, n: usize, k: usize) -> u64 {
        self.objective.price(self.weight[module], n, k)
    }

    fn classes(&self) -> Vec<u32> {
        let mut known = HashMap::new();
        (0..self.tasks())
            .map(|task| {
                let looks = (
                    self.modules_of.of(task),
                    self.apart_of.of(task),
                    self.pinned[task],
                    (self.load[task], self.memory[task], self.is_ready[task]),
                );
                let next = narrow(known.len());
                *known.entry(looks).or_insert(next)
            })
            .collect()
    }
}

fn tight_seats(problem: &Problem) -> Vec<(usize, usize)> {
    let mut seats = problem.seats();
    tighten(&mut seats, problem.tasks.len());
    seats
}

/// Tells places what follows of the fewest and the most tasks of all others, when so many tasks are seated. Where they can't be,
/// nothing is told.
pub(crate) fn tighten(seats: &mut [(usize, usize)], tasks: usize) {
    let least: usize = seats.iter().map(|seat| seat.0).sum();
    let most: usize = seats.iter().map(|seat| seat.1).sum();
    if !(least..=most).contains(&tasks) {
        return;
    }
    for (low, high) in seats {
        let (due, room) = (tasks.saturating_sub(most - *high), tasks - (least - *low));
        (*low, *high) = ((*low).max(due), (*high).min(room));
    }
}

/// The modules that matter.
struct Shared {
    modules_of: Lists,
    weight: Vec<u64>,
    memory: Vec<u64>,
    fixed: u64,
}

impl Shared {
    fn of(problem: &Problem) -> Self {
        let lists = Lists::new(problem.tasks.iter().map(|task| {
            let mut modules: Vec<u32> = task.modules.iter().map(|&at| narrow(at)).collect();
            modules.sort_unstable();
            modules.dedup();
            modules
        }));
        let users = lists.inverse(problem.modules.len());
        let is_additive = matches!(problem.objective, Objective::Spread(_));
        let (devices, nodes) = (problem.machine.devices(), problem.machine.nodes);
        let is_everywhere = tight_seats(problem).iter().all(|(least, _)| *least > 0);
        let mut kept: Vec<(u64, u64)> = Vec::new();
        let mut number: Vec<Option<u32>> = vec![None; problem.modules.len()];
        let mut same: HashMap<&[u32], u32> = HashMap::new();
        let mut fixed = 0;
        for (at, module) in problem.modules.iter().enumerate() {
            let tasks = users.of(at);
            let is_light = module.memory == 0 || problem.limits.memory.is_none();
            if tasks.is_empty() || is_light && tasks.len() < 2 {
                continue;
            }
            if is_light && is_everywhere && tasks.len() == problem.tasks.len() {
                fixed += problem.objective.price(module.weight, nodes, devices);
                continue;
            }
            let next = narrow(kept.len());
            let place = if is_additive { *same.entry(tasks).or_insert(next) } else { next };
            if place == next {
                kept.push((0, 0));
            }
            kept[place as usize].0 += module.weight;
            kept[place as usize].1 += module.memory;
            number[at] = Some(place);
        }
        let modules_of = Lists::new((0..lists.len()).map(|task| {
            let mut modules: Vec<u32> =
                lists.of(task).iter().filter_map(|&module| number[module as usize]).collect();
            modules.sort_unstable();
            modules.dedup();
            modules
        }));
        let (weight, memory) = kept.into_iter().unzip();
        Self { modules_of, weight, memory, fixed }
    }
}
