//! Sizes of what modules are made of: weights, biases and norms of layers, adapters and bridges.
//!
//! The formulas stand at [`mmc_plan::ModuleSpec::parameters`], [`AdapterSpec`] and [`BridgeSpec`].

use mmc_plan::{
    Activation, AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, LoraPlace, ModelSpec,
    ModuleKind, Positions, StackSide,
};

/// Tokens of a sentence, where a module costs something for each.
const SENTENCE: u64 = 25;

/// What a module or a part of one consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Elements of the matrices that every token is multiplied with.
    pub weights: u64,
    /// Everything else: biases, norms, tables.
    pub rest: u64,
}

impl Size {
    const fn new(weights: u64, rest: u64) -> Self {
        Self { weights, rest }
    }

    /// All parameters.
    pub fn parameters(self) -> u64 {
        self.weights + self.rest
    }

    fn times(self, count: u64) -> Self {
        Self::new(count * self.weights, count * self.rest)
    }
}

impl std::ops::Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.weights + other.weights, self.rest + other.rest)
    }
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), std::ops::Add::add)
    }
}

/// The size of a module; `rows` answers the size of a vocabulary.
pub fn module(model: &ModelSpec, kind: &ModuleKind, rows: &dyn Fn(&str) -> u64) -> Size {
    let d = u64::from(model.dim);
    let closing = |closed: bool| if closed { norm(model) } else { Size::default() };
    match kind {
        ModuleKind::Embedding { vocabulary } => {
            let positions = match model.positions {
                Positions::Learned { length } => u64::from(length),
                Positions::Sinusoidal
                | Positions::Fairseq
                | Positions::Rotary { .. }
                | Positions::None => 0,
            };
            Size::new(0, (rows(vocabulary) + positions) * d)
        }
        ModuleKind::Head { vocabulary } => Size::new(0, rows(vocabulary) * d),
        ModuleKind::EncoderStack { layers, closed } => {
            encoder_layer(model).times(u64::from(*layers)) + closing(*closed)
        }
        ModuleKind::DecoderStack { layers, closed } => {
            decoder_layer(model).times(u64::from(*layers)) + closing(*closed)
        }
        ModuleKind::Adapter { adapter } => {
            let spec = model.adapters.iter().find(|spec| spec.name == *adapter);
            spec.map(|spec| self::adapter(model, spec)).unwrap_or_default()
        }
        ModuleKind::Bridge => {
            model.bridge.as_ref().map(|spec| bridge(model, spec)).unwrap_or_default()
        }
    }
}

/// Queries, keys, values and output.
fn attention(model: &ModelSpec) -> Size {
    let (d, q) = (u64::from(model.dim), model.attention_dim());
    Size::new(4 * d * q, if model.attention_bias { 3 * q + d } else { 0 })
}

/// A feed-forward sublayer of inner width `f`; gated ones have a second inner map.
fn feed_forward(model: &ModelSpec, f: u64) -> Size {
    let d = u64::from(model.dim);
    let inner = if model.activation.is_gated() { 2 } else { 1 };
    Size::new((inner + 1) * d * f, if model.ffn_bias { inner * f + d } else { 0 })
}

fn norm(model: &ModelSpec) -> Size {
    Size::new(0, model.normalisation.parameters(model.dim.into()))
}

fn encoder_layer(model: &ModelSpec) -> Size {
    attention(model) + feed_forward(model, model.ffn.into()) + norm(model).times(2)
}

fn decoder_layer(model: &ModelSpec) -> Size {
    let cross = attention(model) + norm(model);
    encoder_layer(model) + if model.has_encoder() { cross } else { Size::default() }
}

fn adapter(model: &ModelSpec, spec: &AdapterSpec) -> Size {
    let (d, q) = (u64::from(model.dim), model.attention_dim());
    let bottleneck = |b: u32| Size::new(2 * d * u64::from(b), u64::from(b) + d);
    let layer = match spec.kind {
        AdapterKind::Lora { rank, on, .. } => {
            let (rank, maps) = match on {
                LoraPlace::FeedForward => (u64::from(rank), 2 * d),
                LoraPlace::Attention => (u64::from(rank), 2 * (d + q)),
            };
            Size::new(rank * maps, 0)
        }
        AdapterKind::Pfeiffer { hidden } => bottleneck(hidden),
        AdapterKind::Houlsby { hidden } => bottleneck(hidden).times(2),
        AdapterKind::Bapna { hidden } => bottleneck(hidden) + Size::new(0, 2 * d),
        AdapterKind::Ff { hidden } => feed_forward(model, hidden.into()) + norm(model),
        AdapterKind::Prefix { length } => {
            Size::new(0, attentions(model, spec) * 2 * u64::from(length) * q)
        }
    };
    layer.times(spec.layers.len() as u64)
}

