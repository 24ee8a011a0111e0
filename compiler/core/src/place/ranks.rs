//! Lanes -> ranks: free for the mathematics, so chosen for speed: the mapping with the least predicted time of a step, which is
//! the computing of the slowest rank and the communication.

use mmc_place::{Effort, Objective};
use mmc_plan::FoundSpec;

use super::judge::Judge;
use super::mapping;
use super::wishes::Wish;
use crate::ir::experiment::MappingObjective;

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

/// What a mapping costs in a step, and how little it could.
pub(super) fn found(judge: &Judge<'_>, rank_of_lane: &[u32], algorithm: &str) -> FoundSpec {
    let cost = judge.nanoseconds(rank_of_lane);
    let is_least = algorithm == ALL && judge.objective == MappingObjective::Time;
    let bound = if is_least { cost } else { judge.least_nanoseconds().min(cost) };
    FoundSpec { cost, bound, algorithm: algorithm.to_owned() }
}

fn engine_objective(judge: &Judge<'_>) -> Objective {
    match judge.objective {
        MappingObjective::Time => mapping::time(&judge.cluster.links),
        MappingObjective::Mammoth => Objective::default(),
    }
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
    let (weighted, objective) = (judge.weighted(), engine_objective(judge));
    let engine = mapping::map(judge.cluster, &judge.computing, &weighted, (objective, effort))
        .map(|start| local(judge, score, start));
    match engine {
        Some(found) if score(&found) < score(&plain) => (found, "search"),
        Some(_) | None => (plain, EXCHANGES),
    }
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
        let loads = vec![0; judge.sizes().0 as usize];
        Self { judge, see, seen: 0, mapping: Vec::new(), loads }
    }

    fn extend(&mut self) {
        if self.seen > MOST_MAPPINGS {
            return;
        }
        let (ranks, most, least) = self.judge.sizes();
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
    let (ranks, ..) = judge.sizes();
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
