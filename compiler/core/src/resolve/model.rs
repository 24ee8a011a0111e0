//! The `model` block.

use std::collections::BTreeMap;

use mmc_plan::{
    Activation, ClosingNorm, Embeddings, Initial, ModelSpec, Norm, Normalisation, Positions,
    Sharing, StackOverride, StackPattern,
};
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::pairs::{Algebra, Directions};
use super::read::{Bounds, Choice, PLAIN, Reader, arguments, head, may_have, optional};
use super::section::{Known, Section};
use super::sharing::{Patterns, Side};
use super::units::Dimension;
use super::{attachments, causal};
use crate::ir::experiment::ModelSpans;

const KNOWN: Known = Known {
    values: &[
        "activation",
        "attention_bias",
        "attention_dropout",
        "bridge",
        "closing_norm",
        "decoder",
        "dim",
        "dropout",
        "encoder",
        "ffn",
        "ffn_bias",
        "ffn_dropout",
        "head_dim",
        "heads",
        "init",
        "kind",
        "norm",
        "normalisation",
        "positions",
    ],
    blocks: &["embeddings"],
    not_built: &[("moe", "`moe`"), ("experts", "`experts`")],
};

const OVERRIDE: Known = Known { values: &["decoder", "encoder"], blocks: &[], not_built: &[] };

const EMBEDDINGS: Known = Known {
    values: &["scale", "source", "target", "tie_output", "tie_source"],
    blocks: &[],
    not_built: &[],
};

const NORMS: &[Choice<Norm>] = &[("pre", Norm::Pre), ("post", Norm::Post)];
pub(crate) const NORMALISATIONS: &[Choice<Normalisation>] = &[
    ("layer_norm", Normalisation::LayerNorm),
    ("rms", Normalisation::Rms),
    ("rms_plain", Normalisation::RmsPlain),
];
const CLOSING: &[Choice<ClosingNorm>] =
    &[("every_stack", ClosingNorm::EveryStack), ("last_stack", ClosingNorm::LastStack)];
const ACTIVATIONS: &[Choice<Activation>] = &[
    ("relu", Activation::Relu),
    ("gelu", Activation::Gelu),
    ("swiglu", Activation::Swiglu),
    ("geglu", Activation::Geglu),
];
const KINDS: &[Choice<bool>] = &[("encoder_decoder", false), ("decoder_only", true)];

/// The model with the places of its parts.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) spec: ModelSpec,
    pub(crate) spans: ModelSpans,
}

/// What the model is read against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'s> {
    pub(crate) patterns: Patterns<'s>,
    pub(crate) algebra: Algebra<'s>,
    /// The directions of all tasks; nothing when some are faulty.
    pub(crate) used: Option<&'s Directions>,
    /// Where causal tasks are asked for: then there is no encoder.
    pub(crate) causal: Option<Span>,
    /// Some tokenizer has one file per language, so that embeddings are per language unless told otherwise.
    pub(crate) by_language: bool,
}

/// The model; nothing when a fault was reported.
pub(crate) fn resolve<'a>(
    section: &Section<'a>,
    around: Surroundings<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Resolved> {
    section.check(&KNOWN, reader.diagnostics);
    kind(section, around.causal, reader);
    let shape = shape(section, reader);
    let encoder = if let Some(objective) = around.causal {
        causal::check_model(section, objective, reader);
        Some(Vec::new())
    } else {
        stacks(section, "encoder", Side::Source, "encoder = [6 x FULL]", around, reader)
    };
    let decoder = stacks(section, "decoder", Side::Target, "decoder = [6 x FULL]", around, reader);
    let (embeddings, embeddings_span) = embeddings(section, around, reader);
    let overrides = overrides(section, around, reader);
    let mut spec = shape?;
    let (encoder, decoder) = (encoder?, decoder?);
    spec.overrides = overrides?;
    spec.embeddings = embeddings?;
    spec.encoder = encoder.iter().map(|(pattern, _)| pattern.clone()).collect();
    spec.decoder = decoder.iter().map(|(pattern, _)| pattern.clone()).collect();
    let bridge = attachments::bridge(section, &spec, around.patterns, reader);
    let adapters = attachments::adapters(section, &spec, around.patterns, reader)?;
    spec.bridge = bridge.ok()?;
    if let Some(objective) = around.causal {
        spec.bridge = None;
        let stacks = decoder.iter().map(|(pattern, span)| (&pattern.sharing, *span));
        let inside = adapters.iter().map(|at| (&at.value.sharing, at.span));
        let target = section.block("embeddings").and_then(|block| block.value("target"));
        let target = target.map(|value| (&spec.embeddings.target, value.span));
        causal::check_sharing(stacks.chain(inside).chain(target), objective, reader);
    }
    let spans = ModelSpans {
        encoder: encoder.into_iter().map(|(_, span)| span).collect(),
        decoder: decoder.into_iter().map(|(_, span)| span).collect(),
        embeddings: embeddings_span,
        bridge: section.key("bridge").unwrap_or(section.span),
        adapters: adapters.iter().map(|at| (at.value.name.clone(), at.span)).collect(),
    };
    spec.adapters = adapters.into_iter().map(|at| at.value).collect();
    Some(Resolved { spec, spans })
}

