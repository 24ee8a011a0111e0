//! One step: algorithm 1 of the MAMMOTH paper, made exact. `docs/plan-format.md` states it.
//!
//! Every lane of this rank runs its scheduled task; gradients of modules that lie on several ranks are summed by communicators in
//! the plan's order, with their divisors in the bucket's tail; the norm counts every module once, at its owner; then every
//! module that any lane trained is updated.

use std::collections::{BTreeMap, BTreeSet};

use mmc_plan::random::{Purpose, word};
use mmc_plan::{Normalise, Plan};
use mmc_text::batch::Batch;
use tch::{Kind, Tensor};

use crate::dist::World;
use crate::error::WorkerError;
use crate::model::Network;
use crate::optim;
use crate::store::Store;

/// What the lanes of all ranks did in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    /// Mean loss per target token, by task.
    pub losses: BTreeMap<String, f64>,
    /// Source tokens without padding.
    pub source_tokens: u64,
    /// Target tokens without padding.
    pub target_tokens: u64,
    /// Norm of the whole gradient before clipping.
    pub norm: f64,
    /// Learning rate.
    pub lr: f64,
    /// Whether some rank was asked to stop.
    pub stop: bool,
}

/// Numbers that every lane adds to the step's world-wide sum: loss, target tokens, source tokens.
const LANE_NUMBERS: usize = 3;

/// Executes steps on one rank.
#[derive(Debug)]
pub struct Stepper<'a> {
    plan: &'a Plan,
    world: &'a World,
    rank: usize,
    owned: BTreeSet<&'a str>,
    buckets: BTreeMap<&'a str, Tensor>,
}

impl<'a> Stepper<'a> {
    /// Prepares the buckets of this rank's communicators.
    pub fn new(plan: &'a Plan, world: &'a World, kind: Kind) -> Result<Self, WorkerError> {
        let rank = world.seat().rank as usize;
        let spec = plan.ranks.get(rank).ok_or(WorkerError::NoRank(rank))?;
        let mut buckets = BTreeMap::new();
        for communicator in &plan.communicators {
            if communicator.ranks.contains(&world.seat().rank) && !communicator.modules.is_empty() {
                let elements = i64::try_from(communicator.elements).unwrap_or(i64::MAX);
                let bucket = Tensor::f_zeros([elements], (kind, tch::Device::Cpu))?;
                buckets.insert(communicator.name.as_str(), bucket);
            }
        }
        let owned = spec.owns.iter().map(String::as_str).collect();
        Ok(Self { plan, world, rank, owned, buckets })
    }

    /// Runs a step. `batches` gives the lane's next batches of a task; `stop` asks all ranks to end.
    pub fn run(
        &mut self,
        step: u64,
        (store, network): (&mut Store, &Network),
        batches: &mut dyn FnMut(u32, &str) -> Result<Vec<Batch>, WorkerError>,
        stop: bool,
    ) -> Result<StepRecord, WorkerError> {
        let trained = self.trained(step);
        for module in store.modules.iter_mut().filter(|(name, _)| trained.contains(name.as_str())) {
            module.1.clear_gradient();
        }
        let mut numbers = vec![0.0; self.plan.lanes.len() * LANE_NUMBERS + 2];
        let mut divisors: BTreeMap<&str, f64> = BTreeMap::new();
        let lanes = self.plan.ranks.get(self.rank).map(|spec| spec.lanes.as_slice());
        for &lane in lanes.unwrap_or_default() {
            let Some(task) = self.plan.task_at(step, lane) else { continue };
            let ran = self.run_lane(step, lane, task, network, batches(lane, task)?)?;
            let divisor = match self.plan.training.normalise {
                Normalise::Tokens => ran.target_tokens,
                Normalise::Lanes => 1.0,
            };
            for module in self.plan.tasks.get(task).into_iter().flat_map(|spec| spec.modules()) {
                *divisors.entry(module).or_default() += divisor;
            }
            let at = lane as usize * LANE_NUMBERS;
            for (slot, number) in numbers
                .iter_mut()
                .skip(at)
                .zip([ran.loss, ran.target_tokens, ran.source_tokens])
            {
                *slot = number;
            }
        }
        self.sum_gradients(store, &trained, &mut divisors)?;
        let scales = |name: &str| divisors.get(name).map(|divisor| 1.0 / divisor);
        if let [.., norm, stops] = numbers.as_mut_slice() {
            *stops = f64::from(u8::from(stop));
            *norm = self.owned_norm(store, &trained, &scales);
        }
        self.world.sum_all(&mut numbers)?;
        let record = self.record(step, &numbers)?;
        self.update(step, store, &trained, &scales, record.norm)?;
        Ok(record)
    }

