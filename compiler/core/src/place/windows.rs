//! One spread of the whole run -> a spread for every window of the curriculum, each giving every task its share in that window.
//!
//! A window starts from what the window before had, scaled to its shares; lanes that are then too full hand amounts to lanes with
//! room, to such as hold the task's modules already where there are any. Nothing is done for a run of one window whose tasks
//! need no copies.

use std::collections::BTreeMap;

use fixedbitset::FixedBitSet;

use super::problem::SLACK;
use super::wishes::Allowed;
use crate::ir::ids::ModuleId;
use crate::ir::module::{ModuleGraph, TaskPath};
use crate::ir::task::{SHARE_PARTS, TaskTable};

/// Per lane: task -> its amount there, in parts of [`SHARE_PARTS`]; positive.
pub(super) type Amounts = Vec<BTreeMap<usize, u64>>;

/// Pairs of task and lane that are weighed for one move; with more of them, the largest amount goes to the emptiest lane.
const MOST_CHOICES: usize = 50_000;

/// Every lane as often as a team has lanes.
pub(super) fn teams(lanes: Amounts, team: usize) -> Amounts {
    lanes.into_iter().flat_map(|lane| std::iter::repeat_n(lane, team)).collect()
}

/// What every task takes of so many lanes together, window by window.
pub(super) fn demands(table: &TaskTable, lanes: usize) -> Vec<Vec<u64>> {
    let demand = |share: &u64| share * lanes as u64;
    table.windows.iter().map(|window| window.shares.iter().map(demand).collect()).collect()
}

/// Per task: lanes that it must lie on at least.
pub(super) fn copies(table: &TaskTable) -> Vec<u64> {
    table.tasks.iter().map(|task| u64::from(task.copies.max(1))).collect()
}

/// A spread of the whole run with every task on lanes where it may lie.
pub(super) fn moved(
    mut base: Amounts,
    table: &TaskTable,
    graph: &ModuleGraph,
    allowed: &Allowed,
) -> Amounts {
    if allowed.keeps(&base) {
        return base;
    }
    let demand: Vec<u64> = table.tasks.iter().map(|task| task.share * base.len() as u64).collect();
    let mut mover = Mover::new(table, graph, base.len(), allowed);
    mover.hold(&base);
    mover.bring(&mut base, &demand);
    base
}

/// The spreads of all windows.
pub(super) fn spreads(
    base: Amounts,
    table: &TaskTable,
    graph: &ModuleGraph,
    allowed: &Allowed,
) -> Vec<Amounts> {
    let has_copies = copies(table).iter().any(|copies| *copies > 1);
    if table.windows.len() < 2 && !has_copies {
        return vec![base];
    }
    let mut mover = Mover::new(table, graph, base.len(), allowed);
    mover.hold(&base);
    let mut before = base.clone();
    let mut found = Vec::with_capacity(table.windows.len());
    for demand in demands(table, base.len()) {
        let mut amounts = scaled(&before, &base, &demand);
        mover.level(&mut amounts, &demand);
        mover.cut(&mut amounts, &demand);
        mover.bring(&mut amounts, &demand);
        mover.hold(&amounts);
        // A task that pauses comes back to where it was at home.
        before.clone_from(&amounts);
        found.push(amounts);
    }
    found
}

