//! Validation: cross-entropy, accuracy and scores of every task's validation text, and over tasks.

use std::collections::BTreeMap;

use mmc_plan::scorers::Parts;
use mmc_plan::{Event, Measure, Plan, SkippedPairs};

use crate::counts;
use crate::dist::World;
use crate::error::WorkerError;
use crate::feed::Feed;
use crate::model::{Batch, Direction, Mode, Objective};
use crate::scoring;
use crate::shortage;

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
    /// Scores of each task that is scored.
    pub scores: BTreeMap<Measure, BTreeMap<String, f64>>,
    /// Mean of the tasks' scores.
    pub macro_scores: BTreeMap<Measure, f64>,
    /// Pairs that losses and accuracies leave out, of each task with such pairs.
    pub skipped: BTreeMap<String, SkippedPairs>,
}

impl Validation {
    /// The mean of a score over tasks; the worst where nothing was scored.
    pub fn mean_of(&self, measure: Measure) -> f64 {
        self.macro_scores.get(&measure).copied().unwrap_or(0.0)
    }

    /// As it is told: without numbers that JSON has no word for.
    pub fn told(self, step: u64) -> Event {
        let Self {
            losses,
            accuracies,
            loss,
            accuracy,
            macro_loss,
            macro_accuracy,
            scores,
            macro_scores,
            skipped,
        } = self;
        let finite = |x: f64| Some(x).filter(|x| x.is_finite());
        let all_finite = |of_tasks: &BTreeMap<String, f64>| {
            let found = of_tasks.iter().filter_map(|(task, x)| Some((task.clone(), finite(*x)?)));
            found.collect()
        };
        let perplexities =
            losses.iter().map(|(task, loss)| (task.clone(), libm::exp(*loss))).collect();
        Event::Validated {
            step,
            losses: all_finite(&losses),
            perplexities: all_finite(&perplexities),
            accuracies,
            loss: finite(loss),
            perplexity: finite(libm::exp(loss)),
            accuracy: finite(accuracy),
            macro_loss: finite(macro_loss),
            macro_perplexity: finite(mean(&perplexities)),
            macro_accuracy: finite(macro_accuracy),
            scores,
            macro_scores,
            skipped,
        }
    }
}

/// Numbers of a task's losses: cross-entropy, right tokens, tokens. Behind them come the pairs left out by reason and, with scores,
/// the pairs that were scored and the numbers of each measure.
const SUMS: usize = 3;

/// Reasons to leave a pair out.
const REASONS: usize = 4;

/// Sums over a task's text.
type Sums = [f64; SUMS];

/// What a rank does of a validation.
#[derive(Debug)]
pub struct Share<'p> {
    /// Tasks whose losses it computes.
    losses: &'p [String],
    /// Parts of tasks' texts that it translates.
    scores: Parts<'p>,
}

impl<'p> Share<'p> {
    /// That of a rank, by its number.
    pub fn of_rank(plan: &'p Plan, number: usize) -> Self {
        let losses = plan.ranks.get(number).map_or(&[][..], |rank| &rank.validates);
        Self { losses, scores: plan.scorers().into_iter().nth(number).unwrap_or_default() }
    }

    /// The tasks of which it does something.
    pub fn tasks(&self) -> impl Iterator<Item = &'p str> {
        self.losses.iter().map(String::as_str).chain(self.scores.keys().copied())
    }
}

/// A task's way as it is trained, and as it translates.
pub type Ways<'f, 'd> = (
    &'f dyn Fn(&str) -> Result<&'d Direction, WorkerError>,
    &'f dyn Fn(&str) -> Result<Direction, WorkerError>,
);

