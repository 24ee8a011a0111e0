//! Text of a test or validation set is trained on.

use std::collections::BTreeSet;

use mmc_plan::ParallelFiles;

use super::{Found, Lint, Subject, counted, listed, warning};

pub(super) const LINT: Lint =
    warning("mmc::lint::test_leak", "text of a test or validation set is trained on", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let tasks = &subject.table.tasks;
    let sides = |files: &ParallelFiles| -> Vec<String> {
        files.source.iter().chain(&files.target).cloned().collect()
    };
    let trained: BTreeSet<String> =
        tasks.iter().flat_map(|task| sides(&task.corpus.train)).collect();
    let held_out = tasks
        .iter()
        .flat_map(|task| task.corpus.valid.iter().chain(&task.corpus.test))
        .flat_map(sides);
    let leaked: BTreeSet<String> = held_out.filter(|path| trained.contains(path)).collect();
    let span = tasks.iter().find_map(|task| {
        let held_out = task.corpus.valid.iter().chain(&task.corpus.test);
        let block = task.name.rsplit_once('.').map_or("", |(block, _)| block);
        let of = subject.experiment.task_blocks.iter().find(|known| known.name == block)?;
        let corpus = subject.experiment.corpora.get(of.corpus.value)?;
        held_out.flat_map(sides).any(|path| leaked.contains(&path)).then_some(corpus.span)
    });
    let names: Vec<&str> = leaked.iter().map(String::as_str).collect();
    let Some(span) = span else { return Vec::new() };
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
