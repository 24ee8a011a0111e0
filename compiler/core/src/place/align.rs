//! Orders of the lanes' tasks, so that lanes that draw with one common random number train the same modules in the same steps.
//!
//! A lane lays its tasks end to end on a line of [`LANE_PARTS`] points; in a step all lanes run what lies at one random point. Any
//! order gives every task its parts, so only what meets depends on it. A module is synchronised at the points where any lane
//! trains it: the cost of all orders is the length of that union, times the module's parameters, exactly. Given the other lanes, a
//! task costs what of its place no other lane covers, so a lane is put in order by itself, lane after lane, while that helps.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use mmc_plan::schedule::LANE_PARTS;
use mmc_plan::{LaneCourse, LaneSpec, stretch};

use super::MANY;
use super::apportion::Laid;
use super::lists::Lists;
use crate::ir::ids::ModuleId;
use crate::ir::module::ModuleGraph;

/// Tasks of a lane that is put in order by more than its modules.
const MOST_TASKS: usize = 400;
/// Rounds over all lanes.
const ROUNDS: usize = 8;

/// A task on a lane.
#[derive(Debug, Clone)]
struct Item {
    task: usize,
    /// Its modules that it may share the cost of, numbered as in [`Board::parameters`].
    edges: Vec<usize>,
    /// Its parts in every window.
    parts: Vec<u64>,
}

/// All lanes, in their orders.
struct Board {
    lanes: Vec<Vec<Item>>,
    /// Edge -> parameters of its modules.
    parameters: Vec<u64>,
    /// Window -> steps.
    lengths: Vec<u64>,
    /// Looks at what other lanes cover of an edge in a window: done, and allowed.
    work: u64,
    most_work: u64,
}

/// The order of every lane's tasks, by their places in the table. `lengths`: steps of the windows. At most so many looks
/// at what other lanes cover are taken.
pub(super) fn orders(
    laid: &Laid,
    graph: &ModuleGraph,
    (lengths, most_work): (Vec<u64>, u64),
) -> Vec<Vec<usize>> {
    let edges = Edges::new(laid, graph);
    let in_order = |tasks: &Vec<usize>| {
        let mut order = tasks.clone();
        order.sort_unstable_by_key(|&task| (edges.of.of(task), task));
        order
    };
    let tasks: usize = laid.tasks.iter().map(Vec::len).sum();
    let orders = stretch::every(tasks >= MANY, &laid.tasks, in_order);
    let can_improve = orders.iter().any(|tasks| (2..=MOST_TASKS).contains(&tasks.len()));
    if edges.parameters.is_empty() || most_work == 0 || !can_improve {
        return orders;
    }
    let mut board = Board::new(laid, &orders, edges, (lengths, most_work));
    board.improve();
    board.lanes.into_iter().map(|items| items.into_iter().map(|item| item.task).collect()).collect()
}

impl Board {
    fn new(
        laid: &Laid,
        orders: &[Vec<usize>],
        edges: Edges,
        (lengths, most_work): (Vec<u64>, u64),
    ) -> Self {
        let parts = |lane: usize, spec: &LaneSpec| -> Vec<Vec<u64>> {
            let course = |parts: &Vec<u32>| parts.iter().map(|one| u64::from(*one)).collect();
            match laid.courses.get(lane) {
                Some(LaneCourse { tasks }) => tasks.values().map(course).collect(),
                None => spec.tasks.values().map(|task| vec![u64::from(task.parts)]).collect(),
            }
        };
        let lanes = orders.iter().zip(laid.lanes.iter().zip(&laid.tasks)).enumerate();
        let lanes = lanes.map(|(lane, (order, (spec, tasks)))| {
            let parts = parts(lane, spec);
            let item = |&task: &usize| {
                let parts = parts.get(tasks.binary_search(&task).ok()?)?.clone();
                Some(Item { task, edges: edges.of.of(task).to_vec(), parts })
            };
            order.iter().filter_map(item).collect()
        });
        Self { lanes: lanes.collect(), parameters: edges.parameters, lengths, work: 0, most_work }
    }

    /// The cheaper of two ways: lane after lane in order by those before it, then by all; and by all from the start.
    fn improve(&mut self) {
        let start = self.lanes.clone();
        self.rounds(true);
        let (first, cost) = (self.lanes.clone(), self.total());
        self.lanes = start;
        self.rounds(false);
        if cost < self.total() {
            self.lanes = first;
        }
    }

