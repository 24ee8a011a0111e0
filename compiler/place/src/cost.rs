//! What an assignment costs and which limits it breaks, computed from the definitions; shares no code with the search.

use std::collections::{BTreeMap, BTreeSet};

use crate::answer::Reason;
use crate::objective::Objective;
use crate::problem::Problem;

/// The cost of an assignment: per task, in order, its device.
pub fn cost(problem: &Problem, assignment: &[usize]) -> u64 {
    let mut holders: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (task, &device) in problem.tasks.iter().zip(assignment) {
        for &module in &task.modules {
            holders.entry(module).or_default().insert(device);
        }
    }
    let shared: u64 = holders
        .iter()
        .map(|(&module, devices)| {
            let nodes: BTreeSet<usize> =
                devices.iter().map(|&device| problem.machine.node(device)).collect();
            let weight = problem.modules.get(module).map_or(0, |module| module.weight);
            problem.objective.price(weight, nodes.len(), devices.len())
        })
        .sum();
    shared + over_devices(problem, assignment)
}

/// The terms over devices.
fn over_devices(problem: &Problem, assignment: &[usize]) -> u64 {
    let sums = |of: &dyn Fn(usize) -> u64| -> Vec<u64> {
        let mut sums = vec![0; problem.machine.devices()];
        for (task, &device) in assignment.iter().enumerate() {
            if let Some(sum) = sums.get_mut(device) {
                *sum += of(task);
            }
        }
        sums
    };
    let task = |at: usize| problem.tasks.get(at);
    match &problem.objective {
        Objective::Spread(spread) => {
            let ready = |at: usize| u64::from(task(at).is_some_and(|task| task.is_ready));
            spread.tasks.price(&sums(&|_| 1)) + spread.ready.price(&sums(&ready))
        }
        Objective::Time(_) => {
            let loads = sums(&|at| task(at).map_or(0, |task| task.load));
            loads.into_iter().max().unwrap_or(0)
        }
    }
}

/// The limits that an assignment breaks, in order and each once.
pub fn broken(problem: &Problem, assignment: &[usize]) -> Vec<Reason> {
    let mut found = BTreeSet::new();
    let mut tasks_of = vec![Vec::new(); problem.machine.devices()];
    for (task, &device) in assignment.iter().enumerate() {
        if let Some(here) = tasks_of.get_mut(device) {
            here.push(task);
        }
    }
    for (device, ((least, most), here)) in problem.seats().into_iter().zip(&tasks_of).enumerate() {
        if here.len() < least {
            found.insert(Reason::Empty { device, least });
        }
        if here.len() > most {
            found.insert(Reason::Full { device, most });
        }
        on_device(problem, here, &mut found);
    }
    for &(task, device) in &problem.limits.pins {
        if assignment.get(task) != Some(&device) {
            found.insert(Reason::Pin { task, device });
        }
    }
    for (set, members) in problem.limits.apart.iter().enumerate() {
        let mut devices = BTreeSet::new();
        let members: BTreeSet<usize> = members.iter().copied().collect();
        if !members.iter().filter_map(|&task| assignment.get(task)).all(|&at| devices.insert(at)) {
            found.insert(Reason::Apart { set });
        }
    }
    found.into_iter().collect()
}

fn on_device(problem: &Problem, here: &[usize], found: &mut BTreeSet<Reason>) {
    let limits = &problem.limits;
    let tasks = || here.iter().filter_map(|&task| problem.tasks.get(task));
    if let Some(limit) = limits.memory {
        let modules: BTreeSet<usize> = tasks().flat_map(|task| task.modules.clone()).collect();
        let bytes = |module: &usize| problem.modules.get(*module).map_or(0, |module| module.memory);
        let needed = modules.iter().map(bytes).sum::<u64>()
            + tasks().map(|task| task.memory).max().unwrap_or(0);
        if needed > limit {
            found.insert(Reason::Memory { needed, limit });
        }
    }
    if let Some(limit) = limits.load {
        let needed = tasks().map(|task| task.load).sum();
        if needed > limit {
            found.insert(Reason::Load { needed, limit });
        }
    }
    if limits.ready_everywhere && !tasks().any(|task| task.is_ready) {
        let ready = problem.tasks.iter().filter(|task| task.is_ready).count();
        found.insert(Reason::Ready { ready, devices: problem.machine.devices() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{Machine, Task};

    fn two_by_two() -> Problem {
        let machine = Machine { nodes: 2, devices_per_node: 2 };
        Problem::of(machine, vec![vec![0, 1], vec![0, 2], vec![0, 1], vec![3]])
    }

    #[test]
    fn copies_on_nodes_and_devices() {
        // Module 0 on devices 0, 1, 2 of two nodes; module 1 on 0 and 2; the others on one.
        assert_eq!(cost(&two_by_two(), &[0, 1, 2, 3]), (5 + 2) + (5 + 1));
        assert_eq!(cost(&two_by_two(), &[0, 0, 0, 0]), 0);
    }

    #[test]
    fn every_limit_can_be_broken() {
        let mut problem = two_by_two();
        problem.limits.pins = vec![(3, 2)];
        problem.limits.apart = vec![vec![0, 1]];
        problem.limits.memory = Some(4);
        problem.limits.load = Some(2);
        problem.limits.ready_everywhere = true;
        problem.modules[1].memory = 5;
        problem.tasks[3] = Task { is_ready: false, ..Task::of(vec![3]) };
        let found = broken(&problem, &[0, 0, 0, 1]);
        assert_eq!(
            found,
            [
                Reason::Full { device: 0, most: 1 },
                Reason::Empty { device: 2, least: 1 },
                Reason::Empty { device: 3, least: 1 },
                Reason::Pin { task: 3, device: 2 },
                Reason::Apart { set: 0 },
                Reason::Memory { needed: 5, limit: 4 },
                Reason::Load { needed: 3, limit: 2 },
                Reason::Ready { ready: 3, devices: 4 },
            ]
        );
        let mut plain = two_by_two();
        plain.limits.pins = vec![(0, 1)];
        assert_eq!(broken(&plain, &[1, 0, 2, 3]), []);
    }
}
