//! An assignment under change: what a move or a swap would change is computed in time proportional to the modules of its tasks.

use crate::counts::Counts;
use crate::instance::{Instance, narrow};
use crate::objective::Objective;
use crate::tally::{Matters, Tallies};

/// A task that is nowhere.
const NOWHERE: u32 = u32::MAX;

/// What a change does: first to the limits, then to the cost. Negative is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Change {
    /// How far limits on memory, load, sets apart and ready tasks are exceeded.
    pub excess: i64,
    /// Cost.
    pub cost: i64,
}

impl Change {
    /// No change.
    pub const NONE: Self = Self { excess: 0, cost: 0 };

    /// Whether the change is for the better.
    pub fn is_better(self) -> bool {
        self < Self::NONE
    }
}

impl std::ops::Add for Change {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { excess: self.excess + other.excess, cost: self.cost + other.cost }
    }
}

/// An assignment, whole or in the making.
#[derive(Debug, Clone)]
pub struct State<'a> {
    instance: &'a Instance,
    home: Vec<u32>,
    /// Per device: its tasks, in no order that means anything; and per task its place in that list.
    here: Vec<Vec<u32>>,
    place: Vec<u32>,
    on_device: Counts,
    on_node: Counts,
    tallies: Tallies,
    matters: Matters,
    shared: i64,
    /// `inter` and `intra` where the price is a sum of the two.
    linear: Option<(i64, i64)>,
    /// Looks at a module of a task.
    work: u64,
}

impl<'a> State<'a> {
    /// Nothing is placed.
    pub fn empty(instance: &'a Instance) -> Self {
        let uses = |module: usize| instance.tasks_of.of(module).len();
        let (devices, nodes) = (instance.devices(), instance.machine.nodes);
        let linear = match &instance.objective {
            Objective::Spread(spread) => Some((signed(spread.inter), signed(spread.intra))),
            Objective::Time(_) => None,
        };
        Self {
            instance,
            home: vec![NOWHERE; instance.tasks()],
            here: vec![Vec::new(); devices],
            place: vec![0; instance.tasks()],
            on_device: Counts::new(devices, (0..instance.modules()).map(uses)),
            on_node: Counts::new(nodes, (0..instance.modules()).map(uses)),
            tallies: Tallies::new(instance),
            matters: Matters::of(instance),
            shared: 0,
            linear,
            work: 0,
        }
    }

    /// A whole assignment: per task its device.
    pub fn of(instance: &'a Instance, homes: &[u32]) -> Self {
        let mut state = Self::empty(instance);
        for (task, &device) in homes.iter().enumerate() {
            state.put(task, device as usize);
        }
        state
    }

