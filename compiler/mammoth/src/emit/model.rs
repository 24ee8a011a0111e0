//! The `model` block: stacks, the options of x-transformers, adapters and the bridge.

use mmc_plan::{
    Activation, AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, ClosingNorm, Initial, LoraPlace,
    ModelSpec, Norm, Normalisation, Positions, Sharing, StackPattern, StackSide,
};
use mmc_syntax::Span;

use super::draft::{Draft, text, whole};
use crate::yaml::{Id, Value};

/// Width of a head in MAMMOTH, whatever the model's.
const HEAD: u32 = 64;
/// Dimensions of a head that MAMMOTH rotates.
const ROTATED: u32 = 32;
/// The base of all rotary positions there.
const BASE: u32 = 10_000;

pub(super) fn write(draft: &mut Draft<'_>) {
    let model = &draft.experiment.model;
    if !model.has_encoder() {
        let help =
            "MAMMOTH trains no decoder alone: give the model an `encoder`, and tasks a source";
        return draft.no_equal("a model without an encoder", draft.place("model", "decoder"), help);
    }
    draft.top("model_dim", whole(model.dim));
    for (key, stacks) in [("enc_layers", &model.encoder), ("dec_layers", &model.decoder)] {
        let layers = draft.list(stacks.iter().map(|stack| whole(stack.layers)));
        draft.top(key, layers);
    }
    stacks(draft);
    let root = draft.tree.root();
    let options = draft.map(root, "x_transformers_opts", draft.place("model", ""));
    network(options, draft);
    embeddings(options, draft);
    if let Some(bridge) = &model.bridge {
        self::bridge(bridge, draft);
    }
    adapters(draft);
}

fn stacks(draft: &mut Draft<'_>) {
    let model = &draft.experiment.model;
    let sides = [
        (&model.encoder, &draft.experiment.model_spans.encoder),
        (&model.decoder, &draft.experiment.model_spans.decoder),
    ];
    for (stack, span) in sides.into_iter().flat_map(|(stacks, spans)| stacks.iter().zip(spans)) {
        if stack.sharing == Sharing::None {
            draft.no_equal("a stack without layers", *span, "leave it out");
        }
    }
    let layers =
        |stacks: &[StackPattern]| -> Vec<u32> { stacks.iter().map(|stack| stack.layers).collect() };
    let differs = |own: &Option<Vec<StackPattern>>, all: &[StackPattern]| {
        own.as_ref().is_some_and(|own| layers(own) != layers(all))
    };
    let overrides = || model.overrides.iter();
    let odd = [
        ("encoder", overrides().any(|other| differs(&other.encoder, &model.encoder))),
        ("decoder", overrides().any(|other| differs(&other.decoder, &model.decoder))),
    ];
    for (side, _) in odd.into_iter().filter(|(_, is_odd)| *is_odd) {
        let span = draft.place("model", side);
        let help =
            "give all directions stacks of the same numbers of layers: who shares them may differ";
        draft.no_equal("a direction with other numbers of layers", span, help);
    }
}

/// `x_transformers_opts`.
fn network(options: Id, draft: &mut Draft<'_>) {
    let model = &draft.experiment.model;
    draft.put(options, "heads", whole(model.heads));
    if model.head_dim != HEAD {
        draft.put(options, "attn_dim_head", whole(model.head_dim));
    }
    if model.ffn != model.dim * 4 {
        let times = f64::from(model.ffn) / f64::from(model.dim);
        draft.put(options, "ff_mult", Value::Float(times));
    }
    for (key, part) in
        [("attn_dropout", model.attention_dropout), ("ff_dropout", model.ffn_dropout)]
    {
        if part > 0.0 {
            draft.put(options, key, Value::Float(part));
        }
    }
    match model.activation {
        Activation::Geglu => {}
        Activation::Swiglu => draft.put(options, "ff_swish", Value::Bool(true)),
        Activation::Gelu => draft.put(options, "ff_glu", Value::Bool(false)),
        Activation::Relu => {
            let span = draft.place("model", "activation");
            draft.no_equal("`relu`", span, "take `geglu`, `swiglu` or `gelu`");
        }
    }
    match model.normalisation {
        Normalisation::RmsPlain => {}
        Normalisation::Rms => draft.put(options, "use_rmsnorm", Value::Bool(true)),
        Normalisation::LayerNorm => {
            draft.put(options, "use_simple_rmsnorm", Value::Bool(false));
        }
    }
    if !model.ffn_bias {
        draft.put(options, "ff_no_bias", Value::Bool(true));
    }
    positions(options, model, draft);
    choices(model, draft);
}

