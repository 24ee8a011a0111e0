//! Text of a test or validation set is trained on.

use std::collections::BTreeSet;

use mmc_plan::ParallelFiles;

use super::{Found, Lint, Subject, counted, listed, warning};
use crate::ir::task::TaskRow;

pub(super) const LINT: Lint =
    warning("mmc::lint::test_leak", "text of a test or validation set is trained on", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let tasks = &subject.table.tasks;
    let held_out: BTreeSet<&str> = tasks.iter().flat_map(held_out).collect();
    if held_out.is_empty() {
        return Vec::new();
    }
    let trained = tasks.iter().flat_map(|task| sides(&task.corpus.train));
    let leaked: BTreeSet<&str> = trained.filter(|path| held_out.contains(path)).collect();
    let span = tasks.iter().find_map(|task| {
        let block = task.name.rsplit_once('.').map_or("", |(block, _)| block);
        let of = subject.experiment.task_blocks.iter().find(|known| known.name == block)?;
        let corpus = subject.experiment.corpora.get(of.corpus.value)?;
        self::held_out(task).any(|path| leaked.contains(path)).then_some(corpus.span)
    });
    let Some(span) = span else { return Vec::new() };
    let names: Vec<&str> = leaked.into_iter().collect();
    vec![Found {
        message: format!(
            "{} for training and for scoring: {}",
            counted(names.len(), "file"),
            listed(&names)
        ),
        label: "its held-out text",
        span,
        help: "scores on text that was trained on mean nothing: hold `valid` and `test` out".into(),
    }]
}

fn sides(files: &ParallelFiles) -> impl Iterator<Item = &str> {
    files.source.iter().chain(&files.target).map(String::as_str)
}

fn held_out(task: &TaskRow) -> impl Iterator<Item = &str> {
    task.corpus.valid.iter().chain(&task.corpus.test).flat_map(sides)
}
