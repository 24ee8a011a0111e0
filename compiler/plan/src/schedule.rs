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
        let mut reached = |parts: u32| {
            upper = upper.saturating_add(parts);
            point < upper
        };
        let found = match (self.curriculum.orders.get(number), self.curriculum.lanes.get(number)) {
            (Some(order), _) => {
                order.tasks.iter().find(|task| reached(self.parts_in(window, number, task)))
            }
            (None, Some(_)) => {
                spec.tasks.keys().find(|task| reached(self.parts_in(window, number, task)))
            }
            (None, None) => {
                spec.tasks.iter().find(|(_, task)| reached(task.parts)).map(|(name, _)| name)
            }
        };
        found.or_else(|| spec.tasks.keys().next_back()).map(String::as_str)
    }

    /// The draws of all lanes in a window (from 0), for many questions.
    pub fn draws(&self, window: usize) -> Draws<'_> {
        let lane = |number: usize| {
            let tasks = self.order_of(number);
            let mut upper = 0_u32;
            let end = |task: &&str| {
                upper = upper.saturating_add(self.parts_in(window, number, task));
                upper
            };
            LaneDraws { ends: tasks.iter().map(end).collect(), tasks }
        };
        Draws { plan: self, window, lanes: (0..self.lanes.len()).map(lane).collect() }
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

/// The draws of all lanes in a window: what [`Plan::task_at`] says, found by bisection.
#[derive(Debug, Clone)]
pub struct Draws<'a> {
    plan: &'a Plan,
    window: usize,
    lanes: Vec<LaneDraws<'a>>,
}

/// A lane's tasks in the order of its draws, each with the point at which it ends.
#[derive(Debug, Clone)]
struct LaneDraws<'a> {
    tasks: Vec<&'a str>,
    ends: Vec<u32>,
}

impl<'a> Draws<'a> {
    /// The window, from 0.
    pub fn window(&self) -> usize {
        self.window
    }

    /// The task that a lane runs in a step of the window, see [`Plan::task_at`].
    pub fn task_at(&self, step: u64, lane: u32) -> Option<&'a str> {
        let number = usize::try_from(lane).ok()?;
        let LaneDraws { tasks, ends } = self.lanes.get(number)?;
        let point = self.plan.point_at(step, lane);
        let found = tasks.get(ends.partition_point(|&end| end <= point)).copied();
        let last = || self.plan.lanes.get(number)?.tasks.keys().next_back().map(String::as_str);
        found.or_else(last)
    }
}

/// The place of line `i` (from 0) in `0..LINE_PARTS`: multiples of the golden ratio, so that every interval of places
/// gets its share of any run of lines, however short (Knuth, TAOCP 3, section 6.4).
pub fn line_position(line: u64) -> u32 {
    let fraction = line.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = (u128::from(fraction) * u128::from(LINE_PARTS)) >> 64;
    u32::try_from(place).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::curriculum::{Coupling, LaneCourse, LaneOrder};
    use crate::sample;

    #[test]
    fn bisection_finds_what_walking_finds() {
        let mut plan = sample::plan(&["cs", "de", "en"], 2, &[&[0, 1]]);
        let same = |plan: &crate::Plan| {
            for step in 1..=plan.training.steps {
                let draws = plan.draws(plan.curriculum.window_of(step));
                for lane in 0..3 {
                    assert_eq!(
                        draws.task_at(step, lane),
                        plan.task_at(step, lane),
                        "{step} {lane}"
                    );
                }
            }
        };
        same(&plan);
        // Windows of which one leaves a task out and another says less than the whole.
        plan.curriculum.windows = vec![1, 8];
        let courses = plan.lanes.iter().map(|lane| {
            let course = |(at, name): (usize, &String)| {
                (name.clone(), vec![if at == 1 { 0 } else { 500_000 }, 100_000])
            };
            LaneCourse { tasks: lane.tasks.keys().enumerate().map(course).collect() }
        });
        plan.curriculum.lanes = courses.collect();
        same(&plan);
        let reversed = |lane: &crate::LaneSpec| lane.tasks.keys().rev().cloned().collect();
        plan.curriculum.orders =
            plan.lanes.iter().map(|lane| LaneOrder { tasks: reversed(lane) }).collect();
        plan.curriculum.schedule = Coupling::Aligned;
        same(&plan);
    }
}
