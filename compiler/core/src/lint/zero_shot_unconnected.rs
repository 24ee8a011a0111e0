//! The modules of a direction exist, but were never trained together.

use std::collections::BTreeSet;

use mmc_plan::Sharing;

use super::{Found, Lint, Subject, counted, listed, note};

/// Directions that are looked at, at most: the rest of a very large matrix is left out.
const MOST_DIRECTIONS: usize = 40_000;

pub(super) const LINT: Lint = note(
    "mmc::lint::zero_shot_unconnected",
    "the modules of a direction exist, but were never trained together",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
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
            "they are zero-shot directions: check them before relying on them".into()
        } else {
            "they are zero-shot directions without any layers that all languages share: expect little of them".into()
        },
    }]
}