/// Validates all tasks: each rank does its share, and all are summed. None when no task has text for it;
/// where none of its pairs can be used, losses and accuracies are no numbers.
pub fn validate(
    plan: &Plan,
    share: &Share<'_>,
    world: &World,
    feed: &Feed<'_>,
    (direction, translating): Ways<'_, '_>,
) -> Result<Option<Validation>, WorkerError> {
    let width = usize::try_from(plan.task_scalars()).unwrap_or(SUMS);
    let mut numbers = vec![0.0; plan.tasks.len() * width];
    for ((name, task), slots) in plan.tasks.iter().zip(numbers.chunks_exact_mut(width)) {
        let (losses, scores) = slots.split_at_mut(SUMS + REASONS);
        if share.losses.contains(name) {
            losses.copy_from_slice(&of_task(name, feed, direction(name)?)?);
        }
        if let (Some(spec), Some(parts)) = (plan.scores_of(task), share.scores.get(name.as_str())) {
            let own = (task, parts.as_slice());
            let found = scoring::of_parts(plan, own, spec, feed.tokenizers(), translating(name)?);
            let of_task =
                |fault| WorkerError::Scores { task: name.clone(), fault: Box::new(fault) };
            let found = found.map_err(of_task)?;
            scores.iter_mut().zip(found).for_each(|(slot, number)| *slot = counts::number(number));
        }
    }
    world.sum_all(&mut numbers)?;
    let measures = plan.training.scores.as_ref().map_or(&[][..], |scores| &scores.measures);
    let (mut found, mut scored, mut skipped) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (name, slots) in plan.tasks.keys().zip(numbers.chunks_exact(width)) {
        let (sums, slots) = slots.split_at(SUMS);
        let (reasons, of_measures) = slots.split_at(REASONS);
        skipped.extend(left_out(reasons).map(|pairs| (name.clone(), pairs)));
        if let Some(sums) = Sums::try_from(sums).ok().filter(|[_, _, tokens]| *tokens > 0.0) {
            found.insert(name.as_str(), sums);
        }
        if let Some((_, numbers)) = of_measures.split_first().filter(|(pairs, _)| **pairs > 0.0) {
            scored.insert(name.as_str(), scores(measures, numbers));
        }
    }
    let has_text = plan.tasks.values().any(|task| task.corpus.valid.is_some());
    let summary = |skipped| Validation { skipped, ..summary(&found) };
    Ok(has_text.then(|| with_scores(summary(skipped), measures, &scored)))
}

/// The pairs that a task's losses leave out, if any.
fn left_out(reasons: &[f64]) -> Option<SkippedPairs> {
    let &[empty, too_long, not_utf8, filtered] = reasons else { return None };
    let [empty, too_long, not_utf8, filtered] =
        [empty, too_long, not_utf8, filtered].map(counts::whole);
    let pairs = SkippedPairs { empty, too_long, not_utf8, filtered };
    (pairs != SkippedPairs::default()).then_some(pairs)
}

/// The score of each measure, by the numbers of all.
fn scores(measures: &[Measure], numbers: &[f64]) -> Vec<f64> {
    let mut numbers = numbers.iter().copied().map(counts::whole);
    let score = |measure: &Measure| {
        let count = usize::try_from(measure.numbers()).unwrap_or_default();
        scoring::score(*measure, &numbers.by_ref().take(count).collect::<Vec<_>>())
    };
    measures.iter().map(score).collect()
}

/// Adds scores, in the order of the measures, to losses.
fn with_scores(
    mut found: Validation,
    measures: &[Measure],
    scored: &BTreeMap<&str, Vec<f64>>,
) -> Validation {
    for (at, measure) in measures.iter().enumerate() {
        let score =
            |(task, scores): (&&str, &Vec<f64>)| Some(((*task).to_owned(), *scores.get(at)?));
        let of_tasks: BTreeMap<String, f64> = scored.iter().filter_map(score).collect();
        if !of_tasks.is_empty() {
            found.macro_scores.insert(*measure, mean(&of_tasks));
            found.scores.insert(*measure, of_tasks);
        }
    }
    found
}

