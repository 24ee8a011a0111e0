//! The `training` block.

use mmc_plan::{CheckpointSpec, Normalise, Optimizer, Precision, Schedule, TrainingSpec};
use mmc_syntax::ast::{Expr, ExprKind};

use super::error::ResolveError;
use super::read::{Bounds, Choice, PLAIN, Reader, arguments, head, may_have, needs, optional};
use super::section::{Known, Section};
use super::units::Dimension;
use crate::ir::experiment::At;

const KNOWN: Known = Known {
    values: &[
        "accumulate",
        "batch",
        "clip",
        "label_smoothing",
        "lanes",
        "normalise",
        "optimizer",
        "precision",
        "schedule",
        "shuffle",
        "steps",
        "validate",
    ],
    blocks: &["checkpoint"],
    not_built: &[("stop_early", "`stop_early`"), ("average", "`average`"), ("ema", "`ema`")],
};

const CHECKPOINT: Known = Known { values: &["every", "keep"], blocks: &[], not_built: &[] };

const PRECISIONS: &[Choice<Precision>] = &[("fp32", Precision::Fp32), ("fp64", Precision::Fp64)];
const NORMALISE: &[Choice<Normalise>] =
    &[("tokens", Normalise::Tokens), ("lanes", Normalise::Lanes)];
const STEPS: super::read::UnitRule = may_have(Dimension::Steps);

/// Most steps, examples or lanes that make sense; bounds products in later stages.
const MOST: u64 = 1_000_000_000_000;

/// The training and its lanes; nothing when a fault was reported.
pub(crate) fn resolve<'a>(
    section: &Section<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<(At<TrainingSpec>, Option<At<u32>>)> {
    section.check(&KNOWN, reader.diagnostics);
    let steps = reader.required(section, "steps", "steps = 50k");
    let steps = steps.and_then(|value| reader.whole(value, "steps", STEPS, (1, MOST)));
    let batch = reader.required(section, "batch", "batch = 4096 tokens");
    let batch = batch.and_then(|value| reader.small(value, "batch", needs(Dimension::Tokens), 1));
    let accumulate = small(section, "accumulate", PLAIN, 1, reader);
    let shuffle = small(section, "shuffle", may_have(Dimension::Sentences), 10_000, reader);
    let lanes = section.value("lanes").map(|value| {
        let lanes = reader.whole(value, "lanes", PLAIN, (1, 1_000_000))?;
        Some(At { value: u32::try_from(lanes).ok()?, span: value.span })
    });
    let optimizer = reader.required(section, "optimizer", "optimizer = adamw(lr = 3e-4)");
    let optimizer = optimizer.and_then(|value| self::optimizer(value, reader));
    let schedule = reader.required(section, "schedule", "schedule = inverse_sqrt(warmup = 4k)");
    let schedule = schedule.and_then(|value| self::schedule(value, reader));
    let precision = section.value("precision").map_or(Some(Precision::Fp32), |value| {
        reader.choice(value, "precision", PRECISIONS, &["bf16", "fp16"])
    });
    let (clip, clip_faulty) = clip(section, reader);
    let label_smoothing = section
        .value("label_smoothing")
        .map_or(Some(0.0), |value| reader.real(value, "label_smoothing", PLAIN, Bounds::FRACTION));
    let normalise = section
        .value("normalise")
        .map_or(Some(Normalise::Tokens), |value| reader.choice(value, "normalise", NORMALISE, &[]));
    let validate_every = section
        .value("validate")
        .map_or(Some(None), |value| every(value, "validate", reader).map(Some));
    let checkpoint = checkpoint(section, reader);
    let lanes = match lanes {
        None => None,
        Some(lanes) => Some(lanes?),
    };
    if clip_faulty {
        return None;
    }
    let spec = TrainingSpec {
        steps: steps?,
        batch_tokens: batch?,
        accumulate: accumulate?,
        shuffle: shuffle?,
        optimizer: optimizer?,
        schedule: schedule?,
        precision: precision?,
        clip,
        label_smoothing: label_smoothing?,
        normalise: normalise?,
        validate_every: validate_every?,
        checkpoint: checkpoint?,
    };
    Some((At { value: spec, span: section.span }, lanes))
}

fn small<'a>(
    section: &Section<'a>,
    field: &'static str,
    rule: super::read::UnitRule,
    default: u32,
    reader: &mut Reader<'_, 'a>,
) -> Option<u32> {
    section.value(field).map_or(Some(default), |value| reader.small(value, field, rule, 1))
}

/// The bound, and whether it is faulty.
fn clip<'a>(section: &Section<'a>, reader: &mut Reader<'_, 'a>) -> (Option<f64>, bool) {
    let Some(value) = section.value("clip") else { return (None, false) };
    let word = reader.follow(value).map(|value| &value.kind);
    if matches!(word, Some(ExprKind::Name(word)) if word == "none") {
        return (None, false);
    }
    let clip = reader.real(value, "clip", PLAIN, Bounds::POSITIVE);
    (clip, clip.is_none())
}

