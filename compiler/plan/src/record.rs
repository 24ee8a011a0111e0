//! Flat records from which the plan's tagged enums are read.
//!
//! Serde buffers an internally tagged enum before it knows the variant, which loses positions and lets unknown fields
//! slip through. A flat record is read directly; which fields its kind has is checked here.

use std::fmt;

use serde::Deserialize;

use crate::model::{ModuleKind, ModuleSpec};
use crate::plan::{Optimizer, Schedule, Transform};

/// A field that is missing from, or foreign to, a record of this kind.
#[derive(Debug)]
pub(crate) struct WrongField {
    kind: &'static str,
    field: &'static str,
    missing: bool,
}

impl fmt::Display for WrongField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = if self.missing { "missing field" } else { "unknown field" };
        write!(f, "{fault} `{}` of kind `{}`", self.field, self.kind)
    }
}

/// The value of a field that the kind has.
fn need<T>(kind: &'static str, field: &'static str, value: Option<T>) -> Result<T, WrongField> {
    value.ok_or(WrongField { kind, field, missing: true })
}

/// The absence of a field that the kind has not.
fn none<T>(kind: &'static str, field: &'static str, value: Option<&T>) -> Result<(), WrongField> {
    match value {
        None => Ok(()),
        Some(_) => Err(WrongField { kind, field, missing: false }),
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModuleTag {
    Embedding,
    EncoderStack,
    DecoderStack,
    Head,
}

/// What a [`ModuleSpec`] is read from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModuleRecord {
    kind: ModuleTag,
    vocabulary: Option<String>,
    layers: Option<u32>,
    parameters: u64,
}

impl TryFrom<ModuleRecord> for ModuleSpec {
    type Error = WrongField;

    fn try_from(record: ModuleRecord) -> Result<Self, WrongField> {
        let ModuleRecord { kind, vocabulary, layers, parameters } = record;
        let tag = match kind {
            ModuleTag::Embedding => "embedding",
            ModuleTag::EncoderStack => "encoder_stack",
            ModuleTag::DecoderStack => "decoder_stack",
            ModuleTag::Head => "head",
        };
        let kind = match kind {
            ModuleTag::Embedding | ModuleTag::Head => {
                none(tag, "layers", layers.as_ref())?;
                let vocabulary = need(tag, "vocabulary", vocabulary)?;
                if matches!(kind, ModuleTag::Embedding) {
                    ModuleKind::Embedding { vocabulary }
                } else {
                    ModuleKind::Head { vocabulary }
                }
            }
            ModuleTag::EncoderStack | ModuleTag::DecoderStack => {
                none(tag, "vocabulary", vocabulary.as_ref())?;
                let layers = need(tag, "layers", layers)?;
                if matches!(kind, ModuleTag::EncoderStack) {
                    ModuleKind::EncoderStack { layers }
                } else {
                    ModuleKind::DecoderStack { layers }
                }
            }
        };
        Ok(Self { kind, parameters })
    }
}

/// One side of a transform: tokens for `prefix`, a bound for `filter_too_long`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TransformSide {
    Bound(u32),
    Tokens(Vec<String>),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TransformTag {
    Tokenize,
    Prefix,
    FilterTooLong,
}

/// What a [`Transform`] is read from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransformRecord {
    kind: TransformTag,
    source: Option<TransformSide>,
    target: Option<TransformSide>,
}

impl TryFrom<TransformRecord> for Transform {
    type Error = String;

    fn try_from(record: TransformRecord) -> Result<Self, String> {
        let TransformRecord { kind, source, target } = record;
        match kind {
            TransformTag::Tokenize => {
                none("tokenize", "source", source.as_ref()).map_err(|fault| fault.to_string())?;
                none("tokenize", "target", target.as_ref()).map_err(|fault| fault.to_string())?;
                Ok(Self::Tokenize)
            }
            TransformTag::Prefix => {
                Ok(Self::Prefix { source: tokens(source)?, target: tokens(target)? })
            }
            TransformTag::FilterTooLong => Ok(Self::FilterTooLong {
                source: bound("source", source.as_ref())?,
                target: bound("target", target.as_ref())?,
            }),
        }
    }
}

/// The tokens of one side of a `prefix`; none when the field is absent.
fn tokens(side: Option<TransformSide>) -> Result<Vec<String>, String> {
    match side {
        None => Ok(Vec::new()),
        Some(TransformSide::Tokens(tokens)) => Ok(tokens),
        Some(TransformSide::Bound(_)) => Err("kind `prefix` expects lists of tokens".to_owned()),
    }
}

/// The bound of one side of a `filter_too_long`.
fn bound(field: &'static str, side: Option<&TransformSide>) -> Result<u32, String> {
    match side {
        None => Err(format!("missing field `{field}` of kind `filter_too_long`")),
        Some(TransformSide::Bound(bound)) => Ok(*bound),
        Some(TransformSide::Tokens(_)) => {
            Err("kind `filter_too_long` expects numbers of pieces".to_owned())
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OptimizerTag {
    Adamw,
}

/// What an [`Optimizer`] is read from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OptimizerRecord {
    kind: OptimizerTag,
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
}

impl From<OptimizerRecord> for Optimizer {
    fn from(record: OptimizerRecord) -> Self {
        let OptimizerRecord { kind, lr, beta1, beta2, eps, weight_decay } = record;
        match kind {
            OptimizerTag::Adamw => Self::Adamw { lr, beta1, beta2, eps, weight_decay },
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScheduleTag {
    Constant,
    InverseSqrt,
    Linear,
}

/// What a [`Schedule`] is read from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleRecord {
    kind: ScheduleTag,
    warmup: Option<u64>,
}

impl TryFrom<ScheduleRecord> for Schedule {
    type Error = WrongField;

    fn try_from(record: ScheduleRecord) -> Result<Self, WrongField> {
        let ScheduleRecord { kind, warmup } = record;
        match kind {
            ScheduleTag::Constant => {
                none("constant", "warmup", warmup.as_ref())?;
                Ok(Self::Constant)
            }
            ScheduleTag::InverseSqrt => {
                Ok(Self::InverseSqrt { warmup: need("inverse_sqrt", "warmup", warmup)? })
            }
            ScheduleTag::Linear => Ok(Self::Linear { warmup: need("linear", "warmup", warmup)? }),
        }
    }
}
