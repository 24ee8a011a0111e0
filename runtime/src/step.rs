//! One step: algorithm 1 of the MAMMOTH paper, made exact. `mmc_plan::collective` states what ranks say to each other.
//!
//! Every lane of this rank runs its scheduled task; gradients of modules that lie on several ranks are summed by communicators in
//! the plan's order, with their divisors in the bucket's tail; the norm counts every module once, at its owner; then every
//! module that any lane trained is updated.

use std::collections::{BTreeMap, BTreeSet};

use mmc_plan::{
    ClipScope, CollectiveCall, CollectivePurpose, Normalise, Plan, Precision, TaskSpec,
};
use tch::{Device, Kind, Tensor};

use crate::dist::World;
use crate::error::WorkerError;
use crate::flat;
use crate::model::{Batch, Direction, Masks, Mode, Objective};
use crate::optim;
use crate::scaler::Scaler;
use crate::store::{ModuleStore, Store, Sum};

/// What the lanes of all ranks did in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    /// Mean loss per target token, by task.
    pub losses: BTreeMap<String, f64>,
    /// Source tokens without padding.
    pub source_tokens: u64,
    /// Target tokens without padding.
    pub target_tokens: u64,
    /// Norm of the whole gradient before clipping; none when it overflowed, and nothing was updated.
    pub norm: Option<f64>,
    /// What the loss was multiplied by, where it is scaled.
    pub scale: Option<f64>,
    /// Learning rate.
    pub lr: f64,
    /// Whether some rank was asked to stop.
    pub stop: bool,
}

/// Gives a lane's next batches of a task.
pub type Supply<'f> = dyn FnMut(u32, &str) -> Result<Vec<Batch>, WorkerError> + 'f;

/// Where a communicator's gradients are summed: lanes add to it, and all-reduces run over it.
#[derive(Debug)]
struct Bucket {
    /// 64-bit; of 64-bit gradients, their leading 24 bits.
    head: Tensor,
    /// The other bits of 64-bit gradients.
    rest: Option<Tensor>,
}

/// Executes steps on one rank.
#[derive(Debug)]
pub struct Stepper<'a> {
    plan: &'a Plan,
    world: &'a World,
    lanes: &'a [u32],
    owned: BTreeSet<&'a str>,
    buckets: BTreeMap<&'a str, Bucket>,
    directions: BTreeMap<String, Direction>,
    /// In half precision.
    pub scaler: Option<Scaler>,
}

impl<'a> Stepper<'a> {
    /// Prepares the buckets of this rank's communicators. `directions` are those of its tasks.
    pub fn new(
        plan: &'a Plan,
        world: &'a World,
        directions: BTreeMap<String, Direction>,
    ) -> Result<Self, WorkerError> {
        let rank = world.seat().rank;
        let spec = plan.ranks.get(rank as usize).ok_or(WorkerError::NoRank(rank))?;
        let mut buckets = BTreeMap::new();
        for communicator in &plan.communicators {
            if communicator.ranks.contains(&rank) && !communicator.modules.is_empty() {
                let elements = i64::try_from(communicator.elements).unwrap_or(i64::MAX);
                let room = || Tensor::f_zeros([elements], (Kind::Double, world.device()));
                let wide = plan.training.precision == Precision::Fp64;
                let bucket = Bucket { head: room()?, rest: wide.then(room).transpose()? };
                buckets.insert(communicator.name.as_str(), bucket);
            }
        }
        let owned = spec.owns.iter().map(String::as_str).collect();
        let scaler = Scaler::of(&plan.training);
        Ok(Self { plan, world, lanes: &spec.lanes, owned, buckets, directions, scaler })
    }

    /// A task's way through the network.
    pub fn direction(&self, task: &str) -> Result<&Direction, WorkerError> {
        self.directions.get(task).ok_or_else(|| WorkerError::NoTask(task.to_owned()))
    }

