//! Why no assignment keeps the limits: arguments by counting, which prove it; else the limits that the search can't keep
//! together although it keeps any fewer.

use std::collections::BTreeMap;

use crate::answer::{Effort, Reason};
use crate::problem::{Balance, Problem};

/// Effort of a search that only asks whether there is an assignment.
pub(crate) const TRIAL: Effort = Effort::LEAST;
/// Limits that are left out one by one, at most.
const MOST_TRIALS: usize = 64;

/// Reasons that forbid every assignment, or none that counting shows.
pub(crate) fn proved(problem: &Problem) -> Option<Vec<Reason>> {
    let seats = problem.seats();
    let tasks = problem.tasks.len();
    let most: usize = seats.iter().map(|(_, most)| most).sum();
    let least: usize = seats.iter().map(|(least, _)| least).sum();
    if tasks > most {
        return Some(vec![Reason::Seats { tasks, seats: most }]);
    }
    if tasks < least {
        return Some(vec![Reason::TooFew { tasks, least }]);
    }
    if let Some((device, &(least, most))) =
        seats.iter().enumerate().find(|(_, (least, most))| least > most)
    {
        return Some(vec![Reason::Full { device, most }, Reason::Empty { device, least }]);
    }
    pins(problem, &seats).or_else(|| sets(problem)).or_else(|| sums(problem))
}

fn pins(problem: &Problem, seats: &[(usize, usize)]) -> Option<Vec<Reason>> {
    let mut device_of: BTreeMap<usize, usize> = BTreeMap::new();
    let mut bound: BTreeMap<usize, Vec<Reason>> = BTreeMap::new();
    for &(task, device) in &problem.limits.pins {
        let known = *device_of.entry(task).or_insert_with(|| {
            bound.entry(device).or_default().push(Reason::Pin { task, device });
            device
        });
        if known != device {
            return Some(vec![Reason::Pin { task, device: known }, Reason::Pin { task, device }]);
        }
    }
    for (&device, pins) in &bound {
        let most = seats[device].1;
        if pins.len() > most {
            let mut reasons = vec![Reason::Full { device, most }];
            reasons.extend(pins.iter().take(most + 1).cloned());
            return Some(reasons);
        }
    }
    for (set, members) in problem.limits.apart.iter().enumerate() {
        let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
        for &task in members {
            let Some(&device) = device_of.get(&task) else { continue };
            if let Some(&other) = taken.get(&device).filter(|&&other| other != task) {
                let pin = |task| Reason::Pin { task, device };
                return Some(vec![pin(other), pin(task), Reason::Apart { set }]);
            }
            taken.insert(device, task);
        }
    }
    None
}

fn sets(problem: &Problem) -> Option<Vec<Reason>> {
    let is_too_large = |members: &Vec<usize>| {
        let mut members = members.clone();
        members.sort_unstable();
        members.dedup();
        members.len() > problem.machine.devices()
    };
    problem.limits.apart.iter().position(is_too_large).map(|set| vec![Reason::Apart { set }])
}

fn sums(problem: &Problem) -> Option<Vec<Reason>> {
    let limits = &problem.limits;
    let devices = problem.machine.devices();
    if let Some(limit) = limits.load {
        let mean = problem.tasks.iter().map(|task| task.load).sum::<u64>().div_ceil(devices as u64);
        let largest = problem.tasks.iter().map(|task| task.load).max().unwrap_or(0);
        let needed = mean.max(largest);
        if needed > limit {
            return Some(vec![Reason::Load { needed, limit }]);
        }
    }
    if let Some(limit) = limits.memory {
        let needed = bytes(problem);
        if needed > limit {
            return Some(vec![Reason::Memory { needed, limit }]);
        }
    }
    let ready = problem.tasks.iter().filter(|task| task.is_ready).count();
    (limits.ready_everywhere && ready < devices).then(|| vec![Reason::Ready { ready, devices }])
}