/// Sums over a task's text and, by reason, the pairs that it leaves out.
fn of_task(
    task: &str,
    feed: &Feed<'_>,
    direction: &Direction,
) -> Result<[f64; SUMS + REASONS], WorkerError> {
    let mut sums = [0.0; SUMS];
    let skipped = feed.validation(task, &mut |batch| {
        let found = of_batch(task, batch, &|part| sums_of(direction, part))?;
        sums = plus(sums, found);
        Ok(())
    })?;
    let [loss, hits, tokens] = sums;
    let SkippedPairs { empty, too_long, not_utf8, filtered } = skipped;
    let [empty, too_long, not_utf8, filtered] =
        [empty, too_long, not_utf8, filtered].map(counts::number);
    Ok([loss, hits, tokens, empty, too_long, not_utf8, filtered])
}

/// The sums of a batch; where memory is too small for it, of its halves, which is said.
fn of_batch(
    task: &str,
    batch: &Batch,
    compute: &dyn Fn(&Batch) -> Result<Sums, WorkerError>,
) -> Result<Sums, WorkerError> {
    let words = match shortage::within(|| compute(batch))? {
        Ok(sums) => return Ok(sums),
        Err(words) => words,
    };
    let Some([first, second]) = batch.halves() else {
        let (task, [source_ids, target_ids]) = (task.to_owned(), batch.ids());
        return Err(WorkerError::MemoryOfValidation { task, source_ids, target_ids, words });
    };
    shortage::say_split(batch.rows(), first.rows());
    Ok(plus(of_batch(task, &first, compute)?, of_batch(task, &second, compute)?))
}

/// The sums of a batch, computed at once.
fn sums_of(direction: &Direction, batch: &Batch) -> Result<Sums, WorkerError> {
    let _unrecorded = tch::no_grad_guard();
    let sum = direction.loss(batch, Mode::Evaluate, Objective::smoothed(0.0));
    let hits = sum.hits.map_or(Ok(0), |hits| hits.f_int64_value(&[]))?;
    Ok([sum.loss.f_double_value(&[])?, counts::tokens(hits), counts::tokens(sum.tokens)])
}

fn plus(mut sums: Sums, others: Sums) -> Sums {
    sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
    sums
}

fn summary(found: &BTreeMap<&str, Sums>) -> Validation {
    let of_tasks = |rate: fn(&Sums) -> f64| -> BTreeMap<String, f64> {
        found.iter().map(|(task, sums)| ((*task).to_owned(), rate(sums))).collect()
    };
    let (losses, accuracies) = (of_tasks(loss), of_tasks(accuracy));
    let all = found.values().copied().fold([0.0; SUMS], plus);
    Validation {
        loss: loss(&all),
        accuracy: accuracy(&all),
        macro_loss: mean(&losses),
        macro_accuracy: mean(&accuracies),
        losses,
        accuracies,
        ..Validation::default()
    }
}

fn loss([loss, _, tokens]: &Sums) -> f64 {
    loss / tokens
}

fn accuracy([_, hits, tokens]: &Sums) -> f64 {
    hits / tokens
}

