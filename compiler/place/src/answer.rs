//! What the engine answers, and why it may not.

use std::fmt;

use thiserror::Error;

/// An assignment with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Node and place in the node of every task, in the order of the tasks.
    pub assignment: Vec<(usize, usize)>,
    /// What it costs.
    pub cost: u64,
    /// No assignment costs less.
    pub bound: u64,
    /// What found it.
    pub algorithm: Algorithm,
    /// Steps of search: looks at a module of a task.
    pub work: u64,
    /// The cheapest seed, which the search started from; none when it did not keep the limits.
    pub seed_cost: Option<u64>,
}

impl Answer {
    /// What the cost may be above the least one, in millionths of the bound; none when the bound is zero and the cost is not.
    pub fn gap(&self) -> Option<u64> {
        if self.cost <= self.bound {
            return Some(0);
        }
        let over = u128::from(self.cost - self.bound) * 1_000_000;
        (self.bound > 0).then(|| u64::try_from(over / u128::from(self.bound)).unwrap_or(u64::MAX))
    }

    /// Whether no assignment is cheaper.
    pub fn is_optimal(&self) -> bool {
        self.cost == self.bound
    }
}

/// What found an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// Tasks in turn, each to where most of its modules are.
    Greedy,
    /// Blocks of two partitions of the tasks, as tiles of a grid.
    Grid,
    /// Moves and swaps that bring a seed within its limits.
    Refinement,
    /// Moves and swaps that may cost at first.
    Annealing,
    /// A few devices emptied and filled anew, over and over.
    Neighbourhood,
    /// A search that leaves nothing out.
    Exact,
}

impl Algorithm {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::Grid => "grid",
            Self::Refinement => "refinement",
            Self::Annealing => "annealing",
            Self::Neighbourhood => "neighbourhood",
            Self::Exact => "exact",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How long to search: every level is about five times the work of the one below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Effort(u8);

impl Default for Effort {
    fn default() -> Self {
        Self(2)
    }
}

impl Effort {
    /// Seeds alone.
    pub const NONE: Self = Self(0);
    /// Seeds, and a short search.
    pub const LEAST: Self = Self(1);
    /// The highest level.
    pub const MOST: u8 = 6;

    /// A level from 0 (seeds alone) to [`Self::MOST`].
    pub fn new(level: u8) -> Option<Self> {
        (level <= Self::MOST).then_some(Self(level))
    }

    /// The level.
    pub fn level(self) -> u8 {
        self.0
    }

    /// Steps of search; a million take some milliseconds.
    pub fn steps(self) -> u64 {
        if self.0 == 0 { 0 } else { 10_000_000 * 5_u64.pow(u32::from(self.0) - 1) }
    }
}

/// A limit that an assignment breaks, or one of several that no assignment can keep together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Tasks, and the most that all devices take.
    Seats {
        /// Tasks.
        tasks: usize,
        /// Seats of all devices.
        seats: usize,
    },
    /// Tasks, and the fewest that all devices must have.
    TooFew {
        /// Tasks.
        tasks: usize,
        /// Least tasks of all devices together.
        least: usize,
    },
    /// A device takes only so many tasks.
    Full {
        /// The device.
        device: usize,
        /// The most tasks of the device.
        most: usize,
    },
    /// A device has too few tasks.
    Empty {
        /// The device.
        device: usize,
        /// The fewest tasks of the device.
        least: usize,
    },
    /// A task is bound to a device.
    Pin {
        /// The task.
        task: usize,
        /// The device.
        device: usize,
    },
    /// No two tasks of a set may be on one device.
    Apart {
        /// The set, by number.
        set: usize,
    },
    /// Bytes of a device.
    Memory {
        /// Bytes needed.
        needed: u64,
        /// Bytes that there are.
        limit: u64,
    },
    /// Load of a device.
    Load {
        /// Load to be carried.
        needed: u64,
        /// The most load.
        limit: u64,
    },
    /// Every device must have a ready task.
    Ready {
        /// Ready tasks.
        ready: usize,
        /// Devices.
        devices: usize,
    },
}

/// No assignment keeps the limits, as far as the search can tell.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no assignment keeps the limits")]
pub struct Infeasible {
    /// Limits that can't be kept together; without any of them the others can.
    pub reasons: Vec<Reason>,
    /// Whether that is proved; otherwise the search found nothing.
    pub is_proved: bool,
}
