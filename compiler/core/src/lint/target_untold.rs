//! Nothing tells the model which language to write.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mmc_plan::Transform;
use mmc_syntax::source::Span;

use super::{Found, Lint, Subject, listed, warning};
use crate::ir::ids::ModuleId;
use crate::ir::task::TaskRow;

pub(super) const LINT: Lint =
    warning("mmc::lint::target_untold", "nothing tells the model which language to write", run);

/// Source language, encoder, decoder.
type Way<'a> = (&'a str, &'a [ModuleId], &'a [ModuleId]);

/// Whether a task's text tells its target, or its source.
fn is_told(task: &TaskRow) -> bool {
    task.transforms.iter().any(|transform| {
        matches!(transform, Transform::Prefix { source, target } if !source.is_empty() || !target.is_empty())
    })
}

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let rows = || subject.table.tasks.iter().zip(&subject.graph.paths);
    let untold = || rows().filter(|(task, _)| !is_told(task));
    // A decoder of one target needs not be told it; none: it has several.
    let mut decoders: HashMap<&[ModuleId], Option<&str>> = HashMap::new();
    for (task, path) in untold() {
        let target = decoders.entry(&path.decoder).or_insert(Some(&task.target));
        *target = target.filter(|known| *known == task.target);
    }
    // Tasks of one source language and one way through the modules that are told no target must have one target.
    let mut ways: BTreeMap<Way<'_>, Vec<&TaskRow>> = BTreeMap::new();
    for (task, path) in untold() {
        if decoders.get(path.decoder.as_slice()) == Some(&None) {
            let way = (task.source.as_str(), path.encoder.as_slice(), path.decoder.as_slice());
            ways.entry(way).or_default().push(task);
        }
    }
    let mut found: BTreeMap<Span, BTreeSet<&str>> = BTreeMap::new();
    for tasks in ways.into_values() {
        let targets: BTreeSet<&str> = tasks.iter().map(|task| task.target.as_str()).collect();
        if targets.len() > 1 {
            for task in tasks {
                found.entry(task.span).or_default().extend(&targets);
            }
        }
    }
    found
        .into_iter()
        .map(|(span, targets)| {
            let targets: Vec<&str> = targets.into_iter().collect();
            Found {
                message: format!("the same modules write {}, and nothing tells which", listed(&targets)),
                label: "these directions",
                span,
                help: "add `prefix(target)` to the `transforms`, or give each target a decoder, `TGT_LANGUAGE`".into(),
            }
        })
        .collect()
}
