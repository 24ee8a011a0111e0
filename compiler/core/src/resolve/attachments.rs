//! What hangs on a model's stacks: `adapter` blocks and the `bridge`.

use mmc_plan::{
    AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, LoraPlace, ModelSpec, Sharing, StackPattern,
    StackSide,
};
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::model::NORMALISATIONS;
use super::read::{Bounds, Choice, PLAIN, Reader, arguments, head, optional};
use super::section::{Known, Section};
use super::sharing::{Patterns, Side};
use crate::ir::experiment::At;

const ADAPTER: Known =
    Known { values: &["in", "kind", "layers", "sharing"], blocks: &[], not_built: &[] };

const PLACES: &[Choice<LoraPlace>] =
    &[("feed_forward", LoraPlace::FeedForward), ("attention", LoraPlace::Attention)];

const LAYERS: &[Choice<BridgeLayer>] = &[
    ("lin", BridgeLayer::Lin),
    ("simple", BridgeLayer::Simple),
    ("transformer", BridgeLayer::Transformer),
    ("perceiver", BridgeLayer::Perceiver),
    ("feed_forward", BridgeLayer::FeedForward),
];

const KINDS: &[&str] = &["bapna", "ff", "houlsby", "lora", "pfeiffer", "prefix"];

/// A fault was reported.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faulty;

/// The adapters of a model, in order of name; nothing when one is faulty.
pub(crate) fn adapters<'a>(
    section: &Section<'a>,
    model: &ModelSpec,
    patterns: Patterns<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Vec<At<AdapterSpec>>> {
    let mut found: Vec<Option<At<AdapterSpec>>> = Vec::new();
    for (name, inner) in &section.adapters {
        found.push(adapter(name, inner, model, patterns, reader));
    }
    let mut found = found.into_iter().collect::<Option<Vec<_>>>()?;
    found.sort_by(|a, b| (&a.value.name, a.span).cmp(&(&b.value.name, b.span)));
    for pair in found.windows(2) {
        if let [first, second] = pair
            && first.value.name == second.value.name
        {
            reader.report(ResolveError::Duplicate {
                what: "adapter".to_owned(),
                word: second.value.name.clone(),
                span: second.span,
                first: first.span,
                help: "rename one of the two: adapters of different stacks are different modules"
                    .to_owned(),
            });
        }
    }
    Some(found)
}

fn adapter<'a>(
    name: &'a Expr,
    section: &Section<'a>,
    model: &ModelSpec,
    patterns: Patterns<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<At<AdapterSpec>> {
    section.check(&ADAPTER, reader.diagnostics);
    let ExprKind::Name(word) = &name.kind else {
        reader.wrong_type("adapter", "a name", name);
        return None;
    };
    let place = reader.required(section, "in", "in = encoder[1]");
    let place = place.and_then(|value| place_of(value, model, reader));
    let kind = reader.required(section, "kind", "kind = lora(rank = 8)");
    let kind = kind.and_then(|value| self::kind(value, reader));
    let sharing = reader.required(section, "sharing", "sharing = LANGUAGE");
    let (side, stack, pattern) = place?;
    let layers = match section.value("layers") {
        None => Some((0..pattern.layers).collect()),
        Some(value) => layers(value, &pattern, reader),
    };
    let looks_at = if side == StackSide::Encoder { Side::Source } else { Side::Target };
    let sharing = sharing.and_then(|value| shared(value, looks_at, patterns, reader));
    let value = AdapterSpec {
        name: word.clone(),
        side,
        stack,
        layers: layers?,
        kind: kind?,
        sharing: sharing?,
    };
    Some(At { value, span: name.span })
}

/// A pattern that makes modules.
fn shared<'a>(
    value: &'a Expr,
    side: Side,
    patterns: Patterns<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Sharing> {
    let sharing = patterns.sharing(value, "sharing", side, reader)?;
    let expected = if sharing == Sharing::None {
        "a pattern that makes modules"
    } else if sharing == Sharing::Vocabulary {
        "a pattern for layers (embeddings alone are by `VOCABULARY`)"
    } else {
        return Some(sharing);
    };
    reader.wrong_type("sharing", expected, value);
    None
}

