//! The curriculum: windows in order, courses that fill every window, means that are theirs, orders that are whole.

use std::collections::{BTreeMap, BTreeSet};

use crate::curriculum::Coupling;
use crate::plan::Plan;
use crate::schedule::LANE_PARTS;
use crate::verify::{Findings, Rule};

/// Shares of all tasks sum to this.
const WHOLE: u64 = 1_000_000_000;

pub(super) fn check(plan: &Plan, findings: &mut Findings) {
    orders(plan, findings);
    if let Some(competence) = plan.curriculum.competence {
        let fits = (1..=WHOLE).contains(&competence.initial) && competence.steps > 0;
        findings.expect(fits, Rule::Curriculum, || {
            ("curriculum.competence", "it begins with nothing, with more than all, or ends at once")
        });
    }
    if plan.curriculum.windows.is_empty() {
        let empty = plan.curriculum.shares.is_empty() && plan.curriculum.lanes.is_empty();
        findings
            .expect(empty, Rule::Curriculum, || ("curriculum", "it has courses and no windows"));
    } else if windows(plan, findings) {
        let spans = plan.windows();
        shares(plan, &spans, findings);
        parts(plan, &spans, findings);
        totals(plan, findings);
    }
}

/// Whether the windows can be walked through.
fn windows(plan: &Plan, findings: &mut Findings) -> bool {
    let firsts = &plan.curriculum.windows;
    let ascending = firsts.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
    let inside = firsts.first() == Some(&1)
        && firsts.len() > 1
        && firsts.last().is_some_and(|last| *last <= plan.training.steps);
    findings.expect(ascending && inside, Rule::Curriculum, || {
        let steps = plan.training.steps;
        ("curriculum.windows", format!("they do not go up from 1 within {steps} steps: {firsts:?}"))
    });
    let named = plan.curriculum.shares.keys().eq(plan.tasks.keys());
    findings.expect(named, Rule::Curriculum, || {
        ("curriculum.shares", "it does not name exactly the tasks")
    });
    let same = plan.curriculum.lanes.len() == plan.lanes.len()
        && plan
            .curriculum
            .lanes
            .iter()
            .zip(&plan.lanes)
            .all(|(course, lane)| course.tasks.keys().eq(lane.tasks.keys()));
    findings.expect(same, Rule::Curriculum, || {
        ("curriculum.lanes", "they do not name exactly the tasks of the lanes")
    });
    let count = firsts.len();
    let full = plan.curriculum.shares.values().all(|course| course.len() == count)
        && plan
            .curriculum
            .lanes
            .iter()
            .flat_map(|lane| lane.tasks.values())
            .all(|course| course.len() == count);
    findings.expect(full, Rule::Curriculum, || {
        ("curriculum", format!("a course has not one number for each of the {count} windows"))
    });
    ascending && inside && named && same && full
}

/// The mean of a course over the steps of its windows.
fn mean(course: impl Iterator<Item = u64>, spans: &[[u64; 2]]) -> u128 {
    let length = |[first, last]: &[u64; 2]| u128::from(last - first + 1);
    let steps: u128 = spans.iter().map(length).sum();
    let weighted = course.zip(spans).map(|(part, span)| u128::from(part) * length(span));
    weighted.fold(steps / 2, u128::saturating_add) / steps.max(1)
}

fn shares(plan: &Plan, spans: &[[u64; 2]], findings: &mut Findings) {
    for window in 0..spans.len() {
        let in_window = plan.curriculum.shares.values().filter_map(|course| course.get(window));
        let sum = in_window.fold(0_u64, |sum, share| sum.saturating_add(*share));
        findings.expect(sum == WHOLE, Rule::Share, || {
            (format!("window {window}"), format!("shares sum to {sum}, not {WHOLE}"))
        });
    }
    // Every share is rounded, and none is less than one.
    let rounding = plan.tasks.len() as u128 + 2;
    for ((name, course), task) in plan.curriculum.shares.iter().zip(plan.tasks.values()) {
        let mean = mean(course.iter().copied(), spans);
        findings.expect(mean.abs_diff(task.share.into()) <= rounding, Rule::Share, || {
            (
                format!("task `{name}`"),
                format!("share {}, but its windows' mean is {mean}", task.share),
            )
        });
    }
}

