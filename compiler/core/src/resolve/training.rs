//! The `training` block.

use mmc_plan::{
    CheckpointSpec, ClipScope, Clock, Criterion, LrScale, Normalise, OnNan, Precision, Schedule,
    ScoresSpec, StopEarly, TrainingSpec,
};
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::attachments::Faulty;
use super::error::ResolveError;
use super::optimizers::OfModules;
use super::read::{Bounds, Choice, PLAIN, Reader, arguments, head, may_have, needs, optional};
use super::section::{Known, Section};
use super::units::Dimension;
use super::{freeze, optimizers, scores};
use crate::ir::experiment::{At, Selector};

const KNOWN: Known = Known {
    values: &[
        "accumulate",
        "average",
        "batch",
        "best",
        "clip",
        "clock",
        "ema",
        "freeze",
        "label_smoothing",
        "lanes",
        "lr_scale",
        "normalise",
        "on_nan",
        "optimizer",
        "optimizers",
        "precision",
        "schedule",
        "scores",
        "shuffle",
        "steps",
        "validate",
    ],
    blocks: &["checkpoint", "optimizers", "scores", "stop_early"],
    not_built: &[],
};

const CHECKPOINT: Known = Known { values: &["every", "keep"], blocks: &[], not_built: &[] };

const STOP_EARLY: Known = Known { values: &["on", "patience"], blocks: &[], not_built: &[] };

const PRECISIONS: &[Choice<Precision>] = &[
    ("fp32", Precision::Fp32),
    ("fp64", Precision::Fp64),
    ("bf16", Precision::Bf16),
    ("fp16", Precision::Fp16),
];
const CLOCKS: &[Choice<Clock>] = &[("steps", Clock::Steps), ("updates", Clock::Updates)];
const LR_SCALES: &[Choice<LrScale>] =
    &[("none", LrScale::None), ("sqrt", LrScale::Sqrt), ("linear", LrScale::Linear)];
const NORMALISE: &[Choice<Normalise>] =
    &[("tokens", Normalise::Tokens), ("lanes", Normalise::Lanes)];
const STEPS: super::read::UnitRule = may_have(Dimension::Steps);

/// Most steps, examples or lanes that make sense; bounds products in later stages.
const MOST: u64 = 1_000_000_000_000;

/// What a `training` block says.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) spec: At<TrainingSpec>,
    pub(crate) lanes: Option<At<u32>>,
    pub(crate) freeze: Option<At<Selector>>,
    pub(crate) optimizers: Vec<OfModules>,
}

/// The training, its lanes and what it leaves as it is; nothing when a fault was reported.
pub(crate) fn resolve<'a>(section: &Section<'a>, reader: &mut Reader<'_, 'a>) -> Option<Resolved> {
    section.check(&KNOWN, reader.diagnostics);
    let steps = reader.required(section, "steps", "steps = 50k");
    let steps = steps.and_then(|value| reader.whole(value, "steps", STEPS, (1, MOST)));
    let batch = reader.required(section, "batch", "batch = 4096 tokens");
    let batch = batch.and_then(|value| reader.small(value, "batch", needs(Dimension::Tokens), 1));
    let accumulate = small(section, "accumulate", PLAIN, 1, reader);
    let shuffle = small(section, "shuffle", may_have(Dimension::Sentences), 10_000, reader);
    let lanes = lanes(section, reader);
    let optimizer = reader.required(section, "optimizer", "optimizer = adamw(lr = 3e-4)");
    let optimizer = optimizer.and_then(|value| optimizers::optimizer(value, reader));
    let schedule = reader.required(section, "schedule", "schedule = inverse_sqrt(warmup = 4k)");
    let schedule = schedule.and_then(|value| optimizers::schedule(value, reader));
    let clock = choice(section, "clock", CLOCKS, Clock::Steps, reader);
    let lr_scale = choice(section, "lr_scale", LR_SCALES, LrScale::None, reader);
    let precision = choice(section, "precision", PRECISIONS, Precision::Fp32, reader);
    let clip = clip(section, reader);
    let label_smoothing = given(section, "label_smoothing", |value| {
        reader.real(value, "label_smoothing", PLAIN, Bounds::FRACTION)
    });
    let normalise = choice(section, "normalise", NORMALISE, Normalise::Tokens, reader);
    let ema = ema(section, reader);
    let on_nan = on_nan(section, reader);
    let validate_every = given(section, "validate", |value| every(value, "validate", reader));
    let scores = scores::resolve(section, reader);
    let average = given(section, "average", |value| reader.small(value, "average", PLAIN, 2));
    let stop_early = section.block("stop_early").map_or(Some(None), |block| {
        validated(section, block.span, reader);
        stop_early(block, scores.as_ref(), reader).map(Some)
    });
    let best = best(section, scores.as_ref(), reader);
    let checkpoint = checkpoint(section, reader);
    let optimizers = optimizers::of_modules(section, reader);
    let freeze = given(section, "freeze", |value| frozen(value, reader));
    let (clip, clip_scope) = clip?;
    let spec = TrainingSpec {
        steps: steps?,
        batch_tokens: batch?,
        accumulate: accumulate?,
        shuffle: shuffle?,
        optimizer: optimizer?,
        schedule: schedule?,
        clock: clock?,
        lr_scale: lr_scale?,
        precision: precision?,
        clip,
        clip_scope,
        label_smoothing: label_smoothing.ok()?.unwrap_or(0.0),
        normalise: normalise?,
        ema: ema.ok()?,
        on_nan: on_nan?,
        validate_every: validate_every.ok()?,
        scores: scores?,
        average: average.ok()?,
        stop_early: stop_early?,
        best: best.ok()?,
        checkpoint: checkpoint?,
    };
    let spec = At { value: spec, span: section.span };
    Some(Resolved { spec, lanes: lanes.ok()?, freeze: freeze.ok()?, optimizers: optimizers? })
}

