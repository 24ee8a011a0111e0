//! Sets what modules and batches cost: bytes of state, operations and activations.
//!
//! Sources of the formulas: state and activations follow the static cost model of Rajbhandari et al. 2020 (section 3)
//! and Korthikanti et al. 2022 (section 4, without attention maps, which fused attention does not keep); operations follow
//! Kaplan et al. 2020 (section 2.1): two per weight and token forward, three times that with the backward pass. Attention
//! scores are left out: at sentence length they are about one part in a hundred.

use mmc_plan::{ModuleKind, Precision};

use crate::cost;
use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::ids::ModuleId;
use crate::ir::module::{ModuleGraph, Program};

/// The backward pass costs twice the forward pass.
const TRAINING: u64 = 3;

/// Sizes that the formulas need.
struct Sizes {
    dim: u64,
    ffn: u64,
    bytes: u64,
    tokens: u64,
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of all passes")]
pub(super) fn run(
    mut graph: ModuleGraph,
    program: &Program<'_>,
    _: &mut Diagnostics,
) -> Result<ModuleGraph, Halt> {
    let (model, training) = (&program.experiment.model, &program.experiment.training.value);
    let bytes = match training.precision {
        Precision::Fp32 => 4,
        Precision::Fp64 => 8,
    };
    let sizes = Sizes {
        dim: u64::from(model.dim),
        ffn: u64::from(model.ffn),
        bytes,
        tokens: u64::from(training.batch_tokens),
    };
    for module in &mut graph.modules {
        module.state_bytes = cost::state_bytes(training.precision) * module.parameters;
    }
    let mut paths = std::mem::take(&mut graph.paths);
    for (path, task) in paths.iter_mut().zip(&program.table.tasks) {
        let output = program
            .table
            .vocabularies
            .get(&task.target_vocabulary)
            .map_or(0, |spec| u64::from(spec.size()));
        let layers =
            |ids: &[ModuleId]| ids.iter().filter_map(|id| graph.module(*id)).map(depth).sum();
        let (encoder, decoder) = (layers(&path.encoder), layers(&path.decoder));
        path.batch_flops = batch_flops(&sizes, encoder, decoder, output);
        path.activation_bytes = activation_bytes(&sizes, encoder, decoder, output);
    }
    graph.paths = paths;
    Ok(graph)
}

fn depth(module: &crate::ir::module::ModuleRow) -> u64 {
    match module.kind {
        ModuleKind::EncoderStack { layers } | ModuleKind::DecoderStack { layers } => layers.into(),
        ModuleKind::Embedding { .. } | ModuleKind::Head { .. } => 0,
    }
}

/// One batch with all its tokens on both sides; `output` is the target vocabulary's size.
fn batch_flops(sizes: &Sizes, encoder: u64, decoder: u64, output: u64) -> u64 {
    let Sizes { dim, ffn, tokens, .. } = *sizes;
    let weights = encoder * (4 * dim * dim + 2 * dim * ffn)
        + decoder * (8 * dim * dim + 2 * dim * ffn)
        + dim * output;
    TRAINING * 2 * weights * tokens
}

/// What the backward pass needs of one batch: per layer inputs, normalised inputs, queries, keys, values, attention output
/// and dropout (10 widths, 14 with cross-attention) and the inner feed-forward activations (4); at the end the logits, their
/// logarithms and their gradient.
fn activation_bytes(sizes: &Sizes, encoder: u64, decoder: u64, output: u64) -> u64 {
    let Sizes { dim, ffn, bytes, tokens } = *sizes;
    let numbers =
        encoder * (10 * dim + 4 * ffn) + decoder * (14 * dim + 4 * ffn) + 2 * dim + 3 * output;
    numbers * tokens * bytes
}
