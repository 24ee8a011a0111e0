//! What a mapping of lanes on ranks costs: the predicted time of a step, copies of modules, memory.

use std::collections::BTreeMap;

use mmc_plan::schedule::LANE_PARTS;
use mmc_plan::{ClusterSpec, LaneSpec, LinkSpec, TrainingSpec};

use super::apportion::Laid;
use crate::cost::{
    Work, all_reduce_seconds, compute_seconds, node_count, sum_bytes, summed_bytes, whole,
};
use crate::ir::experiment::{Experiment, MappingObjective};
use crate::ir::module::ModuleGraph;

/// What a mapping is judged by.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) cluster: &'a ClusterSpec,
    pub(super) lanes: usize,
    /// Lanes that hold the same modules, and the bytes that they exchange in a step, in expectation.
    pub(super) shared: Vec<(Vec<usize>, u64)>,
    /// Of those: how many modules.
    shared_modules: Vec<u64>,
    pub(super) objective: MappingObjective,
    /// Per lane: its modules (place, bytes of state).
    modules: Vec<BTreeMap<usize, u64>>,
    /// Per lane: bytes of activations of its largest batch.
    activations: Vec<u64>,
    /// Per lane: nanoseconds of computing in a step, in expectation.
    pub(super) computing: Vec<u64>,
}

/// What makes up a rank's memory: names and bytes.
pub(super) type Contributors = Vec<(String, u64)>;

/// Module -> the lanes that hold it.
fn holders(lanes: &[BTreeMap<usize, u64>], modules: usize) -> Vec<Vec<usize>> {
    let mut holders = vec![Vec::new(); modules];
    for (lane, held) in lanes.iter().enumerate() {
        for &at in held.keys() {
            if let Some(lanes) = holders.get_mut(at) {
                lanes.push(lane);
            }
        }
    }
    holders
}

/// Nanoseconds that each lane computes in a step, in expectation: the terms of a rank's `step_seconds`.
fn computing(experiment: &Experiment, graph: &ModuleGraph, laid: &Laid) -> Vec<u64> {
    let accumulate = experiment.training.value.accumulate;
    let of_lane = |(lane, tasks): (&LaneSpec, &Vec<usize>)| {
        let mut work = Work::default();
        for (task, &at) in lane.tasks.values().zip(tasks) {
            if let Some(path) = graph.paths.get(at) {
                work.add(task.parts, accumulate, path);
            }
        }
        whole(compute_seconds(&experiment.cluster.value, work.operations(), work.bytes()) * 1e9)
    };
    laid.lanes.iter().zip(&laid.tasks).map(of_lane).collect()
}

/// Lanes that hold the same modules: the bytes that they exchange in a step, in expectation, and how many modules.
fn shared(
    training: &TrainingSpec,
    graph: &ModuleGraph,
    holders: Vec<Vec<usize>>,
    idle: &[f64],
) -> BTreeMap<Vec<usize>, (u64, u64)> {
    let width = summed_bytes(training.precision);
    let mut merged: BTreeMap<Vec<usize>, (u64, u64)> = BTreeMap::new();
    for ((module, holders), idle) in graph.modules.iter().zip(holders).zip(idle) {
        if holders.len() > 1 {
            let (bytes, modules) = merged.entry(holders).or_default();
            *bytes += expected(module.parameters * width, 1.0 - idle);
            *modules += 1;
        }
    }
    merged
}

