//! What a step adds up: of a rank's lanes, then of all ranks.

use std::collections::{BTreeMap, BTreeSet};

use mmc_plan::{BadBatch, Plan, SplitLane};

use super::{Skipped, StepRecord};
use crate::counts;
use crate::dist::World;
use crate::error::WorkerError;
use crate::scaler::Scaler;

/// What a lane did in a step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LaneSum {
    /// Sum over target tokens.
    pub(super) loss: f64,
    /// Target tokens.
    pub(super) target: f64,
    /// Source tokens.
    pub(super) source: f64,
    /// Number of the first batch whose loss is no finite number, from 1; 0: there is none.
    pub(super) bad: f64,
    /// Sentences of the largest part of a batch that memory was too small for; 0: there was none.
    pub(super) refused: f64,
    /// Parts in which its batches were run.
    pub(super) parts: f64,
    /// Least and largest learning rate of the modules that it trains; zeros when it trains none.
    pub(super) lrs: [f64; 2],
}

/// Sums of a step: of this rank, then of all.
#[derive(Debug)]
pub(super) struct Sums<'a> {
    pub(super) step: u64,
    /// Modules that any lane trains, and how many do.
    pub(super) trained: BTreeMap<&'a str, u32>,
    /// Divisors of the modules' gradients.
    pub(super) divisors: BTreeMap<&'a str, f64>,
    /// By lane; zeros for those of other ranks.
    pub(super) lanes: Vec<LaneSum>,
    /// Most bytes that each rank has held; zeros for other ranks.
    pub(super) memory: Vec<f64>,
    /// Where losses, and so gradients, are scaled.
    scaler: Option<Scaler>,
    /// Sum of squares of the divided gradients.
    pub(super) squares: f64,
    /// Ranks that were asked to end.
    pub(super) stops: f64,
}

impl<'a> Sums<'a> {
    pub(super) fn new(plan: &'a Plan, step: u64, scaler: Option<Scaler>) -> Self {
        Self {
            step,
            trained: plan.lanes_training(step),
            divisors: BTreeMap::new(),
            lanes: vec![LaneSum::default(); plan.lanes.len()],
            memory: vec![0.0; plan.ranks.len()],
            scaler,
            squares: 0.0,
            stops: 0.0,
        }
    }

    pub(super) fn scale(&self) -> f64 {
        self.scaler.map_or(1.0, Scaler::scale)
    }

    /// What a module's gradient is divided by. Zero would mean that no lane had a token to learn from: its gradient is zero.
    pub(super) fn divisor(&self, module: &str) -> f64 {
        let divisor = self.divisors.get(module).copied().filter(|divisor| *divisor > 0.0);
        divisor.unwrap_or(1.0) * self.scale()
    }

    /// The scalars' all-reduce, in the order of `mmc_plan::collective`.
    pub(super) fn over_all_ranks(&mut self, world: &World) -> Result<(), WorkerError> {
        let of_lane = |l: &LaneSum| {
            let LaneSum { loss, target, source, bad, refused, parts, lrs: [least, most] } = *l;
            [loss, target, source, bad, refused, parts, least, most]
        };
        let mut numbers: Vec<f64> = self.lanes.iter().flat_map(of_lane).collect();
        numbers.extend(&self.memory);
        numbers.extend([self.squares, self.stops]);
        world.sum_all(&mut numbers)?;
        let width = of_lane(&LaneSum::default()).len();
        let (lanes, others) = numbers.split_at(width * self.lanes.len());
        for (lane, summed) in self.lanes.iter_mut().zip(lanes.chunks_exact(width)) {
            if let &[loss, target, source, bad, refused, parts, least, most] = summed {
                let lrs = [least, most];
                *lane = LaneSum { loss, target, source, bad, refused, parts, lrs };
            }
        }
        if let [memory @ .., squares, stops] = others {
            (self.memory, self.squares, self.stops) = (memory.to_vec(), *squares, *stops);
        }
        Ok(())
    }

    /// Whether all lanes' losses are finite.
    pub(super) fn losses_are_finite(&self) -> bool {
        self.lanes.iter().all(|lane| lane.bad < 1.0)
    }

    /// The step's record, of sums over all ranks.
    pub(super) fn record(&self, plan: &Plan) -> Result<StepRecord, WorkerError> {
        let step = self.step;
        let mut tasks: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (number, lane) in (0..).zip(&self.lanes) {
            let task = plan.task_at(step, number).ok_or(WorkerError::NoLane(number))?;
            let of_task = tasks.entry(task).or_default();
            *of_task = (of_task.0 + lane.loss, of_task.1 + lane.target);
        }
        let norm = rounded(self.squares.sqrt());
        let lrs = self.lanes.iter().map(|lane| lane.lrs).filter(|[_, most]| *most > 0.0);
        let [least, lr] = lrs.reduce(wider).unwrap_or_default();
        let is_good = self.losses_are_finite() && norm.is_finite();
        let mean =
            |(task, (loss, tokens)): (&str, (f64, f64))| (task.to_owned(), loss / tokens.max(1.0));
        Ok(StepRecord {
            losses: tasks.into_iter().map(mean).filter(|(_, loss)| loss.is_finite()).collect(),
            source_tokens: counts::whole(self.lanes.iter().map(|lane| lane.source).sum()),
            target_tokens: counts::whole(self.lanes.iter().map(|lane| lane.target).sum()),
            norm: is_good.then_some(norm),
            scale: self.scaler.map(Scaler::scale),
            lr,
            least_lr: (least < lr).then_some(least),
            memory: self.memory.iter().copied().map(counts::whole).collect(),
            splits: self.splits(plan),
            skipped: None,
            stop: self.stops > 0.0,
        })
    }

    /// The lanes with batches that memory was too small for.
    fn splits(&self, plan: &Plan) -> Vec<SplitLane> {
        let of_lane = |(lane, sum): (u32, &LaneSum)| {
            let task = plan.task_at(self.step, lane)?.to_owned();
            let (sentences, parts) = (number(sum.refused), number(sum.parts));
            (sentences > 0).then_some(SplitLane { lane, task, sentences, parts })
        };
        (0..).zip(&self.lanes).filter_map(of_lane).collect()
    }

    /// What a step that changes nothing is put down to.
    pub(super) fn blamed(&self, plan: &Plan) -> Skipped {
        let of_lane = |(lane, sum): (u32, &LaneSum)| {
            let task = plan.task_at(self.step, lane)?.to_owned();
            (sum.bad > 0.0).then_some(BadBatch { lane, task, batch: number(sum.bad) })
        };
        let batches: Vec<BadBatch> = (0..).zip(&self.lanes).filter_map(of_lane).collect();
        let mut tasks: BTreeSet<&str> = batches.iter().map(|bad| bad.task.as_str()).collect();
        if tasks.is_empty() {
            tasks = plan.tasks_in(self.step);
        }
        let tasks = tasks.into_iter().map(str::to_owned).collect();
        Skipped { batches, tasks }
    }
}

/// The least and the largest of two pairs.
pub(super) fn wider([least, most]: [f64; 2], [other_least, other_most]: [f64; 2]) -> [f64; 2] {
    [least.min(other_least), most.max(other_most)]
}

/// A number rounded to 24 bits: so the order in which ranks summed it does not show.
#[expect(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
pub(super) fn rounded(number: f64) -> f64 {
    f64::from(number as f32)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small count of one lane, and zeros"
)]
fn number(count: f64) -> u32 {
    count as u32
}
