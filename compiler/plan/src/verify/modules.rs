//! Modules: kind, depth and vocabulary by their places on the tasks' ways, and parameters by formula.

use std::collections::HashMap;
use std::fmt;

use crate::model::{ClosingNorm, ModelSpec, ModuleKind, Norm, Sharing, StackPattern};
use crate::plan::{Plan, TaskSpec};
use crate::verify::formulas::parameters;
use crate::verify::{Findings, Rule};

/// What a module must be by its place on a task's way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Embedding(&'a str),
    EncoderStack { layers: u32, closed: bool },
    DecoderStack { layers: u32, closed: bool },
    Head(&'a str),
    Adapter(&'a str),
    Bridge,
}

impl Place<'_> {
    fn kind(self) -> ModuleKind {
        match self {
            Self::Embedding(vocabulary) => {
                ModuleKind::Embedding { vocabulary: vocabulary.to_owned() }
            }
            Self::EncoderStack { layers, closed } => ModuleKind::EncoderStack { layers, closed },
            Self::DecoderStack { layers, closed } => ModuleKind::DecoderStack { layers, closed },
            Self::Head(vocabulary) => ModuleKind::Head { vocabulary: vocabulary.to_owned() },
            Self::Adapter(adapter) => ModuleKind::Adapter { adapter: adapter.to_owned() },
            Self::Bridge => ModuleKind::Bridge,
        }
    }
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

pub(super) fn check(plan: &Plan, findings: &mut Findings) {
    let mut expected: HashMap<&str, Vec<Place<'_>>> = HashMap::with_capacity(plan.modules.len());
    for task in plan.tasks.values() {
        for (name, place) in places(&plan.model, task) {
            let places = expected.entry(name).or_default();
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    for (name, module) in &plan.modules {
        let place = || format!("module `{name}`");
        match expected.get(name.as_str()).map(Vec::as_slice) {
            None => findings.add(Rule::Module, place(), "no task leads through it"),
            Some([kind]) => findings.expect(kind.kind() == module.kind, Rule::Module, || {
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
fn places<'a>(
    model: &'a ModelSpec,
    task: &'a TaskSpec,
) -> impl Iterator<Item = (&'a str, Place<'a>)> {
    let own = model.overrides.iter().find(|own| {
        own.pairs.iter().any(|[source, target]| *source == task.source && *target == task.target)
    });
    let encoder = own.and_then(|own| own.encoder.as_ref()).unwrap_or(&model.encoder);
    let decoder = own.and_then(|own| own.decoder.as_ref()).unwrap_or(&model.decoder);
    let encoder_stacks =
        present(model, encoder).map(|(layers, closed)| Place::EncoderStack { layers, closed });
    let decoder_stacks =
        present(model, decoder).map(|(layers, closed)| Place::DecoderStack { layers, closed });
    let encoder_kinds =
        [Place::Embedding(&task.source_vocabulary)].into_iter().chain(encoder_stacks);
    let decoder_kinds = [Place::Embedding(&task.target_vocabulary)]
        .into_iter()
        .chain(decoder_stacks)
        .chain([Place::Head(&task.target_vocabulary)]);
    let adapters =
        task.adapters.values().flatten().map(|name| {
            (name.as_str(), Place::Adapter(name.split('.').nth(1).unwrap_or_default()))
        });
    let bridge = task.bridge.iter().map(|name| (name.as_str(), Place::Bridge));
    // Paths of a wrong length are reported by the check of paths.
    let names = |names: &'a [String]| names.iter().map(String::as_str);
    let sides =
        names(&task.encoder).zip(encoder_kinds).chain(names(&task.decoder).zip(decoder_kinds));
    sides.chain(adapters).chain(bridge)
}

/// The stacks that exist: layers, and whether a norm closes them.
fn present<'a>(
    model: &'a ModelSpec,
    stacks: &'a [StackPattern],
) -> impl Iterator<Item = (u32, bool)> + 'a {
    let closed = |at: usize| {
        model.norm == Norm::Pre
            && (model.closing_norm == ClosingNorm::EveryStack || at + 1 == stacks.len())
    };
    let present = stacks.iter().enumerate().filter(|(_, stack)| stack.sharing != Sharing::None);
    present.map(move |(at, stack)| (stack.layers, closed(at)))
}
