//! In which part of the steps each module is trained by any lane, in expectation over the random numbers, exactly.

use std::collections::BTreeMap;

use mmc_plan::schedule::LANE_PARTS;
use mmc_plan::{Coupling, Plan};

/// Where a lane trains a module in a window: lane, first point, last point and one.
type Turn = (usize, u64, u64);

/// Module -> the part of all steps in which it is trained, when lanes draw in these orders.
///
/// Independent lanes: one less the product of the parts in which each lane trains something else. Aligned lanes: the union of
/// the points at which they train it. Windows count by their steps.
#[expect(clippy::cast_precision_loss, reason = "points and steps are far below 2^53")]
pub(super) fn trained<'a>(
    plan: &'a Plan,
    coupling: Coupling,
    orders: &[Vec<&'a str>],
) -> BTreeMap<&'a str, f64> {
    let mut found: BTreeMap<&str, f64> = BTreeMap::new();
    let steps = plan.training.steps.max(1) as f64;
    for (window, [first, last]) in plan.windows().into_iter().enumerate() {
        let length = (last + 1 - first) as f64 / steps;
        for (module, turns) in turns(plan, window, orders) {
            let part = match coupling {
                Coupling::Independent => together(&turns),
                Coupling::Aligned => union(turns) as f64 / f64::from(LANE_PARTS),
            };
            *found.entry(module).or_default() += length * part;
        }
    }
    found
}

fn turns<'a>(
    plan: &'a Plan,
    window: usize,
    orders: &[Vec<&'a str>],
) -> BTreeMap<&'a str, Vec<Turn>> {
    let mut turns: BTreeMap<&str, Vec<Turn>> = BTreeMap::new();
    for (lane, order) in orders.iter().enumerate() {
        let mut reached = 0;
        for name in order {
            let end = reached + u64::from(plan.parts_in(window, lane, name));
            for module in plan.tasks.get(*name).into_iter().flat_map(|task| task.modules()) {
                turns.entry(module).or_default().push((lane, reached, end));
            }
            reached = end;
        }
    }
    turns
}

/// The probability that any of independent lanes trains it.
#[expect(clippy::cast_precision_loss, reason = "points are far below 2^53")]
fn together(turns: &[Turn]) -> f64 {
    let mut idle = 1.0;
    // Turns come lane by lane.
    for of_lane in turns.chunk_by(|one, other| one.0 == other.0) {
        let points: u64 = of_lane.iter().map(|(_, start, end)| end - start).sum();
        idle *= 1.0 - points as f64 / f64::from(LANE_PARTS);
    }
    1.0 - idle
}

/// Points that are covered.
fn union(mut turns: Vec<Turn>) -> u64 {
    turns.sort_unstable_by_key(|&(_, start, end)| (start, end));
    let (mut reached, mut sum) = (0, 0);
    for (_, start, end) in turns {
        sum += end.saturating_sub(start.max(reached));
        reached = reached.max(end);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unions_and_products() {
        let turns = vec![(0, 0, 500_000), (1, 250_000, 500_000), (1, 750_000, 1_000_000)];
        assert_eq!(union(turns.clone()), 750_000);
        assert!((together(&turns) - 0.75).abs() < 1e-12);
        assert_eq!(union(vec![(0, 5, 5)]), 0);
    }
}
