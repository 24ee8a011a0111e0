//! Whether validation can score the translations that `scores` asks for.

use std::collections::BTreeSet;

use mmc_plan::TaskKind;

use super::error::BuildError;
use super::vocabularies::Vocabularies;
use crate::diagnostics::Diagnostics;
use crate::ir::experiment::Experiment;
use crate::ir::task::TaskRow;

/// Reports tasks whose translations are no text, and that there is nothing to score.
pub(super) fn report<'a>(
    experiment: &Experiment,
    rows: impl Iterator<Item = &'a TaskRow> + Clone,
    vocabularies: &Vocabularies<'_>,
    diagnostics: &mut Diagnostics,
) {
    if experiment.training.value.scores.is_none() || rows.clone().next().is_none() {
        return;
    }
    let span = experiment.places.of("training", "scores");
    let is_scored = |row: &&TaskRow| row.kind == TaskKind::Translate && row.corpus.valid.is_some();
    let mut scored = rows.filter(is_scored).peekable();
    if scored.peek().is_none() {
        let help = "give a corpus that is translated its `valid`, or leave `scores` out";
        diagnostics.report(BuildError::NothingScored { span, help });
    }
    let mut told = BTreeSet::new();
    for row in scored {
        let Some((path, tokenizer)) = vocabularies.one_way(&row.target_vocabulary) else {
            continue;
        };
        if told.insert(path.clone()) {
            let task = row.name.clone();
            diagnostics.report(BuildError::OneWay { path, task, span, tokenizer });
        }
    }
}
