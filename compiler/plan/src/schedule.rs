//! Which lane runs which task at which step: a function of (seed, step, lane) that every rank evaluates alike without talking.

use crate::plan::{LaneSpec, Plan};
use crate::random::{Purpose, word};

/// The parts that a lane's task probabilities are counted in; they sum to this on every lane.
pub const LANE_PARTS: u32 = 1_000_000;

/// Parts of a task's lines, see [`line_position`].
pub const LINE_PARTS: u32 = 1_000_000;

impl LaneSpec {
    /// The task that this lane, number `lane`, runs in `step` (from 1).
    ///
    /// Inverse distribution function over the tasks in order of name; none only for a lane without tasks.
    pub fn task_at(&self, seed: u64, step: u64, lane: u32) -> Option<&str> {
        let draw = word(seed, Purpose::Schedule, &[step, u64::from(lane)]);
        let point = (u128::from(draw) * u128::from(LANE_PARTS)) >> 64;
        let mut upper = 0_u128;
        for (name, task) in &self.tasks {
            upper += u128::from(task.parts);
            if point < upper {
                return Some(name);
            }
        }
        self.tasks.keys().next_back().map(String::as_str)
    }
}

impl Plan {
    /// The task of a lane in a step (from 1).
    pub fn task_at(&self, step: u64, lane: u32) -> Option<&str> {
        let spec = self.lanes.get(usize::try_from(lane).ok()?)?;
        spec.task_at(self.experiment.seed, step, lane)
    }
}

/// The place of line `i` (from 0) in `0..LINE_PARTS`: multiples of the golden ratio, so that every interval of places
/// gets its share of any run of lines, however short (Knuth, TAOCP 3, section 6.4).
pub fn line_position(line: u64) -> u32 {
    let fraction = line.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = (u128::from(fraction) * u128::from(LINE_PARTS)) >> 64;
    u32::try_from(place).unwrap_or(0)
}
