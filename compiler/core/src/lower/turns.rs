//! In which part of the steps each module is trained by any lane, in expectation over the random numbers, exactly.

use std::collections::BTreeMap;

use mmc_plan::schedule::LANE_PARTS;
use mmc_plan::{Coupling, Plan};

use super::lanes::Lanes;
use crate::ir::module::TaskPath;

/// Points at which a lane trains a module in a window: the first, and the last and one.
type Turn = [u64; 2];

/// Module -> the part of all steps in which it is trained, when lanes draw in these orders (tasks by their places).
///
/// Independent lanes: one less the product of the parts in which each lane trains something else. Aligned lanes: the union of
/// the points at which they train it. Windows count by their steps.
#[expect(clippy::cast_precision_loss, reason = "points and steps are far below 2^53")]
pub(super) fn trained<'a>(
    plan: &Plan,
    lanes: &Lanes<'a>,
    coupling: Coupling,
    orders: &[Vec<usize>],
) -> BTreeMap<&'a str, f64> {
    let mut found = vec![0.0; lanes.module_count()];
    let steps = plan.training.steps.max(1) as f64;
    for (window, [first, last]) in plan.windows().into_iter().enumerate() {
        let length = (last + 1 - first) as f64 / steps;
        for (sum, part) in found.iter_mut().zip(in_window(plan, lanes, window, coupling, orders)) {
            *sum += length * part;
        }
    }
    lanes.modules().zip(found).collect()
}

/// Module -> the part of a window's steps in which it is trained.
#[expect(clippy::cast_precision_loss, reason = "points are far below 2^53")]
fn in_window(
    plan: &Plan,
    lanes: &Lanes<'_>,
    window: usize,
    coupling: Coupling,
    orders: &[Vec<usize>],
) -> Vec<f64> {
    let count = lanes.module_count();
    // Task -> its parts on the lane that is looked at.
    let mut parts = vec![0; lanes.task_count()];
    // Module -> the number of the turn that passed it last.
    let (mut seen, mut turn) = (vec![0_u64; count], 0);
    let (mut idle, mut turns) = (vec![1.0; count], vec![Vec::<Turn>::new(); count]);
    let mut own = vec![0_u64; count];
    for (lane, order) in orders.iter().enumerate() {
        note_parts(plan, lanes, (window, lane), &mut parts);
        let mut reached = 0;
        for &task in order {
            let start = reached;
            reached += parts.get(task).map_or(0, |&parts| u64::from(parts));
            if reached == start {
                continue;
            }
            turn += 1;
            for module in lanes.path(task).into_iter().flat_map(TaskPath::steps) {
                let module = module.index();
                // A path may pass a module twice.
                if seen.get_mut(module).is_none_or(|seen| std::mem::replace(seen, turn) == turn) {
                    continue;
                }
                match coupling {
                    Coupling::Independent => {
                        if let Some(sum) = own.get_mut(module) {
                            *sum += reached - start;
                        }
                    }
                    Coupling::Aligned => {
                        let Some(turns) = turns.get_mut(module) else { continue };
                        match turns.last_mut() {
                            Some([_, end]) if *end == start => *end = reached,
                            _ => turns.push([start, reached]),
                        }
                    }
                }
            }
        }
        for (idle, own) in idle.iter_mut().zip(&mut own) {
            *idle *= 1.0 - std::mem::take(own) as f64 / f64::from(LANE_PARTS);
        }
    }
    let part = |(idle, turns): (f64, Vec<Turn>)| match coupling {
        Coupling::Independent => 1.0 - idle,
        Coupling::Aligned => union(turns) as f64 / f64::from(LANE_PARTS),
    };
    idle.into_iter().zip(turns).map(part).collect()
}

/// Notes the parts of a lane's tasks in a window.
fn note_parts(plan: &Plan, lanes: &Lanes<'_>, (window, lane): (usize, usize), parts: &mut [u32]) {
    let mut note = |task: usize, here: u32| {
        if let Some(parts) = parts.get_mut(task) {
            *parts = here;
        }
    };
    match plan.curriculum.lanes.get(lane) {
        // A course has the lane's tasks in their order.
        Some(course) => {
            for ((task, _), parts) in lanes.of(lane).iter().zip(course.tasks.values()) {
                note(*task, parts.get(window).copied().unwrap_or(0));
            }
        }
        None => lanes.of(lane).iter().for_each(|(task, drawn)| note(*task, drawn.parts)),
    }
}

/// Points that are covered.
fn union(mut turns: Vec<Turn>) -> u64 {
    turns.sort_unstable();
    let (mut reached, mut sum) = (0, 0);
    for [start, end] in turns {
        sum += end.saturating_sub(start.max(reached));
        reached = reached.max(end);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unions() {
        assert_eq!(union(vec![[0, 500_000], [250_000, 500_000], [750_000, 1_000_000]]), 750_000);
        assert_eq!(union(vec![[5, 5]]), 0);
    }
}
