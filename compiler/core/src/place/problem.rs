//! Spreading tasks over lanes, in whole numbers: every lane is filled equally, and what is shared by lanes costs.
//!
//! A task's demand is its share times the number of lanes, so that a lane's capacity is [`SHARE_PARTS`] whatever the number
//! of lanes. Modules used by the same tasks are one edge; modules used by all tasks cost the same anywhere and are left out.

use std::collections::BTreeMap;

use super::lists::Lists;
use crate::ir::module::ModuleGraph;
use crate::ir::task::{SHARE_PARTS, TaskTable};

/// What a lane may hold more or less than its fair part: half of one of the plan's millionths, so that rounded shares (thirds)
/// split no task.
pub const SLACK: u64 = SHARE_PARTS / 2_000_000;

/// What is spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Number of lanes.
    pub lanes: usize,
    /// Per task: its share times the number of lanes. All together fill all lanes.
    pub demand: Vec<u64>,
    /// Parameters that the same tasks share.
    pub edges: Vec<Edge>,
    /// Per task: its edges, ascending.
    pub edges_of: Lists,
}

/// Modules used by the same tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Their parameters.
    pub parameters: u64,
    /// Their tasks, ascending.
    pub tasks: Vec<usize>,
}

/// What a spread costs; the smaller, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    /// Sum over edges of parameters times the lanes that hold them beyond the first.
    pub replicas: u128,
    /// Pairs of task and lane.
    pub pieces: usize,
}

/// Per lane: task -> its amount there; positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// The lanes in order.
    pub lanes: Vec<BTreeMap<usize, u64>>,
}

impl Problem {
    /// The problem of a module graph.
    pub fn new(table: &TaskTable, graph: &ModuleGraph, lanes: usize) -> Self {
        let mut merged: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
        for (module, users) in graph.modules.iter().zip(graph.users()) {
            let users: Vec<usize> = users.iter().map(|task| task.index()).collect();
            if users.len() < table.tasks.len() {
                *merged.entry(users).or_default() += module.parameters;
            }
        }
        let edges =
            merged.into_iter().map(|(tasks, parameters)| Edge { parameters, tasks }).collect();
        let shares: Vec<u64> = table.tasks.iter().map(|task| task.share).collect();
        Self::from_edges(lanes, &shares, edges)
    }

    /// A problem from shares (summing to [`SHARE_PARTS`]) and edges.
    pub fn from_edges(lanes: usize, shares: &[u64], edges: Vec<Edge>) -> Self {
        let edges_of = Lists::inverted(shares.len(), edges.iter().map(|edge| &edge.tasks));
        let demand = shares.iter().map(|share| share * lanes as u64).collect();
        Self { lanes, demand, edges, edges_of }
    }

    /// What a spread costs.
    pub fn cost(&self, spread: &Spread) -> Cost {
        self.cost_of(spread.lanes.iter().map(|lane| lane.keys().copied()))
    }

    /// What lanes of tasks cost, each of which a lane has once.
    pub(super) fn cost_of(&self, lanes: impl Iterator<Item = impl Iterator<Item = usize>>) -> Cost {
        let mut holders = vec![0_u64; self.edges.len()];
        let mut last = vec![usize::MAX; self.edges.len()];
        let mut pieces = 0;
        for (lane, tasks) in lanes.enumerate() {
            for edge in tasks.inspect(|_| pieces += 1).flat_map(|task| self.edges_of.of(task)) {
                if let (Some(seen), Some(count)) = (last.get_mut(*edge), holders.get_mut(*edge))
                    && *seen != lane
                {
                    *seen = lane;
                    *count += 1;
                }
            }
        }
        let replicas = self
            .edges
            .iter()
            .zip(holders)
            .map(|(edge, lanes)| u128::from(edge.parameters) * u128::from(lanes.saturating_sub(1)))
            .sum();
        Cost { replicas, pieces }
    }

    /// Parameters that lanes must hold beyond one copy: an edge needs the lanes that its tasks fill.
    pub fn bound(&self) -> u64 {
        let lanes = |edge: &Edge| {
            let demand: u64 = edge.tasks.iter().filter_map(|&task| self.demand.get(task)).sum();
            demand.div_ceil(SHARE_PARTS + 2 * SLACK).max(1)
        };
        self.edges.iter().map(|edge| edge.parameters * (lanes(edge) - 1)).sum()
    }

    /// Whether a spread gives every task its demand, and every lane its fair part but for [`SLACK`] (twice, for what other
    /// lanes' slack leaves).
    pub fn is_exact(&self, spread: &Spread) -> bool {
        let mut given = vec![0_u64; self.demand.len()];
        for lane in &spread.lanes {
            let filled = lane.values().sum::<u64>();
            if filled.abs_diff(SHARE_PARTS) > 2 * SLACK || lane.values().any(|&amount| amount == 0)
            {
                return false;
            }
            for (&task, amount) in lane {
                match given.get_mut(task) {
                    Some(sum) => *sum += amount,
                    None => return false,
                }
            }
        }
        spread.lanes.len() == self.lanes && given == self.demand
    }
}