fn parts(plan: &Plan, spans: &[[u64; 2]], findings: &mut Findings) {
    for (number, (course, lane)) in plan.curriculum.lanes.iter().zip(&plan.lanes).enumerate() {
        let place = || format!("lane {number}");
        for window in 0..spans.len() {
            let in_window = course.tasks.values().filter_map(|parts| parts.get(window));
            let sum: u64 = in_window.map(|parts| u64::from(*parts)).sum();
            findings.expect(sum == u64::from(LANE_PARTS), Rule::LaneParts, || {
                (place(), format!("parts of window {window} sum to {sum}, not {LANE_PARTS}"))
            });
        }
        let rounding = lane.tasks.len() as u128 + 2;
        for ((name, parts), task) in course.tasks.iter().zip(lane.tasks.values()) {
            let mean = mean(parts.iter().map(|parts| u64::from(*parts)), spans);
            let near = mean.abs_diff(task.parts.into()) <= rounding;
            findings.expect(near && parts.iter().any(|parts| *parts > 0), Rule::LaneParts, || {
                let message = format!("task `{name}` has {} parts, its windows {mean}", task.parts);
                (place(), message)
            });
        }
    }
}

/// In every window, what the lanes give a task is its share, as exactly as parts can say.
fn totals(plan: &Plan, findings: &mut Findings) {
    let count = plan.curriculum.window_count();
    let mut given: BTreeMap<&str, Vec<(u128, u128)>> = BTreeMap::new();
    for (name, course) in plan.curriculum.lanes.iter().flat_map(|lane| &lane.tasks) {
        let sums = given.entry(name).or_insert_with(|| vec![(0, 0); count]);
        for (sum, parts) in sums.iter_mut().zip(course) {
            *sum = (sum.0 + u128::from(*parts), sum.1 + 1);
        }
    }
    for (name, course) in &plan.curriculum.shares {
        let sums = given.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        for (window, (share, (parts, lanes))) in course.iter().zip(sums).enumerate() {
            // A share of s billionths of L lanes is s * L / 1000 parts of a lane; all times 1000 here.
            let wanted = u128::from(*share) * plan.lanes.len() as u128;
            let rounding = (1000 * (lanes + 1)).max(wanted / 1000);
            let kept = (parts * 1000).abs_diff(wanted) <= rounding && (*share > 0) == (*parts > 0);
            findings.expect(kept, Rule::Share, || {
                let wanted = wanted / 1000;
                let place = format!("task `{name}`, window {window}");
                (place, format!("its lanes give it {parts} parts, but share {share} is {wanted}"))
            });
        }
    }
}

/// Aligned lanes have an order each, of exactly their tasks; others have none.
fn orders(plan: &Plan, findings: &mut Findings) {
    let orders = &plan.curriculum.orders;
    let wanted = match plan.curriculum.schedule {
        Coupling::Independent => 0,
        Coupling::Aligned => plan.lanes.len(),
    };
    findings.expect(orders.len() == wanted, Rule::Curriculum, || {
        ("curriculum.orders", format!("{} orders of lanes, not {wanted}", orders.len()))
    });
    for (number, (order, lane)) in orders.iter().zip(&plan.lanes).enumerate() {
        let named: BTreeSet<&String> = order.tasks.iter().collect();
        let whole =
            order.tasks.len() == lane.tasks.len() && named.into_iter().eq(lane.tasks.keys());
        findings.expect(whole, Rule::Curriculum, || {
            (format!("order of lane {number}"), "it does not name exactly its tasks, each once")
        });
    }
}