/// The modules that are not trained.
fn frozen<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<At<Selector>> {
    let selector = freeze::selector(value, "freeze", reader)?;
    Some(At { value: selector, span: value.span })
}

/// A field that may be left out.
fn given<'a, T>(
    section: &Section<'a>,
    field: &str,
    read: impl FnOnce(&'a Expr) -> Option<T>,
) -> Result<Option<T>, Faulty> {
    section.value(field).map(|value| read(value).ok_or(Faulty)).transpose()
}

/// The number of lanes, when one is asked for.
fn lanes<'a>(
    section: &Section<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Result<Option<At<u32>>, Faulty> {
    let Some(value) = section.value("lanes") else { return Ok(None) };
    let lanes = reader.whole(value, "lanes", PLAIN, (1, 1_000_000)).ok_or(Faulty)?;
    let lanes = u32::try_from(lanes).map_err(|_| Faulty)?;
    Ok(Some(At { value: lanes, span: value.span }))
}

fn choice<'a, T: Copy>(
    section: &Section<'a>,
    field: &'static str,
    choices: &[Choice<T>],
    default: T,
    reader: &mut Reader<'_, 'a>,
) -> Option<T> {
    section.value(field).map_or(Some(default), |value| reader.choice(value, field, choices, &[]))
}

/// What compares validations would do nothing without them.
fn validated(section: &Section<'_>, span: Span, reader: &mut Reader<'_, '_>) {
    if section.key("validate").is_none() {
        reader.report(ResolveError::MissingField {
            block: section.what.clone(),
            field: "validate",
            span,
            help: "it goes by validations: for example `validate = every 1k steps`".to_owned(),
        });
    }
}

/// `stop_early { patience = 5  on = loss }`, on what is measured by `scores`, unless these are faulty.
fn stop_early<'a>(
    section: &Section<'a>,
    scores: Option<&Option<ScoresSpec>>,
    reader: &mut Reader<'_, 'a>,
) -> Option<StopEarly> {
    section.check(&STOP_EARLY, reader.diagnostics);
    let patience = reader.required(section, "patience", "patience = 5");
    let patience = patience.and_then(|value| reader.small(value, "patience", PLAIN, 1));
    let on = choice(section, "on", scores::CRITERIA, Criterion::Loss, reader);
    let found = StopEarly { patience: patience?, on: on? };
    if let Some(scores) = scores {
        let span = section.value("on").map_or(section.span, |value| value.span);
        scores::check_measured(scores.as_ref(), found.on, span, reader);
    }
    Some(found)
}