/// Attentions of a layer in which a prefix stands.
fn attentions(model: &ModelSpec, spec: &AdapterSpec) -> u64 {
    if spec.side == StackSide::Decoder && model.has_encoder() { 2 } else { 1 }
}

/// Numbers of a token's keys and values with its share of a prefix, which stands before those of every sentence.
fn prefixed(model: &ModelSpec, spec: &AdapterSpec, length: u32) -> u64 {
    let widened = 2 * model.attention_dim() * (SENTENCE + u64::from(length)) / SENTENCE;
    attentions(model, spec) * widened
}

fn bridge(model: &ModelSpec, spec: &BridgeSpec) -> Size {
    let (d, u, r) = (u64::from(model.dim), u64::from(spec.hidden), u64::from(spec.fixed));
    let parameters = spec.normalisation.map_or(0, |kind| kind.parameters(d));
    let norm = Size::new(0, parameters);
    let layer = |layer: &BridgeLayer| match layer {
        BridgeLayer::Lin => Size::new(d * u + u * r, u + r) + norm,
        BridgeLayer::Simple => Size::new(d * u + d * d, r * u + u + d) + norm,
        BridgeLayer::Transformer => {
            attention(model) + feed_forward(model, model.ffn.into()) + norm.times(2)
        }
        BridgeLayer::Perceiver => {
            let half = attention(model) + feed_forward(model, model.ffn.into()) + norm.times(2);
            half.times(2) + Size::new(0, r * d)
        }
        BridgeLayer::FeedForward => Size::new(2 * d * u, u + d) + norm,
    };
    spec.layers.iter().map(layer).sum()
}

/// Numbers that the backward pass needs of one token in a module: per sublayer its input and its normalised input (`2d`), of an
/// attention queries, keys, values and result (`4q`), of a feed-forward layer [`kept_inside`]; of bottlenecks their input,
/// output and twice their inside; of prefixes the keys and values that were copied behind them, and their own in each sentence.
/// Dropout keeps nothing: its masks are made again.
pub fn kept(model: &ModelSpec, kind: &ModuleKind) -> u64 {
    let (d, q) = (u64::from(model.dim), model.attention_dim());
    let inner = |f: u64| f * kept_inside(model);
    let attention = 2 * d + 4 * q;
    let encoder_layer = attention + 2 * d + inner(model.ffn.into());
    let decoder_layer = encoder_layer + if model.has_encoder() { attention } else { 0 };
    match kind {
        ModuleKind::Embedding { .. } | ModuleKind::Head { .. } => 0,
        ModuleKind::EncoderStack { layers, .. } => u64::from(*layers) * encoder_layer,
        ModuleKind::DecoderStack { layers, .. } => u64::from(*layers) * decoder_layer,
        ModuleKind::Adapter { adapter } => {
            let spec = model.adapters.iter().find(|spec| spec.name == *adapter);
            let Some(spec) = spec else { return 0 };
            let bottleneck = |b: u32| 2 * d + 2 * u64::from(b);
            let layer = match spec.kind {
                AdapterKind::Lora { rank: b, .. }
                | AdapterKind::Pfeiffer { hidden: b }
                | AdapterKind::Bapna { hidden: b } => bottleneck(b),
                AdapterKind::Houlsby { hidden } => 2 * bottleneck(hidden),
                AdapterKind::Ff { hidden } => 3 * d + inner(hidden.into()),
                AdapterKind::Prefix { length } => prefixed(model, spec, length),
            };
            spec.layers.len() as u64 * layer
        }
        ModuleKind::Bridge => {
            let Some(spec) = &model.bridge else { return 0 };
            let layer = |layer: &BridgeLayer| match layer {
                BridgeLayer::Lin | BridgeLayer::Simple | BridgeLayer::FeedForward => {
                    2 * d + 2 * u64::from(spec.hidden)
                }
                BridgeLayer::Transformer => encoder_layer,
                BridgeLayer::Perceiver => 2 * encoder_layer,
            };
            spec.layers.iter().map(layer).sum()
        }
    }
}

