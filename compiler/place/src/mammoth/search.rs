//! Instance to assignment: cuts of the table, the best of them annealed with the engine's moves and swaps.

use super::bound::bound;
use super::instance::Instance;
use super::score::{Terms, score};
use super::seed::Table;
use crate::answer::Effort;
use crate::instance::Instance as Tables;
use crate::random::Random;
use crate::state::{Change, State};

/// Cuts of the table that are tried.
const SEEDS: u64 = 12;
/// Steps of annealing at the default effort: so many for every pair of tasks, and never more than the second number.
const STEPS_A_PAIR: u64 = 40;
const MOST_STEPS: u64 = 1_500_000;
/// Steps between two changes of temperature.
const STRIDE: u64 = 256;
/// Parts of a unit interval for which logarithms are tabled.
const PARTS: usize = 4096;

/// An assignment and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// Per task, in order: its node and its place in the node.
    pub assignment: Vec<(usize, usize)>,
    /// What it costs.
    pub terms: Terms,
    /// No assignment costs less, in tenths.
    pub bound: u64,
    /// The best of the seeds, in tenths.
    pub seed: u64,
    /// Steps of search.
    pub work: u64,
}

/// A good assignment; none when there are more tasks than slots, or no devices.
pub fn allocate(instance: &Instance, effort: Effort) -> Option<Allocation> {
    let devices = instance.machine.devices();
    if devices == 0 || instance.tasks.len() > devices * instance.slots {
        return None;
    }
    let tables = Tables::new(&instance.problem());
    let (seed, homes) = best_seed(instance, &tables);
    let mut best = Best { cost: Change::NONE, steps: Vec::new(), homes };
    let steps = steps(instance.tasks.len() as u64, effort);
    best.anneal(&tables, instance, steps);
    let devices: Vec<usize> = best.homes.iter().map(|&device| device as usize).collect();
    Some(Allocation {
        assignment: devices.iter().map(|&device| instance.machine.place(device)).collect(),
        bound: bound(instance, &tables),
        terms: score(instance, &devices),
        seed,
        work: steps,
    })
}

fn steps(tasks: u64, effort: Effort) -> u64 {
    let usual = (STEPS_A_PAIR * tasks * tasks).min(MOST_STEPS);
    match effort.level() {
        0 => 0,
        level => usual * 5_u64.pow(u32::from(level)) / 25,
    }
}

/// The cheapest cut, with its cost in tenths.
fn best_seed(instance: &Instance, tables: &Tables) -> (u64, Vec<u32>) {
    let components = instance.components();
    let seats = instance.problem().seats();
    let mut random = Random::new(1);
    let cuts = (0..SEEDS).map(|seed| {
        let table = Table::new(instance, &components, seed, &mut random);
        let homes = table.cut(&seats, &mut random);
        let state = State::of(tables, &homes);
        (state.excess(), state.cost(), homes)
    });
    let (_, _, homes) = cuts.min_by_key(|cut| (cut.0, cut.1)).expect("there are seeds");
    let devices: Vec<usize> = homes.iter().map(|&device| device as usize).collect();
    (score(instance, &devices).tenths(), homes)
}

/// The best assignment so far, and how to come back to it.
struct Best {
    /// Where the search stands, from the best.
    cost: Change,
    /// Tasks and where each came from, since the best.
    steps: Vec<(u32, u32)>,
    homes: Vec<u32>,
}

impl Best {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "prices and steps are below 2^53, and what a change may cost is rounded down"
    )]
    /// Moves and swaps that may cost at first (Kirkpatrick, Gelatt and Vecchi 1983).
    fn anneal(&mut self, tables: &Tables, instance: &Instance, steps: u64) {
        if tables.tasks() < 2 || tables.devices() < 2 {
            return;
        }
        let mut state = State::of(tables, &self.homes);
        let mut random = Random::new(2);
        let logarithms = logarithms();
        let copy = instance.prices().intra;
        // The fewer steps a task has, the less of the seed may be lost.
        let is_thorough = steps / tables.tasks() as u64 > 3000;
        let hot = if is_thorough { copy as f64 } else { 0.3 * copy as f64 };
        let mut heat = 0.0;
        for step in 0..steps {
            if step % STRIDE == 0 {
                heat = hot * libm::pow(2.0 / hot, step as f64 / steps as f64);
            }
            let limit = (heat * logarithms[random.below(PARTS)]) as i64;
            self.step(&mut state, &mut random, limit);
        }
        self.homes = state.homes().to_vec();
        for &(task, device) in self.steps.iter().rev() {
            self.homes[task as usize] = device;
        }
    }

    /// Tries one change and keeps it if it costs no more than `limit`.
    fn step(&mut self, state: &mut State<'_>, random: &mut Random, limit: i64) {
        let task = random.below(state.homes().len());
        let from = state.home(task);
        let Some(to) = destination(state, random, task) else { return };
        if from == to {
            return;
        }
        let is_move = state.has_seat(to) && state.can_spare(from) && random.below(4) > 0;
        if is_move || state.here(to).is_empty() {
            if !(state.has_seat(to) && state.can_spare(from)) {
                return;
            }
            let change = state.moving(task, to);
            if is_accepted(change, limit) {
                state.shift_to(task, to);
                self.took(change, &[(task, from)]);
            }
            return;
        }
        let here = state.here(to);
        let other = here[random.below(here.len())] as usize;
        let change = state.swapping(task, other);
        if is_accepted(change, limit) {
            state.swap(task, other);
            self.took(change, &[(task, from), (other, to)]);
        }
    }

    fn took(&mut self, change: Change, moves: &[(usize, usize)]) {
        self.cost = self.cost + change;
        if self.cost.is_better() {
            self.cost = Change::NONE;
            self.steps.clear();
            return;
        }
        let narrow = |number: usize| u32::try_from(number).expect("tasks are counted in 32 bits");
        self.steps.extend(moves.iter().map(|&(task, from)| (narrow(task), narrow(from))));
    }
}

fn is_accepted(change: Change, limit: i64) -> bool {
    change.excess < 0 || (change.excess == 0 && change.cost <= limit)
}

/// A device for a task: mostly one that holds the component of which the task's own device has the fewest tasks, for that
/// copy is the easiest to be rid of; none for most tasks that are in good company.
fn destination(state: &State<'_>, random: &mut Random, task: usize) -> Option<usize> {
    let tables = state.instance();
    let from = state.home(task);
    let modules = tables.modules_of.of(task);
    let word = random.next();
    let chance = (word >> 32) as usize;
    if modules.is_empty() || word.trailing_zeros() > 3 {
        return Some(chance % tables.devices());
    }
    let mut module = modules[chance % modules.len()] as usize;
    if word & 0xf0 > 0 {
        let fewest = |&at: &u32| state.on_device(at as usize, from);
        module = *modules.iter().min_by_key(|&at| fewest(at))? as usize;
        if state.on_device(module, from) > 2 && word & 0x700 > 0 {
            return None;
        }
    }
    let tasks = tables.tasks_of.of(module);
    Some(state.home(tasks[random.below(tasks.len())] as usize))
}

/// Negated natural logarithms of the middles of the parts of the unit interval.
#[expect(clippy::cast_precision_loss, reason = "parts are few")]
fn logarithms() -> Vec<f64> {
    (0..PARTS).map(|part| -libm::log((part as f64 + 0.5) / PARTS as f64)).collect()
}