    /// The modules that any lane of any rank trains in a step: known to all ranks from the schedule.
    fn trained(&self, step: u64) -> BTreeSet<&'a str> {
        let lanes = 0..u32::try_from(self.plan.lanes.len()).unwrap_or(u32::MAX);
        let tasks: BTreeSet<&str> =
            lanes.filter_map(|lane| self.plan.task_at(step, lane)).collect();
        let specs = tasks.into_iter().filter_map(|task| self.plan.tasks.get(task));
        specs.flat_map(mmc_plan::TaskSpec::modules).collect()
    }

    /// Forward and backward passes of a lane's batches; gradients are added to the store's.
    fn run_lane(
        &self,
        step: u64,
        lane: u32,
        task: &str,
        network: &Network,
        batches: Vec<Batch>,
    ) -> Result<LaneNumbers, WorkerError> {
        let training = &self.plan.training;
        let mut ran = LaneNumbers::default();
        for batch in &batches {
            ran.source_tokens += count(batch.source_tokens);
            ran.target_tokens += count(batch.target_tokens);
        }
        let scale = match training.normalise {
            Normalise::Tokens => 1.0,
            Normalise::Lanes => 1.0 / ran.target_tokens.max(1.0),
        };
        for (micro, batch) in (0_u64..).zip(&batches) {
            // Keyed by lane, never by rank: the same masks wherever the lane runs.
            let key = [step, u64::from(lane), micro];
            let seed = word(self.plan.experiment.seed, Purpose::Dropout, &key);
            tch::manual_seed(seed.cast_signed());
            let sum = network.loss(task, batch, training.label_smoothing)?;
            ran.loss += sum.loss.detach().to_kind(Kind::Double).double_value(&[]);
            (sum.loss * scale).f_backward()?;
        }
        Ok(ran)
    }

    /// Sums gradients and divisors over the communicators. Afterwards the store's gradients and `divisors` are of all lanes.
    fn sum_gradients(
        &mut self,
        store: &mut Store,
        trained: &BTreeSet<&'a str>,
        divisors: &mut BTreeMap<&'a str, f64>,
    ) -> Result<(), WorkerError> {
        for communicator in &self.plan.communicators {
            let Some(bucket) = self.buckets.get(communicator.name.as_str()) else { continue };
            let modules: Vec<&str> = communicator
                .modules
                .iter()
                .map(String::as_str)
                .filter(|name| trained.contains(name))
                .collect();
            if modules.is_empty() {
                continue;
            }
            let mut end = 0;
            for name in &modules {
                if let Some(module) = store.modules.get(*name) {
                    bucket.f_narrow(0, end, module.elements())?.f_copy_(&module.gradient)?;
                    end += module.elements();
                }
            }
            let tail: Vec<f64> =
                modules.iter().map(|name| divisors.get(name).copied().unwrap_or(0.0)).collect();
            let slots = i64::try_from(tail.len()).unwrap_or(i64::MAX);
            bucket.f_narrow(0, end, slots)?.f_copy_(&Tensor::from_slice(&tail))?;
            self.world.sum(&communicator.name, &bucket.f_narrow(0, 0, end + slots)?)?;
            let tail = Vec::<f64>::try_from(bucket.f_narrow(0, end, slots)?.to_kind(Kind::Double))?;
            let mut offset = 0;
            for (name, divisor) in modules.iter().zip(tail) {
                if let Some(module) = store.modules.get_mut(*name) {
                    let summed = bucket.f_narrow(0, offset, module.elements())?;
                    module.gradient.f_copy_(&summed)?;
                    offset += module.elements();
                }
                divisors.insert(*name, divisor);
            }
        }
        Ok(())
    }

    /// The squared norm of the divided gradients of the modules that this rank owns.
    fn owned_norm(
        &self,
        store: &Store,
        trained: &BTreeSet<&str>,
        scales: &dyn Fn(&str) -> Option<f64>,
    ) -> f64 {
        let owned = trained.iter().filter(|name| self.owned.contains(**name));
        owned
            .filter_map(|name| {
                let norm = store.modules.get(*name)?.gradient.norm().double_value(&[]);
                Some((norm * scales(name)?).powi(2))
            })
            .sum()
    }

    fn record(&self, step: u64, numbers: &[f64]) -> Result<StepRecord, WorkerError> {
        let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        let (mut source, mut target) = (0.0, 0.0);
        for (lane, lane_numbers) in (0_u32..).zip(numbers.chunks_exact(LANE_NUMBERS)) {
            let (Some(task), [loss, target_tokens, source_tokens]) =
                (self.plan.task_at(step, lane), lane_numbers)
            else {
                continue;
            };
            if lane as usize >= self.plan.lanes.len() {
                break;
            }
            if !loss.is_finite() {
                let task = task.to_owned();
                return Err(WorkerError::NotFinite { step, lane, task, loss: *loss });
            }
            let sum = sums.entry(task).or_default();
            *sum = (sum.0 + loss, sum.1 + target_tokens);
            source += source_tokens;
            target += target_tokens;
        }
        let (norm, stop) = match numbers {
            [.., norm, stops] => (norm.sqrt(), *stops > 0.0),
            _ => (f64::NAN, false),
        };
        if !norm.is_finite() {
            return Err(WorkerError::NormNotFinite { step, norm });
        }
        let mean = |(task, (loss, tokens)): (&str, (f64, f64))| (task.to_owned(), loss / tokens.max(1.0));
        Ok(StepRecord {
            losses: sums.into_iter().map(mean).collect(),
            source_tokens: whole(source),
            target_tokens: whole(target),
            norm,
            lr: optim::learning_rate(&self.plan.training, step),
            stop,
        })
    }

    fn update(
        &self,
        step: u64,
        store: &mut Store,
        trained: &BTreeSet<&str>,
        scales: &dyn Fn(&str) -> Option<f64>,
        norm: f64,
    ) -> Result<(), WorkerError> {
        let training = &self.plan.training;
        // As torch.nn.utils.clip_grad_norm_: the small constant keeps a vanishing norm from dividing by zero.
        let clip = training.clip.map_or(1.0, |bound| (bound / (norm + 1e-6)).min(1.0));
        let lr = optim::learning_rate(training, step);
        for name in trained {
            let (Some(module), Some(scale)) = (store.modules.get_mut(*name), scales(name)) else {
                continue;
            };
            let gradient = module.gradient.f_mul_scalar_(clip * scale)?;
            optim::update(module, &gradient, &training.optimizer, lr)?;
        }
        Ok(())
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct LaneNumbers {
    loss: f64,
    target_tokens: f64,
    source_tokens: f64,
}

#[expect(clippy::cast_precision_loss, reason = "token counts of a step stay far below 2^53")]
fn count(tokens: u64) -> f64 {
    tokens as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of token counts is a whole number, not negative"
)]
fn whole(tokens: f64) -> u64 {
    tokens as u64
}
