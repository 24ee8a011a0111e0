//! Where tasks and lanes live.

use mmc_plan::{LaneCourse, LaneSpec, PlacementSpec};

/// Tasks on lanes (part of the mathematics) and lanes on ranks (not part of it).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// Tasks of every lane by name, with their parts of the lane and their lines.
    pub lanes: Vec<LaneSpec>,
    /// The lanes' parts in every window; empty when there is one window.
    pub courses: Vec<LaneCourse>,
    /// Per lane: its tasks, by their places in the table, ascending: those of `lanes` in their order.
    pub tasks: Vec<Vec<usize>>,
    /// Per lane: the same in the order in which aligned lanes draw them.
    pub orders: Vec<Vec<usize>>,
    /// Rank of every lane; rank = node * devices per node + device.
    pub rank_of_lane: Vec<u32>,
    /// How good both are.
    pub quality: PlacementSpec,
}