/// No number when there are no tasks.
#[expect(clippy::cast_precision_loss, reason = "a number of tasks")]
fn mean(of_tasks: &BTreeMap<String, f64>) -> f64 {
    of_tasks.values().sum::<f64>() / of_tasks.len() as f64
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use mmc_plan::sample::Sample;
    use tch::{Device, TchError};

    use super::*;
    use crate::model::Network;
    use crate::store::Store;

    #[test]
    fn a_batch_that_memory_is_too_small_for_is_validated_in_parts() {
        let plan = Sample::new(&["de", "en"], 1, &[&[0]]).plan();
        let store = Store::new(&plan, 0, Device::Cpu).unwrap();
        let network = Network::build(&plan, &store.weights()).unwrap();
        let direction = network.direction(plan.tasks.values().next().unwrap()).unwrap();
        let source: Vec<Vec<u32>> = (5..10).map(|id| vec![id, id + 1, 2]).collect();
        let target: Vec<Vec<u32>> = (0..5)
            .map(|row| [&[1], vec![20 + row; 2 + row as usize].as_slice(), &[2]].concat())
            .collect();
        let scored: Vec<Range<usize>> = target.iter().map(|row| 0..row.len() - 1).collect();
        let batch = Batch::new(&source, &target, &scored, Device::Cpu);
        let with = |fitting: usize| {
            of_batch("t", &batch, &|part| {
                let sums = sums_of(&direction, part)?;
                let refused = || TchError::Torch("can't allocate memory".to_owned());
                (part.rows() <= fitting).then_some(sums).ok_or_else(|| refused().into())
            })
        };
        let whole = with(5).unwrap();
        assert!(whole[0] > 0.0 && whole[2] > 24.5, "{whole:?}");
        for fitting in 1..5 {
            let parts = with(fitting).unwrap();
            assert!((parts[0] / whole[0] - 1.0).abs() < 1e-6, "{fitting}: {parts:?} {whole:?}");
            assert_eq!(parts[1..], whole[1..], "{fitting}");
        }
        let said = with(0).unwrap_err().to_string();
        assert!(said.contains("task `t`: memory is too small for one sentence of 3"), "{said}");
    }

    #[test]
    fn scores_are_means_of_the_tasks_that_have_some() {
        let scored: BTreeMap<&str, Vec<f64>> =
            [("a", vec![10.0, 40.0]), ("c", vec![30.0, 50.0])].into();
        let found = with_scores(Validation::default(), &[Measure::Chrf, Measure::Bleu], &scored);
        assert_eq!((found.mean_of(Measure::Chrf), found.mean_of(Measure::Bleu)), (20.0, 45.0));
        assert_eq!(
            (found.scores[&Measure::Bleu]["c"], found.scores[&Measure::Bleu].len()),
            (50.0, 2)
        );
        let none = with_scores(Validation::default(), &[Measure::Bleu], &BTreeMap::new());
        assert_eq!((none.mean_of(Measure::Bleu), none.scores.len()), (0.0, 0));
    }

    #[test]
    fn losses_that_are_no_numbers_are_left_out_of_what_is_told() {
        let found = BTreeMap::from([("a", [f64::NAN, 5.0, 10.0]), ("b", [30.0, 27.0, 30.0])]);
        let told = summary(&found).told(3);
        let Event::Validated { losses, accuracies, loss: None, macro_loss: None, .. } = &told
        else {
            panic!("{told:?}")
        };
        assert!(losses.keys().eq(["b"]) && accuracies.keys().eq(["a", "b"]));
        let nothing = summary(&BTreeMap::new()).told(3);
        let Event::Validated { loss: None, accuracy: None, macro_accuracy: None, .. } = &nothing
        else {
            panic!("{nothing:?}")
        };
        for told in [told, nothing] {
            let line = serde_json::to_string(&told).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), told, "{line}");
        }
    }

    #[test]
    fn perplexities_are_powers_of_losses() {
        let of = |losses: [f64; 2]| {
            let found =
                BTreeMap::from([("a", [losses[0], 0.0, 1.0]), ("b", [losses[1], 0.0, 1.0])]);
            let Event::Validated { perplexities, perplexity, macro_perplexity, .. } =
                summary(&found).told(3)
            else {
                panic!("a validation")
            };
            (perplexities.into_values().collect::<Vec<_>>(), perplexity, macro_perplexity)
        };
        let (each, all, mean) = of([2_f64.ln(), 8_f64.ln()]);
        let near = |x: f64, y: f64| assert!((x - y).abs() < 1e-12, "{x} is not {y}");
        near(each[0], 2.0);
        near(each[1], 8.0);
        near(all.unwrap(), 4.0);
        near(mean.unwrap(), 5.0);
        // One that is too large to be a number.
        let (each, all, mean) = of([0.0, 800.0]);
        assert_eq!((each, all.is_some(), mean), (vec![1.0], true, None));
    }

    #[test]
    fn over_tokens_and_over_tasks() {
        let found = BTreeMap::from([("a", [30.0, 5.0, 10.0]), ("b", [30.0, 27.0, 30.0])]);
        let summary = summary(&found);
        assert_eq!((summary.loss, summary.accuracy), (1.5, 0.8));
        assert_eq!((summary.macro_loss, summary.macro_accuracy), (2.0, 0.7));
        assert_eq!((summary.losses["a"], summary.accuracies["b"]), (3.0, 0.9));
    }
}
