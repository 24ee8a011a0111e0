//! Sharing that does not share, and paths that were never trained as a whole.

use std::collections::{BTreeMap, BTreeSet};

use mmc_plan::{ModuleKind, Sharing};
use mmc_syntax::source::Span;

use super::{Found, Subject, counted, listed};

/// Directions that are looked at, at most: the rest of a very large matrix is left out.
const MOST_DIRECTIONS: usize = 40_000;

pub(super) fn single_task_module(subject: &Subject<'_>) -> Vec<Found> {
    if subject.table.tasks.len() < 2 {
        return Vec::new();
    }
    let mut lonely: BTreeMap<Span, Vec<&str>> = BTreeMap::new();
    for (module, users) in subject.graph.modules.iter().zip(subject.graph.users()) {
        let is_stack = match module.kind {
            ModuleKind::EncoderStack { .. } | ModuleKind::DecoderStack { .. } => true,
            ModuleKind::Embedding { .. }
            | ModuleKind::Head { .. }
            | ModuleKind::Adapter { .. }
            | ModuleKind::Bridge => false,
        };
        // A module of one direction is alone on purpose.
        let is_shared = ![".task.", ".pair."].iter().any(|id| module.name.contains(id));
        if is_stack && is_shared && users.len() == 1 {
            lonely.entry(module.span).or_default().push(&module.name);
        }
    }
    lonely
        .into_iter()
        .map(|(span, names)| Found {
            message: format!("{} used by one task alone: {}", counted(names.len(), "module"), listed(&names)),
            label: "this pattern makes them",
            span,
            help: "nothing is transferred through them; share them by a larger group, or write `TASK`",
        })
        .collect()
}

pub(super) fn zero_shot_unconnected(subject: &Subject<'_>) -> Vec<Found> {
    let (plan, table) = (subject.plan, subject.table);
    let trained: BTreeSet<(&str, &str)> =
        table.tasks.iter().map(|task| (task.source.as_str(), task.target.as_str())).collect();
    let sources: BTreeSet<&str> = trained.iter().map(|(source, _)| *source).collect();
    let targets: BTreeSet<&str> = trained.iter().map(|(_, target)| *target).collect();
    let directions =
        sources.iter().flat_map(|source| targets.iter().map(move |target| (*source, *target)));
    let untrained: Vec<String> = directions
        .take(MOST_DIRECTIONS)
        .filter(|(source, target)| source != target && !trained.contains(&(*source, *target)))
        .filter(|(source, target)| {
            plan.module_path(source, target)
                .is_some_and(|path| path.modules().all(|name| plan.modules.contains_key(name)))
        })
        .map(|(source, target)| format!("{source} -> {target}"))
        .collect();
    let Some(block) = subject.experiment.task_blocks.first() else { return Vec::new() };
    if untrained.is_empty() {
        return Vec::new();
    }
    let fully_shared = plan
        .model
        .encoder
        .iter()
        .chain(&plan.model.decoder)
        .any(|stack| stack.sharing == Sharing::Full);
    vec![Found {
        message: format!(
            "{} can be translated but {} never trained together: {}",
            counted(untrained.len(), "direction"),
            if untrained.len() == 1 { "is" } else { "are" },
            listed(&untrained)
        ),
        label: "not among these pairs",
        span: block.span,
        help: if fully_shared {
            "they are zero-shot directions: check them before relying on them"
        } else {
            "they are zero-shot directions without any layers that all languages share: expect little of them"
        },
    }]
}
