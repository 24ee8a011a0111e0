//! A task from a language to itself has nothing to learn but copying.

use mmc_plan::TaskKind;

use super::{Found, Lint, Subject, counted, warning};

pub(super) const LINT: Lint =
    warning("mmc::lint::copying_task", "a task from a language to itself learns to copy", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let blocks = subject.experiment.task_blocks.iter();
    let blocks = blocks.filter(|block| block.kind.value != TaskKind::Causal);
    let noiseless =
        blocks.filter(|block| !block.transforms.iter().any(|wish| wish.value.is_noise()));
    noiseless
        .filter_map(|block| {
            let own = block.pairs.iter().filter(|pair| pair.source == pair.target);
            let (first, number) = (own.clone().next()?, own.count());
            Some(Found {
                message: format!(
                    "{} of `{}` from a language to itself, without noise",
                    counted(number, "direction"),
                    block.name
                ),
                label: "source and target are the same text",
                span: first.span,
                help: "the model learns to copy: add `denoise(bart, ratio = 0.3, mask = span_poisson(3.5), replace = 1)`"
                    .into(),
            })
        })
        .collect()
}