impl<'a> Judge<'a> {
    pub(super) fn new(experiment: &'a Experiment, graph: &ModuleGraph, laid: &Laid) -> Self {
        let Laid { lanes, tasks, .. } = laid;
        let (mut modules, mut activations) = (Vec::new(), Vec::new());
        // Module -> the chance that no lane trains it in a step.
        let mut idle = vec![1.0; graph.modules.len()];
        for (lane, tasks) in lanes.iter().zip(tasks) {
            // With the task that added last: a path may pass a module twice.
            let mut parts: Vec<Option<(u32, usize)>> = vec![None; graph.modules.len()];
            let mut peak = 0;
            for (task, &at) in lane.tasks.values().zip(tasks) {
                let Some(path) = graph.paths.get(at) else { continue };
                peak = peak.max(path.activation_bytes);
                for module in path.steps() {
                    match parts.get_mut(module.index()) {
                        Some(Some((_, last))) if *last == at => {}
                        Some(sum) => *sum = Some((sum.map_or(0, |(sum, _)| sum) + task.parts, at)),
                        None => {}
                    }
                }
            }
            let mut held = BTreeMap::new();
            let rows = graph.modules.iter().zip(&mut idle).zip(parts).enumerate();
            for (at, ((module, idle), parts)) in rows {
                if let Some((parts, _)) = parts {
                    *idle *= 1.0 - f64::from(parts) / f64::from(LANE_PARTS);
                    held.insert(at, module.state_bytes);
                }
            }
            modules.push(held);
            activations.push(peak);
        }
        let holders = holders(&modules, graph.modules.len());
        let training = &experiment.training.value;
        for (at, bytes) in modules.iter_mut().flatten() {
            if let (Some(module), Some(lanes)) = (graph.modules.get(*at), holders.get(*at)) {
                *bytes += sum_bytes(training, module.frozen, lanes.len()) * module.parameters;
            }
        }
        let mut judge = Self {
            cluster: &experiment.cluster.value,
            lanes: lanes.len(),
            shared: Vec::new(),
            shared_modules: Vec::new(),
            objective: experiment.placement.objective,
            modules,
            activations,
            computing: computing(experiment, graph, laid),
        };
        for (lanes, (bytes, modules)) in shared(training, graph, holders, &idle) {
            judge.shared.push((lanes, bytes));
            judge.shared_modules.push(modules);
        }
        judge
    }

    /// Nanoseconds of one step, in expectation: whole numbers, so that ties are ties everywhere.
    pub(super) fn nanoseconds(&self, rank_of_lane: &[u32]) -> u64 {
        let mut of_rank: BTreeMap<u32, u64> = BTreeMap::new();
        for (rank, nanoseconds) in rank_of_lane.iter().zip(&self.computing) {
            let sum = of_rank.entry(*rank).or_default();
            *sum = sum.saturating_add(*nanoseconds);
        }
        let slowest = of_rank.into_values().max().unwrap_or(0);
        slowest.saturating_add(self.communication(rank_of_lane))
    }

    fn communication(&self, rank_of_lane: &[u32]) -> u64 {
        let mut sets: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        for (lanes, bytes) in &self.shared {
            let mut ranks: Vec<u32> =
                lanes.iter().filter_map(|&lane| rank_of_lane.get(lane).copied()).collect();
            ranks.sort_unstable();
            ranks.dedup();
            if ranks.len() > 1 {
                *sets.entry(ranks).or_default() += bytes;
            }
        }
        let seconds: f64 = sets
            .iter()
            .map(|(ranks, bytes)| {
                let nodes = node_count(self.cluster, ranks);
                all_reduce_seconds(&self.cluster.links, ranks.len() as u64, nodes, *bytes)
            })
            .sum();
        whole(seconds * 1e9)
    }

    /// What the objective says of a mapping.
    pub(super) fn cost(&self, rank_of_lane: &[u32]) -> u64 {
        match self.objective {
            MappingObjective::Time => self.nanoseconds(rank_of_lane),
            MappingObjective::Mammoth => self.copies(rank_of_lane),
        }
    }

    /// Copies of modules by MAMMOTH's prices: five for a node beyond the first, one for a device beyond the first.
    fn copies(&self, rank_of_lane: &[u32]) -> u64 {
        let copies = |lanes: &[usize]| {
            let mut ranks: Vec<u32> =
                lanes.iter().filter_map(|&lane| rank_of_lane.get(lane).copied()).collect();
            ranks.sort_unstable();
            ranks.dedup();
            let nodes = node_count(self.cluster, &ranks);
            5 * nodes.saturating_sub(1) + (ranks.len() as u64).saturating_sub(1)
        };
        let sets = self.shared.iter().zip(&self.shared_modules);
        sets.map(|((lanes, _), modules)| modules * copies(lanes)).sum()
    }