/// `kind`, which the tasks imply.
fn kind<'a>(section: &Section<'a>, causal: Option<Span>, reader: &mut Reader<'_, 'a>) {
    let Some(value) = section.value("kind") else { return };
    let Some(alone) = reader.choice(value, "kind", KINDS, &[]) else { return };
    match causal {
        Some(objective) if !alone => {
            causal::conflict(
                "causal tasks use no encoder",
                (value.span, "of an encoder"),
                objective,
                "write `kind = decoder_only`, or nothing",
                reader,
            );
        }
        None if alone => reader.report(ResolveError::MissingField {
            block: "tasks".to_owned(),
            field: "objective",
            span: value.span,
            help: "a decoder alone learns causal tasks: `objective = causal`".to_owned(),
        }),
        Some(_) | None => {}
    }
}

/// Embeddings before their block is read.
const UNREAD: Embeddings = Embeddings {
    source: Sharing::Full,
    target: Sharing::Full,
    tie_source: false,
    tie_output: true,
    scale: true,
};

/// Everything but stacks, embeddings and what hangs on them, which are left empty.
fn shape<'a>(section: &Section<'a>, reader: &mut Reader<'_, 'a>) -> Option<ModelSpec> {
    let dim = reader.required(section, "dim", "dim = 512");
    let dim = dim.and_then(|value| reader.small(value, "dim", PLAIN, 1));
    let heads = reader.required(section, "heads", "heads = 8");
    let heads = heads.and_then(|value| reader.small(value, "heads", PLAIN, 1));
    let ffn = match section.value("ffn") {
        Some(value) => reader.small(value, "ffn", PLAIN, 1),
        // Vaswani et al. 2017: four times the width.
        None => dim.map(|dim| dim.saturating_mul(4)),
    };
    let head_dim = section.value("head_dim").map(|value| reader.small(value, "head_dim", PLAIN, 1));
    let dropout = share(section, "dropout", 0.1, reader);
    let ffn_dropout = share(section, "ffn_dropout", dropout.unwrap_or(0.1), reader);
    let attention_dropout = share(section, "attention_dropout", 0.0, reader);
    let mut truth = |field| match section.value(field) {
        Some(value) => reader.boolean(value, field),
        None => Some(true),
    };
    let (attention_bias, ffn_bias) = (truth("attention_bias"), truth("ffn_bias"));
    let norm = word(section, "norm", NORMS, Norm::Pre, reader);
    let layer_norm = Normalisation::LayerNorm;
    let normalisation = word(section, "normalisation", NORMALISATIONS, layer_norm, reader);
    let closing_norm = word(section, "closing_norm", CLOSING, ClosingNorm::EveryStack, reader);
    let activation = word(section, "activation", ACTIVATIONS, Activation::Relu, reader);
    let init = section.value("init").map_or(Some(Initial::Xavier), |value| init(value, reader));
    let (dim, heads) = (dim?, heads?);
    let head_dim = match head_dim {
        Some(width) => width?,
        None => divided(dim, heads, section, reader)?,
    };
    let positions = match section.value("positions") {
        None => Some(Positions::Sinusoidal),
        Some(value) => positions(value, head_dim, reader),
    };
    let spec = ModelSpec {
        dim,
        heads,
        head_dim,
        ffn: ffn?,
        attention_bias: attention_bias?,
        ffn_bias: ffn_bias?,
        dropout: dropout?,
        ffn_dropout: ffn_dropout?,
        attention_dropout: attention_dropout?,
        norm: norm?,
        normalisation: normalisation?,
        closing_norm: closing_norm?,
        activation: activation?,
        positions: positions?,
        init: init?,
        encoder: Vec::new(),
        decoder: Vec::new(),
        overrides: Vec::new(),
        embeddings: UNREAD,
        bridge: None,
        adapters: Vec::new(),
    };
    has_even_width(&spec, section, reader);
    has_norms_to_close(&spec, section, reader);
    Some(spec)
}