    fn rounds(&mut self, begins_with_those_before: bool) {
        for round in 0..ROUNDS {
            let mut better = false;
            for lane in 0..self.lanes.len() {
                better |= self.arrange(lane, round == 0 && begins_with_those_before);
            }
            if !better || self.work > self.most_work {
                break;
            }
        }
    }

    /// What all orders cost: of every lane, what no lane before it covers.
    fn total(&mut self) -> u128 {
        let mut sum = 0;
        for lane in 0..self.lanes.len() {
            let Some(items) = self.lanes.get(lane).cloned() else { continue };
            let order: Vec<usize> = (0..items.len()).collect();
            let cover = self.cover(lane, true);
            sum += self.cost(&items, &order, &cover);
        }
        sum
    }

    /// Puts a lane in a cheaper order; whether there was one.
    fn arrange(&mut self, lane: usize, is_first: bool) -> bool {
        let Some(items) = self.lanes.get(lane).cloned() else { return false };
        if items.len() < 2 || items.len() > MOST_TASKS || self.work > self.most_work {
            return false;
        }
        let cover = self.cover(lane, is_first);
        let mut best: Vec<usize> = (0..items.len()).collect();
        let before = self.cost(&items, &best, &cover);
        let mut least = before;
        let greedy = self.greedy(&items, &cover);
        let cost = self.cost(&items, &greedy, &cover);
        if cost < least {
            (best, least) = (greedy, cost);
        }
        let (mut at, mut idle) = (0, 0);
        let mut placed = self.line(&items, &best, &cover);
        // Each task in turn to the best of all places, until none moves.
        while idle < best.len() && self.work < self.most_work {
            match self.best_place(&items, &best, (at, &placed), &cover) {
                Some((to, gain)) => {
                    let item = best.remove(at);
                    best.insert(to, item);
                    least = least.saturating_sub(gain);
                    placed = self.line(&items, &best, &cover);
                    idle = 0;
                }
                None => idle += 1,
            }
            at = (at + 1) % best.len();
        }
        if let Some(line) = self.lanes.get_mut(lane)
            && least < before
        {
            *line = best.into_iter().filter_map(|at| items.get(at).cloned()).collect();
            return true;
        }
        false
    }

    /// Where every task of an order starts and what it costs there.
    fn line(&mut self, items: &[Item], order: &[usize], cover: &Covers) -> Vec<Placed> {
        let mut starts = vec![0; self.lengths.len()];
        let mut line = Vec::with_capacity(order.len());
        for item in order.iter().filter_map(|&at| items.get(at)) {
            line.push(Placed { cost: self.own(item, &starts, cover), starts: starts.clone() });
            advance(&mut starts, item);
        }
        line
    }

    /// The place to which a task of an order goes best, and what that saves; none when it stays.
    ///
    /// Only the tasks between its old and its new place move, each by the task's parts: their costs there are summed on the way.
    fn best_place(
        &mut self,
        items: &[Item],
        order: &[usize],
        (at, line): (usize, &[Placed]),
        cover: &Covers,
    ) -> Option<(usize, u128)> {
        let item = |place: usize| order.get(place).and_then(|&at| items.get(at));
        let (mover, from) = (item(at)?, line.get(at)?);
        let mut best: Option<(u128, usize)> = None;
        let mut offer = |before: u128, after: u128, to: usize| {
            let gain = before.saturating_sub(after);
            // The first of equal places.
            if gain > 0 && best.is_none_or(|(most, place)| (gain, place) > (most, to)) {
                best = Some((gain, to));
            }
        };
        let (mut before, mut after) = (from.cost, 0);
        for to in (0..at).rev() {
            let (passed, place) = (item(to)?, line.get(to)?);
            let shifted: Vec<u64> =
                place.starts.iter().zip(&mover.parts).map(|(start, parts)| start + parts).collect();
            before += place.cost;
            after += self.own(passed, &shifted, cover);
            offer(before, after + self.own(mover, &place.starts, cover), to);
        }
        (before, after) = (from.cost, 0);
        let mut reached = from.starts.clone();
        for to in at + 1..order.len() {
            let (passed, place) = (item(to)?, line.get(to)?);
            before += place.cost;
            after += self.own(passed, &reached, cover);
            advance(&mut reached, passed);
            offer(before, after + self.own(mover, &reached, cover), to);
        }
        best.map(|(gain, to)| (to, gain))
    }