/// The amounts of the window before (of the base for tasks that it lacked), scaled to new demands.
fn scaled(before: &Amounts, base: &Amounts, demand: &[u64]) -> Amounts {
    let sums = |amounts: &Amounts| {
        let mut sums = vec![0_u64; demand.len()];
        for (&task, amount) in amounts.iter().flatten() {
            if let Some(sum) = sums.get_mut(task) {
                *sum += amount;
            }
        }
        sums
    };
    let (now, first) = (sums(before), sums(base));
    let mut done = vec![(0_u64, 0_u64); demand.len()];
    let mut scaled = vec![BTreeMap::new(); base.len()];
    let pauses = |task: usize| now.get(task).is_none_or(|sum| *sum == 0);
    for ((tasks, before), base) in scaled.iter_mut().zip(before).zip(base) {
        let kept = before.iter().filter(|(task, _)| !pauses(**task)).map(|entry| (entry, &now));
        let new = base.iter().filter(|(task, _)| pauses(**task)).map(|entry| (entry, &first));
        for ((&task, amount), sums) in kept.chain(new) {
            let sum = sums.get(task).copied().unwrap_or(0);
            let wanted = demand.get(task).copied().unwrap_or(0);
            // Cut at running sums, so that the parts sum to the whole.
            let Some((reached, given)) = done.get_mut(task) else { continue };
            *reached += amount;
            let upto = u128::from(wanted) * u128::from(*reached) / u128::from(sum.max(1));
            let upto = u64::try_from(upto).unwrap_or(wanted);
            if upto > *given {
                tasks.insert(task, upto - *given);
                *given = upto;
            }
        }
    }
    scaled
}

/// Moves amounts between lanes.
struct Mover<'a> {
    /// Task -> its modules, ascending.
    modules: Vec<Vec<usize>>,
    /// Module -> its parameters.
    parameters: Vec<u64>,
    /// Lane -> modules that it holds in any window so far.
    held: Vec<FixedBitSet>,
    /// Task -> lanes that it must lie on.
    copies: Vec<u64>,
    /// Where tasks may lie.
    allowed: &'a Allowed,
}

impl<'a> Mover<'a> {
    fn new(table: &TaskTable, graph: &ModuleGraph, lanes: usize, allowed: &'a Allowed) -> Self {
        let modules = |path: &TaskPath| path.modules().into_iter().map(ModuleId::index).collect();
        Self {
            modules: graph.paths.iter().map(modules).collect(),
            parameters: graph.modules.iter().map(|module| module.parameters).collect(),
            held: vec![FixedBitSet::with_capacity(graph.modules.len()); lanes],
            copies: copies(table),
            allowed,
        }
    }

    /// Moves everything to lanes where it may lie. What was found to have room has it; other tasks make way.
    fn bring(&mut self, amounts: &mut Amounts, demand: &[u64]) {
        let is_even = |amounts: &Amounts| {
            amounts.iter().all(|tasks| tasks.values().sum::<u64>() <= SHARE_PARTS + 2 * SLACK)
        };
        if self.allowed.keeps(amounts) && is_even(amounts) {
            return;
        }
        let mut near = amounts.clone();
        self.nearest(&mut near);
        self.level(&mut near, demand);
        if is_even(&near) && self.allowed.keeps(&near) && self.is_cut(&near, demand) {
            *amounts = near;
            return;
        }
        let placed = self.allowed.amounts(demand, &self.copies, amounts.len());
        let placed = placed.expect("wishes are settled only where every window has room for them");
        for (tasks, placed) in amounts.iter_mut().zip(placed) {
            tasks.retain(|&task, _| self.allowed.is_free(task));
            tasks.extend(placed);
        }
        self.level(amounts, demand);
    }

    /// Every amount that may not lie where it lies goes to the lane of its task that has most of it.
    fn nearest(&self, amounts: &mut Amounts) {
        for from in 0..amounts.len() {
            let astray: Vec<(usize, u64)> = amounts
                .get(from)
                .into_iter()
                .flatten()
                .filter(|(task, _)| !self.allowed.holds(**task, from))
                .map(|(&task, &amount)| (task, amount))
                .collect();
            for (task, amount) in astray {
                let there = |lane: usize| amounts.get(lane).and_then(|on| on.get(&task)).copied();
                let order = |&lane: &usize| (there(lane), std::cmp::Reverse(lane));
                if let Some(to) = self.allowed.of(task).max_by_key(order) {
                    shift(amounts, task, (from, to), amount);
                }
            }
        }
    }

