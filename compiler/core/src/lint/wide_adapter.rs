//! An adapter's bottleneck is no bottleneck.

use mmc_plan::AdapterKind;

use super::{Found, Lint, Subject, warning};

pub(super) const LINT: Lint = warning(
    "mmc::lint::wide_adapter",
    "an adapter's bottleneck is as wide as the layer around it",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let dim = subject.plan.model.dim;
    let mut found: Vec<Found> = Vec::new();
    for adapter in &subject.plan.model.adapters {
        let (what, width) = match adapter.kind {
            AdapterKind::Lora { rank, .. } => ("rank", rank),
            AdapterKind::Pfeiffer { hidden }
            | AdapterKind::Houlsby { hidden }
            | AdapterKind::Bapna { hidden } => ("bottleneck", hidden),
            // A feed-forward layer is wide on purpose, a prefix has no width of its own.
            AdapterKind::Ff { .. } | AdapterKind::Prefix { .. } => continue,
        };
        let span = subject.experiment.model_spans.adapters.get(&adapter.name).copied();
        let (true, Some(span)) = (width >= dim, span) else { continue };
        // One adapter in several stacks is told once.
        if found.iter().all(|known| known.span != span) {
            found.push(Found {
                message: format!(
                    "adapter `{}` has a {what} of {width} in layers of width {dim}",
                    adapter.name
                ),
                label: "not narrower than the layers",
                span,
                help: format!(
                    "it costs more than the map that it adapts; {} is usual (a sixteenth)",
                    (dim / 16).max(1)
                )
                .into(),
            });
        }
    }
    found
}
