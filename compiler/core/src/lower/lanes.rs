//! The lanes by number: what they draw and hold, for questions about a million tasks.

use std::collections::BTreeMap;

use mmc_plan::{LaneSpec, LaneTask};

use super::STRETCH;
use crate::ir::module::{ModuleGraph, TaskPath};
use crate::ir::task::{TaskRow, TaskTable};

/// Tasks on lanes by their places in the table, with rows and paths.
pub(super) struct Lanes<'a> {
    table: &'a TaskTable,
    graph: &'a ModuleGraph,
    /// Lane -> its tasks, in order of name, which is the table's.
    tasks: Vec<Vec<(usize, LaneTask)>>,
}

impl<'a> Lanes<'a> {
    /// `tasks`: those of every lane by their places.
    pub(super) fn new(
        table: &'a TaskTable,
        graph: &'a ModuleGraph,
        lanes: &[LaneSpec],
        tasks: Vec<Vec<usize>>,
    ) -> Self {
        let drawn = |(lane, tasks): (&LaneSpec, Vec<usize>)| {
            tasks.into_iter().zip(lane.tasks.values().copied()).collect()
        };
        Self { table, graph, tasks: lanes.iter().zip(tasks).map(drawn).collect() }
    }

    /// The tasks of a lane.
    pub(super) fn of(&self, lane: usize) -> &[(usize, LaneTask)] {
        self.tasks.get(lane).map_or(&[], Vec::as_slice)
    }

    /// Lane -> its tasks, in order of name.
    pub(super) fn orders(&self) -> Vec<Vec<usize>> {
        self.tasks.iter().map(|lane| lane.iter().map(|(task, _)| *task).collect()).collect()
    }

    /// The row of a task.
    pub(super) fn row(&self, task: usize) -> Option<&'a TaskRow> {
        self.table.tasks.get(task)
    }

    /// The way of a task.
    pub(super) fn path(&self, task: usize) -> Option<&'a TaskPath> {
        self.graph.paths.get(task)
    }

    /// Whether they are worth all cores.
    pub(super) fn are_long(&self) -> bool {
        self.task_count() > STRETCH
    }

    /// Number of tasks.
    pub(super) fn task_count(&self) -> usize {
        self.table.tasks.len()
    }

    /// The modules' names, which are in order.
    pub(super) fn modules(&self) -> impl Iterator<Item = &'a str> {
        self.graph.modules.iter().map(|module| module.name.as_str())
    }

    /// Module -> the number of lanes that have tasks through it.
    pub(super) fn users(&self) -> BTreeMap<&'a str, usize> {
        let mut lanes_of = vec![(0, None); self.graph.modules.len()];
        for (lane, tasks) in self.tasks.iter().enumerate() {
            let paths = tasks.iter().filter_map(|(task, _)| self.path(*task));
            for module in paths.flat_map(TaskPath::steps) {
                match lanes_of.get_mut(module.index()) {
                    Some((count, last)) if *last != Some(lane) => {
                        (*count, *last) = (*count + 1, Some(lane));
                    }
                    _ => {}
                }
            }
        }
        self.modules().zip(lanes_of).map(|(name, (lanes, _))| (name, lanes)).collect()
    }

    /// Number of modules.
    pub(super) fn module_count(&self) -> usize {
        self.graph.modules.len()
    }
}
