//! Modules: kind, depth and vocabulary by their places on the tasks' ways, and parameters by formula.

use std::collections::BTreeMap;

use crate::model::{ClosingNorm, ModelSpec, ModuleKind, Norm, Sharing, StackPattern};
use crate::plan::{Plan, TaskSpec};
use crate::verify::formulas::parameters;
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
    let closed = |at: usize, stacks: &[StackPattern]| {
        model.norm == Norm::Pre
            && (model.closing_norm == ClosingNorm::EveryStack || at + 1 == stacks.len())
    };
    let present = |stacks: &[StackPattern]| {
        let places: Vec<(u32, bool)> = stacks
            .iter()
            .enumerate()
            .filter(|(_, stack)| stack.sharing != Sharing::None)
            .map(|(at, stack)| (stack.layers, closed(at, stacks)))
            .collect();
        places
    };
    let encoder_stacks = present(encoder)
        .into_iter()
        .map(|(layers, closed)| ModuleKind::EncoderStack { layers, closed });
    let decoder_stacks = present(decoder)
        .into_iter()
        .map(|(layers, closed)| ModuleKind::DecoderStack { layers, closed });
    let head = ModuleKind::Head { vocabulary: task.target_vocabulary.clone() };
    let encoder_kinds = [embedding(&task.source_vocabulary)].into_iter().chain(encoder_stacks);
    let decoder_kinds =
        [embedding(&task.target_vocabulary)].into_iter().chain(decoder_stacks).chain([head]);
    let adapters = task.adapters.values().flatten().map(|name| {
        let adapter = name.split('.').nth(1).unwrap_or_default().to_owned();
        (name.as_str(), ModuleKind::Adapter { adapter })
    });
    let bridge = task.bridge.iter().map(|name| (name.as_str(), ModuleKind::Bridge));
    // Paths of a wrong length are reported by the check of paths.
    let names = |names: &'a [String]| names.iter().map(String::as_str);
    let sides =
        names(&task.encoder).zip(encoder_kinds).chain(names(&task.decoder).zip(decoder_kinds));
    sides.chain(adapters).chain(bridge).collect()
}
