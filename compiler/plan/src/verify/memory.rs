//! Memory of a batch by the formulas of docs/plan-format.md, written down a second time: the planner has its own.

use crate::attachment::{AdapterKind, BridgeLayer};
use crate::logits::tokens_at_a_time;
use crate::model::{Activation, ModuleKind};
use crate::plan::{Device, Plan};
use crate::training::Precision;
use crate::verify::formulas::decoder_attentions;

/// Bytes of an activation.
pub(crate) fn activation(plan: &Plan) -> u128 {
    plan.training.precision.activation_bytes().into()
}

/// Bytes of an element of what products are made of, where that is not the parameter itself.
pub(crate) fn copied(plan: &Plan) -> u128 {
    match plan.training.precision {
        Precision::Fp32 | Precision::Fp64 => 0,
        Precision::Bf16 | Precision::Fp16 => 2,
    }
}

/// Bytes of the loss of a batch over so many pieces. By logit made at a time: itself, its probability, a copy of that. By element of the
/// output's matrix: two gradients and a copy. By state: two gradients.
pub(crate) fn loss_bytes(plan: &Plan, vocabulary: u128) -> u128 {
    let is_gpu = plan.cluster.device == Device::Gpu;
    let pieces = if is_gpu { vocabulary.div_ceil(64) * 64 } else { vocabulary };
    let chunk =
        tokens_at_a_time(plan.cluster.device, u64::try_from(vocabulary).unwrap_or(u64::MAX));
    let (dim, tokens) = (u128::from(plan.model.dim), u128::from(plan.training.batch_tokens));
    let two = 2 * u128::from(plan.training.precision.parameter_bytes());
    let logits = tokens.min(chunk.into()) * pieces;
    // A GPU's kernel writes probabilities in the place of logits, or their copies at once.
    let own = if is_gpu && plan.training.precision != Precision::Fp64 { two / 2 } else { two };
    logits * (own + copied(plan)) + pieces * dim * (two + copied(plan)) + two * tokens * dim
}

/// Bytes of memory for activations: a GPU's allocator keeps a quarter more, of sizes of other batches; a CPU's heap is half as large
/// again, with 20 MiB of other things in it.
pub(crate) fn heap_bytes(plan: &Plan, activations: u128) -> u128 {
    match plan.cluster.device {
        Device::Cpu => activations.saturating_mul(3) / 2 + (20 << 20),
        Device::Gpu => activations.saturating_mul(5) / 4,
    }
}

/// Bytes that the backward pass needs of one token in a module; CPUs make masks again.
pub(crate) fn kept_bytes(plan: &Plan, kind: &ModuleKind) -> u128 {
    let numbers = kept(plan, kind) * activation(plan);
    match plan.cluster.device {
        Device::Cpu => numbers,
        Device::Gpu => numbers + masks(plan, kind),
    }
}

/// Numbers that the backward pass needs of one token in a module.
fn kept(plan: &Plan, kind: &ModuleKind) -> u128 {
    let d = u128::from(plan.model.dim);
    let q = u128::from(plan.model.heads) * u128::from(plan.model.head_dim);
    let of_activation = match plan.model.activation {
        Activation::Relu if plan.model.ffn_dropout > 0.0 => 2,
        Activation::Relu => 1,
        Activation::Gelu => 2,
        Activation::Swiglu | Activation::Geglu => 4,
    };
    let inner = |f: u128| of_activation * f;
    let f = u128::from(plan.model.ffn);
    let layer = |attentions: u128| 2 * (attentions + 1) * d + 4 * attentions * q + inner(f);
    let (encoder_layer, decoder_layer) = (layer(1), layer(decoder_attentions(&plan.model)));
    match kind {
        ModuleKind::Embedding { .. } | ModuleKind::Head { .. } => 0,
        ModuleKind::EncoderStack { layers, .. } => u128::from(*layers) * encoder_layer,
        ModuleKind::DecoderStack { layers, .. } => u128::from(*layers) * decoder_layer,
        ModuleKind::Adapter { adapter } => {
            let spec = plan.model.adapters.iter().find(|spec| spec.name == *adapter);
            spec.map_or(0, |spec| {
                let layer = match spec.kind {
                    AdapterKind::Lora { rank, .. } => 2 * d + 2 * u128::from(rank),
                    AdapterKind::Pfeiffer { hidden } | AdapterKind::Bapna { hidden } => {
                        2 * d + 2 * u128::from(hidden)
                    }
                    AdapterKind::Houlsby { hidden } => 4 * d + 4 * u128::from(hidden),
                    AdapterKind::Ff { hidden } => 3 * d + inner(hidden.into()),
                    AdapterKind::Prefix { .. } => 0,
                };
                spec.layers.len() as u128 * layer
            })
        }
        ModuleKind::Bridge => plan.model.bridge.as_ref().map_or(0, |bridge| {
            let u = u128::from(bridge.hidden);
            let layers = bridge.layers.iter().map(|layer| match layer {
                BridgeLayer::Lin | BridgeLayer::Simple | BridgeLayer::FeedForward => 2 * d + 2 * u,
                BridgeLayer::Transformer => encoder_layer,
                BridgeLayer::Perceiver => 2 * encoder_layer,
            });
            layers.sum()
        }),
    }
}

/// Elements that dropout masks of one token in a module: at every sublayer's end and inside feed-forward layers.
fn masks(plan: &Plan, kind: &ModuleKind) -> u128 {
    let model = &plan.model;
    let at_end = if model.dropout > 0.0 { u128::from(model.dim) } else { 0 };
    let inside = |f: u32| if model.ffn_dropout > 0.0 { u128::from(f) } else { 0 };
    let encoder_layer = 2 * at_end + inside(model.ffn);
    let decoder_layer = (1 + decoder_attentions(model)) * at_end + inside(model.ffn);
    match kind {
        ModuleKind::Embedding { .. } => at_end,
        ModuleKind::Head { .. } => 0,
        ModuleKind::EncoderStack { layers, .. } => u128::from(*layers) * encoder_layer,
        ModuleKind::DecoderStack { layers, .. } => u128::from(*layers) * decoder_layer,
        ModuleKind::Adapter { adapter } => {
            let spec = model.adapters.iter().find(|spec| spec.name == *adapter);
            spec.map_or(0, |spec| {
                let AdapterKind::Ff { hidden } = spec.kind else { return 0 };
                spec.layers.len() as u128 * (at_end + inside(hidden))
            })
        }
        ModuleKind::Bridge => {
            let layers = model.bridge.iter().flat_map(|bridge| &bridge.layers);
            let halves: u128 = layers
                .map(|layer| match layer {
                    BridgeLayer::Lin | BridgeLayer::Simple | BridgeLayer::FeedForward => 0,
                    BridgeLayer::Transformer => 1,
                    BridgeLayer::Perceiver => 2,
                })
                .sum();
            halves * encoder_layer
        }
    }
}
