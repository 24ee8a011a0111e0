//! What the communicators are expected to sum: the plan's own schedule, derived again from points and parts.

use std::collections::BTreeMap;

use crate::curriculum::{Coupling, Synchronised};
use crate::plan::Plan;
use crate::schedule::LANE_PARTS;
use crate::verify::{Findings, Rule};

pub(super) fn check(plan: &Plan, findings: &mut Findings) {
    let Some(Synchronised { independent, aligned }) = plan.synchronised else { return };
    let told = match plan.curriculum.schedule {
        Coupling::Independent => independent,
        Coupling::Aligned => aligned,
    };
    let expected = expected(plan);
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

fn expected(plan: &Plan) -> f64 {
    let width = float(2 * plan.training.precision.parameter_bytes());
    let mut sizes: BTreeMap<&str, f64> = BTreeMap::new();
    for name in plan.communicators.iter().flat_map(|spec| &spec.modules) {
        let parameters = plan.modules.get(name).map_or(0, |module| module.parameters);
        *sizes.entry(name).or_default() += (float(parameters) + 1.0) * width;
    }
    let steps = float(plan.training.steps.max(1));
    let in_window = |(window, [first, last]): (usize, [u64; 2])| {
        let length = float((last + 1).saturating_sub(first)) / steps;
        length * window_bytes(plan, window, &sizes)
    };
    plan.windows().into_iter().enumerate().map(in_window).sum()
}

/// Expected bytes of a step in a window: every module by the chance that a lane trains it.
fn window_bytes(plan: &Plan, window: usize, sizes: &BTreeMap<&str, f64>) -> f64 {
    // Module -> per lane, the points at which it is trained.
    let mut points: BTreeMap<&str, BTreeMap<usize, Vec<[u64; 2]>>> = BTreeMap::new();
    for lane in 0..plan.lanes.len() {
        let mut reached = 0_u64;
        for name in plan.order_of(lane) {
            let from = reached;
            reached += u64::from(plan.parts_in(window, lane, name));
            for module in plan.tasks.get(name).into_iter().flat_map(|task| task.modules()) {
                if sizes.contains_key(module) {
                    let lanes = points.entry(module).or_default();
                    lanes.entry(lane).or_default().push([from, reached]);
                }
            }
        }
    }
    let whole = f64::from(LANE_PARTS);
    let chance = |lanes: &BTreeMap<usize, Vec<[u64; 2]>>| match plan.curriculum.schedule {
        Coupling::Independent => {
            let idle = lanes
                .values()
                .map(|spans| 1.0 - float(spans.iter().map(|[from, to]| to - from).sum()) / whole);
            1.0 - idle.product::<f64>()
        }
        Coupling::Aligned => {
            // How many lanes train it, point by point: up at a start, down at an end.
            let mut changes: BTreeMap<u64, i64> = BTreeMap::new();
            for [from, to] in lanes.values().flatten() {
                *changes.entry(*from).or_default() += 1;
                *changes.entry(*to).or_default() -= 1;
            }
            let (mut depth, mut since, mut covered) = (0, 0, 0);
            for (point, change) in changes {
                if depth > 0 {
                    covered += point - since;
                }
                (depth, since) = (depth + change, point);
            }
            float(covered) / whole
        }
    };
    let bytes = |(module, lanes): (&&str, _)| chance(lanes) * sizes.get(*module).unwrap_or(&0.0);
    points.iter().map(bytes).sum()
}
