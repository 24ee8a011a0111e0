//! Spreads of all windows -> the plan's lanes: amounts become parts of [`LANE_PARTS`], and the lanes of a split task share its
//! lines.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use mmc_plan::schedule::{LANE_PARTS, LINE_PARTS};
use mmc_plan::{LaneCourse, LaneSpec, LaneTask};

use super::windows::Amounts;
use crate::ir::task::{SHARE_PARTS, TaskTable};
use crate::parts::apportion;

/// Lines that every piece of a split task should have, when the corpus has that many.
const FEWEST_LINES: u64 = 16;

/// Parts of a lane's tasks in one window.
type Parts = BTreeMap<usize, u32>;

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
    let mut pieces: Vec<(usize, (usize, u32))> = Vec::with_capacity(table.tasks.len());
    for (lane, parts) in means.iter().enumerate() {
        pieces.extend(parts.iter().map(|(&task, &parts)| (task, (lane, parts))));
    }
    pieces.sort_unstable();
    let mut rows: Vec<Vec<(String, LaneTask)>> = vec![Vec::new(); count];
    for pieces in pieces.chunk_by(|(one, _), (other, _)| one == other) {
        let Some(row) = pieces.first().and_then(|(task, _)| table.tasks.get(*task)) else {
            continue;
        };
        let pieces: Vec<(usize, u32)> = pieces.iter().map(|(_, piece)| *piece).collect();
        let intervals = intervals(&pieces, row.corpus.train.lines);
        for ((lane, parts), lines) in pieces.into_iter().zip(intervals) {
            if let Some(rows) = rows.get_mut(lane) {
                rows.push((row.name.clone(), LaneTask { parts, lines }));
            }
        }
    }
    // In order of name, maps are made at once.
    let lanes = rows.into_iter().map(|rows| LaneSpec { tasks: rows.into_iter().collect() });
    let lanes = lanes.collect();
    let tasks = means.iter().map(|parts| parts.keys().copied().collect()).collect();
    if windows.len() < 2 {
        return Laid { lanes, courses: Vec::new(), tasks };
    }
    let course = |(lane, means): (usize, &Parts)| {
        let in_window =
            |window: &Vec<Parts>, task| window.get(lane)?.get(&task).copied() as Option<u32>;
        let course = |task| parts.iter().map(|w| in_window(w, task).unwrap_or(0)).collect();
        let name = |task: usize| table.tasks.get(task).map(|row| row.name.clone());
        let tasks = means.keys().filter_map(|&task| Some((name(task)?, course(task)))).collect();
        LaneCourse { tasks }
    };
    Laid { lanes, courses: means.iter().enumerate().map(course).collect(), tasks }
}

/// The parts of all lanes in one window.
fn window_parts(amounts: &Amounts, tasks: usize) -> Vec<Parts> {
    let homes = homes(amounts, tasks);
    let lane = |(lane, amounts): (usize, &BTreeMap<usize, u64>)| {
        lane_parts(amounts, &|task| homes.get(task) == Some(&lane))
    };
    amounts.iter().enumerate().map(lane).collect()
}

/// The mean parts of a lane over the windows, summing to [`LANE_PARTS`].
fn means(windows: &[Vec<Parts>], lane: usize, lengths: &[u64]) -> Parts {
    if let [only] = windows {
        return only.get(lane).cloned().unwrap_or_default();
    }
    let mut sums: BTreeMap<usize, u128> = BTreeMap::new();
    for (window, length) in windows.iter().zip(lengths) {
        for (&task, &parts) in window.get(lane).into_iter().flatten() {
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
fn lane_parts(
    amounts: &BTreeMap<usize, u64>,
    at_home: &dyn Fn(usize) -> bool,
) -> BTreeMap<usize, u32> {
    let unit = SHARE_PARTS / u64::from(LANE_PARTS);
    let mut parts: BTreeMap<usize, u64> = BTreeMap::new();
    for (&task, &amount) in amounts {
        let rounded = (amount / unit).max(u64::from(at_home(task)));
        if rounded > 0 || amount >= unit / 2 {
            parts.insert(task, rounded.max(1));
        }
    }
    let wanted = u64::from(LANE_PARTS);
    let mut sum: u64 = parts.values().sum();
    // Too few or too many: change those by one whose amount is furthest off, as often as needed.
    let amount = |task: usize| i128::from(amounts.get(&task).copied().unwrap_or(0));
    let off = |task: usize, parts: u64| amount(task) - i128::from(parts) * i128::from(unit);
    let mut poor: BinaryHeap<(i128, Reverse<usize>)> =
        parts.iter().map(|(&task, &parts)| (off(task, parts), Reverse(task))).collect();
    while sum < wanted {
        let Some((_, Reverse(task))) = poor.pop() else { break };
        if let Some(parts) = parts.get_mut(&task) {
            *parts += 1;
            sum += 1;
            poor.push((off(task, *parts), Reverse(task)));
        }
    }
    let mut rich: BinaryHeap<(Reverse<i128>, Reverse<usize>)> = parts
        .iter()
        .filter(|(_, parts)| **parts > 1)
        .map(|(&task, &parts)| (Reverse(off(task, parts)), Reverse(task)))
        .collect();
    while sum > wanted {
        let Some((_, Reverse(task))) = rich.pop() else { break };
        if let Some(parts) = parts.get_mut(&task) {
            *parts -= 1;
            sum -= 1;
            if *parts > 1 {
                rich.push((Reverse(off(task, *parts)), Reverse(task)));
            }
        }
    }
    parts.into_iter().filter_map(|(task, parts)| Some((task, u32::try_from(parts).ok()?))).collect()
}

/// Intervals of lines for the pieces of a task, in proportion to their parts, without gap or overlap; none is so short that
/// it would hold no lines.
fn intervals(pieces: &[(usize, u32)], lines: u64) -> Vec<[u32; 2]> {
    let whole = u64::from(LINE_PARTS);
    let count = pieces.len().max(1) as u64;
    let least = (FEWEST_LINES * whole).div_ceil(lines.max(1)).min(whole / count);
    let sum: u64 = pieces.iter().map(|(_, parts)| u64::from(*parts)).sum::<u64>().max(1);
    let free = whole - least * count;
    let (mut before, mut start) = (0, 0);
    let mut found = Vec::with_capacity(pieces.len());
    for (at, (_, parts)) in pieces.iter().enumerate() {
        before += u64::from(*parts);
        let end = least * (at as u64 + 1) + free * before / sum;
        found.push([start, end].map(|place| u32::try_from(place).unwrap_or(LINE_PARTS)));
        start = end;
    }
    found
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
            prop_assert_eq!(parts.values().map(|parts| u64::from(*parts)).sum::<u64>(), 1_000_000);
            for (task, parts) in parts {
                prop_assert!(amounts[&task].abs_diff(u64::from(parts) * 1000) <= 1000);
            }
        }

        #[test]
        fn intervals_partition_the_lines(parts in prop::collection::vec(1_u32..1_000_000, 1..20), lines in 1_u64..100_000) {
            let pieces: Vec<(usize, u32)> = parts.into_iter().enumerate().collect();
            let found = intervals(&pieces, lines);
            let mut start = 0;
            for [from, to] in found {
                prop_assert_eq!(from, start);
                prop_assert!(to > from);
                start = to;
            }
            prop_assert_eq!(start, LINE_PARTS);
        }
    }
}
