//! Task table -> module graph: a module for every sharing id at every place of the model.

use std::collections::{BTreeMap, HashMap};

use mmc_plan::path::module_path;
use mmc_plan::{ModuleKind, Sharing, StackPattern};
use mmc_syntax::source::Span;

use super::error::BuildError;
use super::freeze::freeze;
use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::experiment::Experiment;
use crate::ir::ids::ModuleId;
use crate::ir::module::{ModuleGraph, ModuleRow, TaskPath};
use crate::ir::task::{TaskRow, TaskTable};

/// What a task needs a module to be.
#[derive(Clone, Copy)]
enum Need<'a> {
    Embedding(&'a str),
    EncoderStack {
        layers: u32,
        closed: bool,
    },
    DecoderStack {
        layers: u32,
        closed: bool,
    },
    Head(&'a str),
    /// The adapter that the module's name names.
    Adapter,
    Bridge,
}

impl Need<'_> {
    fn is(self, known: &ModuleKind) -> bool {
        match (self, known) {
            (Self::Embedding(wanted), ModuleKind::Embedding { vocabulary })
            | (Self::Head(wanted), ModuleKind::Head { vocabulary }) => wanted == vocabulary,
            (
                Self::EncoderStack { layers, closed },
                ModuleKind::EncoderStack { layers: l, closed: c },
            )
            | (
                Self::DecoderStack { layers, closed },
                ModuleKind::DecoderStack { layers: l, closed: c },
            ) => (layers, closed) == (*l, *c),
            (Self::Adapter, ModuleKind::Adapter { .. }) | (Self::Bridge, ModuleKind::Bridge) => {
                true
            }
            _ => false,
        }
    }

    fn kind(self, name: &str) -> ModuleKind {
        match self {
            Self::Embedding(vocabulary) => {
                ModuleKind::Embedding { vocabulary: vocabulary.to_owned() }
            }
            Self::EncoderStack { layers, closed } => ModuleKind::EncoderStack { layers, closed },
            Self::DecoderStack { layers, closed } => ModuleKind::DecoderStack { layers, closed },
            Self::Head(vocabulary) => ModuleKind::Head { vocabulary: vocabulary.to_owned() },
            Self::Adapter => ModuleKind::Adapter { adapter: adapter(name).to_owned() },
            Self::Bridge => ModuleKind::Bridge,
        }
    }
}

/// The adapter of a module called `adapter.NAME.SHARING`.
fn adapter(module: &str) -> &str {
    module.split('.').nth(1).unwrap_or_default()
}

/// Makes modules and paths.
///
/// # Panics
/// Never: the resolver puts every language in use into every grouping in use.
pub fn build_modules(
    experiment: &Experiment,
    table: &TaskTable,
    diagnostics: &mut Diagnostics,
) -> Result<ModuleGraph, Halt> {
    let mut met = Met::default();
    let path = |task| {
        met.path(experiment, task)
            .expect("the resolver puts every language in use into every grouping in use")
    };
    let paths: Vec<TaskPath> = table.tasks.iter().map(path).collect();
    for fault in met.faults.into_values() {
        diagnostics.report(fault);
    }
    let mut graph = in_order(met.rows.into_iter().map(|(row, _)| row).collect(), paths);
    if let Some(wish) = &experiment.freeze {
        freeze(wish, graph.modules.iter_mut(), diagnostics);
    }
    diagnostics.checkpoint()?;
    Ok(graph)
}

/// The modules met so far, numbered as they come, each with the direction that used it first.
#[derive(Default)]
struct Met<'a> {
    rows: Vec<(ModuleRow, &'a TaskRow)>,
    ids: HashMap<String, usize>,
    faults: BTreeMap<String, BuildError>,
}

impl<'a> Met<'a> {
    /// The way of a task; none when a language is in no group of a grouping.
    fn path(&mut self, experiment: &Experiment, task: &'a TaskRow) -> Option<TaskPath> {
        let model = &experiment.model;
        let names = module_path(model, &task.source, &task.target, &|grouping, language| {
            let grouping = experiment.groupings.iter().find(|known| known.name == grouping)?;
            grouping.group_of.get(language).cloned()
        })?;
        let (encoder, decoder) = model.stacks(&task.source, &task.target);
        let spans = &experiment.model_spans;
        let embeddings = spans.embeddings;
        let mut sides = [Vec::new(), Vec::new()];
        let [into, out] = &mut sides;
        into.push((Need::Embedding(&task.source_vocabulary), embeddings));
        into.extend(stacks(experiment, encoder, true));
        out.push((Need::Embedding(&task.target_vocabulary), embeddings));
        out.extend(stacks(experiment, decoder, false));
        out.push((Need::Head(&task.target_vocabulary), embeddings));
        let [into, out] = sides;
        let encoder = self.ids(names.encoder, into, task);
        let bridge = names.bridge.map(|name| self.id(name, Need::Bridge, spans.bridge, task));
        let decoder = self.ids(names.decoder, out, task);
        let mut adapters = Vec::with_capacity(names.adapters.len());
        for (stack, inside) in names.adapters {
            let inside = inside.into_iter().map(|name| {
                let span = spans.adapters.get(adapter(&name)).copied().unwrap_or(embeddings);
                self.id(name, Need::Adapter, span, task)
            });
            let inside = inside.collect();
            adapters.extend(self.ids.get(&stack).map(|&id| (ModuleId::at(id), inside)));
        }
        Some(TaskPath { encoder, bridge, decoder, adapters, ..TaskPath::default() })
    }

