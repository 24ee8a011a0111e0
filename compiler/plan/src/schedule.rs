//! Which lane runs which task at which step: a function of (seed, step, lane) that every rank evaluates alike without talking.

use crate::curriculum::Coupling;
use crate::plan::Plan;
use crate::random::{Purpose, word};

/// The parts that a lane's task probabilities are counted in; they sum to this on every lane.
pub const LANE_PARTS: u32 = 1_000_000;

/// Parts of a task's lines, see [`line_position`].
pub const LINE_PARTS: u32 = 1_000_000;

impl Plan {
    /// The task that lane number `lane` runs in `step` (from 1): the inverse distribution function of the step's window over
    /// the lane's tasks in their order; none only for a lane without tasks.
    pub fn task_at(&self, step: u64, lane: u32) -> Option<&str> {
        let number = usize::try_from(lane).ok()?;
        let spec = self.lanes.get(number)?;
        let window = self.curriculum.window_of(step);
        let point = self.point_at(step, lane);
        let mut upper = 0_u32;
        let mut reached = |task: &str| {
            upper = upper.saturating_add(self.parts_in(window, number, task));
            point < upper
        };
        let found = match self.curriculum.orders.get(number) {
            Some(order) => order.tasks.iter().find(|task| reached(task)),
            None => spec.tasks.keys().find(|task| reached(task)),
        };
        found.or_else(|| spec.tasks.keys().next_back()).map(String::as_str)
    }

    /// The random number of a lane in a step, in `0..LANE_PARTS`: one of its own, or the one that all lanes share.
    pub fn point_at(&self, step: u64, lane: u32) -> u32 {
        let seed = self.experiment.seed;
        let draw = match self.curriculum.schedule {
            Coupling::Independent => word(seed, Purpose::Schedule, &[step, u64::from(lane)]),
            Coupling::Aligned => word(seed, Purpose::Schedule, &[step]),
        };
        let point = (u128::from(draw) * u128::from(LANE_PARTS)) >> 64;
        u32::try_from(point).unwrap_or(0)
    }
}

/// The place of line `i` (from 0) in `0..LINE_PARTS`: multiples of the golden ratio, so that every interval of places
/// gets its share of any run of lines, however short (Knuth, TAOCP 3, section 6.4).
pub fn line_position(line: u64) -> u32 {
    let fraction = line.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = (u128::from(fraction) * u128::from(LINE_PARTS)) >> 64;
    u32::try_from(place).unwrap_or(0)
}
