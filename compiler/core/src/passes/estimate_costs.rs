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
        let output = costs.output(&task.target_vocabulary);
        let token = costs.token(path, output);
        path.batch_flops = tokens * token.flops;
        let live = tokens * token.kept + costs.copies(path) + output.loss;
        path.activation_bytes = cost::heap_bytes(cluster, live);
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
    /// Bytes kept for the backward pass.
    kept: u64,
    /// Numbers read and written by passes over memory.
    moved: u64,
}

/// What a module costs.
struct ModuleCost {
    token: TokenCost,
    /// Bytes of copies of its maps that products are made of.
    copies: u64,
    /// Bytes that pass for its update.
    update: u64,
}

/// What the end of a way costs: its logits and the loss.
#[derive(Clone, Copy)]
struct OutputCost {
    token: TokenCost,
    /// Bytes of the loss of a batch.
    loss: u64,
}

/// What modules and outputs cost, each worked out once.
struct Costs<'a> {
    /// By the module's number.
    modules: Vec<ModuleCost>,
    /// By vocabulary.
    outputs: HashMap<&'a str, OutputCost>,
    /// Of a vocabulary that does not exist.
    no_output: OutputCost,
}

impl<'a> Costs<'a> {
    fn of(graph: &ModuleGraph, program: &Program<'a>) -> Self {
        let (model, training) = (&program.experiment.model, &program.experiment.training.value);
        let device = program.experiment.cluster.value.device;
        let module = |module: &ModuleRow| {
            let weights = size::module(model, &module.kind, &|_| 0).weights;
            let token = TokenCost {
                flops: weights * if module.frozen { FROZEN } else { TRAINED },
                kept: cost::kept_bytes(training, device, model, &module.kind),
                moved: size::moved(model, &module.kind),
            };
            let update = module
                .trained_by(training)
                .map_or(0, |optimizer| cost::update_bytes(training, optimizer) * module.parameters);
            ModuleCost { token, copies: weights * training.precision.copy_bytes(), update }
        };
        let dim = u64::from(model.dim);
        let output = |rows: u64| OutputCost {
            token: logits(dim, rows, training.precision.activation_bytes()),
            loss: cost::loss_bytes(training, device, dim, rows),
        };
        let named = |(name, spec): (&'a String, &VocabularySpec)| {
            (name.as_str(), output(u64::from(spec.size())))
        };
        Self {
            modules: graph.modules.iter().map(module).collect(),
            outputs: program.table.vocabularies.iter().map(named).collect(),
            no_output: output(0),
        }
    }

    /// What the logits and the loss over a vocabulary cost.
    fn output(&self, vocabulary: &str) -> OutputCost {
        self.outputs.get(vocabulary).copied().unwrap_or(self.no_output)
    }

    /// Sums over a task's way, with what stands at its end.
    fn token(&self, path: &TaskPath, output: OutputCost) -> TokenCost {
        let own = path.steps().filter_map(|id| self.modules.get(id.index()));
        own.map(|module| module.token).fold(output.token, |sum, own| TokenCost {
            flops: sum.flops + own.flops,
            kept: sum.kept + own.kept,
            moved: sum.moved + own.moved,
        })
    }

    /// Bytes of copies of what a task's batch is multiplied with.
    fn copies(&self, path: &TaskPath) -> u64 {
        self.each(path).map(|module| module.copies).sum()
    }

    /// Bytes that pass for what a task trains, in a lane's step.
    fn update(&self, path: &TaskPath) -> u64 {
        self.each(path).map(|module| module.update).sum()
    }

    /// The modules of a task's way, each once.
    fn each(&self, path: &TaskPath) -> impl Iterator<Item = &ModuleCost> {
        path.modules().into_iter().filter_map(|id| self.modules.get(id.index()))
    }
}

/// At the end of a way stand the last norm, of which what goes in and comes out is kept, and the logits: the largest is found, and
/// their softmax reads and writes. They are not kept: see [`cost::loss_bytes`].
fn logits(dim: u64, output: u64, width: u64) -> TokenCost {
    TokenCost { flops: TRAINED * dim * output, kept: 2 * dim * width, moved: 3 * output }
}