    /// Sets of lanes with what the engine weighs them by.
    pub(super) fn weighted(&self) -> Vec<(Vec<usize>, u64)> {
        match self.objective {
            MappingObjective::Time => self.shared.clone(),
            MappingObjective::Mammoth => {
                let sets = self.shared.iter().zip(&self.shared_modules);
                sets.map(|((lanes, _), modules)| (lanes.clone(), *modules)).collect()
            }
        }
    }

    /// No mapping takes less: some rank has the heaviest lane and at least the mean of the computing; every set of lanes needs
    /// some ranks, and the ranks some nodes; latencies, which sets can share, are left out.
    pub(super) fn least_nanoseconds(&self) -> u64 {
        let (ranks, most, _) = self.sizes();
        let heaviest = self.computing.iter().copied().max().unwrap_or(0);
        let all = self.computing.iter().fold(0_u64, |sum, of_lane| sum.saturating_add(*of_lane));
        let slowest = heaviest.max(all.div_ceil(u64::from(ranks)));
        let on_node = u64::from(self.cluster.devices_per_node.max(1));
        let links = LinkSpec { latency: 0.0, ..self.cluster.links };
        let least = |(lanes, bytes): &(Vec<usize>, u64)| {
            let fewest = lanes.len().div_ceil(most.max(1)) as u64;
            let nodes = u64::from(self.cluster.nodes.max(1));
            (fewest..=u64::from(ranks).min(lanes.len() as u64))
                .flat_map(|ranks| {
                    (ranks.div_ceil(on_node)..=ranks.min(nodes)).map(move |n| (ranks, n))
                })
                .map(|(ranks, nodes)| all_reduce_seconds(&links, ranks, nodes, *bytes))
                .min_by(f64::total_cmp)
                .unwrap_or(0.0)
        };
        slowest.saturating_add(floored(self.shared.iter().map(least).sum::<f64>() * 1e9))
    }

    /// Ranks of the cluster, and the lanes that one may and must take.
    pub(super) fn sizes(&self) -> (u32, usize, usize) {
        let ranks = (self.cluster.nodes * self.cluster.devices_per_node).max(1);
        let count = ranks as usize;
        (ranks, self.lanes.div_ceil(count), self.lanes / count)
    }

    /// Bytes that each rank needs.
    pub(super) fn memory(&self, rank_of_lane: &[u32]) -> BTreeMap<u32, u64> {
        let mut held: BTreeMap<u32, (BTreeMap<usize, u64>, u64)> = BTreeMap::new();
        for (lane, &rank) in rank_of_lane.iter().enumerate() {
            let entry = held.entry(rank).or_default();
            entry.0.extend(self.modules.get(lane).into_iter().flatten());
            entry.1 = entry.1.max(self.activations.get(lane).copied().unwrap_or(0));
        }
        held.into_iter()
            .map(|(rank, (modules, peak))| (rank, modules.values().sum::<u64>() + peak))
            .collect()
    }

    /// What a rank's memory is made of, the largest first.
    pub(super) fn contributors(
        &self,
        rank_of_lane: &[u32],
        rank: u32,
        graph: &ModuleGraph,
    ) -> Contributors {
        let mut all: BTreeMap<usize, u64> = BTreeMap::new();
        let mut peak = 0;
        for lane in (0..self.lanes).filter(|&lane| rank_of_lane.get(lane) == Some(&rank)) {
            all.extend(self.modules.get(lane).into_iter().flatten());
            peak = peak.max(self.activations.get(lane).copied().unwrap_or(0));
        }
        let mut found: Contributors = all
            .into_iter()
            .filter_map(|(at, bytes)| Some((format!("`{}`", graph.modules.get(at)?.name), bytes)))
            .collect();
        found.push(("activations of a batch".to_owned(), peak));
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found
    }

    pub(super) fn peak(&self, rank_of_lane: &[u32]) -> u64 {
        self.memory(rank_of_lane).into_values().max().unwrap_or(0)
    }
}

/// A whole number that is surely not above a sum of rounded terms.
fn floored(value: f64) -> u64 {
    whole(value * (1.0 - 1e-9)).saturating_sub(1)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn expected(bytes: u64, probability: f64) -> u64 {
    whole(bytes as f64 * probability)
}
