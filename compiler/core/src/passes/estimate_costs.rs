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
    let mut paths = std::mem::take(&mut graph.paths);
    for (path, task) in paths.iter_mut().zip(&program.table.tasks) {
        let vocabulary = program.table.vocabularies.get(&task.target_vocabulary);
        let output = vocabulary.map_or(0, |spec| u64::from(spec.size()));
        let (flops, numbers) = token_cost(&graph, path, program, output);
        path.batch_flops = tokens * flops;
        path.activation_bytes = tokens * numbers * training.precision.activation_bytes();
    }
    graph.paths = paths;
    Ok(graph)
}

/// Operations, and numbers kept for the backward pass, of one token on each side; `output` is the target vocabulary's size. At
/// the end stand the logits, their logarithms and their gradient.
fn token_cost(
    graph: &ModuleGraph,
    path: &TaskPath,
    program: &Program<'_>,
    output: u64,
) -> (u64, u64) {
    let model = &program.experiment.model;
    let dim = u64::from(model.dim);
    let (mut flops, mut numbers) = (TRAINED * dim * output, 2 * dim + 3 * output);
    for module in path.steps().filter_map(|id| graph.module(id)) {
        let weights = size::module(model, &module.kind, &|_| 0).weights;
        flops += weights * if module.frozen { FROZEN } else { TRAINED };
        numbers += size::kept(model, &module.kind);
    }
    (flops, numbers)
}
