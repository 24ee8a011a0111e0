//! Sets what modules and batches cost: bytes of state, operations and activations.
//!
//! Sources of the formulas: state and activations follow the static cost model of Rajbhandari et al. 2020 (section 3)
//! and Korthikanti et al. 2022 (section 4, without attention maps, which fused attention does not keep); operations follow
//! Kaplan et al. 2020 (section 2.1): two per weight and token forward, three times that with the backward pass. Attention
//! scores are left out: at sentence length they are about one part in a hundred.

use std::collections::HashMap;

use mmc_plan::VocabularySpec;

use crate::cost;
use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::module::{ModuleGraph, ModuleRow, Program, TaskPath};
use crate::size;

/// Operations of a weight and a token: two forward, two for the gradient of what came in, two for the weight's own.
const TRAINED: u64 = 6;
/// The same of a frozen weight, whose own gradient nobody needs.
const FROZEN: u64 = 4;

#[expect(clippy::unnecessary_wraps, reason = "the signature of all passes")]
pub(super) fn run(
    mut graph: ModuleGraph,
    program: &Program<'_>,
    _: &mut Diagnostics,
) -> Result<ModuleGraph, Halt> {
    let training = &program.experiment.training.value;
    let cluster = &program.experiment.cluster.value;
    for module in &mut graph.modules {
        let bytes = cost::state_bytes(training, module.trained_by(training));
        module.state_bytes = bytes * module.parameters;
    }
    let costs = Costs::of(&graph, program);
    let (tokens, batches) = (u64::from(training.batch_tokens), u64::from(training.accumulate));
    let width = training.precision.activation_bytes();
    for (path, task) in graph.paths.iter_mut().zip(&program.table.tasks) {
        let token = costs.token(path, &task.target_vocabulary);
        path.batch_flops = tokens * token.flops;
        path.activation_bytes = cost::heap_bytes(cluster, tokens * token.kept * width);
        let passed = cost::passed_bytes(cluster, batches * tokens * token.moved * width);
        path.step_bytes_moved = passed + costs.update(path);
    }
    Ok(graph)
}

/// What one token on each side costs.
#[derive(Clone, Copy)]
struct TokenCost {
    /// Operations.
    flops: u64,
    /// Numbers kept for the backward pass.
    kept: u64,
    /// Numbers read and written by passes over memory.
    moved: u64,
}

/// What modules and outputs cost, each worked out once.
struct Costs<'a> {
    /// By the module's number, with the bytes of its update.
    modules: Vec<(TokenCost, u64)>,
    /// Vocabulary -> the cost of its logits.
    outputs: HashMap<&'a str, TokenCost>,
    dim: u64,
}

impl<'a> Costs<'a> {
    fn of(graph: &ModuleGraph, program: &Program<'a>) -> Self {
        let (model, training) = (&program.experiment.model, &program.experiment.training.value);
        let module = |module: &ModuleRow| {
            let weights = size::module(model, &module.kind, &|_| 0).weights;
            let token = TokenCost {
                flops: weights * if module.frozen { FROZEN } else { TRAINED },
                kept: size::kept(model, &module.kind),
                moved: size::moved(model, &module.kind),
            };
            let update = module
                .trained_by(training)
                .map_or(0, |optimizer| cost::update_bytes(training, optimizer) * module.parameters);
            (token, update)
        };
        let dim = u64::from(model.dim);
        let output = |(name, spec): (&'a String, &VocabularySpec)| {
            (name.as_str(), logits(dim, u64::from(spec.size())))
        };
        Self {
            modules: graph.modules.iter().map(module).collect(),
            outputs: program.table.vocabularies.iter().map(output).collect(),
            dim,
        }
    }

    /// Sums over a task's way.
    fn token(&self, path: &TaskPath, vocabulary: &str) -> TokenCost {
        let output = self.outputs.get(vocabulary).copied();
        let start = output.unwrap_or_else(|| logits(self.dim, 0));
        path.steps().filter_map(|id| self.modules.get(id.index())).fold(start, |sum, (own, _)| {
            TokenCost {
                flops: sum.flops + own.flops,
                kept: sum.kept + own.kept,
                moved: sum.moved + own.moved,
            }
        })
    }

    /// Bytes that pass for what a task trains, in a lane's step.
    fn update(&self, path: &TaskPath) -> u64 {
        let modules = path.modules().into_iter();
        modules.filter_map(|id| self.modules.get(id.index())).map(|(_, update)| update).sum()
    }
}

/// At the end of a way stand the logits: kept are they, their logarithms and their gradient; the largest is found, and their
/// softmax reads and writes.
fn logits(dim: u64, output: u64) -> TokenCost {
    TokenCost { flops: TRAINED * dim * output, kept: 2 * dim + 3 * output, moved: 3 * output }
}
