//! Sizes and costs of modules by the formulas of docs/plan-format.md, written down a second time: the planner has its own.

use std::collections::HashMap;

use crate::attachment::{AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, LoraPlace, StackSide};
use crate::model::{ModelSpec, ModuleKind, ModuleSpec, Normalisation, Positions};
use crate::plan::{Device, Plan, TaskSpec, VocabularySpec};
use crate::verify::index::distinct;
use crate::verify::memory::{activation, copied, heap_bytes, kept_bytes, loss_bytes};

/// Widths that the formulas need.
#[derive(Clone, Copy)]
struct Widths<'a> {
    model: &'a ModelSpec,
    d: u128,
    q: u128,
}

impl<'a> Widths<'a> {
    fn new(model: &'a ModelSpec) -> Self {
        Self { model, d: model.dim.into(), q: u128::from(model.heads) * u128::from(model.head_dim) }
    }

    fn attention_bias(self) -> u128 {
        if self.model.attention_bias { 3 * self.q + self.d } else { 0 }
    }

    /// Weights of the maps of a feed-forward sublayer of inner width `f`.
    fn feed_forward(self, f: u128) -> u128 {
        (if self.model.activation.is_gated() { 3 } else { 2 }) * self.d * f
    }

    fn feed_forward_bias(self, f: u128) -> u128 {
        let inner = if self.model.activation.is_gated() { 2 * f } else { f };
        if self.model.ffn_bias { inner + self.d } else { 0 }
    }

    fn norm(self, kind: Normalisation) -> u128 {
        match kind {
            Normalisation::LayerNorm => 2 * self.d,
            Normalisation::Rms => self.d,
            Normalisation::RmsPlain => 0,
        }
    }

    /// Weights and all parameters of a layer with so many attentions.
    fn layer(self, attentions: u128) -> (u128, u128) {
        let f = u128::from(self.model.ffn);
        let weights = attentions * 4 * self.d * self.q + self.feed_forward(f);
        let norms = (attentions + 1) * self.norm(self.model.normalisation);
        let biases = attentions * self.attention_bias() + self.feed_forward_bias(f);
        (weights, weights + biases + norms)
    }

    /// Weights and all parameters of one adapted layer.
    fn adapter(self, spec: &AdapterSpec) -> (u128, u128) {
        let (d, q) = (self.d, self.q);
        let bottleneck = |b: u32| (2 * d * u128::from(b), u128::from(b) + d);
        match spec.kind {
            AdapterKind::Lora { rank, on: LoraPlace::FeedForward, .. } => {
                let weights = 2 * d * u128::from(rank);
                (weights, weights)
            }
            AdapterKind::Lora { rank, on: LoraPlace::Attention, .. } => {
                let weights = 2 * u128::from(rank) * (d + q);
                (weights, weights)
            }
            AdapterKind::Pfeiffer { hidden } => {
                let (weights, biases) = bottleneck(hidden);
                (weights, weights + biases)
            }
            AdapterKind::Houlsby { hidden } => {
                let (weights, biases) = bottleneck(hidden);
                (2 * weights, 2 * (weights + biases))
            }
            AdapterKind::Bapna { hidden } => {
                let (weights, biases) = bottleneck(hidden);
                (weights, weights + biases + 2 * d)
            }
            AdapterKind::Ff { hidden } => {
                let f = u128::from(hidden);
                let weights = self.feed_forward(f);
                let norm = self.norm(self.model.normalisation);
                (weights, weights + self.feed_forward_bias(f) + norm)
            }
            AdapterKind::Prefix { length } => {
                let attentions = match spec.side {
                    StackSide::Encoder => 1,
                    StackSide::Decoder => decoder_attentions(self.model),
                };
                (0, attentions * 2 * u128::from(length) * q)
            }
        }
    }