fn share<'a>(
    section: &Section<'a>,
    field: &'static str,
    default: f64,
    reader: &mut Reader<'_, 'a>,
) -> Option<f64> {
    section
        .value(field)
        .map_or(Some(default), |value| reader.real(value, field, PLAIN, Bounds::FRACTION))
}

/// `xavier`, `torch`, `kaiming` or `normal(std = 0.02)`.
fn init<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<Initial> {
    const WORDS: &[&str] = &["kaiming", "normal", "torch", "xavier"];
    let value = reader.follow(value)?;
    let Some((word, span)) = head(value) else {
        reader.wrong_type("init", &crate::suggest::listed(WORDS, "or"), value);
        return None;
    };
    let plain = match word {
        "kaiming" => Initial::Kaiming,
        "torch" => Initial::Torch,
        "xavier" => Initial::Xavier,
        "normal" => {
            let args = reader.args(word, arguments(value), &["std"]);
            let std = reader.argument((word, span), &args, "std", "normal(std = 0.02)")?;
            let std = reader.real(std, "std", PLAIN, Bounds::POSITIVE)?;
            return Some(Initial::Normal { std });
        }
        _ => {
            reader.unknown_choice(word, span, "init", WORDS, &[]);
            return None;
        }
    };
    reader.args(word, arguments(value), &[]);
    Some(plain)
}

/// `sinusoidal`, `fairseq`, `learned(length = 512)`, `rotary(dims = 32, base = 10k)` or `none`.
fn positions<'a>(value: &'a Expr, head_dim: u32, reader: &mut Reader<'_, 'a>) -> Option<Positions> {
    const WORDS: &[&str] = &["fairseq", "learned", "none", "rotary", "sinusoidal"];
    let value = reader.follow(value)?;
    let Some((word, span)) = head(value) else {
        reader.wrong_type("positions", &crate::suggest::listed(WORDS, "or"), value);
        return None;
    };
    match word {
        "fairseq" | "none" | "sinusoidal" => {
            reader.args(word, arguments(value), &[]);
            Some(match word {
                "fairseq" => Positions::Fairseq,
                "none" => Positions::None,
                _ => Positions::Sinusoidal,
            })
        }
        "learned" => {
            let args = reader.args(word, arguments(value), &["length"]);
            let length = reader.argument((word, span), &args, "length", "learned(length = 512)")?;
            let length = reader.small(length, "length", may_have(Dimension::Tokens), 1)?;
            Some(Positions::Learned { length })
        }
        "rotary" => {
            let args = reader.args(word, arguments(value), &["dims", "base"]);
            let dims = optional(&args, "dims").map_or(Some(head_dim), |value| {
                let dims = reader.whole(value, "dims", PLAIN, (2, u64::from(head_dim)))?;
                u32::try_from(dims).ok()
            });
            let base = optional(&args, "base")
                .map_or(Some(10_000), |value| reader.small(value, "base", PLAIN, 2));
            let (dims, base) = (dims?, base?);
            if !dims.is_multiple_of(2) {
                let place = optional(&args, "dims").map_or(span, |value| value.span);
                reader.report(ResolveError::OutOfRange {
                    field: "dims".to_owned(),
                    value: dims.to_string(),
                    span: place,
                    help: "rotary positions turn pairs: an even number is needed".to_owned(),
                });
                return None;
            }
            Some(Positions::Rotary { dims, base })
        }
        _ => {
            reader.unknown_choice(word, span, "positions", WORDS, &["relative", "alibi"]);
            None
        }
    }
}

