//! Local improvement of a spread: two lanes exchange amounts of two tasks, as good as equal, while that is cheaper.

use super::problem::{Cost, Problem, SLACK, Spread};
use crate::ir::task::SHARE_PARTS;

/// Exchanges that are tried, at most.
const TRIALS: usize = 60_000;

/// A spread that is at most as dear; stays balanced.
pub fn improve(problem: &Problem, spread: Spread) -> Spread {
    let mut state = State::new(problem, spread);
    let mut trials = 0;
    let mut better = true;
    while better && trials < TRIALS {
        better = false;
        for one in 0..problem.lanes {
            for other in one + 1..problem.lanes {
                better |= state.improve_pair(one, other, &mut trials);
            }
        }
    }
    state.spread
}

struct State<'a> {
    problem: &'a Problem,
    spread: Spread,
    /// Per lane: what it holds.
    filled: Vec<u64>,
    /// Per lane and edge: pieces on the lane that use the edge.
    uses: Vec<Vec<u32>>,
}

/// Change of cost: parameters and pieces.
type Change = (i128, i64);

impl<'a> State<'a> {
    fn new(problem: &'a Problem, spread: Spread) -> Self {
        let mut uses = vec![vec![0; problem.edges.len()]; problem.lanes];
        for (tasks, uses) in spread.lanes.iter().zip(&mut uses) {
            for edge in tasks.keys().filter_map(|&task| problem.edges_of.get(task)).flatten() {
                if let Some(count) = uses.get_mut(*edge) {
                    *count += 1;
                }
            }
        }
        let filled = spread.lanes.iter().map(|tasks| tasks.values().sum()).collect();
        Self { problem, spread, filled, uses }
    }

    /// Tries all exchanges of two lanes; whether one was made.
    fn improve_pair(&mut self, one: usize, other: usize, trials: &mut usize) -> bool {
        let tasks = |lane: usize, state: &Self| -> Vec<usize> {
            state
                .spread
                .lanes
                .get(lane)
                .map(|tasks| tasks.keys().copied().collect())
                .unwrap_or_default()
        };
        let mut better = false;
        for mine in tasks(one, self) {
            for theirs in tasks(other, self) {
                *trials += 1;
                if *trials > TRIALS {
                    return better;
                }
                let (going, coming) = self.amounts((one, mine), (other, theirs));
                if mine == theirs || going == 0 || coming == 0 {
                    continue;
                }
                let there = self.shift(mine, one, other, going);
                let back = self.shift(theirs, other, one, coming);
                if (there.0 + back.0, there.1 + back.1) < (0, 0) {
                    better = true;
                } else {
                    self.shift(theirs, one, other, coming);
                    self.shift(mine, other, one, going);
                }
            }
        }
        better
    }

    /// What two pieces may exchange: both whole when that keeps the lanes balanced, else as much as the smaller one has.
    fn amounts(&self, mine: (usize, usize), theirs: (usize, usize)) -> (u64, u64) {
        let (one, other) = (self.amount(mine.0, mine.1), self.amount(theirs.0, theirs.1));
        let fits = |lane: usize, goes: u64, comes: u64| {
            let filled = self.filled.get(lane).copied().unwrap_or(0);
            (filled + comes).abs_diff(SHARE_PARTS + goes) <= SLACK
        };
        if fits(mine.0, one, other) && fits(theirs.0, other, one) {
            (one, other)
        } else {
            (one.min(other), one.min(other))
        }
    }

    fn amount(&self, lane: usize, task: usize) -> u64 {
        self.spread.lanes.get(lane).and_then(|tasks| tasks.get(&task)).copied().unwrap_or(0)
    }

    /// Moves an amount of a task.
    fn shift(&mut self, task: usize, from: usize, to: usize, amount: u64) -> Change {
        let (mut replicas, mut pieces) = (0, 0);
        if let Some(filled) = self.filled.get_mut(from) {
            *filled = filled.saturating_sub(amount);
        }
        if let Some(filled) = self.filled.get_mut(to) {
            *filled += amount;
        }
        if let Some(tasks) = self.spread.lanes.get_mut(from) {
            let left = tasks.get(&task).copied().unwrap_or(0).saturating_sub(amount);
            if left == 0 {
                tasks.remove(&task);
                pieces -= 1;
                replicas -= self.count(task, from, false);
            } else {
                tasks.insert(task, left);
            }
        }
        if let Some(tasks) = self.spread.lanes.get_mut(to) {
            let had = tasks.get(&task).copied().unwrap_or(0);
            tasks.insert(task, had + amount);
            if had == 0 {
                pieces += 1;
                replicas += self.count(task, to, true);
            }
        }
        (replicas, pieces)
    }

    /// Counts a piece in or out of a lane: parameters that the lane now holds or no longer holds.
    fn count(&mut self, task: usize, lane: usize, comes: bool) -> i128 {
        let mut changed = 0;
        let Some(uses) = self.uses.get_mut(lane) else { return 0 };
        for &edge in self.problem.edges_of.get(task).into_iter().flatten() {
            let (Some(count), Some(edge)) = (uses.get_mut(edge), self.problem.edges.get(edge))
            else {
                continue;
            };
            *count = if comes { *count + 1 } else { count.saturating_sub(1) };
            if *count == u32::from(comes) {
                changed += i128::from(edge.parameters);
            }
        }
        changed
    }
}

/// The cheaper of two spreads; the first on a tie.
pub fn cheaper(problem: &Problem, first: Spread, second: Spread) -> (Spread, bool) {
    let costs: [Cost; 2] = [problem.cost(&first), problem.cost(&second)];
    let [one, two] = costs;
    if two < one { (second, false) } else { (first, true) }
}
