//! The curriculum: how probabilities of tasks change over the run, as a pure function of the step.
//!
//! A run is cut into windows of steps; within a window nothing changes. What a reader wants first, the mean over the whole
//! run, stands at the tasks and lanes; the courses of a run with several windows stand here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::competence::Competence;
use crate::flow;
use crate::plan::Plan;

/// How lanes draw, and the courses of shares and parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurriculumSpec {
    /// How the draws of different lanes in one step are coupled.
    #[serde(default)]
    pub schedule: Coupling,
    /// How much of every text is there, easiest first; none: all, from the first step on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub competence: Option<Competence>,
    /// First steps of the windows, ascending, the first of them 1. Empty: one window, and then `shares` and `lanes` are empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "flow::steps")]
    pub windows: Vec<u64>,
    /// Task -> its share in every window, in parts per billion; in each window they sum to a billion.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", serialize_with = "flow::courses")]
    pub shares: BTreeMap<String, Vec<u64>>,
    /// Per lane: task -> its parts of [`crate::schedule::LANE_PARTS`] in every window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneCourse>,
    /// Per lane: its tasks in the order in which they lie on the line of random numbers. Empty: in order of name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<LaneOrder>,
}

/// How the draws of different lanes in one step are coupled; what each lane draws by itself is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coupling {
    /// Every lane has a random number of its own.
    #[default]
    Independent,
    /// All lanes of a step share one random number, so that tasks with common modules meet (common random numbers).
    Aligned,
}

/// Bytes of gradients and divisors that all communicators together sum in a step, each bucket counted once, in expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synchronised {
    /// With independent lanes.
    pub independent: u64,
    /// With aligned lanes, in the best orders that were found.
    pub aligned: u64,
}

/// One lane's parts over the windows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaneCourse {
    /// Task -> its parts in every window; exactly the tasks of the lane.
    #[serde(serialize_with = "flow::courses")]
    pub tasks: BTreeMap<String, Vec<u32>>,
}

/// One lane's tasks in the order of its draws.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaneOrder {
    /// Exactly the tasks of the lane.
    #[serde(serialize_with = "flow::names")]
    pub tasks: Vec<String>,
}

impl CurriculumSpec {
    /// Whether nothing is said: one window, independent lanes, whole texts.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Number of windows.
    pub fn window_count(&self) -> usize {
        self.windows.len().max(1)
    }

    /// The window of a step (from 1), from 0.
    pub fn window_of(&self, step: u64) -> usize {
        self.windows.partition_point(|&first| first <= step).saturating_sub(1)
    }

    /// First and last step of every window of a run of so many steps.
    pub fn spans(&self, steps: u64) -> Vec<[u64; 2]> {
        let firsts = if self.windows.is_empty() { &[1][..] } else { &self.windows };
        let lasts = firsts.iter().skip(1).map(|next| next.saturating_sub(1)).chain([steps]);
        firsts.iter().zip(lasts).map(|(first, last)| [*first, last]).collect()
    }
}

impl Plan {
    /// First and last step of every window.
    pub fn windows(&self) -> Vec<[u64; 2]> {
        self.curriculum.spans(self.training.steps)
    }

    /// A task's share in a window (from 0), in parts per billion.
    pub fn share_in(&self, window: usize, task: &str) -> u64 {
        match self.curriculum.shares.get(task) {
            Some(course) => course.get(window).copied().unwrap_or(0),
            None => self.tasks.get(task).map_or(0, |spec| spec.share),
        }
    }

    /// The probability of a task in a step of a lane in a window (from 0), in parts of [`crate::schedule::LANE_PARTS`].
    pub fn parts_in(&self, window: usize, lane: usize, task: &str) -> u32 {
        match self.curriculum.lanes.get(lane) {
            Some(course) => {
                course.tasks.get(task).and_then(|parts| parts.get(window)).copied().unwrap_or(0)
            }
            None => {
                self.lanes.get(lane).and_then(|spec| spec.tasks.get(task)).map_or(0, |t| t.parts)
            }
        }
    }

    /// The tasks of a lane in the order of its draws.
    pub fn order_of(&self, lane: usize) -> Vec<&str> {
        match self.curriculum.orders.get(lane) {
            Some(order) => order.tasks.iter().map(String::as_str).collect(),
            None => self
                .lanes
                .get(lane)
                .map_or_else(Vec::new, |spec| spec.tasks.keys().map(String::as_str).collect()),
        }
    }
}