    /// Runs a step (from 1). `asked` tells that a signal asked this rank to end.
    pub fn run(
        &mut self,
        step: u64,
        store: &mut Store,
        supply: &mut Supply<'_>,
        asked: bool,
    ) -> Result<StepRecord, WorkerError> {
        let plan = self.plan;
        let mut calls = plan.collectives(self.world.seat().rank, step);
        calls.retain(|call| call.purpose == CollectivePurpose::Gradients);
        self.open_sums(step, store, &calls)?;
        let mut sums = Sums::new(plan, step, self.scaler);
        for &lane in self.lanes {
            self.run_lane(step, lane, store, &supply(lane, self.task(step, lane)?)?, &mut sums)?;
        }
        for call in &calls {
            self.sum_gradients(store, call, &mut sums.divisors)?;
        }
        sums.trained.retain(|name| store.modules.contains_key(*name));
        sums.squares = self.squares(store, &sums)?;
        sums.stops = f64::from(u8::from(asked));
        sums.over_all_ranks(self.world)?;
        let record = sums.record(plan)?;
        if let Some(scaler) = &mut self.scaler {
            scaler.see(record.norm.is_some());
        }
        match record.norm {
            Some(norm) => self.update(step, store, &sums, norm)?,
            None => clear(store, &sums)?,
        }
        Ok(record)
    }

    /// Tells every module where its gradients are summed: in the bucket of its communicator; else, when several lanes of this
    /// rank train it, in its own room; else nowhere, as one lane's gradient is the sum.
    fn open_sums(
        &self,
        step: u64,
        store: &mut Store,
        calls: &[CollectiveCall<'a>],
    ) -> Result<(), WorkerError> {
        let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
        for &lane in self.lanes {
            for module in self.trained_by(self.task(step, lane)?) {
                *uses.entry(module).or_default() += 1;
            }
        }
        for call in calls {
            let bucket = self.bucket(call.communicator)?;
            let mut offset = 0;
            for name in &call.modules {
                let module = store.module(name)?;
                let place = |room: &Tensor| room.f_narrow(0, offset, module.elements());
                let head = place(&bucket.head)?;
                let rest = bucket.rest.as_ref().map(place).transpose()?;
                offset += module.elements();
                module.sum_at(Sum::new(head, rest));
                uses.remove(name);
            }
        }
        for (name, _) in uses.into_iter().filter(|(_, lanes)| *lanes > 1) {
            store.module(name)?.sum_here()?;
        }
        Ok(())
    }

    /// The modules of a task that are not frozen, each once.
    fn trained_by(&self, task: &str) -> impl Iterator<Item = &'a str> {
        let plan = self.plan;
        let all = plan.tasks.get(task).into_iter().flat_map(TaskSpec::modules);
        all.filter(|name| plan.modules.get(*name).is_none_or(|module| !module.frozen))
    }

    fn bucket(&self, communicator: &str) -> Result<&Bucket, WorkerError> {
        let unknown = || WorkerError::NoBucket(communicator.to_owned());
        self.buckets.get(communicator).ok_or_else(unknown)
    }

