//! Modules: kind, depth and vocabulary by their places on the tasks' ways, and parameters by formula.

use std::collections::BTreeMap;

use crate::model::{ModelSpec, ModuleKind, Norm, StackPattern};
use crate::plan::{Plan, TaskSpec};
use crate::verify::{Findings, Rule};

pub(super) fn check(plan: &Plan, findings: &mut Findings) {
    let mut expected: BTreeMap<&str, Vec<ModuleKind>> = BTreeMap::new();
    for task in plan.tasks.values() {
        for (name, kind) in places(&plan.model, task) {
            let kinds = expected.entry(name).or_default();
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    for (name, module) in &plan.modules {
        let place = || format!("module `{name}`");
        match expected.get(name.as_str()).map(Vec::as_slice) {
            None => findings.add(Rule::Module, place(), "no task leads through it"),
            Some([kind]) => findings.expect(*kind == module.kind, Rule::Module, || {
                (place(), format!("it is {:?}, but its tasks need {kind:?}", module.kind))
            }),
            Some(kinds) => {
                findings.add(Rule::Module, place(), format!("its tasks need {kinds:?}"));
            }
        }
        let parameters = parameters(plan, &module.kind);
        let kept = parameters.is_none_or(|parameters| parameters == u128::from(module.parameters));
        findings.expect(kept, Rule::Module, || {
            let formula = parameters.unwrap_or(0);
            (place(), format!("{} parameters, but its formula gives {formula}", module.parameters))
        });
        if parameters.is_none() {
            findings.add(Rule::Reference, place(), "its vocabulary does not exist");
        }
    }
}

/// The modules of a task with what each must be by its place.
fn places<'a>(model: &ModelSpec, task: &'a TaskSpec) -> Vec<(&'a str, ModuleKind)> {
    let own = model.overrides.iter().find(|own| {
        own.pairs.iter().any(|[source, target]| *source == task.source && *target == task.target)
    });
    let encoder = own.and_then(|own| own.encoder.as_ref()).unwrap_or(&model.encoder);
    let decoder = own.and_then(|own| own.decoder.as_ref()).unwrap_or(&model.decoder);
    let embedding = |vocabulary: &String| ModuleKind::Embedding { vocabulary: vocabulary.clone() };
    let encoder_stack =
        |pattern: &StackPattern| ModuleKind::EncoderStack { layers: pattern.layers };
    let decoder_stack =
        |pattern: &StackPattern| ModuleKind::DecoderStack { layers: pattern.layers };
    let head = ModuleKind::Head { vocabulary: task.target_vocabulary.clone() };
    let encoder_kinds =
        [embedding(&task.source_vocabulary)].into_iter().chain(encoder.iter().map(encoder_stack));
    let decoder_kinds = [embedding(&task.target_vocabulary)]
        .into_iter()
        .chain(decoder.iter().map(decoder_stack))
        .chain([head]);
    // Paths of a wrong length are reported by the check of paths.
    let names = |names: &'a [String]| names.iter().map(String::as_str);
    names(&task.encoder).zip(encoder_kinds).chain(names(&task.decoder).zip(decoder_kinds)).collect()
}

/// Parameters by the formulas at [`crate::ModuleSpec::parameters`]; none when the vocabulary does not exist.
fn parameters(plan: &Plan, kind: &ModuleKind) -> Option<u128> {
    let (dim, ffn) = (u128::from(plan.model.dim), u128::from(plan.model.ffn));
    // Weights and biases of a square projection, of the feed-forward sublayer; scale and shift of a norm.
    let projection = dim * dim + dim;
    let feed_forward = dim * ffn + ffn + ffn * dim + dim;
    let norm = 2 * dim;
    let closing = match plan.model.norm {
        Norm::Pre => norm,
        Norm::Post => 0,
    };
    Some(match kind {
        ModuleKind::Embedding { vocabulary } | ModuleKind::Head { vocabulary } => {
            u128::from(plan.vocabularies.get(vocabulary)?.size()) * dim
        }
        ModuleKind::EncoderStack { layers } => {
            u128::from(*layers) * (4 * projection + feed_forward + 2 * norm) + closing
        }
        ModuleKind::DecoderStack { layers } => {
            u128::from(*layers) * (8 * projection + feed_forward + 3 * norm) + closing
        }
    })
}