/// Bytes that some device needs at least: those of the largest task with its modules, and the mean of all modules.
fn bytes(problem: &Problem) -> u64 {
    let mut used = vec![false; problem.modules.len()];
    let mut largest = 0;
    for task in &problem.tasks {
        let mut modules = task.modules.clone();
        modules.sort_unstable();
        modules.dedup();
        let held: u64 = modules.iter().map(|&module| problem.modules[module].memory).sum();
        largest = largest.max(held + task.memory);
        for module in modules {
            used[module] = true;
        }
    }
    let all: u64 = problem
        .modules
        .iter()
        .zip(&used)
        .filter(|(_, used)| **used)
        .map(|(module, _)| module.memory)
        .sum();
    largest.max(all.div_ceil(problem.machine.devices() as u64))
}

/// A limit that can be left out.
#[derive(Debug, Clone, Copy)]
enum Limit {
    Balance,
    Slots,
    Memory,
    Load,
    Ready,
    Pin(usize),
    Apart(usize),
}

/// The limits that are left when every one without which the search still `fails` is left out, as reasons.
pub(crate) fn smallest(problem: &Problem, fails: &dyn Fn(&Problem) -> bool) -> Vec<Reason> {
    let limits = &problem.limits;
    let mut all = Vec::new();
    all.extend((0..limits.apart.len()).map(Limit::Apart));
    all.extend((0..limits.pins.len()).map(Limit::Pin));
    all.extend(limits.ready_everywhere.then_some(Limit::Ready));
    all.extend(limits.load.map(|_| Limit::Load));
    all.extend(limits.memory.map(|_| Limit::Memory));
    all.extend(limits.slots.map(|_| Limit::Slots));
    all.extend((limits.balance != Balance::Free).then_some(Limit::Balance));
    let mut kept = all;
    let mut at = 0;
    for _ in 0..MOST_TRIALS.min(kept.len()) {
        let mut fewer = kept.clone();
        fewer.remove(at);
        if fails(&with(problem, &fewer)) {
            kept = fewer;
        } else {
            at += 1;
        }
    }
    let mut reasons: Vec<Reason> = kept.iter().flat_map(|&limit| reasons(problem, limit)).collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

/// The problem under some of its limits alone.
fn with(problem: &Problem, kept: &[Limit]) -> Problem {
    let mut less = problem.clone();
    let has = |wanted: fn(&Limit) -> bool| kept.iter().any(wanted);
    let limits = &mut less.limits;
    if !has(|limit| matches!(limit, Limit::Balance)) {
        limits.balance = Balance::Free;
    }
    limits.slots = limits.slots.filter(|_| has(|limit| matches!(limit, Limit::Slots)));
    limits.memory = limits.memory.filter(|_| has(|limit| matches!(limit, Limit::Memory)));
    limits.load = limits.load.filter(|_| has(|limit| matches!(limit, Limit::Load)));
    limits.ready_everywhere &= has(|limit| matches!(limit, Limit::Ready));
    let (mut pins, mut apart) = (Vec::new(), Vec::new());
    for limit in kept {
        match *limit {
            Limit::Pin(at) => pins.push(limits.pins[at]),
            Limit::Apart(at) => apart.push(limits.apart[at].clone()),
            Limit::Balance | Limit::Slots | Limit::Memory | Limit::Load | Limit::Ready => {}
        }
    }
    (limits.pins, limits.apart) = (pins, apart);
    less
}

fn reasons(problem: &Problem, limit: Limit) -> Vec<Reason> {
    let limits = &problem.limits;
    let (tasks, devices) = (problem.tasks.len(), problem.machine.devices());
    match limit {
        Limit::Balance | Limit::Slots => {
            let seats = problem.seats().iter().map(|(_, most)| most).sum();
            vec![Reason::Seats { tasks, seats }]
        }
        Limit::Memory => {
            let limit = limits.memory.unwrap_or(0);
            vec![Reason::Memory { needed: bytes(problem), limit }]
        }
        Limit::Load => {
            let sum: u64 = problem.tasks.iter().map(|task| task.load).sum();
            let limit = limits.load.unwrap_or(0);
            vec![Reason::Load { needed: sum.div_ceil(devices as u64), limit }]
        }
        Limit::Ready => {
            let ready = problem.tasks.iter().filter(|task| task.is_ready).count();
            vec![Reason::Ready { ready, devices }]
        }
        Limit::Pin(at) => {
            let (task, device) = limits.pins[at];
            vec![Reason::Pin { task, device }]
        }
        Limit::Apart(set) => vec![Reason::Apart { set }],
    }
}
