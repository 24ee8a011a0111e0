//! Modules: kind, depth and vocabulary by their places on the tasks' ways, and parameters by formula.

use std::fmt;
use std::iter::repeat;

use crate::model::{ClosingNorm, ModelSpec, ModuleKind, Norm, Sharing, StackPattern};
use crate::plan::{Plan, TaskSpec};
use crate::stretch;
use crate::verify::formulas::parameters;
use crate::verify::index::{Index, Row};
use crate::verify::{Findings, Rule, STRETCH};

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

pub(super) fn check(plan: &Plan, index: &Index<'_>, findings: &mut Findings) {
    let mut expected: Vec<Vec<Place<'_>>> = vec![Vec::new(); plan.modules.len()];
    for stretch in stretch::each(&index.tasks, STRETCH, |rows| expected_by(plan, index, rows)) {
        for (all, here) in expected.iter_mut().zip(stretch) {
            for place in here {
                add(all, place);
            }
        }
    }
    for ((name, module), expected) in plan.modules.iter().zip(expected) {
        let place = || format!("module `{name}`");
        match expected.as_slice() {
            [] => findings.add(Rule::Module, place(), "no task leads through it"),
            [kind] => findings.expect(kind.kind() == module.kind, Rule::Module, || {
                (place(), format!("it is {:?}, but its tasks need {kind:?}", module.kind))
            }),
            kinds => findings.add(Rule::Module, place(), format!("its tasks need {kinds:?}")),
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

/// Module -> what some tasks need it to be.
fn expected_by<'a>(plan: &'a Plan, index: &Index<'_>, rows: &[Row<'a>]) -> Vec<Vec<Place<'a>>> {
    let mut expected = vec![Vec::new(); plan.modules.len()];
    for row in rows {
        for (&module, place) in index.way(row).iter().zip(places(&plan.model, row.task)) {
            if let (Some(known), Some(place)) = (expected.get_mut(module), place) {
                add(known, place);
            }
        }
    }
    expected
}

fn add<'a>(known: &mut Vec<Place<'a>>, place: Place<'a>) {
    if !known.contains(&place) {
        known.push(place);
    }
}

/// What the modules of a task's way must be by their places, in its order; none behind the end of a side that is too long,
/// which the check of paths reports.
fn places<'a>(model: &'a ModelSpec, task: &'a TaskSpec) -> impl Iterator<Item = Option<Place<'a>>> {
    let own = model.overrides.iter().find(|own| {
        own.pairs.iter().any(|[source, target]| *source == task.source && *target == task.target)
    });
    let encoder = own.and_then(|own| own.encoder.as_ref()).unwrap_or(&model.encoder);
    let decoder = own.and_then(|own| own.decoder.as_ref()).unwrap_or(&model.decoder);
    let encoder_stacks =
        present(model, encoder).map(|(layers, closed)| Place::EncoderStack { layers, closed });
    let decoder_stacks =
        present(model, decoder).map(|(layers, closed)| Place::DecoderStack { layers, closed });
    let encoder_places =
        [Place::Embedding(&task.source_vocabulary)].into_iter().chain(encoder_stacks);
    let decoder_places = [Place::Embedding(&task.target_vocabulary)]
        .into_iter()
        .chain(decoder_stacks)
        .chain([Place::Head(&task.target_vocabulary)]);
    let inside = task.adapters.values().flatten();
    let adapters = inside.map(|name| Place::Adapter(name.split('.').nth(1).unwrap_or_default()));
    encoder_places
        .map(Some)
        .chain(repeat(None))
        .take(task.encoder.len())
        .chain(task.bridge.iter().map(|_| Some(Place::Bridge)))
        .chain(decoder_places.map(Some).chain(repeat(None)).take(task.decoder.len()))
        .chain(adapters.map(Some))
}

/// The stacks that exist: layers, and whether a norm closes them.
fn present<'a>(
    model: &'a ModelSpec,
    stacks: &'a [StackPattern],
) -> impl Iterator<Item = (u32, bool)> + 'a {
    let present = stacks.iter().filter(|stack| stack.sharing != Sharing::None);
    let last = present.clone().count().saturating_sub(1);
    let closed = move |at: usize| {
        model.norm == Norm::Pre && (model.closing_norm == ClosingNorm::EveryStack || at == last)
    };
    present.enumerate().map(move |(at, stack)| (stack.layers, closed(at)))
}
