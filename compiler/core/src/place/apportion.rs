//! Spreads of all windows -> the plan's lanes: amounts become parts of [`LANE_PARTS`], and the lanes of a split task share its
//! lines.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use mmc_plan::schedule::{LANE_PARTS, LINE_PARTS};
use mmc_plan::{LaneCourse, LaneSpec, LaneTask, stretch};

use super::MANY;
use super::windows::Amounts;
use crate::ir::task::{SHARE_PARTS, TaskTable};
use crate::parts::apportion;

/// Lines that every piece of a split task should have, when the corpus has that many.
const FEWEST_LINES: u64 = 16;

/// A lane's tasks, ascending, each with its parts in one window.
type Parts = Vec<(usize, u32)>;

/// Lanes in names, and their tasks by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Laid {
    /// With means over the run.
    pub(super) lanes: Vec<LaneSpec>,
    /// When there are several windows.
    pub(super) courses: Vec<LaneCourse>,
    /// The tasks of every lane by their places in the table, which are in the same order as their names.
    pub(super) tasks: Vec<Vec<usize>>,
}

/// The lanes of a run of so many steps.
pub(super) fn lanes(windows: &[Amounts], table: &TaskTable, steps: u64) -> Laid {
    let parts: Vec<Vec<Parts>> =
        windows.iter().map(|amounts| window_parts(amounts, table.tasks.len())).collect();
    let count = windows.first().map_or(0, Vec::len);
    let lengths = table.window_lengths(steps);
    let means: Vec<Parts> = (0..count).map(|lane| means(&parts, lane, &lengths)).collect();
    let mut cuts = vec![Cut::default(); table.tasks.len()];
    for &(task, parts) in means.iter().flatten() {
        if let Some(cut) = cuts.get_mut(task) {
            cut.expect(parts);
        }
    }
    let mut piece = |&(task, parts): &(usize, u32)| {
        let (row, cut) = (table.tasks.get(task)?, cuts.get_mut(task)?);
        Some((row.name.clone(), LaneTask { parts, lines: cut.next(parts, row.corpus.train.lines) }))
    };
    // In order of name, maps are made at once.
    let lane = |parts: &Parts| LaneSpec { tasks: parts.iter().filter_map(&mut piece).collect() };
    let lanes = means.iter().map(lane).collect();
    let tasks = means.iter().map(|parts| parts.iter().map(|(task, _)| *task).collect()).collect();
    if windows.len() < 2 {
        return Laid { lanes, courses: Vec::new(), tasks };
    }
    let course = |(lane, means): (usize, &Parts)| {
        let in_window = |window: &Vec<Parts>, task: usize| {
            let parts = window.get(lane)?;
            let at = parts.binary_search_by_key(&task, |(task, _)| *task).ok()?;
            parts.get(at).map(|(_, parts)| *parts)
        };
        let course = |task| parts.iter().map(|w| in_window(w, task).unwrap_or(0)).collect();
        let name = |task: usize| table.tasks.get(task).map(|row| row.name.clone());
        let tasks = means.iter().map(|(task, _)| *task);
        let tasks = tasks.filter_map(|task| Some((name(task)?, course(task)))).collect();
        LaneCourse { tasks }
    };
    Laid { lanes, courses: means.iter().enumerate().map(course).collect(), tasks }
}

/// The parts of all lanes in one window.
fn window_parts(amounts: &Amounts, tasks: usize) -> Vec<Parts> {
    let homes = homes(amounts, tasks);
    let lane = |(lane, amounts): &(usize, &BTreeMap<usize, u64>)| {
        lane_parts(amounts, &|task| homes.get(task) == Some(lane))
    };
    let lanes: Vec<(usize, &BTreeMap<usize, u64>)> = amounts.iter().enumerate().collect();
    stretch::every(tasks >= MANY, &lanes, lane)
}

/// The mean parts of a lane over the windows, summing to [`LANE_PARTS`].
fn means(windows: &[Vec<Parts>], lane: usize, lengths: &[u64]) -> Parts {
    if let [only] = windows {
        return only.get(lane).cloned().unwrap_or_default();
    }
    let mut sums: BTreeMap<usize, u128> = BTreeMap::new();
    for (window, length) in windows.iter().zip(lengths) {
        for &(task, parts) in window.get(lane).into_iter().flatten() {
            *sums.entry(task).or_default() += u128::from(parts) * u128::from(*length);
        }
    }
    let numbers: Vec<u128> = sums.values().copied().collect();
    let parts = apportion(&numbers, u64::from(LANE_PARTS));
    let part = |(task, parts): (usize, u64)| Some((task, u32::try_from(parts).ok()?));
    sums.into_keys().zip(parts).filter_map(part).collect()
}

/// Per task, the lane with most of it (the first of several).
fn homes(amounts: &Amounts, tasks: usize) -> Vec<usize> {
    let mut homes = vec![(0_u64, 0_usize); tasks];
    for (lane, amounts) in amounts.iter().enumerate() {
        for (&task, &amount) in amounts {
            if let Some(home) = homes.get_mut(task)
                && amount > home.0
            {
                *home = (amount, lane);
            }
        }
    }
    homes.into_iter().map(|(_, lane)| lane).collect()
}