    /// Whether no lane has more than its part of a task with copies.
    fn is_cut(&self, amounts: &Amounts, demand: &[u64]) -> bool {
        let is_part = |(&task, &amount): (&usize, &u64)| {
            self.copies.get(task) == Some(&1) || amount <= self.most(task, demand)
        };
        amounts.iter().flatten().all(is_part)
    }

    fn hold(&mut self, amounts: &Amounts) {
        for (held, tasks) in self.held.iter_mut().zip(amounts) {
            let modules = tasks.keys().filter_map(|&task| self.modules.get(task));
            held.extend(modules.flatten().copied());
        }
    }

    /// Parameters that a lane would hold more with a task.
    fn added(&self, task: usize, lane: usize) -> u64 {
        let Some(held) = self.held.get(lane) else { return u64::MAX };
        let modules = self.modules.get(task).into_iter().flatten();
        let new = modules.filter(|module| !held.contains(**module));
        new.filter_map(|&module| self.parameters.get(module)).sum()
    }

    /// Most of a task that one lane may have.
    fn most(&self, task: usize, demand: &[u64]) -> u64 {
        let wanted = demand.get(task).copied().unwrap_or(0);
        wanted.div_ceil(self.copies.get(task).copied().unwrap_or(1))
    }

    /// Fills all lanes alike.
    fn level(&mut self, amounts: &mut Amounts, demand: &[u64]) {
        let mut loads: Vec<u64> = amounts.iter().map(|tasks| tasks.values().sum()).collect();
        loop {
            let over = (0..loads.len()).filter(|&lane| loads.get(lane) > Some(&SHARE_PARTS));
            let Some(from) = over.max_by_key(|&lane| (loads.get(lane).copied(), lane)) else {
                return;
            };
            let excess = loads.get(from).map_or(0, |load| load - SHARE_PARTS);
            let room =
                |lane: usize| SHARE_PARTS.saturating_sub(loads.get(lane).copied().unwrap_or(0));
            let open: Vec<(usize, u64)> = (0..loads.len())
                .map(|lane| (lane, room(lane)))
                .filter(|(_, room)| *room > 0)
                .collect();
            let Some((task, to, amount)) = self.best_move(amounts, from, excess, &open, demand)
            else {
                return;
            };
            shift(amounts, task, (from, to), amount);
            if let Some(held) = self.held.get_mut(to) {
                held.extend(self.modules.get(task).into_iter().flatten().copied());
            }
            if let Some(load) = loads.get_mut(from) {
                *load -= amount;
            }
            if let Some(load) = loads.get_mut(to) {
                *load += amount;
            }
        }
    }

    /// The move off a lane that adds fewest parameters, of these the largest.
    fn best_move(
        &self,
        amounts: &Amounts,
        from: usize,
        excess: u64,
        open: &[(usize, u64)],
        demand: &[u64],
    ) -> Option<(usize, usize, u64)> {
        let tasks = amounts.get(from)?;
        let on = |lane: usize, task: usize| {
            amounts.get(lane).and_then(|tasks| tasks.get(&task)).copied().unwrap_or(0)
        };
        let fits = |task: usize, amount: u64, (lane, room): (usize, u64)| {
            let left = match self.copies.get(task) {
                Some(1) | None => u64::MAX,
                Some(_) => self.most(task, demand).saturating_sub(on(lane, task)),
            };
            amount.min(excess).min(room).min(left)
        };
        let is_many = tasks.len() * open.len() > MOST_CHOICES;
        let free = tasks.iter().filter(|(task, _)| self.allowed.is_free(**task));
        if is_many
            && let Some((&task, &amount)) = free.max_by_key(|(task, amount)| (**amount, **task))
        {
            let &(to, room) = open.iter().max_by_key(|(lane, room)| (*room, *lane))?;
            return Some((task, to, amount.min(excess).min(room)));
        }
        let may = |task: usize, lane: usize| self.allowed.holds(task, lane);
        let choices = tasks.iter().flat_map(|(&task, &amount)| {
            let open = open.iter().filter(move |(lane, _)| may(task, *lane));
            open.map(move |&place| (task, place.0, fits(task, amount, place)))
        });
        choices
            .filter(|(_, _, amount)| *amount > 0)
            .min_by_key(|&(task, to, amount)| {
                (self.added(task, to), std::cmp::Reverse(amount), task, to)
            })
            // Copies that no lane has room for keep together what must be somewhere.
            .or_else(|| {
                tasks.iter().find_map(|(&task, &amount)| {
                    let &(to, room) = open.iter().find(|(lane, _)| may(task, *lane))?;
                    Some((task, to, amount.min(excess).min(room)))
                })
            })
    }