/// `encoder[1]`: a stack of the model.
fn place_of<'a>(
    value: &'a Expr,
    model: &ModelSpec,
    reader: &mut Reader<'_, 'a>,
) -> Option<(StackSide, u32, StackPattern)> {
    let found = match &value.kind {
        ExprKind::Index { base, index } => match head(base) {
            Some(("encoder", _)) => Some((StackSide::Encoder, &model.encoder, &**index)),
            Some(("decoder", _)) => Some((StackSide::Decoder, &model.decoder, &**index)),
            _ => None,
        },
        _ => None,
    };
    let Some((side, stacks, index)) = found else {
        reader.wrong_type("in", "a stack such as `encoder[1]` or `decoder[0]`", value);
        return None;
    };
    let last = (stacks.len() as u64).saturating_sub(1);
    let at = reader.whole(index, "stack", PLAIN, (0, last))?;
    let pattern = stacks.get(usize::try_from(at).ok()?)?;
    if pattern.sharing == Sharing::None {
        reader.wrong_type("in", "a stack that has layers", value);
        return None;
    }
    Some((side, u32::try_from(at).ok()?, pattern.clone()))
}

/// `0..3`: the layers 0, 1 and 2; or a list of them.
fn layers<'a>(
    value: &'a Expr,
    pattern: &StackPattern,
    reader: &mut Reader<'_, 'a>,
) -> Option<Vec<u32>> {
    let value = reader.follow(value)?;
    let most = u64::from(pattern.layers);
    let mut found: Vec<u32> = match &value.kind {
        ExprKind::Range(from, to) => {
            let from = reader.whole(from, "layers", PLAIN, (0, most.saturating_sub(1)))?;
            let to = reader.whole(to, "layers", PLAIN, (from + 1, most))?;
            (u32::try_from(from).ok()?..u32::try_from(to).ok()?).collect()
        }
        ExprKind::List(items) => {
            let mut layers = Vec::new();
            for item in items {
                let layer = reader.whole(item, "layers", PLAIN, (0, most.saturating_sub(1)))?;
                layers.push(u32::try_from(layer).ok()?);
            }
            layers
        }
        _ => {
            reader.wrong_type("layers", "a range such as `0..3`, or a list", value);
            return None;
        }
    };
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        reader.wrong_type("layers", "at least one layer", value);
        return None;
    }
    Some(found)
}

fn kind<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<AdapterKind> {
    let value = reader.follow(value)?;
    let Some((word, span)) = head(value) else {
        reader.wrong_type("kind", "an adapter such as `lora(rank = 8)`", value);
        return None;
    };
    if word == "lora" {
        return lora(value, span, reader);
    }
    if !KINDS.contains(&word) {
        reader.unknown_choice(word, span, "kind", KINDS, &[]);
        return None;
    }
    let name = if word == "prefix" { "length" } else { "hidden" };
    let args = reader.args(word, arguments(value), &[name]);
    let example = format!("{word}({name} = 64)");
    let size = reader.argument((word, span), &args, name, &example)?;
    let size = reader.small(size, name, PLAIN, 1)?;
    Some(match word {
        "bapna" => AdapterKind::Bapna { hidden: size },
        "ff" => AdapterKind::Ff { hidden: size },
        "houlsby" => AdapterKind::Houlsby { hidden: size },
        "pfeiffer" => AdapterKind::Pfeiffer { hidden: size },
        _ => AdapterKind::Prefix { length: size },
    })
}

/// `lora(rank = 8, alpha = 8, on = feed_forward)`.
fn lora<'a>(value: &'a Expr, span: Span, reader: &mut Reader<'_, 'a>) -> Option<AdapterKind> {
    let args = reader.args("lora", arguments(value), &["rank", "alpha", "on"]);
    let rank = reader.argument(("lora", span), &args, "rank", "lora(rank = 8)")?;
    let rank = reader.small(rank, "rank", PLAIN, 1)?;
    // Hu et al. 2022: alpha is set to the first rank that one tries.
    let alpha = optional(&args, "alpha").map_or(Some(f64::from(rank)), |value| {
        reader.real(value, "alpha", PLAIN, Bounds::POSITIVE)
    });
    let on = optional(&args, "on")
        .map_or(Some(LoraPlace::FeedForward), |value| reader.choice(value, "on", PLACES, &[]));
    Some(AdapterKind::Lora { rank, alpha: alpha?, on: on? })
}

