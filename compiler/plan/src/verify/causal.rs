//! Causal tasks and models without an encoder: each needs the other, and neither has a source.

use crate::plan::{Plan, TaskKind, TaskSpec};
use crate::transform::Transform;
use crate::verify::{Findings, Rule};

/// A model without an encoder has nothing that reads one.
pub(super) fn model(plan: &Plan, findings: &mut Findings) {
    let model = &plan.model;
    if model.has_encoder() {
        return;
    }
    let own = model.overrides.iter().any(|own| own.encoder.is_some());
    findings.expect(!own && model.bridge.is_none(), Rule::Path, || {
        ("model", "it has no encoder, but a bridge, or directions with an encoder")
    });
}

/// A task is causal exactly where the model has no encoder, and then its text is the target's alone.
pub(super) fn task(plan: &Plan, name: &str, task: &TaskSpec, findings: &mut Findings) {
    let place = || format!("task `{name}`");
    let is_causal = task.kind == TaskKind::Causal;
    findings.expect(is_causal != plan.model.has_encoder(), Rule::Path, || {
        let encoder = if is_causal { "an" } else { "no" };
        (place(), format!("it is of kind {:?}, but the model has {encoder} encoder", task.kind))
    });
    if !is_causal {
        return;
    }
    let one = task.source_vocabulary == task.target_vocabulary;
    findings.expect(one, Rule::Vocabulary, || (place(), "it is causal, with two vocabularies"));
    let reads_source = |transform: &&Transform| match transform {
        Transform::Prefix { source, .. } => !source.is_empty(),
        Transform::Denoise(_)
        | Transform::Switchout { .. }
        | Transform::TokenDrop { .. }
        | Transform::TokenMask { .. } => true,
        Transform::Tokenize
        | Transform::FilterTooLong { .. }
        | Transform::FilterWordRatio { .. }
        | Transform::FilterRepetitions { .. }
        | Transform::FilterTerminalPunctuation { .. }
        | Transform::FilterNumerals { .. }
        | Transform::FilterScript { .. } => false,
    };
    let found = task.transforms.iter().find(reads_source);
    findings.expect(found.is_none(), Rule::Vocabulary, || {
        (place(), format!("it is causal, but {found:?} changes a source"))
    });
}
