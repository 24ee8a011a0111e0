//! Sets what modules and batches cost: bytes of state, operations and activations.
//!
//! Sources of the formulas: state and activations follow the static cost model of Rajbhandari et al. 2020 (section 3)
//! and Korthikanti et al. 2022 (section 4, without attention maps, which fused attention does not keep); operations follow
//! Kaplan et al. 2020 (section 2.1): two per weight and token forward, three times that with the backward pass. Attention
//! scores are left out: at sentence length they are about one part in a hundred.

use crate::cost;
use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::module::{ModuleGraph, Program, TaskPath};
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
    for module in &mut graph.modules {
        let bytes = cost::state_bytes(training, module.frozen);
        module.state_bytes = bytes * module.parameters;
    }
    let tokens = u64::from(training.batch_tokens);
    let batches = u64::from(training.accumulate);
    let mut paths = std::mem::take(&mut graph.paths);
    for (path, task) in paths.iter_mut().zip(&program.table.tasks) {
        let vocabulary = program.table.vocabularies.get(&task.target_vocabulary);
        let output = vocabulary.map_or(0, |spec| u64::from(spec.size()));
        let token = TokenCost::of(&graph, path, program, output);
        let width = training.precision.activation_bytes();
        path.batch_flops = tokens * token.flops;
        path.activation_bytes = tokens * token.kept * width;
        let trained = path.modules().into_iter().filter_map(|id| graph.module(id));
        let parameters: u64 = trained.filter(|m| !m.frozen).map(|m| m.parameters).sum();
        path.step_bytes_moved =
            batches * tokens * token.moved * width + parameters * cost::update_bytes(training);
    }
    graph.paths = paths;
    Ok(graph)
}

/// What one token on each side costs.
struct TokenCost {
    /// Operations.
    flops: u64,
    /// Numbers kept for the backward pass.
    kept: u64,
    /// Numbers read and written by passes over memory.
    moved: u64,
}

impl TokenCost {
    /// Sums over a task's way; `output` is the target vocabulary's size. At the end stand the logits: kept are they, their
    /// logarithms and their gradient; the largest is found, and their softmax reads and writes.
    fn of(graph: &ModuleGraph, path: &TaskPath, program: &Program<'_>, output: u64) -> Self {
        let model = &program.experiment.model;
        let dim = u64::from(model.dim);
        let start =
            Self { flops: TRAINED * dim * output, kept: 2 * dim + 3 * output, moved: 3 * output };
        path.steps().filter_map(|id| graph.module(id)).fold(start, |sum, module| {
            let weights = size::module(model, &module.kind, &|_| 0).weights;
            Self {
                flops: sum.flops + weights * if module.frozen { FROZEN } else { TRAINED },
                kept: sum.kept + size::kept(model, &module.kind),
                moved: sum.moved + size::moved(model, &module.kind),
            }
        })
    }
}