/// Parts of one lane, summing to [`LANE_PARTS`]: each amount to the nearest part but the last few, at least one for a task
/// at home here; a sliver of a task that rounds to nothing is left to its other lanes.
fn lane_parts(amounts: &BTreeMap<usize, u64>, at_home: &dyn Fn(usize) -> bool) -> Parts {
    let unit = SHARE_PARTS / u64::from(LANE_PARTS);
    // Task, amount, parts.
    let mut rows: Vec<(usize, u64, u64)> = Vec::with_capacity(amounts.len());
    for (&task, &amount) in amounts {
        let rounded = (amount / unit).max(u64::from(at_home(task)));
        if rounded > 0 || amount >= unit / 2 {
            rows.push((task, amount, rounded.max(1)));
        }
    }
    let wanted = u64::from(LANE_PARTS);
    let sum: u64 = rows.iter().map(|(_, _, parts)| parts).sum();
    // Too few or too many: change those by one whose amount is furthest off, as often as needed.
    let off = |(_, amount, parts): &(usize, u64, u64)| {
        i128::from(*amount) - i128::from(*parts) * i128::from(unit)
    };
    if sum < wanted {
        let poor = rows.iter().enumerate().map(|(at, row)| (off(row), Reverse(at)));
        let mut poor: BinaryHeap<(i128, Reverse<usize>)> = poor.collect();
        for _ in sum..wanted {
            let Some((_, Reverse(at))) = poor.pop() else { break };
            let Some(row) = rows.get_mut(at) else { break };
            row.2 += 1;
            poor.push((off(row), Reverse(at)));
        }
    } else if sum > wanted {
        let rich = rows.iter().enumerate().filter(|(_, (_, _, parts))| *parts > 1);
        let mut rich: BinaryHeap<(Reverse<i128>, Reverse<usize>)> =
            rich.map(|(at, row)| (Reverse(off(row)), Reverse(at))).collect();
        for _ in wanted..sum {
            let Some((_, Reverse(at))) = rich.pop() else { break };
            let Some(row) = rows.get_mut(at) else { break };
            row.2 -= 1;
            if row.2 > 1 {
                rich.push((Reverse(off(row)), Reverse(at)));
            }
        }
    }
    let narrow = |(task, _, parts): (usize, u64, u64)| Some((task, u32::try_from(parts).ok()?));
    rows.into_iter().filter_map(narrow).collect()
}

/// The lines of a task, being cut into intervals for its lanes in their order: in proportion to their parts, without gap or
/// overlap; none is so short that it would hold no lines.
#[derive(Debug, Clone, Default)]
struct Cut {
    /// Lanes of the task, and their parts together.
    lanes: u64,
    parts: u64,
    /// Of those: the lanes that have their interval, and their parts.
    done: u64,
    before: u64,
    /// Where the last interval ends.
    start: u64,
}

impl Cut {
    /// One more lane, with these parts.
    fn expect(&mut self, parts: u32) {
        self.lanes += 1;
        self.parts += u64::from(parts);
    }

    /// The interval of the next lane.
    fn next(&mut self, parts: u32, lines: u64) -> [u32; 2] {
        let whole = u64::from(LINE_PARTS);
        let least = (FEWEST_LINES * whole).div_ceil(lines.max(1)).min(whole / self.lanes.max(1));
        let free = whole - least * self.lanes;
        self.done += 1;
        self.before += u64::from(parts);
        let end = least * self.done + free * self.before / self.parts.max(1);
        let start = std::mem::replace(&mut self.start, end);
        [start, end].map(|place| u32::try_from(place).unwrap_or(LINE_PARTS))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_fill_the_lane_and_stay_near(weights in prop::collection::vec(1_u64..1_000_000, 1..200)) {
            let sum: u64 = weights.iter().sum();
            let mut amounts: BTreeMap<usize, u64> =
                weights.iter().map(|weight| (weight * SHARE_PARTS / sum).max(1)).enumerate().collect();
            let rest = SHARE_PARTS - amounts.values().skip(1).sum::<u64>();
            amounts.insert(0, rest);
            let parts = lane_parts(&amounts, &|_| true);
            prop_assert_eq!(parts.iter().map(|(_, parts)| u64::from(*parts)).sum::<u64>(), 1_000_000);
            for (task, parts) in parts {
                prop_assert!(amounts[&task].abs_diff(u64::from(parts) * 1000) <= 1000);
            }
        }

        #[test]
        fn intervals_partition_the_lines(parts in prop::collection::vec(1_u32..1_000_000, 1..20), lines in 1_u64..100_000) {
            let mut cut = Cut::default();
            for parts in &parts {
                cut.expect(*parts);
            }
            let mut start = 0;
            for [from, to] in parts.into_iter().map(|parts| cut.next(parts, lines)) {
                prop_assert_eq!(from, start);
                prop_assert!(to > from);
                start = to;
            }
            prop_assert_eq!(start, LINE_PARTS);
        }
    }
}
