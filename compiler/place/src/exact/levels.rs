//! Nodes first: the tree places tasks on nodes, and every node whose tasks are known is a problem of its own.

use std::collections::HashMap;

use super::search::{self, Found};
use crate::bound::{Cover, node_seats, room_bound};
use crate::instance::{Instance, narrow, tighten};
use crate::objective::{Objective, Spread};
use crate::problem::{Balance, Limits, Machine, Module, Problem, Task};

/// What is known of a set of tasks on one node, as weights of all copies on its devices.
#[derive(Debug, Clone)]
struct Known {
    /// No assignment has less.
    least: u64,
    /// The assignment that has as much, if found.
    homes: Option<Vec<u32>>,
}

/// The problems of nodes.
pub(super) struct Levels<'a> {
    instance: &'a Instance,
    spread: Spread,
    /// The least that devices pay, wherever tasks are.
    devices: u64,
    /// Per node: the first one that is alike.
    like: Vec<usize>,
    /// Per node, or one that it is like, and its tasks.
    known: HashMap<(usize, Vec<u32>), Known>,
}

impl<'a> Levels<'a> {
    /// None when one level is all there is, limits keep tasks apart, prices are not of copies, or nodes differ that would be alike
    /// to the upper level: as many seats, but on other devices.
    pub(super) fn new(instance: &'a Instance) -> Option<Self> {
        let Objective::Spread(spread) = instance.objective else { return None };
        let machine = instance.machine;
        if machine.nodes < 2 || machine.devices_per_node < 2 || instance.apart_sets > 0 {
            return None;
        }
        let like = like(instance)?;
        let seats: Vec<(usize, usize)> =
            instance.seats.iter().map(|&(least, most)| (least as usize, most as usize)).collect();
        let room = seats.iter().map(|&(_, most)| most).max().unwrap_or(0);
        let cover = Cover::new(instance, room);
        let devices = spread.intra * cover.over(instance.tasks(), &seats);
        Some(Self { instance, spread, devices, like, known: HashMap::new() })
    }

    /// What devices pay at least.
    pub(super) fn devices(&self) -> u64 {
        self.devices
    }

    /// What nodes and devices may pay to cost less than `known`, first copies included.
    pub(super) fn limit(&self, known: u64) -> u64 {
        let held: u64 = self.instance.weight.iter().sum();
        (known + held * (self.spread.inter + self.spread.intra)).saturating_sub(self.instance.fixed)
    }

    /// The tables of the upper level: nodes as devices.
    pub(super) fn upper(&self) -> Instance {
        let machine = self.instance.machine;
        let mut seats = node_seats(self.instance);
        tighten(&mut seats, self.instance.tasks());
        Instance {
            machine: Machine { nodes: machine.nodes, devices_per_node: 1 },
            objective: Objective::Spread(Spread { intra: 0, ..self.spread }),
            seats: seats.into_iter().map(|(low, high)| (narrow(low), narrow(high))).collect(),
            pinned: self
                .instance
                .pinned
                .iter()
                .map(|pin| pin.map(|device| narrow(machine.node(device as usize))))
                .collect(),
            ..self.instance.clone()
        }
    }