/// Elements of masks of dropout of one token in a module: of what embeddings and sublayers give, and inside feed-forward layers.
/// Fused attention draws its own again.
pub fn masked(model: &ModelSpec, kind: &ModuleKind) -> u64 {
    let dropped = |rate: f64, elements: u64| if rate > 0.0 { elements } else { 0 };
    let outer = dropped(model.dropout, model.dim.into());
    let feed_forward = |f: u64| outer + dropped(model.ffn_dropout, f);
    let layer = |attentions: u64| attentions * outer + feed_forward(model.ffn.into());
    match kind {
        ModuleKind::Embedding { .. } => outer,
        ModuleKind::Head { .. } => 0,
        ModuleKind::EncoderStack { layers, .. } => u64::from(*layers) * layer(1),
        ModuleKind::DecoderStack { layers, .. } => {
            u64::from(*layers) * layer(if model.has_encoder() { 2 } else { 1 })
        }
        ModuleKind::Adapter { adapter } => {
            let spec = model.adapters.iter().find(|spec| spec.name == *adapter);
            spec.map_or(0, |spec| match spec.kind {
                AdapterKind::Ff { hidden } => {
                    spec.layers.len() as u64 * feed_forward(hidden.into())
                }
                AdapterKind::Lora { .. }
                | AdapterKind::Pfeiffer { .. }
                | AdapterKind::Houlsby { .. }
                | AdapterKind::Bapna { .. }
                | AdapterKind::Prefix { .. } => 0,
            })
        }
        ModuleKind::Bridge => {
            let layers = model.bridge.iter().flat_map(|spec| &spec.layers);
            let masks = layers.map(|own| match own {
                BridgeLayer::Lin | BridgeLayer::Simple | BridgeLayer::FeedForward => 0,
                BridgeLayer::Transformer => layer(1),
                BridgeLayer::Perceiver => 2 * layer(1),
            });
            masks.sum()
        }
    }
}

/// Numbers kept per inner width of a feed-forward layer: `relu` keeps its result alone, and that of dropout behind it; `gelu` what
/// goes in and what comes out; gated ones both halves, the gate's result and the product.
fn kept_inside(model: &ModelSpec) -> u64 {
    match model.activation {
        Activation::Relu => 1 + u64::from(model.ffn_dropout > 0.0),
        Activation::Gelu => 2,
        Activation::Swiglu | Activation::Geglu => 4,
    }
}

