//! A shared module is used by one task alone.

use std::collections::BTreeMap;

use mmc_plan::ModuleKind;
use mmc_syntax::source::Span;

use super::{Found, Lint, Subject, counted, listed, warning};

pub(super) const LINT: Lint =
    warning("mmc::lint::single_task_module", "a shared module is used by one task alone", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    if subject.table.tasks.len() < 2 {
        return Vec::new();
    }
    let mut lonely: BTreeMap<Span, Vec<&str>> = BTreeMap::new();
    for (module, users) in subject.graph.modules.iter().zip(subject.graph.user_counts()) {
        let is_stack = match module.kind {
            ModuleKind::EncoderStack { .. } | ModuleKind::DecoderStack { .. } => true,
            ModuleKind::Embedding { .. }
            | ModuleKind::Head { .. }
            | ModuleKind::Adapter { .. }
            | ModuleKind::Bridge => false,
        };
        // A module of one direction is alone on purpose.
        let is_shared = ![".task.", ".pair."].iter().any(|id| module.name.contains(id));
        if is_stack && is_shared && users == 1 {
            lonely.entry(module.span).or_default().push(&module.name);
        }
    }
    lonely
        .into_iter()
        .map(|(span, names)| Found {
            message: format!(
                "{} used by one task alone: {}",
                counted(names.len(), "module"),
                listed(&names)
            ),
            label: "this pattern makes them",
            span,
            help:
                "nothing is transferred through them; share them by a larger group, or write `TASK`"
                    .into(),
        })
        .collect()
}