    /// Weights and all parameters of a bridge.
    fn bridge(self, spec: &BridgeSpec) -> (u128, u128) {
        let (d, u, r) = (self.d, u128::from(spec.hidden), u128::from(spec.fixed));
        let norm = spec.normalisation.map_or(0, |kind| self.norm(kind));
        let f = u128::from(self.model.ffn);
        let attention = (4 * d * self.q, self.attention_bias());
        let feed_forward = (self.feed_forward(f), self.feed_forward_bias(f));
        spec.layers.iter().fold((0, 0), |(weights, all), layer| {
            let (own, more) = match layer {
                BridgeLayer::Lin => (d * u + u * r, u + r + norm),
                BridgeLayer::Simple => (d * u + d * d, r * u + u + d + norm),
                BridgeLayer::Transformer => {
                    (attention.0 + feed_forward.0, attention.1 + feed_forward.1 + 2 * norm)
                }
                BridgeLayer::Perceiver => (
                    2 * (attention.0 + feed_forward.0),
                    r * d + 2 * (attention.1 + feed_forward.1) + 4 * norm,
                ),
                BridgeLayer::FeedForward => (2 * d * u, u + d + norm),
            };
            (weights + own, all + own + more)
        })
    }
}

/// Attentions of a decoder layer: to what was written and, with an encoder, to what was read.
pub(crate) fn decoder_attentions(model: &ModelSpec) -> u128 {
    if model.encoder.is_empty() { 1 } else { 2 }
}

/// Weights that every token meets, and all parameters; none when the vocabulary or the adapter does not exist.
fn sizes(plan: &Plan, kind: &ModuleKind) -> Option<(u128, u128)> {
    let widths = Widths::new(&plan.model);
    let rows = |vocabulary: &str| plan.vocabularies.get(vocabulary).map(|v| u128::from(v.size()));
    let closing = |closed: bool| if closed { widths.norm(plan.model.normalisation) } else { 0 };
    Some(match kind {
        ModuleKind::Embedding { vocabulary } => {
            let positions = match plan.model.positions {
                Positions::Learned { length } => u128::from(length),
                Positions::Sinusoidal
                | Positions::Fairseq
                | Positions::Rotary { .. }
                | Positions::None => 0,
            };
            (0, (rows(vocabulary)? + positions) * widths.d)
        }
        ModuleKind::Head { vocabulary } => (0, rows(vocabulary)? * widths.d),
        ModuleKind::EncoderStack { layers, closed } => {
            let (weights, all) = widths.layer(1);
            (u128::from(*layers) * weights, u128::from(*layers) * all + closing(*closed))
        }
        ModuleKind::DecoderStack { layers, closed } => {
            let (weights, all) = widths.layer(decoder_attentions(&plan.model));
            (u128::from(*layers) * weights, u128::from(*layers) * all + closing(*closed))
        }
        ModuleKind::Adapter { adapter } => {
            let spec = plan.model.adapters.iter().find(|spec| spec.name == *adapter)?;
            let (weights, all) = widths.adapter(spec);
            let layers = spec.layers.len() as u128;
            (layers * weights, layers * all)
        }
        ModuleKind::Bridge => widths.bridge(plan.model.bridge.as_ref()?),
    })
}

/// All parameters of a module; none when its vocabulary or adapter does not exist.
pub(crate) fn parameters(plan: &Plan, kind: &ModuleKind) -> Option<u128> {
    sizes(plan, kind).map(|(_, all)| all)
}

/// Costs of tasks, from those of the modules on their ways, each worked out once.
pub(crate) struct Costs<'a> {
    plan: &'a Plan,
    /// Vocabulary -> its size.
    vocabularies: HashMap<&'a str, u128>,
    /// In order of name.
    modules: Vec<ModuleCost>,
}

/// What a module costs.
#[derive(Debug, Clone, Copy, Default)]
struct ModuleCost {
    of_token: TokenCost,
    /// Elements of its maps.
    weights: u128,
    /// Bytes that pass for what is trained of it, in a lane's step.
    update: u128,
}

