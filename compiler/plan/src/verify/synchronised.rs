//! What the communicators are expected to sum: the plan's own schedule, derived again from points and parts.

use crate::curriculum::{Coupling, Synchronised};
use crate::plan::{LaneTask, Plan};
use crate::schedule::LANE_PARTS;
use crate::verify::index::distinct;
use crate::verify::{Findings, Index, Rule};

pub(super) fn check(plan: &Plan, index: &Index<'_>, findings: &mut Findings) {
    let Some(Synchronised { independent, aligned }) = plan.synchronised else { return };
    let told = match plan.curriculum.schedule {
        Coupling::Independent => independent,
        Coupling::Aligned => aligned,
    };
    let expected = expected(plan, index);
    // Sums in another order, and half a byte of rounding.
    let kept = (float(told) - expected).abs() <= 1.0 + expected * 1e-9;
    findings.expect(kept && !plan.communicators.is_empty(), Rule::Estimate, || {
        ("synchronised", format!("{told} bytes, but its lanes expect {expected:.0}"))
    });
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn float(number: u64) -> f64 {
    number as f64
}

fn expected(plan: &Plan, index: &Index<'_>) -> f64 {
    let width = float(2 * plan.training.precision.parameter_bytes());
    // Module -> bytes that communicators sum of it.
    let mut sizes = vec![0.0; plan.modules.len()];
    for name in plan.communicators.iter().flat_map(|spec| &spec.modules) {
        let parameters = plan.modules.get(name).map_or(0, |module| module.parameters);
        let number = index.modules.get(name.as_str());
        if let Some(size) = number.and_then(|&number| sizes.get_mut(number)) {
            *size += (float(parameters) + 1.0) * width;
        }
    }
    let steps = float(plan.training.steps.max(1));
    let in_window = |(window, [first, last]): (usize, [u64; 2])| {
        let length = float((last + 1).saturating_sub(first)) / steps;
        length * window_bytes(plan, index, window, &sizes)
    };
    plan.windows().into_iter().enumerate().map(in_window).sum()
}

/// Points at which a lane trains a module: from, to.
type Points = [u32; 2];

/// Expected bytes of a step in a window: every module by the chance that a lane trains it.
fn window_bytes(plan: &Plan, index: &Index<'_>, window: usize, sizes: &[f64]) -> f64 {
    // Module -> the chance that no lane so far trains it, and all lanes' points.
    let mut idle = vec![1.0; sizes.len()];
    let mut all: Vec<Vec<Points>> = vec![Vec::new(); sizes.len()];
    for number in 0..index.lanes.len() {
        let mut own: Vec<u64> = vec![0; sizes.len()];
        for ([from, to], task) in turns(plan, index, window, number) {
            let way = index.row(task).map_or(&[][..], |row| index.way(row));
            let is_summed = |module: &usize| sizes.get(*module).is_some_and(|size| *size > 0.0);
            for module in distinct(way).filter(is_summed) {
                match plan.curriculum.schedule {
                    Coupling::Independent => {
                        if let Some(sum) = own.get_mut(module) {
                            *sum += u64::from(to - from);
                        }
                    }
                    Coupling::Aligned => {
                        if let Some(all) = all.get_mut(module) {
                            all.push([from, to]);
                        }
                    }
                }
            }
        }
        for (idle, own) in idle.iter_mut().zip(own) {
            *idle *= 1.0 - float(own) / f64::from(LANE_PARTS);
        }
    }
    let chances = idle.into_iter().zip(all).map(|(idle, points)| match plan.curriculum.schedule {
        Coupling::Independent => 1.0 - idle,
        Coupling::Aligned => float(covered(points)) / f64::from(LANE_PARTS),
    });
    chances.zip(sizes).map(|(chance, size)| chance * size).sum()
}

/// The tasks of a lane with their points in a window: in the order of its draws.
fn turns(plan: &Plan, index: &Index<'_>, window: usize, number: usize) -> Vec<(Points, usize)> {
    let Some(known) = index.lanes.get(number) else { return Vec::new() };
    let find = |name: &str| {
        let key = |(task, _): &(usize, LaneTask)| index.row(*task).map_or("", |row| row.name);
        known.binary_search_by_key(&name, key).ok().and_then(|at| known.get(at)).map(|row| row.0)
    };
    let is_plain = plan.curriculum.lanes.is_empty() && plan.curriculum.orders.is_empty();
    let order: Vec<(u32, Option<usize>)> = if is_plain {
        known.iter().map(|(task, drawn)| (drawn.parts, Some(*task))).collect()
    } else {
        let row = |name| (plan.parts_in(window, number, name), find(name));
        plan.order_of(number).into_iter().map(row).collect()
    };
    let mut reached = 0_u32;
    let turn = |(parts, task): (u32, Option<usize>)| {
        let from = reached;
        reached = reached.saturating_add(parts);
        Some(([from, reached], task?))
    };
    order.into_iter().filter_map(turn).collect()
}

/// Points within any of the spans: how many lanes train there goes up at a start and down at an end.
fn covered(spans: Vec<Points>) -> u64 {
    let mut changes: Vec<(u32, i32)> =
        spans.into_iter().flat_map(|[from, to]| [(from, 1), (to, -1)]).collect();
    changes.sort_unstable();
    let (mut depth, mut since, mut covered) = (0, 0, 0);
    for (point, change) in changes {
        if depth > 0 {
            covered += u64::from(point - since);
        }
        (depth, since) = (depth + change, point);
    }
    covered
}