fn positions(options: Id, model: &ModelSpec, draft: &mut Draft<'_>) {
    let span = draft.place("model", "positions");
    match model.positions {
        Positions::None => {}
        Positions::Rotary { dims, base } => {
            draft.put(options, "rotary_pos_emb", Value::Bool(true));
            // x-transformers' own default grows with the head.
            if dims != ROTATED || model.head_dim > HEAD {
                draft.put(options, "rotary_emb_dim", whole(dims));
            }
            if base != BASE {
                draft.no_equal("a base of rotary positions", span, "MAMMOTH's is 10 000");
            }
        }
        Positions::Sinusoidal | Positions::Fairseq | Positions::Learned { .. } => {
            let help = "take `rotary(dims = 32)` or `none`";
            draft.no_equal("a position that is added to embeddings", span, help);
        }
    }
}

/// Choices that MAMMOTH has made.
fn choices(model: &ModelSpec, draft: &mut Draft<'_>) {
    // x-transformers makes a norm behind every stack, though MAMMOTH asks for the last alone.
    let closes = model.closing_norm == ClosingNorm::EveryStack
        || [&model.encoder, &model.decoder].iter().all(|stacks| stacks.len() == 1);
    let faults = [
        (model.norm != Norm::Pre, "norm", "a norm after sublayers", "`norm = pre`"),
        (
            model.norm == Norm::Pre && !closes,
            "closing_norm",
            "a norm at the end of the last stack alone",
            "`closing_norm = every_stack`",
        ),
        (model.attention_bias, "attention_bias", "a bias in attention", "`attention_bias = false`"),
        (model.dropout > 0.0, "dropout", "dropout of sublayers", "`dropout = 0`"),
        (model.init != Initial::Torch, "init", "this start of parameters", "`init = torch`"),
    ];
    for (is_fault, field, what, fine) in faults {
        if is_fault {
            let span = draft.place("model", field);
            let help = format!("MAMMOTH has {fine}; `import std.models.mammoth` sets it");
            draft.no_equal(what, span, &help);
        }
    }
}

fn embeddings(options: Id, draft: &mut Draft<'_>) {
    let spec = &draft.experiment.model.embeddings;
    let span = draft.experiment.model_spans.embeddings;
    if spec.tie_output {
        draft.put(options, "tie_embedding", Value::Bool(true));
    }
    let by_language = (&spec.source, &spec.target);
    if by_language != (&Sharing::SourceLanguage, &Sharing::TargetLanguage) {
        let help = "MAMMOTH has a table for each language and side: `embeddings { source = LANGUAGE  target = LANGUAGE }`";
        draft.no_equal("an embedding that languages share", span, help);
    }
    if spec.tie_source {
        draft.no_equal("an embedding of both sides", span, "`embeddings { tie_source = false }`");
    }
    if spec.scale {
        draft.no_equal("a scaled embedding", span, "`embeddings { scale = false }`");
    }
}