    fn task(&self, step: u64, lane: u32) -> Result<&'a str, WorkerError> {
        self.plan.task_at(step, lane).ok_or(WorkerError::NoLane(lane))
    }

    /// Forward and backward passes of a lane's batches; their gradients and counts are added to the step's.
    fn run_lane(
        &self,
        step: u64,
        lane: u32,
        store: &mut Store,
        batches: &[Batch],
        sums: &mut Sums<'a>,
    ) -> Result<(), WorkerError> {
        let (training, task) = (&self.plan.training, self.task(step, lane)?);
        let direction = self.direction(task)?;
        let tokens: f64 = batches.iter().map(|batch| count(batch.tokens())).sum();
        let (scale, divisor) = match training.normalise {
            Normalise::Tokens => (1.0, tokens),
            Normalise::Lanes => (1.0 / tokens.max(1.0), 1.0),
        };
        let objective =
            Objective { smoothing: training.label_smoothing, factor: scale * sums.scale() };
        let mut losses = Vec::with_capacity(batches.len());
        let mut source = 0.0;
        for (micro, batch) in (0_u64..).zip(batches) {
            // Keyed by lane, never by rank: the same masks wherever the lane runs.
            let counters = [step, u64::from(lane), micro];
            let masks = Masks::on(self.plan.experiment.seed, &counters, self.world.device());
            let sum = direction.loss(batch, Mode::Train(&masks), objective);
            losses.push(sum.loss.f_to_kind(Kind::Double)?);
            sum.root.f_backward()?;
            source += batch.ids().first().map_or(0.0, |&ids| count(ids));
        }
        // Read when all batches have run: a loss may still be in the making on a device.
        let losses = Tensor::f_stack(&losses, 0)?.f_to_device(Device::Cpu)?;
        let losses: Vec<f64> = Vec::try_from(&losses)?;
        if let Some(at) = losses.iter().position(|loss| !loss.is_finite()) {
            return Err(self.no_loss(step, lane, store, (at, &losses)));
        }
        let loss = losses.iter().sum();
        if let Some(of_lane) = sums.lanes.get_mut(lane as usize) {
            *of_lane = LaneSum { loss, target: tokens, source };
        }
        for module in self.trained_by(task) {
            *sums.divisors.entry(module).or_default() += divisor;
            if let Some(module) = store.modules.get_mut(module) {
                module.add_to_sum()?;
            }
        }
        Ok(())
    }

    /// The fault of a lane's first loss that is no number: number `at` (from 0) of its `losses`.
    fn no_loss(
        &self,
        step: u64,
        lane: u32,
        store: &Store,
        (at, losses): (usize, &[f64]),
    ) -> WorkerError {
        let task = match self.task(step, lane) {
            Ok(task) => task.to_owned(),
            Err(fault) => return fault,
        };
        let modules = self.plan.tasks.get(&task).map(TaskSpec::modules).unwrap_or_default();
        let finite = |name: &&&str| {
            store.modules.get(**name).is_some_and(|module| {
                module.flat.f_sum(Kind::Double).is_ok_and(|sum| sum.double_value(&[]).is_finite())
            })
        };
        let broken = modules.iter().filter(|name| !finite(name));
        WorkerError::Loss {
            step,
            lane,
            task,
            batch: at + 1,
            batches: losses.len(),
            loss: losses.get(at).copied().unwrap_or(f64::NAN),
            broken: broken.map(|name| (*name).to_owned()).collect(),
            modules: modules.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Sums gradients and divisors over one communicator: afterwards they are of all lanes.
    fn sum_gradients(
        &self,
        store: &mut Store,
        call: &CollectiveCall<'a>,
        divisors: &mut BTreeMap<&'a str, f64>,
    ) -> Result<(), WorkerError> {
        for name in &call.modules {
            store.module(name)?.close_sum()?;
        }
        let bucket = self.bucket(call.communicator)?;
        let elements = i64::try_from(call.elements).unwrap_or(i64::MAX);
        let slots = i64::try_from(call.modules.len()).unwrap_or(i64::MAX);
        let used = bucket.head.f_narrow(0, 0, elements)?;
        let mut tail = used.f_narrow(0, elements - slots, slots)?;
        let own = call.modules.iter().map(|name| divisors.get(name).copied().unwrap_or(0.0));
        tail.f_copy_(&Tensor::from_slice(&own.collect::<Vec<f64>>()))?;
        self.world.sum(call.communicator, &used)?;
        divisors.extend(
            call.modules
                .iter()
                .copied()
                .zip(Vec::<f64>::try_from(&tail.f_to_device(Device::Cpu)?)?),
        );
        if let Some(rest) = &bucket.rest {
            self.world.sum(call.communicator, &rest.f_narrow(0, 0, elements)?)?;
        }
        Ok(())
    }

    /// The sum of squares of the divided gradients that this rank owns; infinite when the scale of the loss was too large.
    fn squares(&self, store: &mut Store, sums: &Sums<'a>) -> Result<f64, WorkerError> {
        let mut sum = 0.0;
        for name in sums.trained.iter().filter(|name| self.owned.contains(*name)) {
            let of_module = squares(store.module(name)?, sums.divisor(name))?;
            if !of_module.is_finite() {
                if self.scaler.is_some_and(Scaler::may_be_too_large) {
                    return Ok(f64::INFINITY);
                }
                return Err(self.no_gradient(sums.step, name, of_module.sqrt()));
            }
            sum += of_module;
        }
        Ok(sum)
    }

    /// The fault of a module whose gradient is no number.
    fn no_gradient(&self, step: u64, module: &str, norm: f64) -> WorkerError {
        let trains = |task: &&str| self.trained_by(task).any(|name| name == module);
        let tasks = self.plan.tasks_in(step).into_iter().filter(trains);
        let tasks = tasks.map(str::to_owned).collect();
        WorkerError::Gradient { step, module: module.to_owned(), norm, tasks }
    }

    /// Clips and updates every trained module of this rank.
    fn update(
        &self,
        step: u64,
        store: &mut Store,
        sums: &Sums<'a>,
        norm: f64,
    ) -> Result<(), WorkerError> {
        for name in &sums.trained {
            let module = store.module(name)?;
            let divisor = sums.divisor(name);
            let clip = match (self.plan.training.clip, self.plan.training.clip_scope) {
                (None, _) => 1.0,
                (Some(bound), ClipScope::Global) => optim::clipping(bound, norm),
                (Some(bound), ClipScope::Module) => {
                    optim::clipping(bound, rounded(squares(module, divisor)?.sqrt()))
                }
            };
            let lr = optim::rate_of(self.plan, step, module);
            optim::update(module, &self.plan.training.optimizer, lr, clip / divisor)?;
            module.clear()?;
        }
        Ok(())
    }
}

/// Leaves the trained modules as they were before the step.
fn clear(store: &mut Store, sums: &Sums<'_>) -> Result<(), WorkerError> {
    sums.trained.iter().try_for_each(|name| Ok(store.module(name)?.clear()?))
}

/// The sum of squares of a module's divided gradient.
fn squares(module: &ModuleStore, divisor: f64) -> Result<f64, WorkerError> {
    let (gradient, rest) = module.summed();
    Ok(flat::squares(gradient, rest)? / (divisor * divisor))
}

/// What a lane did in a step.
#[derive(Debug, Clone, Copy, Default)]
struct LaneSum {
    loss: f64,
    target: f64,
    source: f64,
}

/// Sums of a step: of this rank, then of all.
#[derive(Debug)]
struct Sums<'a> {
    step: u64,
    /// Modules that any lane trains.
    trained: BTreeSet<&'a str>,
    /// Divisors of the modules' gradients.
    divisors: BTreeMap<&'a str, f64>,
    /// By lane; zeros for those of other ranks.
    lanes: Vec<LaneSum>,
    /// Where losses, and so gradients, are scaled.
    scaler: Option<Scaler>,
    /// Sum of squares of the divided gradients.
    squares: f64,
    /// Ranks that were asked to end.
    stops: f64,
}

