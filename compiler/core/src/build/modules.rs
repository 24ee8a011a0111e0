//! Task table -> module graph: a module for every sharing id at every place of the model.

use std::collections::BTreeMap;

use mmc_plan::path::{ModulePath, module_path};
use mmc_plan::{ModuleKind, Sharing, StackPattern};
use mmc_syntax::source::Span;

use super::error::BuildError;
use super::freeze::freeze;
use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::experiment::Experiment;
use crate::ir::ids::ModuleId;
use crate::ir::module::{ModuleGraph, ModuleRow, TaskPath};
use crate::ir::task::{TaskRow, TaskTable};

/// A module as one task sees it.
struct Use {
    name: String,
    kind: ModuleKind,
    span: Span,
}

/// The modules of one task, each with what it is.
struct Way {
    encoder: Vec<Use>,
    bridge: Option<Use>,
    decoder: Vec<Use>,
    /// Stack -> adapters.
    adapters: BTreeMap<String, Vec<Use>>,
}

impl Way {
    fn names(&self) -> ModulePath {
        let names = |uses: &[Use]| uses.iter().map(|wanted| wanted.name.clone()).collect();
        ModulePath {
            encoder: names(&self.encoder),
            bridge: self.bridge.as_ref().map(|wanted| wanted.name.clone()),
            decoder: names(&self.decoder),
            adapters: self
                .adapters
                .iter()
                .map(|(stack, inside)| (stack.clone(), names(inside)))
                .collect(),
        }
    }

    fn into_uses(self) -> impl Iterator<Item = Use> {
        let way = self.encoder.into_iter().chain(self.bridge).chain(self.decoder);
        way.chain(self.adapters.into_values().flatten())
    }
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
    let mut modules: BTreeMap<String, (ModuleRow, String)> = BTreeMap::new();
    let mut paths: Vec<ModulePath> = Vec::with_capacity(table.tasks.len());
    let mut faults: BTreeMap<String, BuildError> = BTreeMap::new();
    for task in &table.tasks {
        let way = way(experiment, task)
            .expect("the resolver puts every language in use into every grouping in use");
        paths.push(way.names());
        for wanted in way.into_uses() {
            let user = format!("{}-{}", task.source, task.target);
            if let Some((known, first)) = modules.get(&wanted.name) {
                if let Some(fault) = disagreement(known, first, &wanted, &user) {
                    faults.entry(wanted.name).or_insert(fault);
                }
            } else {
                let Use { name, kind, span } = wanted;
                let (parameters, state_bytes, frozen) = (0, 0, false);
                let row =
                    ModuleRow { name: name.clone(), kind, parameters, frozen, state_bytes, span };
                modules.insert(name, (row, user));
            }
        }
    }
    for fault in faults.into_values() {
        diagnostics.report(fault);
    }
    if let Some(wish) = &experiment.freeze {
        freeze(wish, modules.values_mut().map(|(row, _)| row), diagnostics);
    }
    diagnostics.checkpoint()?;
    let paths = numbered(&modules.keys().map(String::as_str).collect::<Vec<_>>(), &paths);
    Ok(ModuleGraph { modules: modules.into_values().map(|(row, _)| row).collect(), paths })
}

/// Paths in numbers; `names` are those of all modules, in order.
fn numbered(names: &[&str], paths: &[ModulePath]) -> Vec<TaskPath> {
    let id = |name: &String| names.binary_search(&name.as_str()).ok().map(ModuleId::at);
    let ids = |names: &[String]| -> Vec<ModuleId> { names.iter().filter_map(id).collect() };
    paths
        .iter()
        .map(|path| TaskPath {
            encoder: ids(&path.encoder),
            bridge: path.bridge.as_ref().and_then(id),
            decoder: ids(&path.decoder),
            adapters: path
                .adapters
                .iter()
                .filter_map(|(stack, inside)| Some((id(stack)?, ids(inside))))
                .collect(),
            ..TaskPath::default()
        })
        .collect()
}

/// The modules of a task; none when a language is in no group of a grouping.
fn way(experiment: &Experiment, task: &TaskRow) -> Option<Way> {
    let model = &experiment.model;
    let path = module_path(model, &task.source, &task.target, &|grouping, language| {
        let grouping = experiment.groupings.iter().find(|known| known.name == grouping)?;
        grouping.group_of.get(language).cloned()
    })?;
    let (encoder, decoder) = model.stacks(&task.source, &task.target);
    let spans = &experiment.model_spans;
    let side = |patterns: &[StackPattern], own: &[Span], vocabulary: &String, is_encoder| {
        let embedding = ModuleKind::Embedding { vocabulary: vocabulary.clone() };
        let mut kinds = vec![(embedding, spans.embeddings)];
        for (at, stack) in patterns.iter().enumerate() {
            let (layers, closed) = (stack.layers, model.closes(at, patterns.len()));
            let kind = if is_encoder {
                ModuleKind::EncoderStack { layers, closed }
            } else {
                ModuleKind::DecoderStack { layers, closed }
            };
            // Overrides may have more stacks than the model; their own places are not kept.
            let span = own.get(at).or(own.last()).copied().unwrap_or(spans.embeddings);
            if stack.sharing != Sharing::None {
                kinds.push((kind, span));
            }
        }
        kinds
    };
    let encoder = side(encoder, &spans.encoder, &task.source_vocabulary, true);
    let mut decoder = side(decoder, &spans.decoder, &task.target_vocabulary, false);
    let head = ModuleKind::Head { vocabulary: task.target_vocabulary.clone() };
    decoder.push((head, spans.embeddings));
    let joined = |names: Vec<String>, kinds: Vec<(ModuleKind, Span)>| -> Vec<Use> {
        let uses = names.into_iter().zip(kinds);
        uses.map(|(name, (kind, span))| Use { name, kind, span }).collect()
    };
    let bridge = path.bridge.map(|name| Use { name, kind: ModuleKind::Bridge, span: spans.bridge });
    let adapter = |name: String| {
        let adapter = name.split('.').nth(1).unwrap_or_default().to_owned();
        let span = spans.adapters.get(&adapter).copied().unwrap_or(spans.embeddings);
        Use { name, kind: ModuleKind::Adapter { adapter }, span }
    };
    let adapters = path
        .adapters
        .into_iter()
        .map(|(stack, inside)| (stack, inside.into_iter().map(adapter).collect()))
        .collect();
    Some(Way {
        encoder: joined(path.encoder, encoder),
        bridge,
        decoder: joined(path.decoder, decoder),
        adapters,
    })
}

/// Why two tasks can't share what they would share.
fn disagreement(known: &ModuleRow, first: &str, wanted: &Use, second: &str) -> Option<BuildError> {
    if known.kind == wanted.kind {
        return None;
    }
    let module = wanted.name.clone();
    let span = wanted.span;
    Some(match (vocabulary(&known.kind), vocabulary(&wanted.kind)) {
        (Some(a), Some(b)) => BuildError::VocabulariesDiffer {
            module,
            uses: format!("`{a}` for `{first}`, `{b}` for `{second}`"),
            span,
            help: "share it by language, or use one joint tokenizer (a `file` without `{lang}`)",
        },
        _ => BuildError::LayersDiffer {
            module,
            first: stack(&known.kind),
            second: stack(&wanted.kind),
            span,
            help: "a stack that some directions have with another depth must not be shared with the others",
        },
    })
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
