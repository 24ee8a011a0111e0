//! Nothing tells the model which language to write.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mmc_plan::Transform;
use mmc_syntax::source::Span;

use super::{Found, Lint, Subject, listed, warning};
use crate::ir::ids::ModuleId;
use crate::ir::task::TaskRow;

pub(super) const LINT: Lint =
    warning("mmc::lint::target_untold", "nothing tells the model which language to write", run);

/// Source language, prefix tokens, encoder, decoder.
type Way<'a> = (&'a str, Vec<&'a str>, &'a [ModuleId], &'a [ModuleId]);

/// The tokens before both sides.
fn tokens(task: &TaskRow) -> impl Iterator<Item = &str> {
    task.transforms
        .iter()
        .filter_map(|transform| {
            let Transform::Prefix { source, target } = transform else { return None };
            Some(source.iter().chain(target))
        })
        .flatten()
        .map(String::as_str)
}

/// Whether a token names the target.
fn is_told(task: &TaskRow) -> bool {
    tokens(task).any(|token| {
        let name = token.strip_prefix("<to_").and_then(|rest| rest.strip_suffix('>'));
        name == Some(task.target.as_str())
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
    // Tasks of one source language with the same tokens and one way through the modules must have one target.
    let mut ways: BTreeMap<Way<'_>, Vec<&TaskRow>> = BTreeMap::new();
    for (task, path) in untold() {
        if decoders.get(path.decoder.as_slice()) == Some(&None) {
            let (encoder, decoder) = (path.encoder.as_slice(), path.decoder.as_slice());
            let way = (task.source.as_str(), tokens(task).collect(), encoder, decoder);
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