    /// The tables that it is about.
    pub fn instance(&self) -> &'a Instance {
        self.instance
    }

    /// Per task its device; `u32::MAX` for one that is nowhere.
    pub fn homes(&self) -> &[u32] {
        &self.home
    }

    /// The device of a task that is placed.
    #[inline]
    pub fn home(&self, task: usize) -> usize {
        self.home[task] as usize
    }

    /// Whether a task is placed.
    pub fn is_placed(&self, task: usize) -> bool {
        self.home[task] != NOWHERE
    }

    /// The tasks of a device.
    pub fn here(&self, device: usize) -> &[u32] {
        &self.here[device]
    }

    /// Tasks of a module on a device.
    #[inline]
    pub fn on_device(&self, module: usize, device: usize) -> u32 {
        self.on_device.get(module, device)
    }

    /// Tasks of a module on a node.
    #[inline]
    pub fn on_node(&self, module: usize, node: usize) -> u32 {
        self.on_node.get(module, node)
    }

    /// Devices and nodes that hold a module.
    pub fn held(&self, module: usize) -> (usize, usize) {
        (self.on_device.held(module), self.on_node.held(module))
    }

    /// The devices that hold a module, with how many of its tasks each has; in no order that means anything.
    pub fn holders(&self, module: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.on_device.places(module)
    }

    /// The cost.
    pub fn cost(&self) -> u64 {
        self.standing().1.unsigned_abs() + self.instance.fixed
    }

    /// How far limits are exceeded; zero when they are kept. The numbers of tasks are not counted here.
    pub fn excess(&self) -> u64 {
        self.standing().0.unsigned_abs()
    }

    /// Looks at a module of a task, so far.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// Counts work that was done with the state's tables.
    pub fn add_work(&mut self, looks: u64) {
        self.work += looks;
    }

    /// Whether a device takes one task more.
    #[inline]
    pub fn has_seat(&self, device: usize) -> bool {
        self.here[device].len() < self.instance.seats[device].1 as usize
    }

    /// Whether a device can do without one of its tasks.
    #[inline]
    pub fn can_spare(&self, device: usize) -> bool {
        self.here[device].len() > self.instance.seats[device].0 as usize
    }

    /// Whether a task may leave its device.
    #[inline]
    pub fn is_free(&self, task: usize) -> bool {
        self.instance.pinned[task].is_none()
    }

    /// What placing a task that is nowhere would change.
    pub fn placing(&mut self, task: usize, device: usize) -> Change {
        if self.matters.moves {
            return self.trying(|state| state.put(task, device), |state| state.take(task));
        }
        let node = self.instance.machine.node(device);
        let mut cost = 0;
        let modules = self.instance.modules_of.of(task);
        self.work += modules.len() as u64;
        for &module in modules {
            let module = module as usize;
            if self.on_device.get(module, device) > 0 {
                continue;
            }
            let (k, n) = (self.on_device.held(module), self.on_node.held(module));
            let more = usize::from(self.on_node.get(module, node) == 0);
            cost += self.price(module, n + more, k + 1) - self.price(module, n, k);
        }
        Change { excess: 0, cost }
    }

    /// Places a task that is nowhere.
    pub fn put(&mut self, task: usize, device: usize) {
        let node = self.instance.machine.node(device);
        for &module in self.instance.modules_of.of(task) {
            let module = module as usize;
            let before = self.price_now(module);
            if self.on_device.add(module, device) {
                self.tallies.hold(self.instance, module, device, true);
            }
            self.on_node.add(module, node);
            self.shared += self.price_now(module) - before;
        }
        self.tallies.put(self.instance, task, device);
        self.home[task] = narrow(device);
        self.place[task] = narrow(self.here[device].len());
        self.here[device].push(narrow(task));
    }

    /// Takes a task from its device.
    pub fn take(&mut self, task: usize) {
        let device = self.home(task);
        let node = self.instance.machine.node(device);
        for &module in self.instance.modules_of.of(task) {
            let module = module as usize;
            let before = self.price_now(module);
            if self.on_device.remove(module, device) {
                self.tallies.hold(self.instance, module, device, false);
            }
            self.on_node.remove(module, node);
            self.shared += self.price_now(module) - before;
        }
        self.tallies.take(self.instance, task, device);
        self.home[task] = NOWHERE;
        let place = self.place[task] as usize;
        let here = &mut self.here[device];
        here.swap_remove(place);
        if let Some(&moved) = here.get(place) {
            self.place[moved as usize] = narrow(place);
        }
    }

    /// What moving a task would change.
    #[inline]
    pub fn moving(&mut self, task: usize, to: usize) -> Change {
        let from = self.home(task);
        if from == to {
            return Change::NONE;
        }
        if self.matters.moves && self.instance.most_memory.is_some() {
            return self
                .trying(|state| state.shift_to(task, to), |state| state.shift_to(task, from));
        }
        let modules = self.instance.modules_of.of(task);
        self.work += modules.len() as u64;
        let cost = modules.iter().map(|&module| self.shift(module as usize, from, to)).sum();
        let shared = Change { excess: 0, cost };
        if self.matters.moves { shared + self.tallying(&[(task, from, to)]) } else { shared }
    }

    /// What exchanging two tasks would change.
    #[inline]
    pub fn swapping(&mut self, one: usize, other: usize) -> Change {
        let (here, there) = (self.home(one), self.home(other));
        if here == there || self.instance.class[one] == self.instance.class[other] {
            return Change::NONE;
        }
        let matters = self.matters.swap(self.instance, one, other);
        if matters && self.instance.most_memory.is_some() {
            return self.trying(|state| state.swap(one, other), |state| state.swap(one, other));
        }
        let (mine, theirs) = (self.instance.modules_of.of(one), self.instance.modules_of.of(other));
        self.work += (mine.len() + theirs.len()) as u64;
        let cost = apart(mine, theirs).map(|module| self.shift(module, here, there)).sum::<i64>()
            + apart(theirs, mine).map(|module| self.shift(module, there, here)).sum::<i64>();
        let shared = Change { excess: 0, cost };
        if matters {
            shared + self.tallying(&[(one, here, there), (other, there, here)])
        } else {
            shared
        }
    }

    /// Moves a task.
    pub fn shift_to(&mut self, task: usize, to: usize) {
        self.take(task);
        self.put(task, to);
    }

    /// Exchanges two tasks.
    pub fn swap(&mut self, one: usize, other: usize) {
        let (here, there) = (self.home(one), self.home(other));
        self.take(one);
        self.take(other);
        self.put(one, there);
        self.put(other, here);
    }

    /// What moves do to the sums of the devices, where holding a module is not one of them.
    fn tallying(&mut self, moves: &[(usize, usize, usize)]) -> Change {
        let sums = |tallies: &Tallies, instance| (tallies.excess(instance), tallies.cost(instance));
        let before = sums(&self.tallies, self.instance);
        for &(task, from, to) in moves {
            self.tallies.take(self.instance, task, from);
            self.tallies.put(self.instance, task, to);
        }
        let after = sums(&self.tallies, self.instance);
        for &(task, from, to) in moves.iter().rev() {
            self.tallies.take(self.instance, task, to);
            self.tallies.put(self.instance, task, from);
        }
        Change { excess: after.0 - before.0, cost: after.1 - before.1 }
    }

    /// What a change does, by doing and undoing it.
    fn trying(&mut self, change: impl Fn(&mut Self), back: impl Fn(&mut Self)) -> Change {
        let (excess, cost) = self.standing();
        change(self);
        let (new_excess, new_cost) = self.standing();
        back(self);
        Change { excess: new_excess - excess, cost: new_cost - cost }
    }

    /// The excess, and the cost without what is left out of the tables.
    pub(crate) fn standing(&self) -> (i64, i64) {
        (self.tallies.excess(self.instance), self.shared + self.tallies.cost(self.instance))
    }

    /// What one task of a module does to its price that goes from one device to another.
    #[inline]
    fn shift(&self, module: usize, from: usize, to: usize) -> i64 {
        let leaves = self.on_device.get(module, from) == 1;
        let enters = self.on_device.get(module, to) == 0;
        if !leaves && !enters {
            return 0;
        }
        let (old, new) = (self.instance.machine.node(from), self.instance.machine.node(to));
        let (off_node, onto_node) = if old == new {
            (false, false)
        } else {
            (
                leaves && self.on_node.get(module, old) == 1,
                enters && self.on_node.get(module, new) == 0,
            )
        };
        if let Some((inter, intra)) = self.linear {
            let nodes = i64::from(onto_node) - i64::from(off_node);
            let devices = i64::from(enters) - i64::from(leaves);
            return signed(self.instance.weight[module]) * (inter * nodes + intra * devices);
        }
        let (k, n) = self.held(module);
        let after =
            |count: usize, enters, leaves| count + usize::from(enters) - usize::from(leaves);
        self.price(module, after(n, onto_node, off_node), after(k, enters, leaves))
            - self.price(module, n, k)
    }

    fn price(&self, module: usize, n: usize, k: usize) -> i64 {
        signed(self.instance.price(module, n, k))
    }

    fn price_now(&self, module: usize) -> i64 {
        let (k, n) = self.held(module);
        self.price(module, n, k)
    }
}