    fn ids(
        &mut self,
        names: Vec<String>,
        needs: Vec<(Need<'_>, Span)>,
        task: &'a TaskRow,
    ) -> Vec<ModuleId> {
        let uses = names.into_iter().zip(needs);
        uses.map(|(name, (need, span))| self.id(name, need, span, task)).collect()
    }

    /// The number of a module, which must be what the task needs.
    fn id(&mut self, name: String, need: Need<'_>, span: Span, task: &'a TaskRow) -> ModuleId {
        if let Some(&at) = self.ids.get(&name) {
            if let Some((known, first)) = self.rows.get(at)
                && !need.is(&known.kind)
            {
                let fault = disagreement(known, first, (&need.kind(&name), span), task);
                self.faults.entry(name).or_insert(fault);
            }
            return ModuleId::at(at);
        }
        let at = self.rows.len();
        let (kind, parameters, state_bytes, frozen) = (need.kind(&name), 0, 0, false);
        let row = ModuleRow { name: name.clone(), kind, parameters, frozen, state_bytes, span };
        self.rows.push((row, task));
        self.ids.insert(name, at);
        ModuleId::at(at)
    }
}

/// The stacks of a side that exist, each with the place of its pattern.
fn stacks<'a>(
    experiment: &'a Experiment,
    patterns: &'a [StackPattern],
    is_encoder: bool,
) -> impl Iterator<Item = (Need<'a>, Span)> {
    let spans = &experiment.model_spans;
    let own = if is_encoder { &spans.encoder } else { &spans.decoder };
    let present = patterns.iter().enumerate().filter(|(_, stack)| stack.sharing != Sharing::None);
    present.map(move |(at, stack)| {
        let (layers, closed) = (stack.layers, experiment.model.closes(at, patterns.len()));
        let need = if is_encoder {
            Need::EncoderStack { layers, closed }
        } else {
            Need::DecoderStack { layers, closed }
        };
        // Overrides may have more stacks than the model; their own places are not kept.
        (need, own.get(at).or(own.last()).copied().unwrap_or(spans.embeddings))
    })
}

/// The graph with its modules in order of name.
fn in_order(modules: Vec<ModuleRow>, mut paths: Vec<TaskPath>) -> ModuleGraph {
    let mut modules: Vec<(usize, ModuleRow)> = modules.into_iter().enumerate().collect();
    modules.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    let mut places = vec![ModuleId::at(0); modules.len()];
    for (place, (at, _)) in modules.iter().enumerate() {
        if let Some(slot) = places.get_mut(*at) {
            *slot = ModuleId::at(place);
        }
    }
    for path in &mut paths {
        let way = path.encoder.iter_mut().chain(&mut path.bridge).chain(&mut path.decoder);
        let inside =
            path.adapters.iter_mut().flat_map(|(stack, ids)| [stack].into_iter().chain(ids));
        for id in way.chain(inside) {
            *id = places.get(id.index()).copied().unwrap_or(*id);
        }
    }
    ModuleGraph { modules: modules.into_iter().map(|(_, row)| row).collect(), paths }
}

/// Why two tasks can't share what they would share.
fn disagreement(
    known: &ModuleRow,
    first: &TaskRow,
    (wanted, span): (&ModuleKind, Span),
    second: &TaskRow,
) -> BuildError {
    let module = known.name.clone();
    let user = |task: &TaskRow| format!("{}-{}", task.source, task.target);
    match (vocabulary(&known.kind), vocabulary(wanted)) {
        (Some(a), Some(b)) => BuildError::VocabulariesDiffer {
            module,
            uses: format!("`{a}` for `{}`, `{b}` for `{}`", user(first), user(second)),
            span,
            help: "share it by language, or use one joint tokenizer (a `file` without `{lang}`)",
        },
        _ => BuildError::LayersDiffer {
            module,
            first: stack(&known.kind),
            second: stack(wanted),
            span,
            help: "a stack that some directions have with another depth must not be shared with the others",
        },
    }
}

fn vocabulary(kind: &ModuleKind) -> Option<&str> {
    match kind {
        ModuleKind::Embedding { vocabulary } | ModuleKind::Head { vocabulary } => Some(vocabulary),
        ModuleKind::EncoderStack { .. }
        | ModuleKind::DecoderStack { .. }
        | ModuleKind::Adapter { .. }
        | ModuleKind::Bridge => None,
    }
}

/// `3 layers`, or `3 layers and a norm`.
fn stack(kind: &ModuleKind) -> String {
    match kind {
        ModuleKind::EncoderStack { layers, closed }
        | ModuleKind::DecoderStack { layers, closed } => {
            format!("{layers} layers{}", if *closed { " and a norm" } else { "" })
        }
        ModuleKind::Embedding { .. }
        | ModuleKind::Head { .. }
        | ModuleKind::Adapter { .. }
        | ModuleKind::Bridge => "no layers".to_owned(),
    }
}
