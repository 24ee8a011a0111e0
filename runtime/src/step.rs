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
use crate::ffi;
use crate::model::{Batch, Direction, Masks, Mode};
use crate::optim;
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
    /// Norm of the whole gradient before clipping.
    pub norm: f64,
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
                let room = || Tensor::f_zeros([elements], (Kind::Double, Device::Cpu));
                let wide = plan.training.precision == Precision::Fp64;
                let bucket = Bucket { head: room()?, rest: wide.then(room).transpose()? };
                buckets.insert(communicator.name.as_str(), bucket);
            }
        }
        let owned = spec.owns.iter().map(String::as_str).collect();
        Ok(Self { plan, world, lanes: &spec.lanes, owned, buckets, directions })
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
        let mut sums = Sums::new(plan, step);
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
        let record = sums.record(plan, step)?;
        self.update(step, store, &sums, record.norm)?;
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
        let mut total = Tensor::f_zeros([], (Kind::Double, Device::Cpu))?;
        let mut source = 0.0;
        for (micro, batch) in (0_u64..).zip(batches) {
            // Keyed by lane, never by rank: the same masks wherever the lane runs.
            let masks = Masks::new(self.plan.experiment.seed, &[step, u64::from(lane), micro]);
            let sum = direction.loss(batch, Mode::Train(&masks), training.label_smoothing);
            let _ = total.f_add_(&sum.loss.detach())?;
            (sum.loss * scale).f_backward()?;
            source += batch.ids().first().map_or(0.0, |&ids| count(ids));
        }
        let loss = total.f_double_value(&[])?;
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
        divisors.extend(call.modules.iter().copied().zip(Vec::<f64>::try_from(&tail)?));
        if let Some(rest) = &bucket.rest {
            self.world.sum(call.communicator, &rest.f_narrow(0, 0, elements)?)?;
        }
        Ok(())
    }

    /// The sum of squares of the divided gradients that this rank owns.
    fn squares(&self, store: &mut Store, sums: &Sums<'a>) -> Result<f64, WorkerError> {
        let mut sum = 0.0;
        for name in sums.trained.iter().filter(|name| self.owned.contains(*name)) {
            sum += squares(store.module(name)?, sums.divisor(name))?;
        }
        Ok(sum)
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

/// The sum of squares of a module's divided gradient.
fn squares(module: &ModuleStore, divisor: f64) -> Result<f64, WorkerError> {
    let (gradient, rest) = module.summed();
    Ok(ffi::squares(gradient, rest)? / (divisor * divisor))
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
    /// Modules that any lane trains.
    trained: BTreeSet<&'a str>,
    /// Divisors of the modules' gradients.
    divisors: BTreeMap<&'a str, f64>,
    /// By lane; zeros for those of other ranks.
    lanes: Vec<LaneSum>,
    /// Sum of squares of the divided gradients.
    squares: f64,
    /// Ranks that were asked to end.
    stops: f64,
}

impl<'a> Sums<'a> {
    fn new(plan: &'a Plan, step: u64) -> Self {
        Self {
            trained: plan.trained_in(step),
            divisors: BTreeMap::new(),
            lanes: vec![LaneSum::default(); plan.lanes.len()],
            squares: 0.0,
            stops: 0.0,
        }
    }

    /// What a module's gradient is divided by. Zero would mean that no lane had a token to learn from: its gradient is zero.
    fn divisor(&self, module: &str) -> f64 {
        self.divisors.get(module).copied().filter(|divisor| *divisor > 0.0).unwrap_or(1.0)
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

    fn record(&self, plan: &Plan, step: u64) -> Result<StepRecord, WorkerError> {
        let mut tasks: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (number, lane) in (0..).zip(&self.lanes) {
            let task = plan.task_at(step, number).ok_or(WorkerError::NoLane(number))?;
            if !lane.loss.is_finite() {
                let (task, loss) = (task.to_owned(), lane.loss);
                return Err(WorkerError::NotFinite { step, lane: number, task, loss });
            }
            let of_task = tasks.entry(task).or_default();
            *of_task = (of_task.0 + lane.loss, of_task.1 + lane.target);
        }
        let norm = rounded(self.squares.sqrt());
        if !norm.is_finite() {
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