fn word<'a, T: Copy>(
    section: &Section<'a>,
    field: &'static str,
    choices: &[Choice<T>],
    default: T,
    reader: &mut Reader<'_, 'a>,
) -> Option<T> {
    match section.value(field) {
        Some(value) => reader.choice(value, field, choices, &[]),
        None => Some(default),
    }
}

/// The width of a head when none is given.
fn divided(
    dim: u32,
    heads: u32,
    section: &Section<'_>,
    reader: &mut Reader<'_, '_>,
) -> Option<u32> {
    let place = |field| section.value(field).map_or(section.span, |value: &Expr| value.span);
    if dim.is_multiple_of(heads) {
        return dim.checked_div(heads);
    }
    let fits = (1..=heads.min(1_024)).rev().find(|heads| dim.is_multiple_of(*heads));
    reader.report(ResolveError::Conflict {
        fault: format!("{heads} heads do not divide a width of {dim}"),
        span: place("heads"),
        here: "heads",
        other: place("dim"),
        there: "width",
        help: fits.map_or_else(String::new, |heads| {
            format!("`heads = {heads}` fits, or give the width of a head, `head_dim = 64`")
        }),
    });
    None
}

fn has_even_width(spec: &ModelSpec, section: &Section<'_>, reader: &mut Reader<'_, '_>) {
    if spec.positions.has_halves() && !spec.dim.is_multiple_of(2) {
        reader.report(ResolveError::Conflict {
            fault: format!("sinusoidal positions need an even width, not {}", spec.dim),
            span: section.value("dim").map_or(section.span, |value| value.span),
            here: "width",
            other: section.key("positions").unwrap_or(section.span),
            there: "sinusoidal positions",
            help: format!("`dim = {}` fits", spec.dim + 1),
        });
    }
}

/// Under `post` every layer ends with a norm, so every stack does.
fn has_norms_to_close(spec: &ModelSpec, section: &Section<'_>, reader: &mut Reader<'_, '_>) {
    if spec.norm == Norm::Post && spec.closing_norm == ClosingNorm::LastStack {
        reader.report(ResolveError::Conflict {
            fault: "under `norm = post` every stack ends with a norm".to_owned(),
            span: section.key("closing_norm").unwrap_or(section.span),
            here: "the last one alone",
            other: section.key("norm").unwrap_or(section.span),
            there: "after every sublayer",
            help: "write `closing_norm = every_stack`, or take `norm = pre`".to_owned(),
        });
    }
}

type Stacks = Vec<(StackPattern, Span)>;

fn stacks<'a>(
    section: &Section<'a>,
    field: &'static str,
    side: Side,
    example: &str,
    around: Surroundings<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Stacks> {
    let value = reader.required(section, field, example)?;
    around.patterns.stacks(value, field, side, reader)
}

fn embeddings<'a>(
    model: &Section<'a>,
    around: Surroundings<'_>,
    reader: &mut Reader<'_, 'a>,
) -> (Option<Embeddings>, Span) {
    let empty = Section::empty("embeddings", model.span);
    let section = model.block("embeddings").unwrap_or(&empty);
    section.check(&EMBEDDINGS, reader.diagnostics);
    let mut sharing = |field, side, default| match section.value(field) {
        Some(value) => match around.patterns.sharing(value, field, side, reader) {
            Some(Sharing::None) => {
                reader.wrong_type(field, "a pattern that makes modules", value);
                None
            }
            found => found,
        },
        None if around.by_language => Some(default),
        None => Some(Sharing::Full),
    };
    let target = sharing("target", Side::Target, Sharing::TargetLanguage);
    // A decoder alone has one embedding, of both names.
    let source = match around.causal {
        Some(_) => target.as_ref().map(causal::as_source),
        None => sharing("source", Side::Source, Sharing::SourceLanguage),
    };
    let mut tie = |field, default| {
        section.value(field).map_or(Some(default), |value| reader.boolean(value, field))
    };
    // A vocabulary has one embedding, whichever side it is on.
    let by_vocabulary =
        [&source, &target].iter().all(|side| matches!(side, Some(Sharing::Vocabulary)));
    let tie_source = match around.causal {
        Some(_) => Some(true),
        None => tie("tie_source", by_vocabulary),
    };
    let tie_output = tie("tie_output", true);
    let scale = tie("scale", true);
    let embeddings = || {
        let (source, target) = (source?, target?);
        let (tie_source, tie_output) = (tie_source?, tie_output?);
        Some(Embeddings { source, target, tie_source, tie_output, scale: scale? })
    };
    let embeddings = embeddings();
    if let Some(found) = &embeddings
        && found.tie_source
        && around.causal.is_none()
        && !ties(&found.source, &found.target)
    {
        reader.report(ResolveError::Conflict {
                fault: format!("embeddings shared as {} and {} can't be tied", found.source, found.target),
                span: section.key("tie_source").unwrap_or(section.span),
                here: "ties both sides",
                other: section.key("target").or(section.key("source")).unwrap_or(section.span),
                there: "shared otherwise",
                help: "a tied embedding serves both sides: share both by `FULL`, by `VOCABULARY`, by `LANGUAGE` or by the same `GROUP`".to_owned(),
            });
    }
    (embeddings, section.span)
}

