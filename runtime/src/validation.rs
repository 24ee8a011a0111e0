//! Validation: cross-entropy and accuracy of every task's validation text, and over tasks.

use std::collections::BTreeMap;

use mmc_plan::Plan;

use crate::dist::World;
use crate::error::WorkerError;
use crate::feed::Feed;
use crate::model::{Direction, Mode, Objective};

/// What a validation found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Validation {
    /// Mean cross-entropy of a target token in nats, without label smoothing, per task.
    pub losses: BTreeMap<String, f64>,
    /// Part of the target tokens that are predicted first, given those before them, per task.
    pub accuracies: BTreeMap<String, f64>,
    /// Cross-entropy over the tokens of all tasks together.
    pub loss: f64,
    /// Accuracy over the tokens of all tasks together.
    pub accuracy: f64,
    /// Mean of the tasks' losses.
    pub macro_loss: f64,
    /// Mean of the tasks' accuracies.
    pub macro_accuracy: f64,
}

/// Sums over a task's text: cross-entropy, right tokens, tokens.
type Sums = [f64; 3];

/// Validates all tasks: each is computed by one rank and added to zeros elsewhere. None when no task has text for it.
pub fn validate<'d>(
    plan: &Plan,
    own: &[String],
    world: &World,
    feed: &Feed<'_>,
    direction: &dyn Fn(&str) -> Result<&'d Direction, WorkerError>,
) -> Result<Option<Validation>, WorkerError> {
    let names: Vec<&String> = plan.tasks.keys().collect();
    let mut sums = vec![0.0; names.len() * 3];
    for (task, slots) in names.iter().zip(sums.chunks_exact_mut(3)) {
        if own.contains(task) {
            slots.copy_from_slice(&of_task(task, feed, direction(task)?)?);
        }
    }
    world.sum_all(&mut sums)?;
    let of_tasks = sums.chunks_exact(3).filter_map(|slots| Sums::try_from(slots).ok());
    let found: BTreeMap<&str, Sums> = names
        .into_iter()
        .map(String::as_str)
        .zip(of_tasks)
        .filter(|(_, [_, _, tokens])| *tokens > 0.0)
        .collect();
    Ok((!found.is_empty()).then(|| summary(&found)))
}

fn of_task(task: &str, feed: &Feed<'_>, direction: &Direction) -> Result<Sums, WorkerError> {
    let (mut loss, mut hits, mut tokens) = (0.0, 0, 0);
    feed.validation(task, &mut |batch| {
        let sum = tch::no_grad(|| direction.loss(batch, Mode::Evaluate, Objective::smoothed(0.0)));
        loss += sum.loss.f_double_value(&[])?;
        hits += sum.hits.map_or(Ok(0), |hits| hits.f_int64_value(&[]))?;
        tokens += sum.tokens;
        Ok(())
    })?;
    Ok([loss, number(hits), number(tokens)])
}

fn summary(found: &BTreeMap<&str, Sums>) -> Validation {
    let of_tasks = |rate: fn(&Sums) -> f64| -> BTreeMap<String, f64> {
        found.iter().map(|(task, sums)| ((*task).to_owned(), rate(sums))).collect()
    };
    let (losses, accuracies) = (of_tasks(loss), of_tasks(accuracy));
    let all = found.values().fold([0.0; 3], |[a, b, c], [x, y, z]| [a + x, b + y, c + z]);
    Validation {
        loss: loss(&all),
        accuracy: accuracy(&all),
        macro_loss: mean(&losses),
        macro_accuracy: mean(&accuracies),
        losses,
        accuracies,
    }
}

fn loss([loss, _, tokens]: &Sums) -> f64 {
    loss / tokens
}

fn accuracy([_, hits, tokens]: &Sums) -> f64 {
    hits / tokens
}

#[expect(clippy::cast_precision_loss, reason = "a number of tasks")]
fn mean(of_tasks: &BTreeMap<String, f64>) -> f64 {
    of_tasks.values().sum::<f64>() / of_tasks.len().max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn number(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_tokens_and_over_tasks() {
        let found = BTreeMap::from([("a", [30.0, 5.0, 10.0]), ("b", [30.0, 27.0, 30.0])]);
        let summary = summary(&found);
        assert_eq!((summary.loss, summary.accuracy), (1.5, 0.8));
        assert_eq!((summary.macro_loss, summary.macro_accuracy), (2.0, 0.7));
        assert_eq!((summary.losses["a"], summary.accuracies["b"]), (3.0, 0.9));
    }
}
