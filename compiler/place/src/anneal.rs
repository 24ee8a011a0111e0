//! Annealing: random swaps and moves, chosen to bring together what shares modules; dearer ones are accepted less and less.

use crate::instance::narrow;
use crate::random::{Patience, Random};
use crate::state::{Change, State};

/// Where and how long.
#[derive(Debug)]
pub(crate) struct Schedule<'a> {
    /// The devices between which tasks go; the search knows no others.
    pub(crate) devices: &'a [u32],
    /// Looks at a module of a task, about.
    pub(crate) work: u64,
    /// First and last temperature, with 16 bits behind the point.
    pub(crate) temperature: (u64, u64),
}

/// Parts of a schedule with one temperature each.
const STAGES: u64 = 64;

/// Anneals; the state ends at the best assignment that was met at the end of a stage.
pub(crate) fn anneal(
    state: &mut State<'_>,
    schedule: &Schedule<'_>,
    patience: &Patience,
    random: &mut Random,
) {
    let mut window = Window::new(state, schedule.devices);
    if window.tasks.is_empty() || schedule.devices.len() < 2 {
        return;
    }
    let (hot, cold) = schedule.temperature;
    let mut best = (state.standing(), window.homes(state));
    let start = state.work();
    for stage in 0..STAGES {
        let temperature = cooled(hot, cold, stage);
        let until = start + schedule.work * (stage + 1) / STAGES;
        while state.work() < until {
            window.step(state, temperature, patience, random);
        }
        if state.standing() < best.0 {
            best = (state.standing(), window.homes(state));
        }
    }
    if state.standing() > best.0 {
        window.restore(state, &best.1);
    }
}

/// Geometric cooling, in whole numbers.
fn cooled(hot: u64, cold: u64, stage: u64) -> u64 {
    let (hot, cold) = (hot.max(1), cold.max(1));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, positive"
    )]
    let at = libm::round(
        hot as f64 * libm::pow(cold as f64 / hot as f64, stage as f64 / (STAGES - 1) as f64),
    ) as u64;
    at
}

/// Devices that exchange tasks.
struct Window {
    /// Tasks that may go.
    tasks: Vec<u32>,
    devices: Vec<u32>,
    /// Per device: whether it takes part.
    is_in: Vec<bool>,
}

impl Window {
    fn new(state: &State<'_>, devices: &[u32]) -> Self {
        let mut is_in = vec![false; state.instance().devices()];
        let mut tasks = Vec::new();
        for &device in devices {
            is_in[device as usize] = true;
            tasks.extend(
                state.here(device as usize).iter().filter(|&&task| state.is_free(task as usize)),
            );
        }
        tasks.sort_unstable();
        Self { tasks, devices: devices.to_vec(), is_in }
    }

    fn homes(&self, state: &State<'_>) -> Vec<u32> {
        self.tasks.iter().map(|&task| narrow(state.home(task as usize))).collect()
    }

    fn restore(&self, state: &mut State<'_>, homes: &[u32]) {
        for (&task, &home) in self.tasks.iter().zip(homes) {
            if state.home(task as usize) != home as usize {
                state.shift_to(task as usize, home as usize);
            }
        }
    }

    /// One try.
    #[inline]
    fn step(
        &mut self,
        state: &mut State<'_>,
        temperature: u64,
        patience: &Patience,
        random: &mut Random,
    ) {
        state.add_work(1);
        let Some(task) = random.of(&self.tasks) else { return };
        let task = task as usize;
        let kind = random.next() >> 60;
        let to = if kind < 12 { self.beside(state, task, random) } else { None };
        let to = to.or_else(|| random.of(&self.devices)).map_or(0, |device| device as usize);
        let from = state.home(task);
        if to == from {
            return;
        }
        if kind == 15 {
            block(state, (from, to), temperature, patience, random);
            return;
        }
        let limit = Change { excess: 0, cost: patience.limit(random, temperature) };
        if state.can_spare(from) && state.has_seat(to) && kind & 1 == 0 {
            if state.moving(task, to) <= limit {
                state.shift_to(task, to);
            }
            return;
        }
        let Some(other) = random.of(state.here(to)) else { return };
        if state.is_free(other as usize) && state.swapping(task, other as usize) <= limit {
            state.swap(task, other as usize);
        }
    }

    /// The device of a task that shares a module.
    fn beside(&self, state: &State<'_>, task: usize, random: &mut Random) -> Option<u32> {
        let instance = state.instance();
        let module = random.of(instance.modules_of.of(task))?;
        let other = random.of(instance.tasks_of.of(module as usize))?;
        let device = state.home(other as usize);
        self.is_in[device].then(|| narrow(device))
    }
}

/// Exchanges the tasks of a module on one device with as many of a module on another.
fn block(
    state: &mut State<'_>,
    (from, to): (usize, usize),
    temperature: u64,
    patience: &Patience,
    random: &mut Random,
) {
    let mut mine = of_module(state, from, random);
    let mut theirs = of_module(state, to, random);
    let count = mine.len().min(theirs.len());
    if mine.len() > count {
        random.shuffle(&mut mine);
    }
    if theirs.len() > count {
        random.shuffle(&mut theirs);
    }
    let before = state.standing();
    let pairs = || mine.iter().zip(&theirs).map(|(&a, &b)| (a as usize, b as usize));
    for (one, other) in pairs() {
        let looks = state.instance().modules_of.of(one).len();
        state.add_work(8 * looks as u64);
        state.swap(one, other);
    }
    let after = state.standing();
    let limit = patience.limit(random, temperature);
    if (after.0, after.1) > (before.0, before.1.saturating_add(limit)) {
        for (one, other) in pairs() {
            state.swap(one, other);
        }
    }
}

/// The free tasks on a device of one of its modules.
fn of_module(state: &State<'_>, device: usize, random: &mut Random) -> Vec<u32> {
    let instance = state.instance();
    let Some(task) = random.of(state.here(device)) else { return Vec::new() };
    let Some(module) = random.of(instance.modules_of.of(task as usize)) else {
        return Vec::new();
    };
    let uses = |&task: &u32| {
        state.is_free(task as usize)
            && instance.modules_of.of(task as usize).binary_search(&module).is_ok()
    };
    state.here(device).iter().copied().filter(uses).collect()
}