/// `none`, or `attention_bridge(lin, fixed = 50, hidden = 2048, norm = layer_norm, sharing = FULL)`; an error when it is faulty,
/// and reported.
pub(crate) fn bridge<'a>(
    section: &Section<'a>,
    model: &ModelSpec,
    patterns: Patterns<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Result<Option<BridgeSpec>, Faulty> {
    let Some(value) = section.value("bridge") else { return Ok(None) };
    let value = reader.follow(value).ok_or(Faulty)?;
    match head(value) {
        Some(("none", _)) => return Ok(None),
        Some(("attention_bridge", span)) => {
            let bridge = attention_bridge(value, span, model, patterns, reader);
            return bridge.map(Some).ok_or(Faulty);
        }
        Some((word, span)) => {
            reader.unknown_choice(word, span, "bridge", &["attention_bridge", "none"], &[]);
        }
        None => reader.wrong_type("bridge", "`attention_bridge(...)` or `none`", value),
    }
    Err(Faulty)
}

fn attention_bridge<'a>(
    value: &'a Expr,
    span: Span,
    model: &ModelSpec,
    patterns: Patterns<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<BridgeSpec> {
    let names = ["layers", "fixed", "hidden", "norm", "sharing"];
    let args = reader.args("attention_bridge", arguments(value), &names);
    let example = "attention_bridge(lin, fixed = 50)";
    let place = reader.argument(("attention_bridge", span), &args, "layers", example)?;
    let layers = bridge_layers(place, reader);
    if let Some(layers) = &layers {
        let used = [
            ("fixed", layers.iter().any(|layer| layer.has_fixed_length())),
            ("hidden", layers.iter().any(|layer| layer.has_hidden())),
        ];
        for (name, _) in used.into_iter().filter(|(_, is_used)| !is_used) {
            if let Some(value) = optional(&args, name) {
                unused(name, value, place, reader);
            }
        }
    }
    let mut small = |name, default| {
        optional(&args, name).map_or(Some(default), |value| reader.small(value, name, PLAIN, 1))
    };
    let (fixed, hidden) = (small("fixed", 50), small("hidden", model.dim.saturating_mul(4)));
    let normalisation = match optional(&args, "norm") {
        None => Some(Some(model.normalisation)),
        Some(value) if matches!(reader.follow(value).and_then(head), Some(("none", _))) => {
            Some(None)
        }
        Some(value) => reader.choice(value, "norm", NORMALISATIONS, &[]).map(Some),
    };
    let sharing = optional(&args, "sharing")
        .map_or(Some(Sharing::Full), |value| shared(value, Side::Source, patterns, reader));
    Some(BridgeSpec {
        layers: layers?,
        hidden: hidden?,
        fixed: fixed?,
        normalisation: normalisation?,
        sharing: sharing?,
    })
}

/// Reports an argument of which no layer of a bridge makes use.
fn unused(name: &str, value: &Expr, layers: &Expr, reader: &mut Reader<'_, '_>) {
    let with = if name == "fixed" {
        "`lin`, `simple` and `perceiver`"
    } else {
        "`lin`, `simple` and `feed_forward`"
    };
    reader.report(ResolveError::Conflict {
        fault: format!("no layer of this bridge has a use for `{name}`"),
        span: value.span,
        here: "would have no effect",
        other: layers.span,
        there: "the layers",
        help: format!("leave it out: {with} have one"),
    });
}

/// `lin`, or `[lin, feed_forward]`.
fn bridge_layers<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<Vec<BridgeLayer>> {
    let value = reader.follow(value)?;
    let items = match &value.kind {
        ExprKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let mut layers = Vec::new();
    for item in items {
        layers.push(reader.choice(item, "layers", LAYERS, &[])?);
    }
    if layers.is_empty() {
        reader.wrong_type("layers", "at least one layer", value);
        return None;
    }
    Some(layers)
}
