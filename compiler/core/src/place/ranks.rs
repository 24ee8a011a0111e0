//! Lanes -> ranks: free for the mathematics, so chosen for speed: the mapping with the least predicted time of a step, which is
//! the computing of the slowest rank and the communication.

use std::collections::BTreeMap;

use mmc_place::{Effort, Objective};
use mmc_plan::schedule::LANE_PARTS;
use mmc_plan::{ClusterSpec, FoundSpec, LaneSpec, LinkSpec, TrainingSpec};

use super::apportion::Laid;
use super::mapping;
use super::wishes::Wish;
use crate::cost::{all_reduce_seconds, compute_seconds, node_count, sum_bytes, summed_bytes};
use crate::ir::experiment::{Experiment, MappingObjective};
use crate::ir::module::ModuleGraph;

/// Mappings that are looked at when all are, at most.
const MOST_MAPPINGS: usize = 4_000;
/// Module sets times lanes looked at by local search, at most.
const SEARCH_WORK: usize = 3_000_000;

/// All mappings were looked at.
const ALL: &str = "all";
/// Nothing was looked for.
const IN_TURN: &str = "in turn";
/// As wished, and nothing was looked for.
const WISHED: &str = "wished";
/// Lanes were exchanged while that helped.
const EXCHANGES: &str = "exchanges";
/// The fastest mapping did not fit.
const FOR_MEMORY: &str = "memory";

/// What a mapping is judged by.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    cluster: &'a ClusterSpec,
    lanes: usize,
    /// Lanes that hold the same modules, and the bytes that they exchange in a step, in expectation.
    shared: Vec<(Vec<usize>, u64)>,
    /// Of those: how many modules.
    shared_modules: Vec<u64>,
    objective: MappingObjective,
    /// Per lane: its modules (place, bytes of state).
    modules: Vec<BTreeMap<usize, u64>>,
    /// Per lane: bytes of activations of its largest batch.
    activations: Vec<u64>,
    /// Per lane: nanoseconds of computing in a step, in expectation.
    computing: Vec<u64>,
}

/// Wishes that a mapping must keep.
#[derive(Debug)]
pub(super) struct Keeper<'a> {
    /// A mapping that keeps them.
    pub(super) start: &'a [u32],
    pub(super) wishes: &'a [Wish],
    /// Per task: the lanes that it lies on.
    pub(super) lanes_of: Vec<Vec<usize>>,
}

impl Keeper<'_> {
    fn keeps(&self, mapping: &[u32]) -> bool {
        self.wishes.iter().all(|wish| wish.is_kept(&self.lanes_of, mapping))
    }
}

/// What makes up a rank's memory: names and bytes.
pub(super) type Contributors = Vec<(String, u64)>;

/// Adds to the state of modules that several lanes train the sum of their gradients over lanes.
fn add_sums(lanes: &mut [BTreeMap<usize, u64>], graph: &ModuleGraph, training: &TrainingSpec) {
    let mut users = vec![0; graph.modules.len()];
    for at in lanes.iter().flat_map(BTreeMap::keys) {
        if let Some(count) = users.get_mut(*at) {
            *count += 1;
        }
    }
    for (at, bytes) in lanes.iter_mut().flatten() {
        if let (Some(module), Some(&lanes)) = (graph.modules.get(*at), users.get(*at)) {
            *bytes += sum_bytes(training, module.frozen, lanes) * module.parameters;
        }
    }
}

