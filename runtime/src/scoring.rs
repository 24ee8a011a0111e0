//! Scores of validation: a task's text translated by its own direction as `mmc translate` would, and compared with its references.

use mmc_plan::{Measure, Plan, ScoresSpec, TaskSpec};
use mmc_text::batch::{StreamError, Tokenizers};
use mmc_text::metrics::{self, BleuOptions, ChrfOptions, MetricError};
use mmc_text::parallel::ParallelReader;

use crate::error::WorkerError;
use crate::model::Direction;
use crate::translate::{Batching, Line, Settings, Sides, Translator};

/// A task's text and what it was translated to, line by line.
#[derive(Debug, Default)]
struct Lines {
    sources: Vec<String>,
    references: Vec<String>,
}

/// How many pairs of a task's validation text were scored, and their scores in the order of the spec's measures; zeros when there
/// is no pair. The direction's parameters are used as they are; nothing is drawn.
pub(crate) fn of_task(
    plan: &Plan,
    task: &TaskSpec,
    spec: &ScoresSpec,
    tokenizers: &Tokenizers,
    direction: &Direction,
) -> Result<Vec<f64>, WorkerError> {
    let Lines { sources, references } = lines(task, spec.sentences)?;
    let mut found = vec![0.0; 1 + spec.measures.len()];
    if sources.is_empty() {
        return Ok(found);
    }
    let sides = Sides::of_task(plan, task, tokenizers)?;
    let translator = Translator::new(vec![direction.plain()], sides, Batching::default());
    let settings = Settings { beam: spec.beam, ..Settings::default() };
    let asked = (0..).zip(&sources);
    let asked: Vec<Line<'_>> =
        asked.map(|(number, source)| Line { number, source, target: "" }).collect();
    let translations: Vec<String> = translator
        .translate(&settings, None, &asked)
        .iter()
        .map(|found| {
            found.first().map_or_else(String::new, |best| translator.sides().decode(&best.ids))
        })
        .collect();
    let references = [references];
    let (count, scores) = found.split_at_mut(1);
    count.fill(number(translations.len()));
    for (slot, measure) in scores.iter_mut().zip(&spec.measures) {
        *slot = score(*measure, &translations, &references)
            .map_err(|fault| WorkerError::Score { measure: *measure, fault })?;
    }
    Ok(found)
}

/// The score that `mmc eval` prints.
fn score(
    measure: Measure,
    translations: &[String],
    references: &[Vec<String>],
) -> Result<f64, MetricError> {
    Ok(match measure {
        Measure::Bleu => metrics::bleu(translations, references, &BleuOptions::default())?.score,
        Measure::Chrf => metrics::chrf(translations, references, &ChrfOptions::default())?.score,
    })
}

/// The first so many pairs of a task's validation text that are UTF-8 on both sides.
fn lines(task: &TaskSpec, most: Option<u64>) -> Result<Lines, StreamError> {
    let mut found = Lines::default();
    let Some(files) = &task.corpus.valid else { return Ok(found) };
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let mut reader = ParallelReader::open(files)?;
    while found.sources.len() < most
        && let Some(pair) = reader.next_pair()?
    {
        if let (Some(source), Some(target)) = (pair.source.text(), pair.target.text()) {
            found.sources.push(source.to_owned());
            found.references.push(target.to_owned());
        }
    }
    Ok(found)
}

#[expect(clippy::cast_precision_loss, reason = "lines of a validation text")]
fn number(count: usize) -> f64 {
    count as f64
}
