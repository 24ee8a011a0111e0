//! The `curriculum` block: weights, starting steps and strided copies of tasks, as MAMMOTH computes them.

use mmc_core::ir::experiment::{Introduction, WeightRule};
use mmc_plan::{Coupling, TaskSpec};

use super::draft::{Draft, whole};
use super::error::EmitFault;
use crate::yaml::Value;

/// A task with more than this share of the lines begins at once.
const DOMINANT: f64 = 0.75;
/// Parts of a share.
const PARTS: f64 = 1e9;

/// A task and what its block multiplies weights by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sized<'p> {
    pub(super) spec: &'p TaskSpec,
    pub(super) factor: f64,
}

/// The weight of every task and its number of strided copies, each of which has its part of the weight.
pub(super) fn weights(tasks: &[Sized<'_>], draft: &mut Draft<'_>) -> Vec<(Value, u32)> {
    let rule = &draft.experiment.curriculum.value;
    if rule.schedule == Coupling::Aligned {
        draft.sink.report(EmitFault::LeftOut {
            what: "`schedule = aligned`",
            reason: "GPUs of MAMMOTH draw each for itself, and synchronise more",
            span: draft.place("curriculum", "schedule"),
            help: "tasks come as often as before",
        });
    }
    if let Some(competence) = &rule.competence {
        let help = "MAMMOTH reads whole texts from the first step on: leave it out";
        draft.no_equal("a competence", competence.span, help);
    }
    let Some([piece]) = rule.pieces.first_chunk::<1>().filter(|_| rule.pieces.len() == 1) else {
        changing(draft);
        return Vec::new();
    };
    let all = total(tasks);
    let plain = |task: &Sized<'_>| match &piece.rule {
        WeightRule::Uniform => Some(1.0),
        WeightRule::Temperature(power) => {
            let share = relative(task, all, *power);
            Some(if rule.introduce == Introduction::ByWeight { share.sqrt() } else { share })
        }
        WeightRule::Table(table) => {
            table.get(&(task.spec.source.clone(), task.spec.target.clone())).copied()
        }
        #[expect(clippy::cast_precision_loss, reason = "parts per billion")]
        WeightRule::UniMax(_) => Some(task.spec.share as f64 / PARTS / task.factor),
        WeightRule::Anneal(_) => None,
    };
    if matches!(piece.rule, WeightRule::Anneal(_)) {
        changing(draft);
        return Vec::new();
    }
    let lanes = draft.experiment.lane_count();
    let one = |task: &Sized<'_>| {
        let copies = u32::try_from(task.spec.share.div_ceil(rule.split)).unwrap_or(lanes);
        let copies = copies.max(rule.team).min(lanes);
        let weight = plain(task).unwrap_or(0.0) * task.factor;
        let is_whole = piece.rule == WeightRule::Uniform && task.factor.total_cmp(&1.0).is_eq();
        let value = if is_whole { whole(1) } else { Value::Float(weight / f64::from(copies)) };
        (value, copies)
    };
    tasks.iter().map(one).collect()
}

fn changing(draft: &mut Draft<'_>) {
    let span = draft.place("curriculum", "weight");
    let help = "MAMMOTH's weights stay as they are: take one of `uniform`, `temperature(0.5)`, `unimax(epochs = 4)` and `table`";
    draft.no_equal("a weight that changes", span, help);
}

#[expect(clippy::cast_precision_loss, reason = "line counts are far below 2^53")]
fn total(tasks: &[Sized<'_>]) -> f64 {
    tasks.iter().map(|task| task.spec.corpus.train.lines).sum::<u64>() as f64
}

/// The platform's `pow`, as Python's: weights must agree with the peer's to the last bit.
#[expect(clippy::cast_precision_loss, reason = "line counts are far below 2^53")]
fn relative(task: &Sized<'_>, all: f64, power: f64) -> f64 {
    (task.spec.corpus.train.lines as f64 / all).powf(power)
}

/// The starting step of every task; the first one starts at once.
pub(super) fn starts(tasks: &[Sized<'_>], draft: &Draft<'_>) -> Vec<i128> {
    let rule = &draft.experiment.curriculum.value;
    let steps = draft.experiment.training.value.steps;
    let all = total(tasks);
    let power = match rule.pieces.first().map(|piece| &piece.rule) {
        Some(WeightRule::Temperature(power)) => *power,
        _ => 1.0,
    };
    let start = |task: &Sized<'_>| match &rule.introduce {
        Introduction::AtOnce => 0,
        Introduction::ByWeight => late(steps, relative(task, all, power).sqrt()),
        Introduction::BySize(power) => late(steps, relative(task, all, *power)),
        Introduction::Given(given) => {
            let pair = (task.spec.source.clone(), task.spec.target.clone());
            given.get(&pair).copied().unwrap_or(0).into()
        }
    };
    let starts: Vec<i128> = tasks.iter().map(start).collect();
    let least = starts.iter().min().copied().unwrap_or(0);
    starts.into_iter().map(|start| start - least).collect()
}

/// `steps (1 - share)`, halves to even.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "steps are far below 2^53, and the share lies between 0 and 1"
)]
fn late(steps: u64, share: f64) -> i128 {
    if share > DOMINANT { 0 } else { (steps as f64 * (1.0 - share)).round_ties_even() as i128 }
}