/// Numbers that passes over memory read and write for one token in a module, forward and backward; products of matrices are
/// not among them, they count as operations.
///
/// Around a sublayer `11d`: the norm reads and writes (2), the residual adds (3), backward the norm's gradient (3) and the sum
/// of both ways' gradients (3); with dropout `2d` more, for the gradient in front of it, as forward it is part of the residual's
/// pass. Attention
/// reads queries, keys and values and writes its result (`4q`), backward reads both and writes three gradients (`7q`), and
/// gradients of biases are sums (`3q + d`). The activation of a feed-forward layer passes twice and three times (`5f`, gated
/// `14f`), dropout behind it twice and twice (`4f`), its biases once (`f + d`). Keys and values
/// that are copied behind a prefix are read and written, and so are their gradients. Counted after Ivanov et al. 2021 (section 3), for
/// kernels that are not fused.
pub fn moved(model: &ModelSpec, kind: &ModuleKind) -> u64 {
    let (d, q) = (u64::from(model.dim), model.attention_dim());
    let around = if model.dropout > 0.0 { 13 * d } else { 11 * d };
    let attention = around + 14 * q + d;
    let feed_forward = |f: u64| {
        let activation = if model.activation.is_gated() { 16 * f } else { 6 * f };
        around + activation + d + if model.ffn_dropout > 0.0 { 4 * f } else { 0 }
    };
    let encoder_layer = attention + feed_forward(model.ffn.into());
    let decoder_layer = encoder_layer + if model.has_encoder() { attention } else { 0 };
    match kind {
        ModuleKind::Embedding { .. } => 7 * d,
        ModuleKind::Head { .. } => 0,
        ModuleKind::EncoderStack { layers, .. } => u64::from(*layers) * encoder_layer,
        ModuleKind::DecoderStack { layers, .. } => u64::from(*layers) * decoder_layer,
        ModuleKind::Adapter { adapter } => {
            let spec = model.adapters.iter().find(|spec| spec.name == *adapter);
            let Some(spec) = spec else { return 0 };
            let layer = match spec.kind {
                AdapterKind::Lora { rank, .. } => 6 * d + 3 * u64::from(rank),
                AdapterKind::Pfeiffer { hidden } => 6 * d + 6 * u64::from(hidden),
                AdapterKind::Houlsby { hidden } => 12 * d + 12 * u64::from(hidden),
                AdapterKind::Bapna { hidden } => 11 * d + 6 * u64::from(hidden),
                AdapterKind::Ff { hidden } => feed_forward(hidden.into()),
                AdapterKind::Prefix { length } => 4 * prefixed(model, spec, length),
            };
            spec.layers.len() as u64 * layer
        }
        ModuleKind::Bridge => {
            let Some(spec) = &model.bridge else { return 0 };
            let layer = |layer: &BridgeLayer| match layer {
                BridgeLayer::Lin | BridgeLayer::Simple | BridgeLayer::FeedForward => {
                    11 * d + 6 * u64::from(spec.hidden)
                }
                BridgeLayer::Transformer => encoder_layer,
                BridgeLayer::Perceiver => 2 * encoder_layer,
            };
            spec.layers.iter().map(layer).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use mmc_plan::{Sharing, sample};

    use super::*;

    /// Attention 4 d^2 + 4 d, feed-forward 2 d f + f + d, a norm 2 d; of the widths of Vaswani et al. 2017; other toolkits
    /// count their layers alike.
    #[test]
    fn layers_of_the_usual_widths() {
        let (d, f) = (512_u64, 2048_u64);
        let model = ModelSpec { dim: 512, heads: 8, head_dim: 64, ffn: 2048, ..sample::model() };
        let size = |kind: ModuleKind| module(&model, &kind, &|_| 64_000).parameters();
        let (attention, inner) = (4 * d * d + 4 * d, 2 * d * f + f + d);
        let encoder = size(ModuleKind::EncoderStack { layers: 1, closed: false });
        assert_eq!((encoder, encoder), (attention + inner + 4 * d, 3_152_384));
        let decoder = size(ModuleKind::DecoderStack { layers: 1, closed: false });
        assert_eq!((decoder, decoder), (2 * attention + inner + 6 * d, 4_204_032));
        assert_eq!(size(ModuleKind::EncoderStack { layers: 6, closed: true }), 6 * encoder + 2 * d);
        // Without an encoder a layer is that of GPT (Radford et al. 2018): the same as an encoder's.
        let causal = ModelSpec { encoder: Vec::new(), ..model.clone() };
        let kind = ModuleKind::DecoderStack { layers: 1, closed: false };
        assert_eq!(module(&causal, &kind, &|_| 64_000).parameters(), encoder);
        let vocabulary = || "joint".to_owned();
        assert_eq!(size(ModuleKind::Embedding { vocabulary: vocabulary() }), 64_000 * d);
        assert_eq!(size(ModuleKind::Head { vocabulary: vocabulary() }), 64_000 * d);
    }

    /// Keys and values of 25 tokens and of a prefix of 50: those of three tokens for each; in a decoder's two attentions twice.
    #[test]
    fn prefixes_cost_for_every_sentence() {
        let mut model = ModelSpec { dim: 64, heads: 4, head_dim: 16, ..sample::model() };
        for (side, attentions) in [(StackSide::Encoder, 1), (StackSide::Decoder, 2)] {
            model.adapters = vec![AdapterSpec {
                name: "before".to_owned(),
                side,
                stack: 0,
                layers: vec![0, 2],
                kind: AdapterKind::Prefix { length: 50 },
                sharing: Sharing::Full,
            }];
            let kind = ModuleKind::Adapter { adapter: "before".to_owned() };
            let keys_and_values = attentions * 2 * 64;
            assert_eq!(kept(&model, &kind), 2 * 3 * keys_and_values);
            assert_eq!(moved(&model, &kind), 4 * kept(&model, &kind));
            assert_eq!(module(&model, &kind, &|_| 0), Size::new(0, 2 * 50 * keys_and_values));
        }
    }
}