    /// What the other lanes cover (at first: those before it), by edge and window.
    fn cover(&self, lane: usize, only_before: bool) -> Covers {
        let mut is_wanted = vec![false; self.parameters.len()];
        for &edge in self.lanes.get(lane).into_iter().flatten().flat_map(|item| &item.edges) {
            if let Some(wanted) = is_wanted.get_mut(edge) {
                *wanted = true;
            }
        }
        let mut spans: Vec<Vec<Vec<[u64; 2]>>> = vec![Vec::new(); self.parameters.len()];
        for (other, items) in self.lanes.iter().enumerate() {
            if other == lane || only_before && other > lane {
                continue;
            }
            let mut starts = vec![0; self.lengths.len()];
            for item in items {
                for &edge in item.edges.iter().filter(|edge| is_wanted.get(**edge) == Some(&true)) {
                    let Some(windows) = spans.get_mut(edge) else { continue };
                    windows.resize_with(starts.len(), Vec::new);
                    for ((spans, start), parts) in windows.iter_mut().zip(&starts).zip(&item.parts)
                    {
                        spans.push([*start, start + parts]);
                    }
                }
                advance(&mut starts, item);
            }
        }
        spans.into_iter().map(|windows| windows.into_iter().map(Cover::new).collect()).collect()
    }

    /// What of a task's places no other lane covers, weighed.
    fn own(&mut self, item: &Item, starts: &[u64], cover: &Covers) -> u128 {
        let mut sum = 0;
        self.work += (item.edges.len() * item.parts.len()) as u64;
        for edge in &item.edges {
            let covers = cover.get(*edge);
            let mut points = 0;
            for (window, (start, parts)) in starts.iter().zip(&item.parts).enumerate() {
                let covered = covers.and_then(|covers| covers.get(window));
                let inside =
                    covered.map_or(0, |cover| cover.upto(start + parts) - cover.upto(*start));
                let length = self.lengths.get(window).copied().unwrap_or(0);
                points += u128::from(parts - inside) * u128::from(length);
            }
            sum += points * u128::from(self.parameters.get(*edge).copied().unwrap_or(0));
        }
        sum
    }

    fn cost(&mut self, items: &[Item], order: &[usize], cover: &Covers) -> u128 {
        let mut starts = vec![0; self.lengths.len()];
        let mut sum = 0;
        for item in order.iter().filter_map(|&at| items.get(at)) {
            sum += self.own(item, &starts, cover);
            advance(&mut starts, item);
        }
        sum
    }

    /// From left to right, always the task that saves most here, compared with its average over the whole line.
    fn greedy(&mut self, items: &[Item], cover: &Covers) -> Vec<usize> {
        let mut starts = vec![0; self.lengths.len()];
        let averages: Vec<i128> = items.iter().map(|item| self.average(item, cover)).collect();
        let mut left: Vec<usize> = (0..items.len()).collect();
        let mut order = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let mut best: Option<(i128, usize)> = None;
            for (place, &at) in left.iter().enumerate() {
                let (Some(item), Some(average)) = (items.get(at), averages.get(at)) else {
                    continue;
                };
                let here = i128::try_from(self.own(item, &starts, cover)).unwrap_or(i128::MAX);
                if best.is_none_or(|(most, _)| average - here > most) {
                    best = Some((average - here, place));
                }
            }
            let at = left.remove(best.map_or(0, |(_, place)| place));
            if let Some(item) = items.get(at) {
                advance(&mut starts, item);
            }
            order.push(at);
        }
        order
    }

    /// What a task would cost at a random place.
    fn average(&self, item: &Item, cover: &Covers) -> i128 {
        let whole = u128::from(LANE_PARTS);
        let mut sum = 0;
        for edge in &item.edges {
            for (window, parts) in item.parts.iter().enumerate() {
                let covers = cover.get(*edge).and_then(|covers| covers.get(window));
                let free =
                    whole - u128::from(covers.map_or(0, |cover| cover.upto(LANE_PARTS.into())));
                let length = self.lengths.get(window).copied().unwrap_or(0);
                let parameters = self.parameters.get(*edge).copied().unwrap_or(0);
                sum +=
                    u128::from(*parts) * free * u128::from(length) / whole * u128::from(parameters);
            }
        }
        i128::try_from(sum).unwrap_or(i128::MAX)
    }
}