    /// Takes from every lane what it has too much of a task with copies, in exchange for as much of other tasks.
    fn cut(&mut self, amounts: &mut Amounts, demand: &[u64]) {
        let split: Vec<usize> =
            (0..self.copies.len()).filter(|&task| self.copies.get(task) > Some(&1)).collect();
        for &task in &split {
            let most = self.most(task, demand);
            for from in 0..amounts.len() {
                // Each turn fills a lane, empties one, or ends.
                for _ in 0..amounts.len() {
                    let on = |lane: usize| {
                        amounts.get(lane).and_then(|on| on.get(&task)).copied().unwrap_or(0)
                    };
                    let excess = on(from).saturating_sub(most);
                    let free = |&lane: &usize| {
                        lane != from && on(lane) < most && self.allowed.holds(task, lane)
                    };
                    let cost = |&lane: &usize| (on(lane) == 0, self.added(task, lane), lane);
                    let Some(to) = (0..amounts.len()).filter(free).min_by_key(cost) else { break };
                    let amount = excess.min(most - on(to));
                    if amount == 0 || !self.exchange(amounts, task, (from, to), amount, demand) {
                        break;
                    }
                }
            }
        }
    }

    /// Moves an amount of a task, and as much of other tasks back; whether anything moved.
    fn exchange(
        &mut self,
        amounts: &mut Amounts,
        task: usize,
        (from, to): (usize, usize),
        amount: u64,
        demand: &[u64],
    ) -> bool {
        let mut back: Vec<(u64, usize, u64)> = amounts
            .get(to)
            .into_iter()
            .flatten()
            .filter(|(other, _)| **other != task && self.allowed.holds(**other, from))
            .map(|(&other, &there)| {
                let here = amounts.get(from).and_then(|on| on.get(&other)).copied().unwrap_or(0);
                let left = match self.copies.get(other) {
                    Some(1) | None => there,
                    Some(_) => there.min(self.most(other, demand).saturating_sub(here)),
                };
                (self.added(other, from), other, left)
            })
            .collect();
        back.sort_unstable();
        let mut left = amount;
        for (_, other, there) in back {
            let moved = there.min(left);
            if moved > 0 {
                shift(amounts, other, (to, from), moved);
                left -= moved;
            }
        }
        if left < amount {
            shift(amounts, task, (from, to), amount - left);
        }
        for lane in [from, to] {
            if let (Some(held), Some(tasks)) = (self.held.get_mut(lane), amounts.get(lane)) {
                let modules = tasks.keys().filter_map(|&task| self.modules.get(task));
                held.extend(modules.flatten().copied());
            }
        }
        left < amount
    }
}

/// Moves an amount of a task from one lane to another.
fn shift(amounts: &mut Amounts, task: usize, (from, to): (usize, usize), amount: u64) {
    if let Some(tasks) = amounts.get_mut(from)
        && let Some(there) = tasks.get_mut(&task)
    {
        *there -= amount;
        if *there == 0 {
            tasks.remove(&task);
        }
    }
    if let Some(tasks) = amounts.get_mut(to) {
        *tasks.entry(task).or_default() += amount;
    }
}

#[cfg(test)]
mod tests;
