//! Task table -> module graph: a module for every sharing id at every place of the model.

use std::collections::{BTreeMap, HashMap};

use mmc_plan::path::{Ends, Way, Ways};
use mmc_plan::{ModuleKind, Sharing, StackPattern, stretch};
use mmc_syntax::source::Span;

use super::error::BuildError;
use super::freeze::freeze;
use super::optimizers::optimizers;
use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::experiment::Experiment;
use crate::ir::ids::ModuleId;
use crate::ir::module::{ModuleGraph, ModuleRow, TaskPath, renumber};
use crate::ir::task::{TaskRow, TaskTable};

/// Tasks whose modules are met in one go; tests have fewer.
const STRETCH: usize = if cfg!(test) { 3 } else { 8192 };

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
    let stretches = stretch::each(&table.tasks, STRETCH, |tasks| {
        let mut met = Met::new(experiment);
        let path = |task| {
            let path = met.path(task);
            path.expect("the resolver puts every language in use into every grouping in use")
        };
        let paths: Vec<TaskPath> = tasks.iter().map(path).collect();
        (met, paths)
    });
    let mut all = Met::new(experiment);
    let stretches: Vec<(Vec<ModuleId>, Vec<TaskPath>)> =
        stretches.into_iter().map(|(met, paths)| (all.join(met), paths)).collect();
    for fault in all.faults.into_values() {
        diagnostics.report(fault);
    }
    let (modules, places) = in_order(all.rows.into_iter().map(|(row, _)| row).collect());
    let mut paths = Vec::with_capacity(table.tasks.len());
    for (met, mut more) in stretches {
        let places = met.iter().filter_map(|id| places.get(id.index()).copied());
        renumber(&mut more, &places.collect::<Vec<ModuleId>>());
        paths.append(&mut more);
    }
    let mut graph = ModuleGraph { modules, paths };
    if let Some(wish) = &experiment.freeze {
        freeze(wish, graph.modules.iter_mut(), diagnostics);
    }
    optimizers(experiment, &mut graph.modules, diagnostics);
    diagnostics.checkpoint()?;
    Ok(graph)
}

/// The modules met so far, numbered as they come, each with the direction that used it first.
struct Met<'a> {
    experiment: &'a Experiment,
    ways: Ways<'a, ModuleId>,
    rows: Vec<(ModuleRow, &'a TaskRow)>,
    names: Names,
    faults: BTreeMap<String, BuildError>,
}

/// Names of modules with their numbers.
#[derive(Default)]
struct Names {
    ids: HashMap<String, ModuleId>,
    in_order: Vec<String>,
}

impl Names {
    fn id(&mut self, name: String) -> ModuleId {
        if let Some(&id) = self.ids.get(&name) {
            return id;
        }
        let id = ModuleId::at(self.in_order.len());
        self.in_order.push(name.clone());
        self.ids.insert(name, id);
        id
    }
}

impl<'a> Met<'a> {
    fn new(experiment: &'a Experiment) -> Self {
        let ways = Ways::new(&experiment.model);
        let (names, faults) = (Names::default(), BTreeMap::new());
        Self { experiment, ways, rows: Vec::new(), names, faults }
    }