impl<'a> Sums<'a> {
    fn new(plan: &'a Plan, step: u64, scaler: Option<Scaler>) -> Self {
        Self {
            step,
            trained: plan.trained_in(step),
            divisors: BTreeMap::new(),
            lanes: vec![LaneSum::default(); plan.lanes.len()],
            scaler,
            squares: 0.0,
            stops: 0.0,
        }
    }

    fn scale(&self) -> f64 {
        self.scaler.map_or(1.0, Scaler::scale)
    }

    /// What a module's gradient is divided by. Zero would mean that no lane had a token to learn from: its gradient is zero.
    fn divisor(&self, module: &str) -> f64 {
        let divisor = self.divisors.get(module).copied().filter(|divisor| *divisor > 0.0);
        divisor.unwrap_or(1.0) * self.scale()
    }

    /// The scalars' all-reduce, in the order of `mmc_plan::collective`.
    fn over_all_ranks(&mut self, world: &World) -> Result<(), WorkerError> {
        let of_lane = |lane: &LaneSum| [lane.loss, lane.target, lane.source];
        let mut numbers: Vec<f64> = self.lanes.iter().flat_map(of_lane).collect();
        numbers.extend([self.squares, self.stops]);
        world.sum_all(&mut numbers)?;
        for (lane, summed) in self.lanes.iter_mut().zip(numbers.chunks_exact(3)) {
            if let &[loss, target, source] = summed {
                *lane = LaneSum { loss, target, source };
            }
        }
        if let [.., squares, stops] = numbers.as_slice() {
            (self.squares, self.stops) = (*squares, *stops);
        }
        Ok(())
    }

