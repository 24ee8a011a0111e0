//! Task table -> module graph: a module for every sharing id at every place of the model.

use std::collections::BTreeMap;

use mmc_plan::path::module_path;
use mmc_plan::{ModelSpec, ModuleKind};
use mmc_syntax::source::Span;

use super::error::BuildError;
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
    let mut paths: Vec<[Vec<String>; 2]> = Vec::with_capacity(table.tasks.len());
    let mut faults: BTreeMap<String, BuildError> = BTreeMap::new();
    for task in &table.tasks {
        let [encoder, decoder] = uses(experiment, task)
            .expect("the resolver puts every language in use into every grouping in use");
        paths.push(
            [&encoder, &decoder].map(|side| side.iter().map(|use_| use_.name.clone()).collect()),
        );
        for wanted in encoder.into_iter().chain(decoder) {
            let user = format!("{}-{}", task.source, task.target);
            if let Some((known, first)) = modules.get(&wanted.name) {
                if let Some(fault) = disagreement(known, first, &wanted, &user) {
                    faults.entry(wanted.name).or_insert(fault);
                }
            } else {
                let Use { name, kind, span } = wanted;
                let row =
                    ModuleRow { name: name.clone(), kind, parameters: 0, state_bytes: 0, span };
                modules.insert(name, (row, user));
            }
        }
    }
    for fault in faults.into_values() {
        diagnostics.report(fault);
    }
    diagnostics.checkpoint()?;
    let ids: BTreeMap<&str, ModuleId> =
        modules.keys().enumerate().map(|(at, name)| (name.as_str(), ModuleId::at(at))).collect();
    let numbered = |names: &Vec<String>| -> Vec<ModuleId> {
        names.iter().filter_map(|name| ids.get(name.as_str()).copied()).collect()
    };
    let paths = paths
        .iter()
        .map(|[encoder, decoder]| TaskPath {
            encoder: numbered(encoder),
            decoder: numbered(decoder),
            ..TaskPath::default()
        })
        .collect();
    Ok(ModuleGraph { modules: modules.into_values().map(|(row, _)| row).collect(), paths })
}

/// The modules of a task's two sides, each with what it is.
fn uses(experiment: &Experiment, task: &TaskRow) -> Option<[Vec<Use>; 2]> {
    let model = &experiment.model;
    let path = module_path(model, &task.source, &task.target, &|grouping, language| {
        let grouping = experiment.groupings.iter().find(|known| known.name == grouping)?;
        grouping.group_of.get(language).cloned()
    })?;
    let embedding = |vocabulary: &String| ModuleKind::Embedding { vocabulary: vocabulary.clone() };
    let (encoder_stacks, decoder_stacks) = stack_kinds(model, task);
    let mut encoder_kinds = vec![embedding(&task.source_vocabulary)];
    encoder_kinds.extend(encoder_stacks);
    let mut decoder_kinds = vec![embedding(&task.target_vocabulary)];
    decoder_kinds.extend(decoder_stacks);
    decoder_kinds.push(ModuleKind::Head { vocabulary: task.target_vocabulary.clone() });
    let joined = |names: Vec<String>, kinds: Vec<ModuleKind>, spans: &[Span]| {
        names
            .into_iter()
            .zip(kinds)
            .enumerate()
            .map(|(at, (name, kind))| Use { span: place(experiment, &kind, at, spans), name, kind })
            .collect::<Vec<_>>()
    };
    Some([
        joined(path.encoder, encoder_kinds, &experiment.encoder_spans),
        joined(path.decoder, decoder_kinds, &experiment.decoder_spans),
    ])
}

/// The stacks of a direction, input to output.
fn stack_kinds(model: &ModelSpec, task: &TaskRow) -> (Vec<ModuleKind>, Vec<ModuleKind>) {
    let (encoder, decoder) = model.stacks(&task.source, &task.target);
    (
        encoder.iter().map(|stack| ModuleKind::EncoderStack { layers: stack.layers }).collect(),
        decoder.iter().map(|stack| ModuleKind::DecoderStack { layers: stack.layers }).collect(),
    )
}

/// Where a module of a path was written; `at` counts from the embedding.
fn place(experiment: &Experiment, kind: &ModuleKind, at: usize, spans: &[Span]) -> Span {
    match kind {
        ModuleKind::Embedding { .. } | ModuleKind::Head { .. } => experiment.embeddings_span,
        ModuleKind::EncoderStack { .. } | ModuleKind::DecoderStack { .. } => {
            // Overrides may have more stacks than the model; their own places are not kept.
            at.checked_sub(1)
                .and_then(|at| spans.get(at))
                .or(spans.last())
                .copied()
                .unwrap_or(experiment.embeddings_span)
        }
    }
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
            first: layers(&known.kind),
            second: layers(&wanted.kind),
            span,
            help: "a stack that some directions have with another depth must not be shared with the others",
        },
    })
}

fn vocabulary(kind: &ModuleKind) -> Option<&str> {
    match kind {
        ModuleKind::Embedding { vocabulary } | ModuleKind::Head { vocabulary } => Some(vocabulary),
        ModuleKind::EncoderStack { .. } | ModuleKind::DecoderStack { .. } => None,
    }
}

fn layers(kind: &ModuleKind) -> u32 {
    match kind {
        ModuleKind::EncoderStack { layers } | ModuleKind::DecoderStack { layers } => *layers,
        ModuleKind::Embedding { .. } | ModuleKind::Head { .. } => 0,
    }
}