/// `best = macro_loss`, on what is measured by `scores`, unless these are faulty; early stopping has a best of its own.
fn best<'a>(
    section: &Section<'a>,
    scores: Option<&Option<ScoresSpec>>,
    reader: &mut Reader<'_, 'a>,
) -> Result<Option<Criterion>, Faulty> {
    let Some(value) = section.value("best") else { return Ok(None) };
    validated(section, value.span, reader);
    let on = reader.choice(value, "best", scores::CRITERIA, &[]).ok_or(Faulty)?;
    if let Some(scores) = scores {
        scores::check_measured(scores.as_ref(), on, value.span, reader);
    }
    let Some(stops) = section.block("stop_early") else { return Ok(Some(on)) };
    reader.report(ResolveError::Conflict {
        fault: "`stop_early` says already what the best validation is".to_owned(),
        span: value.span,
        here: "said again",
        other: stops.span,
        there: "said by its `on`",
        help: "leave `best` out: `stop_early` keeps the checkpoint behind the best validation too"
            .to_owned(),
    });
    Err(Faulty)
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

/// `1.0`, of the norm of everything; `module(1.0)`, of every module's own; `none`. Nothing when it is faulty.
fn clip<'a>(
    section: &Section<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<(Option<f64>, ClipScope)> {
    let Some(value) = section.value("clip") else { return Some((None, ClipScope::Global)) };
    let value = reader.follow(value)?;
    match head(value) {
        Some(("none", _)) => Some((None, ClipScope::Global)),
        Some(("module", span)) => {
            let args = reader.args("module", arguments(value), &["norm"]);
            let norm = reader.argument(("module", span), &args, "norm", "clip = module(1.0)")?;
            let norm = reader.real(norm, "clip", PLAIN, Bounds::POSITIVE)?;
            Some((Some(norm), ClipScope::Module))
        }
        _ => Some((Some(reader.real(value, "clip", PLAIN, Bounds::POSITIVE)?), ClipScope::Global)),
    }
}

/// `0.999`, or `none`.
fn ema<'a>(section: &Section<'a>, reader: &mut Reader<'_, 'a>) -> Result<Option<f64>, Faulty> {
    let Some(value) = section.value("ema") else { return Ok(None) };
    let value = reader.follow(value).ok_or(Faulty)?;
    if matches!(head(value), Some(("none", _))) {
        return Ok(None);
    }
    reader.real(value, "ema", PLAIN, Bounds::FRACTION).map(Some).ok_or(Faulty)
}

/// `stop`, or `skip(most = 10)`.
fn on_nan<'a>(section: &Section<'a>, reader: &mut Reader<'_, 'a>) -> Option<OnNan> {
    let Some(value) = section.value("on_nan") else { return Some(OnNan::Stop) };
    let value = reader.follow(value)?;
    match head(value) {
        Some(("stop", _)) => Some(OnNan::Stop),
        Some(("skip", _)) => {
            let args = reader.args("skip", arguments(value), &["most"]);
            let most = optional(&args, "most");
            let most = most.map_or(Some(10), |value| reader.small(value, "most", PLAIN, 1))?;
            Some(OnNan::Skip { most })
        }
        Some((word, span)) => {
            reader.unknown_choice(word, span, "on_nan", &["stop", "skip"], &[]);
            None
        }
        None => {
            reader.wrong_type("on_nan", "`stop` or `skip(most = 10)`", value);
            None
        }
    }
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

/// What only all fields together tell: a warm-up that has not ended when training ends, a mean of more checkpoints than there are.
pub(crate) fn check(spec: &TrainingSpec, section: &Section<'_>, reader: &mut Reader<'_, '_>) {
    let place = |field| section.value(field).map_or(section.span, |value: &Expr| value.span);
    if let Schedule::Linear { warmup, .. } | Schedule::Cosine { warmup, .. } = spec.schedule
        && warmup > spec.steps
    {
        reader.report(ResolveError::Conflict {
            fault: format!("a warm-up of {warmup} steps does not fit into {} steps", spec.steps),
            span: place("schedule"),
            here: "warm-up",
            other: place("steps"),
            there: "steps in all",
            help: "the learning rate rises to its peak and falls again within `steps`".to_owned(),
        });
    }
    let Some(average) = spec.average else { return };
    let CheckpointSpec { every, keep } = spec.checkpoint;
    let written = every.map_or(1, |every| spec.steps.div_ceil(every));
    let (fault, there, help) = if average > keep {
        let fault = format!("of {average} checkpoints only {keep} are kept");
        (
            fault,
            "says how many stay",
            format!("say `checkpoint {{ every = ... steps  keep = {average} }}`"),
        )
    } else if u64::from(average) > written {
        let fault = format!("of {average} checkpoints only {written} are written");
        let help = "write them more often: `checkpoint { every = 1k steps }`";
        (fault, "says how often", help.to_owned())
    } else {
        return;
    };
    let checkpoint = section.block("checkpoint").map_or(section.span, |block| block.span);
    reader.report(ResolveError::Conflict {
        fault,
        span: place("average"),
        here: "to be averaged",
        other: checkpoint,
        there,
        help,
    });
}