/// Whether one module can serve as both: the same sets of languages, whichever side they are on.
fn ties(source: &Sharing, target: &Sharing) -> bool {
    match (source, target) {
        (Sharing::Full, Sharing::Full)
        | (Sharing::SourceLanguage, Sharing::TargetLanguage)
        | (Sharing::Task, Sharing::Task)
        | (Sharing::Pair, Sharing::Pair)
        | (Sharing::Vocabulary, Sharing::Vocabulary) => true,
        (Sharing::SourceGroup(a), Sharing::TargetGroup(b)) => a == b,
        _ => false,
    }
}

/// `for PAIRS { ... }`, in order of their first direction; no direction is in two of them.
fn overrides<'a>(
    section: &Section<'a>,
    around: Surroundings<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Vec<StackOverride>> {
    let mut found = Vec::new();
    let mut taken: BTreeMap<[String; 2], Span> = BTreeMap::new();
    let mut faulty = false;
    for (pairs, inner) in &section.directions {
        match one_override(pairs, inner, around, reader) {
            Some(row) => {
                if let Some(first) = row.pairs.iter().find_map(|pair| taken.get(pair)) {
                    reader.report(ResolveError::Conflict {
                        fault: "two `for` blocks are about the same direction".to_owned(),
                        span: pairs.span,
                        here: "again here",
                        other: *first,
                        there: "first here",
                        help: "subtract the directions of one from the other, `for a - b { ... }`"
                            .to_owned(),
                    });
                }
                taken.extend(row.pairs.iter().map(|pair| (pair.clone(), pairs.span)));
                found.push(row);
            }
            None => faulty = true,
        }
    }
    found.sort_by(|a, b| a.pairs.cmp(&b.pairs));
    (!faulty).then_some(found)
}

fn one_override<'a>(
    pairs: &'a Expr,
    inner: &Section<'a>,
    around: Surroundings<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<StackOverride> {
    inner.check(&OVERRIDE, reader.diagnostics);
    let directions = around.algebra.directions(pairs, reader);
    let mut faulty = false;
    let mut side = |field, side| {
        let value = inner.value(field)?;
        let stacks = around.patterns.stacks(value, field, side, reader);
        faulty |= stacks.is_none();
        Some(stacks.into_iter().flatten().map(|(pattern, _)| pattern).collect::<Vec<_>>())
    };
    let (encoder, decoder) = (side("encoder", Side::Source), side("decoder", Side::Target));
    if encoder.is_none() && decoder.is_none() {
        reader.missing(inner, "encoder", "for all -> de { encoder = [6 x FULL] }");
        return None;
    }
    let used = around.used?;
    let pairs_in_use: Vec<[String; 2]> = directions?
        .into_keys()
        .filter(|pair| used.contains_key(pair))
        .map(|(source, target)| [source, target])
        .collect();
    if pairs_in_use.is_empty() {
        reader.report(ResolveError::EmptySelection {
            what: "`for`".to_owned(),
            span: pairs.span,
            help: "none of these directions is among the tasks".to_owned(),
        });
        return None;
    }
    (!faulty).then_some(StackOverride { pairs: pairs_in_use, encoder, decoder })
}

/// The word that names the experiment.
pub(crate) fn name_of(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Name(word) => Some(word),
        _ => None,
    }
}
