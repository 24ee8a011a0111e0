//! The `model` block.

use std::collections::BTreeMap;

use mmc_plan::{
    Activation, Embeddings, ModelSpec, Norm, Positions, Sharing, StackOverride, StackPattern,
};
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::pairs::{Algebra, Directions};
use super::read::{Bounds, Choice, PLAIN, Reader, head};
use super::section::{Known, Section};
use super::sharing::{Patterns, Side};

const KNOWN: Known = Known {
    values: &[
        "activation",
        "attention_dropout",
        "bridge",
        "decoder",
        "dim",
        "dropout",
        "encoder",
        "ffn",
        "heads",
        "kind",
        "norm",
        "positions",
    ],
    blocks: &["embeddings"],
    not_built: &[("adapter", "`adapter`"), ("moe", "`moe`"), ("experts", "`experts`")],
};

const OVERRIDE: Known = Known { values: &["decoder", "encoder"], blocks: &[], not_built: &[] };

const EMBEDDINGS: Known = Known {
    values: &["source", "target", "tie_output", "tie_source"],
    blocks: &[],
    not_built: &[],
};

const NORMS: &[Choice<Norm>] = &[("pre", Norm::Pre), ("post", Norm::Post)];
const ACTIVATIONS: &[Choice<Activation>] =
    &[("relu", Activation::Relu), ("gelu", Activation::Gelu)];
const POSITIONS: &[Choice<Positions>] =
    &[("sinusoidal", Positions::Sinusoidal), ("none", Positions::None)];

/// The model with the places of its stacks.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) spec: ModelSpec,
    pub(crate) encoder: Vec<Span>,
    pub(crate) decoder: Vec<Span>,
    pub(crate) embeddings: Span,
}

/// What the model is read against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'s> {
    pub(crate) patterns: Patterns<'s>,
    pub(crate) algebra: Algebra<'s>,
    /// The directions of all tasks; nothing when some are faulty.
    pub(crate) used: Option<&'s Directions>,
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
    for (field, fine) in [("kind", "encoder_decoder"), ("bridge", "none")] {
        only(section, field, fine, reader);
    }
    let shape = shape(section, reader);
    let encoder = stacks(section, "encoder", Side::Source, "encoder = [6 x FULL]", around, reader);
    let decoder = stacks(section, "decoder", Side::Target, "decoder = [6 x FULL]", around, reader);
    let (embeddings, embeddings_span) = embeddings(section, around, reader);
    let overrides = overrides(section, around, reader);
    let mut spec = shape?;
    let (encoder, decoder) = (encoder?, decoder?);
    spec.overrides = overrides?;
    spec.embeddings = embeddings?;
    spec.encoder = encoder.iter().map(|(pattern, _)| pattern.clone()).collect();
    spec.decoder = decoder.iter().map(|(pattern, _)| pattern.clone()).collect();
    Some(Resolved {
        spec,
        encoder: encoder.into_iter().map(|(_, span)| span).collect(),
        decoder: decoder.into_iter().map(|(_, span)| span).collect(),
        embeddings: embeddings_span,
    })
}

/// A field with one built value.
pub(crate) fn only<'a>(
    section: &Section<'a>,
    field: &'static str,
    fine: &'static str,
    reader: &mut Reader<'_, 'a>,
) {
    let Some(value) = section.value(field).and_then(|value| reader.follow(value)) else { return };
    match head(value) {
        Some((word, _)) if word == fine => {}
        Some((word, span)) => reader.not_built(format!("`{field} = {word}`"), span),
        None => reader
            .not_built(format!("`{field}` with {}", super::values::describe(value)), value.span),
    }
}