/// What one token on each side costs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TokenCost {
    /// Operations of training: two a weight forward, two for the gradient of what came in, and two for the weight's own unless
    /// it is frozen; the output's matrix counts as trained.
    pub(crate) flops: u128,
    /// Bytes that the backward pass needs.
    kept: u128,
    /// Numbers that passes over memory read and write.
    pub(crate) moved: u128,
}

impl<'a> Costs<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let cost = |spec: &ModuleSpec| {
            let weights = sizes(plan, &spec.kind).map_or(0, |(weights, _)| weights);
            let flops = weights * if spec.frozen { 4 } else { 6 };
            let (kept, moved) = (kept_bytes(plan, &spec.kind), moved(plan, &spec.kind));
            let of_token = TokenCost { flops, kept, moved };
            ModuleCost { of_token, weights, update: update_bytes(plan, spec) }
        };
        let size =
            |(name, spec): (&'a String, &VocabularySpec)| (name.as_str(), spec.size().into());
        Self {
            plan,
            vocabularies: plan.vocabularies.iter().map(size).collect(),
            modules: plan.modules.values().map(cost).collect(),
        }
    }

    /// What a token of a task with this way costs.
    pub(crate) fn token(&self, task: &TaskSpec, way: &[usize]) -> TokenCost {
        let (output, dim) = (self.output(task), u128::from(self.plan.model.dim));
        let kept = 2 * dim * activation(self.plan);
        let mut sum = TokenCost { flops: 6 * dim * output, kept, moved: 3 * output };
        for own in way.iter().filter_map(|&module| self.modules.get(module)) {
            sum.flops += own.of_token.flops;
            sum.kept += own.of_token.kept;
            sum.moved += own.of_token.moved;
        }
        sum
    }

    /// Size of a task's target vocabulary.
    fn output(&self, task: &TaskSpec) -> u128 {
        self.vocabularies.get(task.target_vocabulary.as_str()).copied().unwrap_or(0)
    }

    /// Bytes of memory that a batch of a task with this way needs: what its tokens keep, copies of maps in fewer bits, and the loss.
    pub(crate) fn batch_bytes(&self, task: &TaskSpec, way: &[usize]) -> u128 {
        let tokens = u128::from(self.plan.training.batch_tokens);
        let maps: u128 = distinct(way)
            .filter_map(|module| self.modules.get(module))
            .map(|own| own.weights)
            .sum();
        let kept = tokens.saturating_mul(self.token(task, way).kept);
        let beside = copied(self.plan) * maps + loss_bytes(self.plan, self.output(task));
        heap_bytes(self.plan, kept.saturating_add(beside))
    }

    /// Bytes that pass for the parameters that a task with this way trains, in a lane's step.
    pub(crate) fn update(&self, way: &[usize]) -> u128 {
        let costs = distinct(way).filter_map(|module| self.modules.get(module));
        costs.map(|own| own.update).sum()
    }
}

/// Bytes that pass for a module that a lane's step trains. Thirteen numbers a parameter: added to the gradient 3, to a sum twice as
/// wide and cleared 4, the norm 2, the update 4; and the optimiser's, read and written; a moving average reads the parameter, is
/// read and written.
fn update_bytes(plan: &Plan, module: &ModuleSpec) -> u128 {
    if module.frozen {
        return 0;
    }
    let average = if plan.training.ema.is_some() { 3 } else { 0 };
    let numbers = 13 + 2 * moments(plan, module) + average;
    u128::from(module.parameters) * numbers * u128::from(plan.training.precision.parameter_bytes())
}

/// Numbers that a module's optimiser keeps for every parameter.
fn moments(plan: &Plan, module: &ModuleSpec) -> u128 {
    module.optimizer.unwrap_or(plan.training.optimizer).moments().into()
}