    /// The way of a task; none when a language is in no group of a grouping.
    fn path(&mut self, task: &'a TaskRow) -> Option<TaskPath> {
        let experiment = self.experiment;
        let group = |grouping: &str, language: &str| {
            let grouping = experiment.groupings.iter().find(|known| known.name == grouping)?;
            grouping.group_of.get(language).cloned()
        };
        let (ways, names) = (&mut self.ways, &mut self.names);
        let vocabularies = [task.source_vocabulary.as_str(), &task.target_vocabulary];
        let ends = Ends { source: &task.source, target: &task.target, vocabularies };
        let way = ways.of(ends, &group, &mut |name| names.id(name))?;
        let Way { encoder, bridge, decoder, adapters } = way;
        let (into, out) = experiment.model.stacks(&task.source, &task.target);
        let spans = &experiment.model_spans;
        let source = (Need::Embedding(&task.source_vocabulary), spans.embeddings);
        let target = (Need::Embedding(&task.target_vocabulary), spans.embeddings);
        let head = (Need::Head(&task.target_vocabulary), spans.embeddings);
        let into = [source].into_iter().chain(stacks(experiment, into, true));
        let out = [target].into_iter().chain(stacks(experiment, out, false)).chain([head]);
        encoder.iter().zip(into).for_each(|(id, need)| self.used(*id, need, task));
        if let Some(bridge) = bridge {
            self.used(bridge, (Need::Bridge, spans.bridge), task);
        }
        decoder.iter().zip(out).for_each(|(id, need)| self.used(*id, need, task));
        for &id in adapters.iter().flat_map(|(_, inside)| inside) {
            let name = self.names.in_order.get(id.index()).map_or("", |name| adapter(name));
            let span = spans.adapters.get(name).copied().unwrap_or(spans.embeddings);
            self.used(id, (Need::Adapter, span), task);
        }
        Some(TaskPath { encoder, bridge, decoder, adapters, ..TaskPath::default() })
    }

    /// Takes over what later tasks met; gives the new number of each of their modules.
    fn join(&mut self, later: Self) -> Vec<ModuleId> {
        for (name, fault) in later.faults {
            self.faults.entry(name).or_insert(fault);
        }
        let join = |(row, task): (ModuleRow, &'a TaskRow)| {
            let id = self.names.id(row.name.clone());
            match self.rows.get(id.index()) {
                Some((known, first)) if known.kind != row.kind => {
                    let fault = disagreement(known, first, (&row.kind, row.span), task);
                    self.faults.entry(row.name).or_insert(fault);
                }
                Some(_) => {}
                None => self.rows.push((row, task)),
            }
            id
        };
        later.rows.into_iter().map(join).collect()
    }

    /// Notes a use of a module, which must be what the task needs. The numbers are those of the first uses.
    fn used(&mut self, id: ModuleId, (need, span): (Need<'_>, Span), task: &'a TaskRow) {
        let name = self.names.in_order.get(id.index()).expect("numbers are given with names");
        match self.rows.get(id.index()) {
            Some((known, first)) if !need.is(&known.kind) => {
                let fault = disagreement(known, first, (&need.kind(name), span), task);
                self.faults.entry(name.clone()).or_insert(fault);
            }
            Some(_) => {}
            None => {
                let (kind, parameters, state_bytes) = (need.kind(name), 0, 0);
                let (frozen, optimizer) = (false, None);
                let name = name.clone();
                let row =
                    ModuleRow { name, kind, parameters, frozen, optimizer, state_bytes, span };
                self.rows.push((row, task));
            }
        }
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
        let (layers, closed) = (stack.layers, experiment.model.closes(at, patterns));
        let need = if is_encoder {
            Need::EncoderStack { layers, closed }
        } else {
            Need::DecoderStack { layers, closed }
        };
        // Overrides may have more stacks than the model; their own places are not kept.
        (need, own.get(at).or(own.last()).copied().unwrap_or(spans.embeddings))
    })
}

/// Modules in order of name, and the new number of each.
fn in_order(modules: Vec<ModuleRow>) -> (Vec<ModuleRow>, Vec<ModuleId>) {
    let mut modules: Vec<(usize, ModuleRow)> = modules.into_iter().enumerate().collect();
    modules.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    let mut places = vec![ModuleId::at(0); modules.len()];
    for (place, (at, _)) in modules.iter().enumerate() {
        if let Some(slot) = places.get_mut(*at) {
            *slot = ModuleId::at(place);
        }
    }
    (modules.into_iter().map(|(_, row)| row).collect(), places)
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
            help: "share it by `VOCABULARY` or by language, or use one joint tokenizer (a `file` without `{lang}`)",
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