/// Everything but stacks and embeddings, which are left empty.
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
    let mut share = |field, default| match section.value(field) {
        Some(value) => reader.real(value, field, PLAIN, Bounds::FRACTION),
        None => Some(default),
    };
    let (dropout, attention_dropout) = (share("dropout", 0.1), share("attention_dropout", 0.0));
    let norm = word(section, "norm", NORMS, Norm::Pre, &[], reader);
    let activation =
        word(section, "activation", ACTIVATIONS, Activation::Relu, &["swiglu", "silu"], reader);
    let unbuilt = &["learned", "rotary", "relative", "alibi"];
    let positions = word(section, "positions", POSITIONS, Positions::Sinusoidal, unbuilt, reader);
    let spec = ModelSpec {
        dim: dim?,
        heads: heads?,
        ffn: ffn?,
        dropout: dropout?,
        attention_dropout: attention_dropout?,
        norm: norm?,
        activation: activation?,
        positions: positions?,
        encoder: Vec::new(),
        decoder: Vec::new(),
        overrides: Vec::new(),
        embeddings: Embeddings {
            source: Sharing::Full,
            target: Sharing::Full,
            tie_source: false,
            tie_output: true,
        },
    };
    divides(&spec, section, reader);
    Some(spec)
}

fn word<'a, T: Copy>(
    section: &Section<'a>,
    field: &'static str,
    choices: &[Choice<T>],
    default: T,
    not_built: &[&str],
    reader: &mut Reader<'_, 'a>,
) -> Option<T> {
    match section.value(field) {
        Some(value) => reader.choice(value, field, choices, not_built),
        None => Some(default),
    }
}

fn divides(spec: &ModelSpec, section: &Section<'_>, reader: &mut Reader<'_, '_>) {
    let place = |field| section.value(field).map_or(section.span, |value| value.span);
    if !spec.dim.is_multiple_of(spec.heads) {
        let fits: Vec<String> = (1..=spec.heads.min(1_024))
            .rev()
            .filter(|heads| spec.dim.is_multiple_of(*heads))
            .take(1)
            .map(|heads| format!("`heads = {heads}` fits"))
            .collect();
        reader.report(ResolveError::Conflict {
            fault: format!("{} heads do not divide a width of {}", spec.heads, spec.dim),
            span: place("heads"),
            here: "heads",
            other: place("dim"),
            there: "width",
            help: fits.join(", "),
        });
    } else if spec.positions == Positions::Sinusoidal && !spec.dim.is_multiple_of(2) {
        reader.report(ResolveError::Conflict {
            fault: format!("sinusoidal positions need an even width, not {}", spec.dim),
            span: place("dim"),
            here: "width",
            other: section.key("positions").unwrap_or(section.span),
            there: "sinusoidal positions",
            help: format!("`dim = {}` fits", spec.dim + 1),
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
        Some(value) => around.patterns.sharing(value, field, side, reader),
        None if around.by_language => Some(default),
        None => Some(Sharing::Full),
    };
    let source = sharing("source", Side::Source, Sharing::SourceLanguage);
    let target = sharing("target", Side::Target, Sharing::TargetLanguage);
    let mut tie = |field, default| {
        section.value(field).map_or(Some(default), |value| reader.boolean(value, field))
    };
    let (tie_source, tie_output) = (tie("tie_source", false), tie("tie_output", true));
    let embeddings = || {
        let (source, target) = (source?, target?);
        Some(Embeddings { source, target, tie_source: tie_source?, tie_output: tie_output? })
    };
    let embeddings = embeddings();
    if let Some(found) = &embeddings
        && found.tie_source
        && !ties(&found.source, &found.target)
    {
        reader.report(ResolveError::Conflict {
                fault: format!("embeddings shared as {} and {} can't be tied", found.source, found.target),
                span: section.key("tie_source").unwrap_or(section.span),
                here: "ties both sides",
                other: section.key("target").or(section.key("source")).unwrap_or(section.span),
                there: "shared otherwise",
                help: "a tied embedding serves both sides: share both by `FULL`, by `LANGUAGE` or by the same `GROUP`".to_owned(),
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
        | (Sharing::Pair, Sharing::Pair) => true,
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