    /// The cheapest devices of tasks whose nodes are known, if they pay less than `limit`; none when the steps ran out.
    pub(super) fn place(&mut self, nodes: &[u32], limit: u64, steps: &mut u64) -> Option<Found> {
        let machine = self.instance.machine;
        let mut tasks = vec![Vec::new(); machine.nodes];
        for (task, &node) in nodes.iter().enumerate() {
            tasks[node as usize].push(narrow(task));
        }
        let problems: Vec<Problem> =
            tasks.iter().enumerate().map(|(node, tasks)| self.problem(node, tasks)).collect();
        let tables: Vec<Instance> = problems.iter().map(Instance::new).collect();
        let tasks: Vec<(usize, Vec<u32>)> =
            tasks.into_iter().enumerate().map(|(node, tasks)| (self.like[node], tasks)).collect();
        for (tasks, instance) in tasks.iter().zip(&tables) {
            if !self.known.contains_key(tasks) {
                let least =
                    instance.fixed + room_bound(instance, &self.spread) + self.once(&tasks.1);
                self.known.insert(tasks.clone(), Known { least, homes: None });
            }
        }
        let mut homes = vec![0; nodes.len()];
        let mut sum: u64 = tasks.iter().map(|tasks| self.known[tasks].least).sum();
        for (node, (tasks, instance)) in tasks.iter().zip(&tables).enumerate() {
            let before = self.known[tasks].least;
            if sum >= limit {
                return Some(Found::Nothing);
            }
            if self.known[tasks].homes.is_none() {
                let once = self.once(&tasks.1);
                // It may pay what the others leave.
                let most = limit - (sum - before) - once;
                let found = search::run(instance, most, *steps);
                *steps = steps.saturating_sub(found.nodes);
                if !found.is_proved {
                    return None;
                }
                let least = match &found.homes {
                    Some(homes) => cost(instance, homes) + once,
                    None => most + once,
                };
                self.known.insert(tasks.clone(), Known { least, homes: found.homes });
            }
            let known = &self.known[tasks];
            sum = sum - before + known.least;
            let first = narrow(node * machine.devices_per_node);
            for (&task, &home) in tasks.1.iter().zip(known.homes.iter().flatten()) {
                homes[task as usize] = first + home;
            }
        }
        Some(if sum < limit { Found::Better(sum, homes) } else { Found::Nothing })
    }

    /// What a node pays for the first copy of each of its modules.
    fn once(&self, tasks: &[u32]) -> u64 {
        let mut modules: Vec<u32> = tasks
            .iter()
            .flat_map(|&task| self.instance.modules_of.of(task as usize))
            .copied()
            .collect();
        modules.sort_unstable();
        modules.dedup();
        self.spread.intra
            * modules.iter().map(|&module| self.instance.weight[module as usize]).sum::<u64>()
    }

    fn problem(&self, node: usize, tasks: &[u32]) -> Problem {
        let per_node = self.instance.machine.devices_per_node;
        let seats = &self.instance.seats[node * per_node..(node + 1) * per_node];
        let modules = |&task: &u32| {
            self.instance.modules_of.of(task as usize).iter().map(|&at| at as usize).collect()
        };
        let pin = |(at, &task): (usize, &u32)| {
            self.instance.pinned[task as usize].map(|device| (at, device as usize % per_node))
        };
        let pins = tasks.iter().enumerate().filter_map(pin).collect();
        Problem {
            machine: Machine { nodes: 1, devices_per_node: per_node },
            tasks: tasks.iter().map(modules).map(Task::of).collect(),
            modules: self
                .instance
                .weight
                .iter()
                .map(|&weight| Module { weight, memory: 0 })
                .collect(),
            limits: Limits {
                balance: Balance::Within(
                    seats.iter().map(|&(least, most)| (least as usize, most as usize)).collect(),
                ),
                pins,
                ..Limits::default()
            },
            objective: Objective::Spread(Spread { inter: 0, ..self.spread }),
        }
    }
}

/// Per node the first one with the same seats, or itself if tasks are bound to it; none when some of as many seats differ.
fn like(instance: &Instance) -> Option<Vec<usize>> {
    let machine = instance.machine;
    let nodes: Vec<&[(u32, u32)]> = instance.seats.chunks(machine.devices_per_node).collect();
    let mut sums = node_seats(instance);
    tighten(&mut sums, instance.tasks());
    let is_bound = |node| {
        instance.pinned.iter().flatten().any(|&device| machine.node(device as usize) == node)
    };
    let one = |node: usize| {
        if is_bound(node) {
            return Some(node);
        }
        let first = (0..node).find(|&other| sums[other] == sums[node] && !is_bound(other));
        let first = first.unwrap_or(node);
        (nodes[first] == nodes[node]).then_some(first)
    };
    (0..machine.nodes).map(one).collect()
}

/// The cost of an assignment of tables.
fn cost(instance: &Instance, homes: &[u32]) -> u64 {
    crate::state::State::of(instance, homes).cost()
}