    fn record(&self, plan: &Plan) -> Result<StepRecord, WorkerError> {
        let step = self.step;
        let mut tasks: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (number, lane) in (0..).zip(&self.lanes) {
            let task = plan.task_at(step, number).ok_or(WorkerError::NoLane(number))?;
            let of_task = tasks.entry(task).or_default();
            *of_task = (of_task.0 + lane.loss, of_task.1 + lane.target);
        }
        let norm = Some(rounded(self.squares.sqrt())).filter(|norm| norm.is_finite());
        if norm.is_none() && !self.scaler.is_some_and(Scaler::may_be_too_large) {
            let norm = self.squares.sqrt();
            let tasks = tasks.into_keys().map(str::to_owned).collect();
            return Err(WorkerError::NormNotFinite { step, norm, tasks });
        }
        let mean =
            |(task, (loss, tokens)): (&str, (f64, f64))| (task.to_owned(), loss / tokens.max(1.0));
        Ok(StepRecord {
            losses: tasks.into_iter().map(mean).collect(),
            source_tokens: whole(self.lanes.iter().map(|lane| lane.source).sum()),
            target_tokens: whole(self.lanes.iter().map(|lane| lane.target).sum()),
            norm,
            scale: self.scaler.map(Scaler::scale),
            lr: optim::learning_rate(plan, step),
            stop: self.stops > 0.0,
        })
    }
}

/// A number rounded to 24 bits: so the order in which ranks summed it does not show.
#[expect(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
fn rounded(number: f64) -> f64 {
    f64::from(number as f32)
}

