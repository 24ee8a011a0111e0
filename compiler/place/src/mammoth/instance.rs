//! An instance of MAMMOTH's allocation as a problem of the engine.

use std::collections::BTreeMap;

use crate::objective::{Evenness, Objective, Spread};
use crate::problem::{Balance, Limits, Machine, Module, Problem};

/// Tenths of a unit of cost of one step of a node, of a device, of an empty device.
pub(super) const INTER: u64 = 50;
pub(super) const INTRA: u64 = 10;
/// Tenths that one task between the fullest and the emptiest device costs, and the first device when it isn't the emptiest.
pub(super) const RANGE: u64 = 1000;
pub(super) const FIRST: u64 = 10_000;
/// Tenths that a device without tasks costs, and a split pair with two pieces on one device, a piece.
pub(super) const EMPTY: u64 = 99_999_999 * 1000;
pub(super) const PIECE: u64 = 99_999_999 * 500;
/// The same of ready tasks: range, first device, device without.
pub(super) const READY_RANGE: u64 = 5;
pub(super) const READY_FIRST: u64 = 50;
pub(super) const UNREADY: u64 = 2500;

/// A task: languages and groups by any numbers, equal for equal ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Source language.
    pub source: usize,
    /// Group of the source language.
    pub source_group: usize,
    /// Target language.
    pub target: usize,
    /// Group of the target language.
    pub target_group: usize,
    /// Whether it starts at step 0.
    pub is_ready: bool,
}

/// Tasks, and devices with so many slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Nodes and devices.
    pub machine: Machine,
    /// The most tasks of a device.
    pub slots: usize,
    /// The tasks; of a split pair every piece.
    pub tasks: Vec<Task>,
}

impl Instance {
    /// Per task its four components, numbered from zero without gaps.
    pub(super) fn components(&self) -> Vec<[usize; 4]> {
        let mut known = BTreeMap::new();
        let mut number = |kind: u8, name: usize| {
            let next = known.len();
            *known.entry((kind, name)).or_insert(next)
        };
        self.tasks
            .iter()
            .map(|task| {
                [
                    number(0, task.source),
                    number(1, task.source_group),
                    number(2, task.target),
                    number(3, task.target_group),
                ]
            })
            .collect()
    }

    /// The pieces of every pair that is split.
    fn pieces(&self) -> Vec<Vec<usize>> {
        let mut pairs: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (at, task) in self.tasks.iter().enumerate() {
            pairs.entry((task.source, task.target)).or_default().push(at);
        }
        pairs.into_values().filter(|pieces| pieces.len() > 1).collect()
    }

    /// The price of a copy, and of evenness.
    pub(super) fn prices(&self) -> Spread {
        Spread {
            inter: INTER,
            intra: INTRA + self.slots as u64,
            tasks: Evenness { range: RANGE, empty: EMPTY, first: FIRST },
            ready: Evenness { range: READY_RANGE, empty: UNREADY, first: READY_FIRST },
        }
    }

    /// As the engine reads it. Numbers of tasks differ by one at most and the first device has the fewest: anything else costs
    /// more than a few copies save.
    pub(super) fn problem(&self) -> Problem {
        let components = self.components();
        let modules = components.iter().flatten().max().map_or(0, |most| most + 1);
        let devices = self.machine.devices();
        let (least, most) = (self.tasks.len() / devices, self.tasks.len().div_ceil(devices));
        let mut seats = vec![(least, most); devices];
        if let Some(first) = seats.first_mut() {
            first.1 = least;
        }
        let tasks = self.tasks.iter().zip(components);
        Problem {
            machine: self.machine,
            tasks: tasks
                .map(|(task, modules)| crate::problem::Task {
                    is_ready: task.is_ready,
                    ..crate::problem::Task::of(modules.to_vec())
                })
                .collect(),
            modules: vec![Module::default(); modules],
            limits: Limits {
                balance: Balance::Within(seats),
                slots: Some(self.slots),
                apart: self.pieces(),
                ..Limits::default()
            },
            objective: Objective::Spread(self.prices()),
        }
    }
}