fn bridge(bridge: &BridgeSpec, draft: &mut Draft<'_>) {
    let span = draft.experiment.model_spans.bridge;
    let name = |layer: &BridgeLayer| match layer {
        BridgeLayer::Lin => "lin",
        BridgeLayer::Simple => "simple",
        BridgeLayer::Transformer => "transformer",
        BridgeLayer::Perceiver => "perceiver",
        BridgeLayer::FeedForward => "feedforward",
    };
    let layers = draft.texts(bridge.layers.iter().map(name));
    draft.top("ab_layers", layers);
    draft.top("hidden_ab_size", whole(bridge.hidden));
    draft.top("ab_fixed_length", whole(bridge.fixed));
    let norm = match bridge.normalisation {
        None => "none",
        Some(Normalisation::LayerNorm) => "layernorm",
        Some(Normalisation::Rms) => "rmsnorm",
        Some(Normalisation::RmsPlain) => {
            draft.no_equal("a norm without a scale in a bridge", span, "`norm = rms`");
            "rmsnorm"
        }
    };
    draft.top("ab_layer_norm", text(norm));
    draft.top("ab_heads", whole(draft.experiment.model.heads));
    if bridge.sharing != Sharing::Full {
        draft.no_equal("a bridge that not all share", span, "`sharing = FULL`");
    }
    if bridge.layers.iter().any(|layer| *layer != BridgeLayer::FeedForward) {
        let fault = "has faults in all bridges but `feedforward`";
        draft.defect(fault, span, "take `attention_bridge(feed_forward)` if it is to train there");
    }
}

fn adapters(draft: &mut Draft<'_>) {
    let adapters = &draft.experiment.model.adapters;
    if adapters.is_empty() {
        return;
    }
    let (root, span) = (draft.tree.root(), draft.place("model", ""));
    let all = draft.map(root, "adapters", span);
    let mut is_ff: Option<bool> = None;
    for side in [StackSide::Encoder, StackSide::Decoder] {
        let own: Vec<&AdapterSpec> = adapters.iter().filter(|spec| spec.side == side).collect();
        if own.is_empty() {
            draft.put(all, side.word(), Value::List(Vec::new()));
            continue;
        }
        let section = draft.map(all, side.word(), span);
        for spec in own {
            let span = place(spec, draft);
            let kind = adapter(spec, span, section, draft);
            if is_ff.is_some_and(|before| kind.is_some_and(|kind| kind != before)) {
                let fault = "takes the kind of the last adapter for all of them";
                draft.defect(fault, span, "give all adapters one kind if they are to train there");
            }
            is_ff = kind.or(is_ff);
        }
    }
}

fn place(spec: &AdapterSpec, draft: &Draft<'_>) -> Span {
    let spans = &draft.experiment.model_spans.adapters;
    spans.get(&spec.name).copied().unwrap_or_else(|| draft.place("model", ""))
}

/// One adapter; whether it is a feed-forward sublayer, nothing when it has no equal.
fn adapter(spec: &AdapterSpec, span: Span, section: Id, draft: &mut Draft<'_>) -> Option<bool> {
    let (kind, hidden) = match spec.kind {
        AdapterKind::Lora { rank, alpha, on: LoraPlace::FeedForward }
            if alpha.total_cmp(&f64::from(rank)).is_eq() =>
        {
            ("lora", rank)
        }
        AdapterKind::Ff { hidden } => ("ff", hidden),
        AdapterKind::Lora { .. }
        | AdapterKind::Pfeiffer { .. }
        | AdapterKind::Houlsby { .. }
        | AdapterKind::Bapna { .. }
        | AdapterKind::Prefix { .. } => {
            let help = "MAMMOTH has `ff(hidden = 64)`, and `lora(rank = 8)` beside the feed-forward sublayer with `alpha` equal to `rank`";
            draft.no_equal("an adapter of this kind", span, help);
            return None;
        }
    };
    let map = draft.map(section, &spec.name, span);
    draft.put(map, "adapter_type", text(kind));
    draft.put(map, "hidden_dim", whole(hidden));
    draft.put(map, "layer_stack_index", whole(spec.stack));
    let layers = draft.list(spec.layers.iter().map(|layer| whole(*layer)));
    draft.put(map, "layers", layers);
    Some(kind == "ff")
}