/// `every 1k steps`; in blocks whose key says so, `1k steps`.
fn every<'a>(value: &'a Expr, field: &str, reader: &mut Reader<'_, 'a>) -> Option<u64> {
    let value = reader.follow(value)?;
    let number = match &value.kind {
        ExprKind::Prefixed(word, number) if word.text == "every" => number,
        _ if field == "every" => value,
        _ => {
            reader.wrong_type(field, "`every ... steps`", value);
            return None;
        }
    };
    reader.whole(number, field, STEPS, (1, MOST))
}

fn checkpoint<'a>(training: &Section<'a>, reader: &mut Reader<'_, 'a>) -> Option<CheckpointSpec> {
    let Some(section) = training.block("checkpoint") else {
        return Some(CheckpointSpec { every: None, keep: 3 });
    };
    section.check(&CHECKPOINT, reader.diagnostics);
    let every =
        section.value("every").map_or(Some(None), |value| every(value, "every", reader).map(Some));
    let keep = small(section, "keep", PLAIN, 3, reader);
    Some(CheckpointSpec { every: every?, keep: keep? })
}

fn optimizer<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<Optimizer> {
    let value = reader.follow(value)?;
    let Some((word, span)) = head(value) else {
        reader.wrong_type("optimizer", "`adamw(lr = ...)`", value);
        return None;
    };
    if word != "adamw" {
        let known = ["adafactor", "adam", "lamb", "muon", "sgd"];
        reader.unknown_choice(word, span, "optimizer", &["adamw"], &known);
        return None;
    }
    let args = reader.args("adamw", arguments(value), &["lr", "betas", "eps", "weight_decay"]);
    let lr = reader.argument(("adamw", span), &args, "lr", "adamw(lr = 3e-4)");
    let lr = lr.and_then(|value| reader.real(value, "lr", PLAIN, Bounds::POSITIVE));
    // Vaswani et al. 2017, section 5.3; the decay is torch's default.
    let moments = optional(&args, "betas").map_or(Some((0.9, 0.98)), |value| betas(value, reader));
    let mut real = |name, default, bounds| {
        optional(&args, name).map_or(Some(default), |value| reader.real(value, name, PLAIN, bounds))
    };
    let eps = real("eps", 1e-9, Bounds::POSITIVE);
    let weight_decay = real("weight_decay", 0.01, Bounds::NOT_NEGATIVE);
    let (beta1, beta2) = moments?;
    Some(Optimizer::Adamw { lr: lr?, beta1, beta2, eps: eps?, weight_decay: weight_decay? })
}

fn betas<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<(f64, f64)> {
    let value = reader.follow(value)?;
    let ExprKind::Tuple(items) = &value.kind else {
        reader.wrong_type("betas", "two numbers, `(0.9, 0.98)`", value);
        return None;
    };
    let [first, second] = items.as_slice() else {
        reader.wrong_type("betas", "two numbers, `(0.9, 0.98)`", value);
        return None;
    };
    let first = reader.real(first, "betas", PLAIN, Bounds::FRACTION);
    let second = reader.real(second, "betas", PLAIN, Bounds::FRACTION);
    Some((first?, second?))
}

fn schedule<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<Schedule> {
    const BUILT: &[&str] = &["constant", "inverse_sqrt", "linear"];
    let value = reader.follow(value)?;
    let Some((word, span)) = head(value) else {
        reader.wrong_type(
            "schedule",
            "`inverse_sqrt(warmup = ...)`, `linear(warmup = ...)` or `constant`",
            value,
        );
        return None;
    };
    if !BUILT.contains(&word) {
        reader.unknown_choice(word, span, "schedule", BUILT, &["cosine", "noam"]);
        return None;
    }
    if word == "constant" {
        reader.args("constant", arguments(value), &[]);
        return Some(Schedule::Constant);
    }
    let args = reader.args(word, arguments(value), &["warmup"]);
    let example = format!("{word}(warmup = 4k)");
    let warmup = reader.argument((word, span), &args, "warmup", &example)?;
    let warmup = reader.whole(warmup, "warmup", STEPS, (1, MOST))?;
    Some(if word == "linear" {
        Schedule::Linear { warmup }
    } else {
        Schedule::InverseSqrt { warmup }
    })
}

/// A linear schedule that has not ended its warm-up when training ends.
pub(crate) fn check(spec: &TrainingSpec, section: &Section<'_>, reader: &mut Reader<'_, '_>) {
    let Schedule::Linear { warmup } = spec.schedule else { return };
    if warmup > spec.steps {
        let place = |field| section.value(field).map_or(section.span, |value: &Expr| value.span);
        reader.report(ResolveError::Conflict {
            fault: format!("a warm-up of {warmup} steps does not fit into {} steps", spec.steps),
            span: place("schedule"),
            here: "warm-up",
            other: place("steps"),
            there: "steps in all",
            help: "a linear schedule rises to its peak and falls to 0 within `steps`".to_owned(),
        });
    }
}