/// Nanoseconds that each lane computes in a step, in expectation: the terms of a rank's `step_seconds`.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn computing(experiment: &Experiment, graph: &ModuleGraph, laid: &Laid) -> Vec<u64> {
    let accumulate = f64::from(experiment.training.value.accumulate);
    let of_lane = |(lane, tasks): (&LaneSpec, &Vec<usize>)| {
        let (mut flops, mut moved) = (0.0, 0.0);
        for (task, path) in lane.tasks.values().zip(tasks.iter().map(|&at| graph.paths.get(at))) {
            let share = f64::from(task.parts) / f64::from(LANE_PARTS);
            flops += share * accumulate * path.map_or(0.0, |path| path.batch_flops as f64);
            moved += share * path.map_or(0.0, |path| path.step_bytes_moved as f64);
        }
        let seconds = compute_seconds(&experiment.cluster.value, rounded(flops), rounded(moved));
        rounded(seconds * 1e9)
    };
    laid.lanes.iter().zip(&laid.tasks).map(of_lane).collect()
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
        add_sums(&mut modules, graph, &experiment.training.value);
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
        for (lanes, (bytes, modules)) in judge.shared_bytes(experiment, graph, &idle) {
            judge.shared.push((lanes, bytes));
            judge.shared_modules.push(modules);
        }
        judge
    }

    fn shared_bytes(
        &self,
        experiment: &Experiment,
        graph: &ModuleGraph,
        idle: &[f64],
    ) -> BTreeMap<Vec<usize>, (u64, u64)> {
        let width = summed_bytes(experiment.training.value.precision);
        let mut holders: Vec<Vec<usize>> = vec![Vec::new(); graph.modules.len()];
        for (lane, held) in self.modules.iter().enumerate() {
            for &at in held.keys() {
                if let Some(lanes) = holders.get_mut(at) {
                    lanes.push(lane);
                }
            }
        }
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

    /// Nanoseconds of one step, in expectation: whole numbers, so that ties are ties everywhere.
    fn nanoseconds(&self, rank_of_lane: &[u32]) -> u64 {
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
        rounded(seconds * 1e9)
    }

    /// What the objective says of a mapping.
    fn cost(&self, rank_of_lane: &[u32]) -> u64 {
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
    fn weighted(&self) -> Vec<(Vec<usize>, u64)> {
        match self.objective {
            MappingObjective::Time => self.shared.clone(),
            MappingObjective::Mammoth => {
                let sets = self.shared.iter().zip(&self.shared_modules);
                sets.map(|((lanes, _), modules)| (lanes.clone(), *modules)).collect()
            }
        }
    }

    fn engine_objective(&self) -> Objective {
        match self.objective {
            MappingObjective::Time => mapping::time(&self.cluster.links),
            MappingObjective::Mammoth => Objective::default(),
        }
    }

    /// A mapping's nanoseconds in a step, and how few they could be.
    pub(super) fn found(&self, rank_of_lane: &[u32], algorithm: &str) -> FoundSpec {
        let cost = self.nanoseconds(rank_of_lane);
        let is_least = algorithm == ALL && self.objective == MappingObjective::Time;
        let bound = if is_least { cost } else { self.least_nanoseconds().min(cost) };
        FoundSpec { cost, bound, algorithm: algorithm.to_owned() }
    }

    /// No mapping takes less: some rank has the heaviest lane and at least the mean of the computing; every set of lanes needs
    /// some ranks, and the ranks some nodes; latencies, which sets can share, are left out.
    fn least_nanoseconds(&self) -> u64 {
        let (ranks, most, _) = sizes(self);
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

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded, not negative"
)]
fn rounded(value: f64) -> u64 {
    libm::round(value) as u64
}

/// A whole number that is surely not above a sum of rounded terms.
fn floored(value: f64) -> u64 {
    rounded(value * (1.0 - 1e-9)).saturating_sub(1)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn expected(bytes: u64, probability: f64) -> u64 {
    rounded(bytes as f64 * probability)
}

/// The rank of every lane: least time; when that does not fit into the devices' memory, least peak memory. Without an effort the
/// lanes in turn.
///
/// The two mappings do not depend on the capacity, so that more memory never makes a plan impossible.
///
/// Wishes are kept by all mappings that are looked at, those of a search that knows none of them left out.
pub(super) fn map(
    judge: &Judge<'_>,
    effort: Option<Effort>,
    keeper: Option<&Keeper<'_>>,
) -> (Vec<u32>, &'static str) {
    let Some(effort) = effort else {
        return keeper.map_or_else(|| (in_turn(judge), IN_TURN), |of| (of.start.to_vec(), WISHED));
    };
    let best = |score: &dyn Fn(&[u32]) -> Score| match keeper {
        None => best(judge, effort, score),
        Some(keeper) => {
            let kept = |mapping: &[u32]| {
                if keeper.keeps(mapping) { score(mapping) } else { (u64::MAX, u64::MAX) }
            };
            (local(judge, &kept, keeper.start.to_vec()), EXCHANGES)
        }
    };
    let fast = best(&|mapping| (judge.cost(mapping), 0));
    if judge.peak(&fast.0) <= judge.cluster.device_memory {
        return fast;
    }
    let small = best(&|mapping| (judge.peak(mapping), judge.cost(mapping)));
    if judge.peak(&small.0) < judge.peak(&fast.0) { (small.0, FOR_MEMORY) } else { fast }
}

type Score = (u64, u64);

fn best(
    judge: &Judge<'_>,
    effort: Effort,
    score: &dyn Fn(&[u32]) -> Score,
) -> (Vec<u32>, &'static str) {
    if let Some(mapping) = least_of_all(judge, score) {
        return (mapping, ALL);
    }
    let plain = local(judge, score, in_turn(judge));
    let (weighted, objective) = (judge.weighted(), judge.engine_objective());
    let engine = mapping::map(judge.cluster, &judge.computing, &weighted, (objective, effort))
        .map(|start| local(judge, score, start));
    match engine {
        Some(found) if score(&found) < score(&plain) => (found, "search"),
        Some(_) | None => (plain, EXCHANGES),
    }
}

/// Ranks of the cluster, and the lanes that one may and must take.
fn sizes(judge: &Judge<'_>) -> (u32, usize, usize) {
    let ranks = (judge.cluster.nodes * judge.cluster.devices_per_node).max(1);
    let count = ranks as usize;
    (ranks, judge.lanes.div_ceil(count), judge.lanes / count)
}

/// The best of all mappings, the first of equals; none when they are too many.
fn least_of_all(judge: &Judge<'_>, score: &dyn Fn(&[u32]) -> Score) -> Option<Vec<u32>> {
    // Counting is cheap and judging is not: nothing is judged in vain.
    let mut count = 0;
    Enumeration::new(judge, &mut |_| count += 1).extend();
    if count > MOST_MAPPINGS {
        return None;
    }
    let mut best: Option<(Score, Vec<u32>)> = None;
    let mut see = |mapping: &[u32]| {
        let score = score(mapping);
        if best.as_ref().is_none_or(|(known, _)| score < *known) {
            best = Some((score, mapping.to_vec()));
        }
    };
    Enumeration::new(judge, &mut see).extend();
    best.map(|(_, mapping)| mapping)
}

/// All mappings up to renaming of nodes and of devices of a node, in order.
struct Enumeration<'a> {
    judge: &'a Judge<'a>,
    see: &'a mut dyn FnMut(&[u32]),
    seen: usize,
    mapping: Vec<u32>,
    /// Rank -> its lanes so far.
    loads: Vec<usize>,
}

impl<'a> Enumeration<'a> {
    fn new(judge: &'a Judge<'a>, see: &'a mut dyn FnMut(&[u32])) -> Self {
        let loads = vec![0; sizes(judge).0 as usize];
        Self { judge, see, seen: 0, mapping: Vec::new(), loads }
    }

    fn extend(&mut self) {
        if self.seen > MOST_MAPPINGS {
            return;
        }
        let (ranks, most, least) = sizes(self.judge);
        if self.mapping.len() == self.judge.lanes {
            self.seen += 1;
            (self.see)(&self.mapping);
            return;
        }
        // Ranks that still lack lanes must get them from what is left.
        let lacking: usize = self.loads.iter().map(|load| least.saturating_sub(*load)).sum();
        let is_due = lacking >= self.judge.lanes - self.mapping.len();
        let room = if is_due { least } else { most };
        for rank in 0..ranks {
            if self.load(rank) < room && self.is_first_of_its_kind(rank) {
                self.mapping.push(rank);
                self.count(rank, 1);
                self.extend();
                self.mapping.pop();
                self.count(rank, -1);
            }
        }
    }

    fn load(&self, rank: u32) -> usize {
        self.loads.get(rank as usize).copied().unwrap_or(0)
    }

    fn count(&mut self, rank: u32, change: isize) {
        if let Some(load) = self.loads.get_mut(rank as usize) {
            *load = load.saturating_add_signed(change);
        }
    }

    /// A rank in use, or the first unused one of a node in use, or the first of the first unused node.
    fn is_first_of_its_kind(&self, rank: u32) -> bool {
        let per_node = self.judge.cluster.devices_per_node.max(1);
        let used = |rank: u32| self.load(rank) > 0;
        let node = rank / per_node;
        let node_used = |node: u32| (node * per_node..(node + 1) * per_node).any(used);
        used(rank)
            || (node * per_node..rank).all(used) && (node_used(node) || (0..node).all(node_used))
    }
}

/// Lanes in turn.
fn in_turn(judge: &Judge<'_>) -> Vec<u32> {
    let (ranks, ..) = sizes(judge);
    let lanes = judge.lanes as u64;
    (0..lanes)
        .map(|lane| u32::try_from(lane * u64::from(ranks).min(lanes) / lanes).unwrap_or(0))
        .collect()
}

/// Exchanges between ranks while they help.
fn local(judge: &Judge<'_>, score: &dyn Fn(&[u32]) -> Score, mut mapping: Vec<u32>) -> Vec<u32> {
    let mut known = score(&mapping);
    let work = (judge.shared.len() + 1) * judge.lanes;
    let mut trials = SEARCH_WORK / work.max(1);
    let mut better = true;
    while better {
        better = false;
        for one in 0..mapping.len() {
            for other in one + 1..mapping.len() {
                if trials == 0 {
                    return mapping;
                }
                if mapping.get(one) == mapping.get(other) {
                    continue;
                }
                trials -= 1;
                mapping.swap(one, other);
                let found = score(&mapping);
                if found < known {
                    known = found;
                    better = true;
                } else {
                    mapping.swap(one, other);
                }
            }
        }
    }
    mapping
}
