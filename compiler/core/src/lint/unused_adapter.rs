//! No direction leads through an adapter: all of them have other stacks on its side.

use std::collections::BTreeSet;

use mmc_plan::ModuleKind;

use super::{Found, Lint, Subject, warning};

pub(super) const LINT: Lint =
    warning("mmc::lint::unused_adapter", "no direction leads through an adapter", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let used: BTreeSet<&str> =
        subject.plan.modules.values().filter_map(|module| adapter(&module.kind)).collect();
    let spans = &subject.experiment.model_spans.adapters;
    let unused = spans.iter().filter(|(name, _)| !used.contains(name.as_str()));
    let found = unused.map(|(name, span)| Found {
        message: format!("no direction leads through adapter `{name}`"),
        label: "in a stack that no direction has",
        span: *span,
        help: "directions with stacks of their own on its side have none of it: remove it, or their `for`"
            .into(),
    });
    found.collect()
}

/// The adapter that a module is of.
fn adapter(kind: &ModuleKind) -> Option<&str> {
    match kind {
        ModuleKind::Adapter { adapter } => Some(adapter),
        ModuleKind::Embedding { .. }
        | ModuleKind::EncoderStack { .. }
        | ModuleKind::DecoderStack { .. }
        | ModuleKind::Head { .. }
        | ModuleKind::Bridge => None,
    }
}