/// Numbers of one token that passes over memory read and write in a module: those of each sublayer are its norm, residual and
/// dropout, then its own.
fn moved(plan: &Plan, kind: &ModuleKind) -> u128 {
    let Widths { d, q, model } = Widths::new(&plan.model);
    let dropped = |rate: f64, numbers: u128| if rate > 0.0 { numbers } else { 0 };
    let sublayer = 11 * d + dropped(model.dropout, 2 * d);
    // Forward, backward, gradients of biases.
    let attention = sublayer + 4 * q + 7 * q + 3 * q + d;
    let feed_forward = |f: u128| {
        let passes = if model.activation.is_gated() { 14 * f + 2 * f } else { 5 * f + f };
        sublayer + passes + d + dropped(model.ffn_dropout, 4 * f)
    };
    let f = u128::from(model.ffn);
    let layer = |attentions: u128| attentions * attention + feed_forward(f);
    match kind {
        ModuleKind::Embedding { .. } => 7 * d,
        ModuleKind::Head { .. } => 0,
        ModuleKind::EncoderStack { layers, .. } => u128::from(*layers) * layer(1),
        ModuleKind::DecoderStack { layers, .. } => {
            u128::from(*layers) * layer(decoder_attentions(model))
        }
        ModuleKind::Adapter { adapter } => {
            let spec = model.adapters.iter().find(|spec| spec.name == *adapter);
            let of_layer = spec.map_or(0, |spec| match spec.kind {
                AdapterKind::Lora { rank, .. } => 6 * d + 3 * u128::from(rank),
                AdapterKind::Pfeiffer { hidden } => 6 * (d + u128::from(hidden)),
                AdapterKind::Houlsby { hidden } => 12 * (d + u128::from(hidden)),
                AdapterKind::Bapna { hidden } => 11 * d + 6 * u128::from(hidden),
                AdapterKind::Ff { hidden } => feed_forward(hidden.into()),
                AdapterKind::Prefix { .. } => 0,
            });
            spec.map_or(0, |spec| spec.layers.len() as u128 * of_layer)
        }
        ModuleKind::Bridge => model.bridge.as_ref().map_or(0, |bridge| {
            let layers = bridge.layers.iter().map(|kind| match kind {
                BridgeLayer::Lin | BridgeLayer::Simple | BridgeLayer::FeedForward => {
                    11 * d + 6 * u128::from(bridge.hidden)
                }
                BridgeLayer::Transformer => layer(1),
                BridgeLayer::Perceiver => 2 * layer(1),
            });
            layers.sum()
        }),
    }
}

/// Bytes of state of a module: the parameter; unless it is frozen its gradient, the optimiser's numbers, its moving average if
/// one is kept and, if several lanes train it, the sum of gradients over lanes, which is twice as wide.
pub(crate) fn state_bytes(plan: &Plan, module: &ModuleSpec, lanes: usize) -> u128 {
    let sum = if lanes > 1 { 2 } else { 0 };
    let average = u128::from(plan.training.ema.is_some());
    let numbers = if module.frozen { 1 } else { 2 + moments(plan, module) + average + sum };
    u128::from(module.parameters) * numbers * u128::from(plan.training.precision.parameter_bytes())
}

/// Bytes that passes over activations count as: a CPU takes 7/4 of their time, as they compute too and products copy; a GPU's
/// operations pass three times over them.
pub(crate) fn passed_bytes(plan: &Plan, bytes: u128) -> u128 {
    match plan.cluster.device {
        Device::Cpu => bytes.saturating_mul(7) / 4,
        Device::Gpu => bytes.saturating_mul(3),
    }
}

/// Seconds of operations and passes over memory.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(crate) fn computing(plan: &Plan, flops: u64, moved: u64) -> f64 {
    let cluster = &plan.cluster;
    let operations = flops as f64 / cluster.device_flops;
    cluster.device_bandwidth.map_or(operations, |rate| operations + moved as f64 / rate)
}