#[expect(clippy::cast_precision_loss, reason = "token counts of a step stay far below 2^53")]
fn count(tokens: i64) -> f64 {
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

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use mmc_plan::sample::Sample;

    use super::*;
    use crate::dist::Seat;
    use crate::model::Network;

    /// A first step, and what it left.
    struct First {
        said: Result<StepRecord, WorkerError>,
        /// The scale behind it.
        scale: Option<f64>,
        /// Whether some parameter changed.
        learnt: bool,
    }

    /// The first step of a direction after `spoil` had its way with it.
    fn first(precision: Precision, spoil: impl FnOnce(&mut Stepper<'_>, &mut Store)) -> First {
        let mut sample = Sample::new(&["de", "en"], 1, &[&[0]]);
        sample.training.precision = precision;
        let plan = sample.plan();
        let (host, port) = (String::new(), 0);
        let seat = Seat { rank: 0, world: 1, local_rank: 0, local_world: None, host, port };
        let world =
            World::join(&plan, seat, Device::Cpu, std::time::Duration::from_secs(1)).unwrap();
        let mut store = Store::new(&plan, 0, Device::Cpu).unwrap();
        let network = Network::build(&plan, &store.weights()).unwrap().computing_in(precision);
        let direction =
            |(name, task): (&String, &TaskSpec)| (name.clone(), network.direction(task).unwrap());
        let directions = plan.tasks.iter().map(direction).collect();
        let mut stepper = Stepper::new(&plan, &world, directions).unwrap();
        spoil(&mut stepper, &mut store);
        let batch = || {
            let row = std::slice::from_ref::<Range<usize>>;
            Batch::new(&[vec![5, 6, 2]], &[vec![1, 7, 2]], row(&(0..2)), Device::Cpu)
        };
        let supply: &mut Supply<'_> = &mut |_, _| Ok(vec![batch(), batch()]);
        let flat = |store: &Store| store.modules.values().map(|m| m.flat.copy()).collect();
        let before: Vec<Tensor> = flat(&store);
        let said = stepper.run(1, &mut store, supply, false);
        let after: Vec<Tensor> = flat(&store);
        let left = store.modules.values().map(|module| module.gradient.abs().sum(Kind::Double));
        assert!(said.is_err() || left.into_iter().all(|sum| sum.double_value(&[]) < 1e-300));
        let learnt = !before.iter().zip(&after).all(|(one, other)| one.equal(other));
        First { said, scale: stepper.scaler.map(Scaler::scale), learnt }
    }

    /// What the first step says after `spoil` had its way with the rank's modules.
    fn fault(spoil: impl FnOnce(&mut Store)) -> String {
        let first = first(Precision::Fp32, |_, store| spoil(store));
        first.said.unwrap_err().to_string()
    }

    #[test]
    fn a_gradient_that_overflows_half_precision_changes_nothing_but_the_scale() {
        let with = |scale: f64| {
            first(Precision::Fp16, |stepper, _| stepper.scaler = Some(Scaler::at(scale)))
        };
        let huge = 2.0_f64.powi(40);
        let skipped = with(huge);
        let record = skipped.said.unwrap();
        assert_eq!((record.norm, record.scale), (None, Some(huge)));
        assert_eq!((skipped.scale, skipped.learnt), (Some(huge / 2.0), false));
        // Powers of two are divided out again.
        let [one, other] = [256.0, 1024.0].map(with);
        assert!(one.learnt && other.learnt);
        assert_eq!((one.scale, other.scale), (Some(256.0), Some(1024.0)));
        let [one, other] = [one, other].map(|first| first.said.unwrap().norm.unwrap());
        assert!((one / other - 1.0).abs() < 1e-3, "{one} is not {other}");
    }

    #[test]
    fn a_gradient_that_overflows_unscaled_is_a_fault_in_half_precision_too() {
        let spoilt = |scale: f64| {
            first(Precision::Fp16, |stepper, store| {
                stepper.scaler = Some(Scaler::at(scale));
                let gradient = &mut store.module("encoder.1.full").unwrap().gradient;
                let _ = gradient.f_fill_(f64::INFINITY).unwrap();
            })
        };
        assert_eq!(spoilt(2.0).said.unwrap().norm, None);
        let said = spoilt(Scaler::LEAST).said.unwrap_err().to_string();
        assert!(said.contains("gradient of module `encoder.1.full`"), "{said}");
    }

    #[test]
    fn a_loss_that_is_no_number_is_named_with_batch_task_and_modules() {
        let said = fault(|store| {
            let _ = store.module("encoder.1.full").unwrap().flat.f_fill_(f64::NAN).unwrap();
        });
        assert!(said.starts_with("step 1, lane 0, task `t."), "{said}");
        assert!(said.contains("batch 1 of 2 has a loss of NaN"), "{said}");
        assert!(said.contains("parameters that are not finite: of `encoder.1.full`"), "{said}");
        // Products overflow, although every parameter is a number.
        let said = fault(|store| {
            let _ = store.module("encoder.1.full").unwrap().flat.f_fill_(1e30).unwrap();
        });
        assert!(said.contains("are finite: `") && said.contains("`encoder.1.full`"), "{said}");
    }

    #[test]
    fn a_gradient_that_is_no_number_is_named_with_its_module_and_tasks() {
        let said = fault(|store| {
            let gradient = &mut store.module("encoder.1.full").unwrap().gradient;
            let _ = gradient.f_fill_(f64::INFINITY).unwrap();
        });
        assert!(said.contains("gradient of module `encoder.1.full`"), "{said}");
        assert!(said.contains("norm of inf (tasks t."), "{said}");
    }
}