/// Edge -> what other lanes cover in every window; nothing for an edge that no other lane has.
type Covers = Vec<Vec<Cover>>;

/// A task in an order.
struct Placed {
    /// Where it starts in every window.
    starts: Vec<u64>,
    /// What it costs there.
    cost: u128,
}

fn advance(starts: &mut [u64], item: &Item) {
    for (start, parts) in starts.iter_mut().zip(&item.parts) {
        *start += parts;
    }
}

/// Disjoint intervals of a line.
#[derive(Debug, Clone, Default)]
struct Cover {
    /// Start, end and how much is covered before the start; ascending.
    spans: Vec<(u64, u64, u64)>,
}

impl Cover {
    fn new(mut spans: Vec<[u64; 2]>) -> Self {
        spans.sort_unstable();
        let mut found: Vec<(u64, u64, u64)> = Vec::new();
        for [start, end] in spans.into_iter().filter(|[start, end]| start < end) {
            match found.last_mut() {
                Some((_, last, _)) if start <= *last => *last = end.max(*last),
                last => {
                    let before = last.map_or(0, |(start, end, before)| *before + (*end - *start));
                    found.push((start, end, before));
                }
            }
        }
        Self { spans: found }
    }

    /// How much is covered before a point.
    fn upto(&self, point: u64) -> u64 {
        let at = self.spans.partition_point(|(start, ..)| *start < point);
        let last = at.checked_sub(1).and_then(|at| self.spans.get(at));
        last.map_or(0, |(start, end, before)| before + point.min(*end) - start)
    }
}

/// Modules that the same tasks use, as far as lanes can meet in them.
///
/// A module of one lane, or that some lane always trains, costs the same in any order.
struct Edges {
    /// Task -> its edges, the largest first, so that what shares its largest modules lies together on every lane.
    of: Lists,
    /// Edge -> parameters.
    parameters: Vec<u64>,
}

impl Edges {
    fn new(laid: &Laid, graph: &ModuleGraph) -> Self {
        let is_met = met(laid, graph);
        let mut merged: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
        for ((module, users), _) in
            graph.modules.iter().zip(graph.users()).zip(is_met).filter(|(_, is_met)| *is_met)
        {
            let users: Vec<usize> = users.iter().map(|task| task.index()).collect();
            *merged.entry(users).or_default() += module.parameters;
        }
        let mut sized: Vec<(usize, (&Vec<usize>, &u64))> = merged.iter().enumerate().collect();
        sized.sort_by_key(|(_, (_, parameters))| Reverse(**parameters));
        let of = Lists::inverted(graph.paths.len(), sized.iter().map(|(_, (users, _))| *users));
        let numbers: Vec<usize> = sized.iter().map(|(edge, _)| *edge).collect();
        Self { of: of.renumbered(&numbers), parameters: merged.into_values().collect() }
    }
}

/// Whether lanes can meet in each module.
fn met(laid: &Laid, graph: &ModuleGraph) -> Vec<bool> {
    let mut holders = vec![0_u32; graph.modules.len()];
    let mut is_constant = vec![false; graph.modules.len()];
    for tasks in &laid.tasks {
        // Module -> tasks of the lane that use it, and the last of them: a path may pass a module twice.
        let mut uses = vec![(0, usize::MAX); graph.modules.len()];
        for (task, path) in tasks.iter().filter_map(|at| Some((at, graph.paths.get(*at)?))) {
            for module in path.steps().map(ModuleId::index) {
                if let Some((count, last)) = uses.get_mut(module)
                    && *last != *task
                {
                    (*count, *last) = (*count + 1, *task);
                }
            }
        }
        let rows = uses.into_iter().zip(holders.iter_mut().zip(&mut is_constant));
        for ((count, _), (holders, constant)) in rows.filter(|((count, _), _)| *count > 0) {
            *holders += 1;
            *constant |= count == tasks.len();
        }
    }
    holders.into_iter().zip(is_constant).map(|(count, constant)| count > 1 && !constant).collect()
}

#[cfg(test)]
mod tests;
