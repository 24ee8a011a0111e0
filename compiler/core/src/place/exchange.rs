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
                if trials > TRIALS {
                    return state.spread;
                }
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
            for edge in tasks.keys().flat_map(|&task| problem.edges_of.of(task)) {
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
                if self.change((one, mine, going), (other, theirs, coming)) < (0, 0) {
                    self.shift(mine, one, other, going);
                    self.shift(theirs, other, one, coming);
                    better = true;
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

    /// What an exchange of two tasks' amounts changes: lane, task and amount that leaves it, twice.
    fn change(&self, mine: (usize, usize, u64), theirs: (usize, usize, u64)) -> Change {
        let (one, two) = (self.swap(mine, theirs), self.swap(theirs, mine));
        (one.0 + two.0, one.1 + two.1)
    }

    /// What an exchange changes on the lane of the first: one task's amount leaves, the other's comes.
    fn swap(&self, leaves: (usize, usize, u64), comes: (usize, usize, u64)) -> Change {
        let (lane, gone, come) = (leaves.0, leaves.1, comes.1);
        let (is_gone, is_new) = (self.amount(lane, gone) == leaves.2, self.amount(lane, come) == 0);
        let edges = |task: usize, counts: bool| {
            if counts { self.problem.edges_of.of(task) } else { &[] }
        };
        let (old, new) = (edges(gone, is_gone), edges(come, is_new));
        // Edges that one brings and the other takes keep their number of users.
        let parameters = |these: &[usize], others: &[usize], users: u32| -> i128 {
            let changed = these.iter().filter(|edge| {
                self.uses.get(lane).and_then(|uses| uses.get(**edge)) == Some(&users)
                    && !others.contains(edge)
            });
            changed
                .filter_map(|&edge| self.problem.edges.get(edge))
                .map(|edge| i128::from(edge.parameters))
                .sum()
        };
        let replicas = parameters(new, old, 0) - parameters(old, new, 1);
        (replicas, i64::from(is_new) - i64::from(is_gone))
    }

    /// Moves an amount of a task.
    fn shift(&mut self, task: usize, from: usize, to: usize, amount: u64) {
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
                self.count(task, from, false);
            } else {
                tasks.insert(task, left);
            }
        }
        if let Some(tasks) = self.spread.lanes.get_mut(to) {
            let had = tasks.get(&task).copied().unwrap_or(0);
            tasks.insert(task, had + amount);
            if had == 0 {
                self.count(task, to, true);
            }
        }
    }

    /// Counts a piece in or out of a lane.
    fn count(&mut self, task: usize, lane: usize, comes: bool) {
        let Some(uses) = self.uses.get_mut(lane) else { return };
        for &edge in self.problem.edges_of.of(task) {
            if let Some(count) = uses.get_mut(edge) {
                *count = if comes { *count + 1 } else { count.saturating_sub(1) };
            }
        }
    }
}

/// The cheaper of two spreads; the first on a tie.
pub fn cheaper(problem: &Problem, first: Spread, second: Spread) -> (Spread, bool) {
    let costs: [Cost; 2] = [problem.cost(&first), problem.cost(&second)];
    let [one, two] = costs;
    if two < one { (second, false) } else { (first, true) }
}

#[cfg(test)]
mod tests {
    use super::super::greedy::fill;
    use super::super::problem::Edge;
    use super::*;

    #[test]
    fn a_change_is_the_difference_of_the_costs() {
        let edges = [(7, vec![0, 1, 2]), (5, vec![1, 3]), (3, vec![2, 3, 4]), (2, vec![0, 4])];
        let edges = edges.map(|(parameters, tasks)| Edge { parameters, tasks }).to_vec();
        let shares = [4, 3, 1, 1, 1].map(|part| part * (SHARE_PARTS / 10));
        let problem = Problem::from_edges(4, &shares, edges);
        let spread = fill(&problem, &[3, 0, 4, 1, 2]);
        let mut told = 0;
        for (one, other) in [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)] {
            let places = |lane: usize| spread.lanes[lane].keys().copied().collect::<Vec<_>>();
            for (mine, theirs) in places(one)
                .into_iter()
                .flat_map(|mine| places(other).into_iter().map(move |t| (mine, t)))
            {
                let mut state = State::new(&problem, spread.clone());
                let (going, coming) = state.amounts((one, mine), (other, theirs));
                if mine == theirs || going == 0 || coming == 0 {
                    continue;
                }
                let change = state.change((one, mine, going), (other, theirs, coming));
                state.shift(mine, one, other, going);
                state.shift(theirs, other, one, coming);
                let (before, after) = (problem.cost(&spread), problem.cost(&state.spread));
                let replicas = after.replicas.cast_signed() - before.replicas.cast_signed();
                let pieces =
                    i64::try_from(after.pieces).unwrap() - i64::try_from(before.pieces).unwrap();
                assert_eq!(change, (replicas, pieces), "{mine} on {one} for {theirs} on {other}");
                told += i32::from(change != (0, 0));
            }
        }
        assert!(told > 3);
    }
}
