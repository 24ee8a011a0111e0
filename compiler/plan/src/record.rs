//! The flat record from which a module is read.
//!
//! Serde buffers an internally tagged enum before it knows the variant, which loses positions and lets unknown fields
//! slip through. A flat record is read directly; which fields its kind has is checked here.

use std::fmt;

use serde::Deserialize;

use crate::model::{ModuleKind, ModuleSpec};
use crate::training::Optimizer;

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
    Adapter,
    Bridge,
}

impl ModuleTag {
    fn word(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::EncoderStack => "encoder_stack",
            Self::DecoderStack => "decoder_stack",
            Self::Head => "head",
            Self::Adapter => "adapter",
            Self::Bridge => "bridge",
        }
    }
}

/// What a [`ModuleSpec`] is read from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModuleRecord {
    kind: ModuleTag,
    vocabulary: Option<String>,
    layers: Option<u32>,
    closed: Option<bool>,
    adapter: Option<String>,
    parameters: u64,
    #[serde(default)]
    frozen: bool,
    optimizer: Option<Optimizer>,
}

impl TryFrom<ModuleRecord> for ModuleSpec {
    type Error = WrongField;

    fn try_from(record: ModuleRecord) -> Result<Self, WrongField> {
        let ModuleRecord {
            kind: tag,
            vocabulary,
            layers,
            closed,
            adapter,
            parameters,
            frozen,
            optimizer,
        } = record;
        let kind = tag.word();
        if !matches!(tag, ModuleTag::Embedding | ModuleTag::Head) {
            none(kind, "vocabulary", vocabulary.as_ref())?;
        }
        if !matches!(tag, ModuleTag::EncoderStack | ModuleTag::DecoderStack) {
            none(kind, "layers", layers.as_ref())?;
            none(kind, "closed", closed.as_ref())?;
        }
        if !matches!(tag, ModuleTag::Adapter) {
            none(kind, "adapter", adapter.as_ref())?;
        }
        let stack = || Ok((need(kind, "layers", layers)?, need(kind, "closed", closed)?));
        let kind = match tag {
            ModuleTag::Embedding => {
                ModuleKind::Embedding { vocabulary: need(kind, "vocabulary", vocabulary)? }
            }
            ModuleTag::Head => {
                ModuleKind::Head { vocabulary: need(kind, "vocabulary", vocabulary)? }
            }
            ModuleTag::EncoderStack => {
                let (layers, closed) = stack()?;
                ModuleKind::EncoderStack { layers, closed }
            }
            ModuleTag::DecoderStack => {
                let (layers, closed) = stack()?;
                ModuleKind::DecoderStack { layers, closed }
            }
            ModuleTag::Adapter => ModuleKind::Adapter { adapter: need(kind, "adapter", adapter)? },
            ModuleTag::Bridge => ModuleKind::Bridge,
        };
        Ok(Self { kind, parameters, frozen, optimizer })
    }
}
