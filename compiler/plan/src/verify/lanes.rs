//! Lanes: parts, lines, and the shares that come out of them.

use crate::plan::{LaneTask, Plan};
use crate::schedule::{LANE_PARTS, LINE_PARTS};
use crate::verify::index::{Index, Row};
use crate::verify::{Findings, Rule};

pub(super) fn check(plan: &Plan, index: &Index<'_>, findings: &mut Findings) {
    findings.expect(!plan.lanes.is_empty(), Rule::LaneParts, || ("lanes", "there is no lane"));
    for (number, (lane, known)) in plan.lanes.iter().zip(&index.lanes).enumerate() {
        let place = || format!("lane {number}");
        let parts: u64 = lane.tasks.values().map(|task| u64::from(task.parts)).sum();
        findings.expect(parts == u64::from(LANE_PARTS), Rule::LaneParts, || {
            (place(), format!("parts sum to {parts}, not {LANE_PARTS}"))
        });
        if known.len() < lane.tasks.len() {
            for name in lane.tasks.keys().filter(|name| !plan.tasks.contains_key(*name)) {
                findings.add(Rule::Reference, place(), format!("there is no task `{name}`"));
            }
        }
        for (name, _) in lane.tasks.iter().filter(|(_, task)| task.parts == 0) {
            let message = format!("task `{name}` is on it with 0 parts");
            findings.add(Rule::LaneParts, place(), message);
        }
    }
    let mut rows: Vec<(usize, LaneTask)> = index.lanes.iter().flatten().copied().collect();
    // Stable: the lanes of a task stay in order.
    rows.sort_by_key(|(task, _)| *task);
    let mut rest = rows.as_slice();
    for (number, row) in index.tasks.iter().enumerate() {
        let count = rest.iter().take_while(|(task, _)| *task == number).count();
        let (lanes, after) = rest.split_at(count);
        rest = after;
        lines(row.name, lanes, findings);
        share(plan, row, lanes, findings);
    }
}

/// The intervals of a task's lanes cover all places once.
fn lines(name: &str, lanes: &[(usize, LaneTask)], findings: &mut Findings) {
    // Most tasks lie on one lane.
    if matches!(lanes, [(_, LaneTask { lines: [0, LINE_PARTS], .. })]) {
        return;
    }
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
fn share(plan: &Plan, row: &Row<'_>, lanes: &[(usize, LaneTask)], findings: &mut Findings) {
    let (name, share) = (row.name, row.task.share);
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