fn signed(price: u64) -> i64 {
    i64::try_from(price).expect("prices fit 63 bits")
}

/// What is in the first of two ascending lists and not in the second.
#[inline]
fn apart<'l>(first: &'l [u32], second: &'l [u32]) -> impl Iterator<Item = usize> + 'l {
    let mut rest = second.iter().peekable();
    first.iter().copied().filter_map(move |module| {
        while rest.next_if(|&&other| other < module).is_some() {}
        (rest.peek() != Some(&&module)).then_some(module as usize)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cost::{broken, cost};
    use crate::objective::{Evenness, Link, Spread, Time};
    use crate::problem::{Balance, Limits, Machine, Module, Problem, Task};

    fn objectives() -> impl Strategy<Value = Objective> {
        let evenness = (0..5_u64, 0..50_u64, 0..9_u64).prop_map(|(range, empty, first)| Evenness {
            range,
            empty,
            first,
        });
        let link = (0..50_u64, 0..5000_u64)
            .prop_map(|(latency, picoseconds_per_byte)| Link { latency, picoseconds_per_byte });
        prop_oneof![
            Just(Objective::default()),
            (0..9_u64, 1..3_u64, evenness.clone(), evenness).prop_map(
                |(inter, intra, tasks, ready)| {
                    Objective::Spread(Spread { inter, intra, tasks, ready })
                }
            ),
            (link.clone(), link).prop_map(|(intra, inter)| Objective::Time(Time { intra, inter })),
        ]
    }

    prop_compose! {
        /// Any small problem, and two assignments of it.
        fn problems()(
            nodes in 1..4_usize, devices_per_node in 1..4_usize, tasks in 1..12_usize, modules in 1..8_usize,
        )(
            machine in Just(Machine { nodes, devices_per_node }),
            tasks in prop::collection::vec(
                (prop::collection::vec(0..modules, 0..5), 0..9_u64, 0..9_u64, any::<bool>())
                    .prop_map(|(modules, load, memory, is_ready)| Task { modules, load, memory, is_ready }),
                tasks,
            ),
            modules in prop::collection::vec(
                (0..5_u64, 0..9_u64).prop_map(|(weight, memory)| Module { weight, memory }), modules,
            ),
            memory in prop::option::of(5..30_u64),
            load in prop::option::of(5..30_u64),
            ready_everywhere in any::<bool>(),
            apart in prop::collection::vec(prop::collection::vec(0..tasks, 0..4), 0..3),
            objective in objectives(),
            first in prop::collection::vec(0..nodes * devices_per_node, tasks),
            second in prop::collection::vec(0..nodes * devices_per_node, tasks),
        ) -> (Problem, Vec<usize>, Vec<usize>) {
            let limits = Limits {
                balance: Balance::Free, memory, load, ready_everywhere, apart, ..Limits::default()
            };
            (Problem { machine, tasks, modules, limits, objective }, first, second)
        }
    }

    fn homes(assignment: &[usize]) -> Vec<u32> {
        assignment.iter().map(|&device| narrow(device)).collect()
    }

    proptest! {
        #[test]
        fn cost_and_excess_are_those_of_the_definitions((problem, first, second) in problems()) {
            let instance = Instance::new(&problem);
            let mut state = State::of(&instance, &homes(&first));
            prop_assert_eq!(state.cost(), cost(&problem, &first));
            prop_assert_eq!(state.excess() == 0, broken(&problem, &first).is_empty());
            let mut now = first;
            for (task, &to) in second.iter().enumerate() {
                let (before, excess) = (state.cost(), state.excess());
                let change = state.moving(task, to);
                state.shift_to(task, to);
                now[task] = to;
                prop_assert_eq!(i128::from(state.cost()), i128::from(before) + i128::from(change.cost));
                prop_assert_eq!(i128::from(state.excess()), i128::from(excess) + i128::from(change.excess));
                prop_assert_eq!(state.cost(), cost(&problem, &now));
                prop_assert_eq!(state.excess() == 0, broken(&problem, &now).is_empty());
            }
        }

        #[test]
        fn a_swap_changes_what_it_says((problem, first, _) in problems()) {
            let instance = Instance::new(&problem);
            let mut state = State::of(&instance, &homes(&first));
            let mut now = first;
            for one in 0..now.len() {
                for other in 0..one {
                    let (before, excess) = (state.cost(), state.excess());
                    let change = state.swapping(one, other);
                    state.swap(one, other);
                    now.swap(one, other);
                    prop_assert_eq!(i128::from(state.cost()), i128::from(before) + i128::from(change.cost));
                    prop_assert_eq!(i128::from(state.excess()), i128::from(excess) + i128::from(change.excess));
                    prop_assert_eq!(state.cost(), cost(&problem, &now));
                }
            }
        }

        #[test]
        fn placing_changes_what_it_says((problem, first, _) in problems()) {
            let instance = Instance::new(&problem);
            let mut state = State::empty(&instance);
            for (task, &device) in first.iter().enumerate() {
                let (before, excess) = (state.cost(), state.excess());
                let change = state.placing(task, device);
                state.put(task, device);
                prop_assert_eq!(i128::from(state.cost()), i128::from(before) + i128::from(change.cost));
                prop_assert_eq!(i128::from(state.excess()), i128::from(excess) + i128::from(change.excess));
            }
        }
    }
}
