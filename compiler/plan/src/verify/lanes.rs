//! Lanes: parts, lines, and the shares that come out of them.

use std::collections::BTreeMap;

use crate::plan::{LaneTask, Plan};
use crate::schedule::{LANE_PARTS, LINE_PARTS};
use crate::verify::{Findings, Rule};

pub(super) fn check(plan: &Plan, findings: &mut Findings) {
    findings.expect(!plan.lanes.is_empty(), Rule::LaneParts, || ("lanes", "there is no lane"));
    let mut lanes_of: BTreeMap<&str, Vec<(usize, LaneTask)>> = BTreeMap::new();
    for (number, lane) in plan.lanes.iter().enumerate() {
        let parts: u64 = lane.tasks.values().map(|task| u64::from(task.parts)).sum();
        findings.expect(parts == u64::from(LANE_PARTS), Rule::LaneParts, || {
            (format!("lane {number}"), format!("parts sum to {parts}, not {LANE_PARTS}"))
        });
        for (name, task) in &lane.tasks {
            let place = || format!("lane {number}");
            findings.expect(plan.tasks.contains_key(name), Rule::Reference, || {
                (place(), format!("there is no task `{name}`"))
            });
            findings.expect(task.parts > 0, Rule::LaneParts, || {
                (place(), format!("task `{name}` is on it with 0 parts"))
            });
            lanes_of.entry(name).or_default().push((number, *task));
        }
    }
    for (name, task) in &plan.tasks {
        let lanes = lanes_of.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        lines(name, lanes, findings);
        share(plan, name, task.share, lanes, findings);
    }
}

/// The intervals of a task's lanes cover all places once.
fn lines(name: &str, lanes: &[(usize, LaneTask)], findings: &mut Findings) {
    let mut intervals: Vec<[u32; 2]> = lanes.iter().map(|(_, task)| task.lines).collect();
    intervals.sort_unstable();
    let mut reached = 0;
    for [from, to] in intervals {
        findings.expect(from == reached && from < to, Rule::Lines, || {
            (
                format!("task `{name}`"),
                format!("lines {from}..{to} do not go on where the last lane's end, at {reached}"),
            )
        });
        reached = to;
    }
    findings.expect(reached == LINE_PARTS, Rule::Lines, || {
        (
            format!("task `{name}`"),
            format!("its lanes read lines up to {reached}, not {LINE_PARTS}"),
        )
    });
}

/// Parts are whole numbers: each lane may round by one part, and no task may have less than one. What that takes from the
/// large tasks stays below a thousandth of theirs.
fn share(
    plan: &Plan,
    name: &str,
    share: u64,
    lanes: &[(usize, LaneTask)],
    findings: &mut Findings,
) {
    let parts: u128 = lanes.iter().map(|(_, task)| u128::from(task.parts)).sum();
    // In parts of a lane, a share of s billionths of L lanes is s * L / 1000; all times 1000 here.
    let wanted = u128::from(share) * plan.lanes.len() as u128;
    let found = parts * 1000;
    let rounding = 1000 * (lanes.len() as u128 + 1);
    findings.expect(found.abs_diff(wanted) <= rounding.max(wanted / 1000), Rule::Share, || {
        (
            format!("task `{name}`"),
            format!("its lanes give it {parts} parts, but share {share} is {}", wanted / 1000),
        )
    });
}
