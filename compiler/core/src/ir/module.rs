//! The module graph: modules by name, and every task's way through them.

use std::collections::HashMap;
use std::ptr;

use mmc_plan::{ModuleKind, Optimizer, Shared, TrainingSpec};
use mmc_syntax::source::Span;
use petgraph::graph::{NodeIndex, UnGraph};

use crate::ir::ids::{ModuleId, TaskId};
use crate::ir::task::TaskTable;

/// Modules and paths.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModuleGraph {
    /// Ordered by name; a module's place is its `ModuleId`.
    pub modules: Vec<ModuleRow>,
    /// One a task, in the task table's order.
    pub paths: Vec<TaskPath>,
}

/// One module.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleRow {
    /// Its name, e.g. `encoder.0.lang.de`.
    pub name: String,
    /// What it computes.
    pub kind: ModuleKind,
    /// Set by the pass `count_parameters`.
    pub parameters: u64,
    /// Never trained.
    pub frozen: bool,
    /// Its optimiser, where that is not the training's.
    pub optimizer: Option<Optimizer>,
    /// Bytes of parameters, gradient and optimiser state, but the sum of gradients over lanes. Set by the pass `estimate_costs`.
    pub state_bytes: u64,
    /// The pattern that made it.
    pub span: Span,
}

impl ModuleRow {
    /// What updates it: its own optimiser or the training's; none if it is frozen.
    pub fn trained_by<'a>(&'a self, training: &'a TrainingSpec) -> Option<&'a Optimizer> {
        (!self.frozen).then(|| self.optimizer.as_ref().unwrap_or(&training.optimizer))
    }
}

/// A task's way through the modules, and what a batch of it costs. Tasks that are led alike share lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskPath {
    /// Source embedding, then encoder stacks.
    pub encoder: Shared<Vec<ModuleId>>,
    /// Between the two.
    pub bridge: Option<ModuleId>,
    /// Target embedding, decoder stacks, then the head when it is not tied.
    pub decoder: Shared<Vec<ModuleId>>,
    /// Stacks with the adapters in them.
    pub adapters: Vec<(ModuleId, Vec<ModuleId>)>,
    /// Floating-point operations of training on one batch. Set by the pass `estimate_costs`.
    pub batch_flops: u64,
    /// Bytes of memory for what the backward pass of one batch needs. Set by the pass `estimate_costs`.
    pub activation_bytes: u64,
    /// Bytes that a lane's step of it reads and writes. Set by the pass `estimate_costs`.
    pub step_bytes_moved: u64,
}

impl TaskPath {
    /// Every module of the path: encoder, bridge, decoder, adapters. One may come twice (tied embeddings).
    pub fn steps(&self) -> impl Iterator<Item = ModuleId> {
        let way = self.encoder.iter().chain(&self.bridge).chain(&self.decoder);
        way.chain(self.adapters.iter().flat_map(|(_, inside)| inside)).copied()
    }

    /// Every module of the path, each once, ascending.
    pub fn modules(&self) -> Vec<ModuleId> {
        let mut all: Vec<ModuleId> = self.steps().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Gives the modules of paths other numbers. What paths share stays shared.
pub(crate) fn renumber(paths: &mut [TaskPath], numbers: &[ModuleId]) {
    let number = |id: &mut ModuleId| *id = numbers.get(id.index()).copied().unwrap_or(*id);
    // By where a list lies: itself, which must stay there, and the new one.
    let mut known: HashMap<*const Vec<ModuleId>, [Shared<Vec<ModuleId>>; 2]> = HashMap::new();
    for TaskPath { encoder, bridge, decoder, adapters, .. } in paths {
        for side in [encoder, decoder] {
            let [_, new] = known.entry(ptr::from_ref(&**side)).or_insert_with(|| {
                let mut new = Vec::clone(side);
                new.iter_mut().for_each(number);
                [side.clone(), new.into()]
            });
            *side = new.clone();
        }
        bridge.iter_mut().for_each(number);
        for (stack, inside) in adapters {
            number(stack);
            inside.iter_mut().for_each(number);
        }
    }
}

/// A node of [`ModuleGraph::bipartite`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A task.
    Task(TaskId),
    /// A module.
    Module(ModuleId),
}

impl ModuleGraph {
    /// Tasks and modules as a graph: an edge for each module that a task uses.
    pub fn bipartite(&self) -> UnGraph<Node, ()> {
        let mut graph = UnGraph::with_capacity(self.modules.len() + self.paths.len(), 0);
        let modules: Vec<NodeIndex> = (0..self.modules.len())
            .map(|at| graph.add_node(Node::Module(ModuleId::at(at))))
            .collect();
        for (at, path) in self.paths.iter().enumerate() {
            let task = graph.add_node(Node::Task(TaskId::at(at)));
            for module in path.modules() {
                if let Some(&node) = modules.get(module.index()) {
                    graph.add_edge(task, node, ());
                }
            }
        }
        graph
    }

    /// The tasks of every module, ascending.
    pub fn users(&self) -> Vec<Vec<TaskId>> {
        let mut users: Vec<Vec<TaskId>> =
            self.user_counts().into_iter().map(Vec::with_capacity).collect();
        for (at, path) in self.paths.iter().enumerate() {
            let task = TaskId::at(at);
            for module in path.steps() {
                // A path may pass a module twice.
                if let Some(list) = users.get_mut(module.index())
                    && list.last() != Some(&task)
                {
                    list.push(task);
                }
            }
        }
        users
    }

    /// The number of tasks of every module.
    pub fn user_counts(&self) -> Vec<usize> {
        // With the task that came last: a path may pass a module twice.
        let mut counts = vec![(0, usize::MAX); self.modules.len()];
        for (at, path) in self.paths.iter().enumerate() {
            for module in path.steps() {
                if let Some((count, last)) = counts.get_mut(module.index())
                    && *last != at
                {
                    (*count, *last) = (*count + 1, at);
                }
            }
        }
        counts.into_iter().map(|(count, _)| count).collect()
    }

    /// The module of an id.
    pub fn module(&self, id: ModuleId) -> Option<&ModuleRow> {
        self.modules.get(id.index())
    }
}

/// What passes work on: the graph, and what they may look up.
#[derive(Debug, Clone, PartialEq)]
pub struct Program<'a> {
    /// The resolved program.
    pub experiment: &'a crate::ir::experiment::Experiment,
    /// Its tasks.
    pub table: &'a TaskTable,
}
