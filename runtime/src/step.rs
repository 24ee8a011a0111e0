//! One step: algorithm 1 of the MAMMOTH paper, made exact. `mmc_plan::collective` states what ranks say to each other.
//!
//! Every lane of this rank runs its scheduled task; gradients of modules that lie on several ranks are summed by communicators,
//! with their divisors in the bucket's tail, while lanes go on; the norm counts every module once, at its owner; then every
//! module that any lane trained is updated.

mod exchange;
mod fitted;
mod lane;
mod sums;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use mmc_plan::{
    BadBatch, ClipScope, CollectivePurpose, Normalise, Optimizer, Plan, Precision, SplitLane,
    TaskSpec,
};
use tch::{Kind, Tensor};

use crate::counts;
use crate::dist::World;
use crate::error::WorkerError;
use crate::flat;
use crate::gpu;
use crate::memory;
use crate::model::{Batch, Direction, Objective};
use crate::optim;
use crate::scaler::Scaler;
use crate::skips::Skips;
use crate::store::{ModuleStore, Store};

use exchange::{Exchange, Room};
use fitted::Fitted;
use lane::{Hand, Passed};
use sums::{LaneSum, Sums, rounded, wider};

/// What the lanes of all ranks did in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    /// Mean loss per target token, by task; without those that are no finite number.
    pub losses: BTreeMap<String, f64>,
    /// Source tokens without padding.
    pub source_tokens: u64,
    /// Target tokens without padding.
    pub target_tokens: u64,
    /// Norm of the whole gradient before clipping; none when nothing was updated.
    pub norm: Option<f64>,
    /// What the loss was multiplied by, where it is scaled.
    pub scale: Option<f64>,
    /// Largest learning rate of the modules that were trained.
    pub lr: f64,
    /// The least, where not all are equal.
    pub least_lr: Option<f64>,
    /// Most bytes that each rank has held so far.
    pub memory: Vec<u64>,
    /// Lanes with batches that memory was too small for.
    pub splits: Vec<SplitLane>,
    /// Why nothing was updated, unless the scale of the loss was too large.
    pub skipped: Option<Skipped>,
    /// Whether some rank was asked to stop.
    pub stop: bool,
}

/// Why a step was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Batches whose loss was no finite number, one a lane; none: it was the gradient.
    pub batches: Vec<BadBatch>,
    /// Tasks that it may come from.
    pub tasks: Vec<String>,
}

/// Gives a lane's next batches of a task.
pub type Supply<'f> = dyn FnMut(u32, &str) -> Result<Vec<Batch>, WorkerError> + 'f;

/// Executes steps on one rank.
#[derive(Debug)]
pub struct Stepper<'a> {
    plan: &'a Plan,
    world: &'a World,
    lanes: &'a [u32],
    owned: BTreeSet<&'a str>,
    /// By communicator.
    rooms: BTreeMap<&'a str, Room>,
    directions: BTreeMap<String, Direction>,
    /// In half precision.
    pub scaler: Option<Scaler>,
    /// Steps that were left out.
    pub skips: Skips,
    /// Batches whose backward pass memory was large enough for.
    fitted: RefCell<Fitted<'a>>,
    /// Most sentences that fit into memory.
    #[cfg(test)]
    fitting: Option<usize>,
}

impl<'a> Stepper<'a> {
    /// Prepares room for the buckets of this rank's communicators. `directions` are those of its tasks.
    pub fn new(
        plan: &'a Plan,
        world: &'a World,
        directions: BTreeMap<String, Direction>,
    ) -> Result<Self, WorkerError> {
        let rank = world.seat().rank;
        let spec = plan.ranks.get(rank as usize).ok_or(WorkerError::NoRank(rank))?;
        let mut rooms = BTreeMap::new();
        for communicator in &plan.communicators {
            if communicator.ranks.contains(&rank) && !communicator.modules.is_empty() {
                let elements = i64::try_from(communicator.elements).unwrap_or(i64::MAX);
                let room = || Tensor::f_zeros([elements], (Kind::Double, world.device()));
                let wide = plan.training.precision == Precision::Fp64;
                let room = Room { head: room()?, rest: wide.then(room).transpose()? };
                rooms.insert(communicator.name.as_str(), room);
            }
        }
        let owned = spec.owns.iter().map(String::as_str).collect();
        let scaler = Scaler::of(&plan.training);
        let (lanes, skips) = (spec.lanes.as_slice(), Skips::default());
        Ok(Self {
            plan,
            world,
            lanes,
            owned,
            rooms,
            directions,
            scaler,
            skips,
            fitted: RefCell::default(),
            #[cfg(test)]
            fitting: None,
        })
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
        let mut exchange = self.open(step, store)?;
        let mut sums = Sums::new(plan, step, self.scaler);
        for &lane in self.lanes {
            let batches = supply(lane, self.task(step, lane)?)?;
            self.run_lane(step, lane, batches, (&mut exchange, store), &mut sums)?;
        }
        exchange.finish(store, &mut sums.divisors)?;
        sums.trained.retain(|name, _| store.modules.contains_key(*name));
        sums.squares = self.squares(store, &sums)?;
        sums.stops = f64::from(u8::from(asked));
        if let Some(own) = sums.memory.get_mut(self.world.seat().rank as usize) {
            *own = counts::number(gpu::peak(self.world.device())?.unwrap_or_else(memory::peak));
        }
        sums.over_all_ranks(self.world)?;
        let mut record = sums.record(plan)?;
        if let Some(norm) = record.norm {
            self.update(step, store, &sums, norm)?;
            self.skips.end_row();
            self.scaler.iter_mut().for_each(|scaler| scaler.see(true));
        } else {
            record.skipped = self.leave_out(&sums)?;
            clear(store, &sums)?;
        }
        Ok(record)
    }

    /// Takes a step into account that changes nothing: as a scale of the loss that was too large, else as one of those that the
    /// plan allows; then says why.
    fn leave_out(&mut self, sums: &Sums<'a>) -> Result<Option<Skipped>, WorkerError> {
        if sums.losses_are_finite() && self.may_be_scale() {
            self.scaler.iter_mut().for_each(|scaler| scaler.see(false));
            return Ok(None);
        }
        let blamed = sums.blamed(self.plan);
        if !self.may_skip() {
            let (step, norm, tasks) = (sums.step, sums.squares.sqrt(), blamed.tasks);
            let skipped = self.skips.in_a_row;
            return Err(WorkerError::NormNotFinite { step, skipped, norm, tasks });
        }
        self.skips.count();
        Ok(Some(blamed))
    }

    /// Whether a gradient that is no finite number can be put down to the scale of the loss.
    fn may_be_scale(&self) -> bool {
        self.scaler.is_some_and(Scaler::may_be_too_large)
    }

    /// Whether this step may be left out.
    fn may_skip(&self) -> bool {
        self.skips.may_go_on(self.plan.training.on_nan)
    }

    /// Begins the exchange of a step's gradients.
    fn open(&self, step: u64, store: &mut Store) -> Result<Exchange<'a>, WorkerError> {
        let mut lanes: BTreeMap<&str, usize> = BTreeMap::new();
        for &lane in self.lanes {
            for module in self.trained_by(self.task(step, lane)?) {
                *lanes.entry(module).or_default() += 1;
            }
        }
        let mut calls = self.plan.collectives(self.world.seat().rank, step);
        calls.retain(|call| call.purpose == CollectivePurpose::Gradients);
        Exchange::open(self.world, calls, lanes, &self.rooms, store)
    }

    /// The modules of a task that are not frozen, each once.
    fn trained_by(&self, task: &str) -> impl Iterator<Item = &'a str> {
        let plan = self.plan;
        let all = plan.tasks.get(task).into_iter().flat_map(TaskSpec::modules);
        all.filter(|name| plan.modules.get(*name).is_none_or(|module| !module.frozen))
    }

    fn task(&self, step: u64, lane: u32) -> Result<&'a str, WorkerError> {
        self.plan.task_at(step, lane).ok_or(WorkerError::NoLane(lane))
    }

    /// Forward and backward passes of a lane's batches; their gradients and counts are added to the step's.
    fn run_lane(
        &self,
        step: u64,
        lane: u32,
        batches: Vec<Batch>,
        (exchange, store): (&mut Exchange<'a>, &mut Store),
        sums: &mut Sums<'a>,
    ) -> Result<(), WorkerError> {
        let (training, task) = (&self.plan.training, self.task(step, lane)?);
        let target: f64 = batches.iter().map(|batch| counts::tokens(batch.tokens())).sum();
        let source = batches.iter().map(|batch| counts::tokens(batch.ids()[0])).sum();
        let (scale, divisor) = match training.normalise {
            Normalise::Tokens => (1.0, target),
            Normalise::Lanes => (1.0 / target.max(1.0), 1.0),
        };
        let objective =
            Objective { smoothing: training.label_smoothing, factor: scale * sums.scale() };
        for module in self.trained_by(task) {
            *sums.divisors.entry(module).or_default() += divisor;
        }
        let hand = &mut Hand { exchange, store: &mut *store, divisors: &sums.divisors };
        let Passed { losses, refused, parts } =
            self.descend((step, lane), batches, objective, hand)?;
        let lrs = self.learning_rates((step, task), store, &sums.trained)?;
        let bad = losses.iter().position(|loss| !loss.is_finite());
        if let Some(at) = bad.filter(|_| !self.may_skip()) {
            return Err(self.no_loss(step, lane, store, (at, &losses)));
        }
        if let Some(of_lane) = sums.lanes.get_mut(lane as usize) {
            let (loss, bad) = (losses.iter().sum(), bad.map_or(0.0, |at| number(at + 1)));
            let (refused, parts) = (number(refused), number(parts));
            *of_lane = LaneSum { loss, target, source, bad, refused, parts, lrs };
        }
        Ok(())
    }

    /// The least and the largest learning rate of the modules that a task trains in a step, of which so many lanes train each; zeros
    /// when all are frozen.
    fn learning_rates(
        &self,
        (step, task): (u64, &str),
        store: &mut Store,
        lanes: &BTreeMap<&str, u32>,
    ) -> Result<[f64; 2], WorkerError> {
        let mut rates = Vec::new();
        for name in self.trained_by(task) {
            let at = (step, lanes.get(name).copied().unwrap_or(1));
            let rate = optim::rate_of(self.plan, self.optimizer(name)?, at, store.module(name)?);
            rates.push([rate, rate]);
        }
        Ok(rates.into_iter().reduce(wider).unwrap_or_default())
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
            skipped: self.skips.in_a_row,
            lane,
            task,
            batch: at + 1,
            batches: losses.len(),
            loss: losses.get(at).copied().unwrap_or(f64::NAN),
            broken: broken.map(|name| (*name).to_owned()).collect(),
            modules: modules.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The sum of squares of the divided gradients that this rank owns; infinite when the step is left out for one of them.
    fn squares(&self, store: &mut Store, sums: &Sums<'a>) -> Result<f64, WorkerError> {
        let mut sum = 0.0;
        for name in sums.trained.keys().filter(|name| self.owned.contains(*name)) {
            let of_module = squares(store.module(name)?, sums.divisor(name))?;
            if !of_module.is_finite() {
                if self.may_be_scale() || self.may_skip() {
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
        let (module, skipped) = (module.to_owned(), self.skips.in_a_row);
        WorkerError::Gradient { step, skipped, module, norm, tasks }
    }

    /// What updates a module that is trained.
    fn optimizer(&self, module: &str) -> Result<&'a Optimizer, WorkerError> {
        let plan = self.plan;
        let optimizer = plan.modules.get(module).and_then(|spec| spec.trained_by(&plan.training));
        optimizer.ok_or_else(|| WorkerError::NoModule(module.to_owned()))
    }

    /// Clips and updates every trained module of this rank.
    fn update(
        &self,
        step: u64,
        store: &mut Store,
        sums: &Sums<'a>,
        norm: f64,
    ) -> Result<(), WorkerError> {
        for (name, &lanes) in &sums.trained {
            let module = store.module(name)?;
            let divisor = sums.divisor(name);
            let clip = match (self.plan.training.clip, self.plan.training.clip_scope) {
                (None, _) => 1.0,
                (Some(bound), ClipScope::Global) => optim::clipping(bound, norm),
                (Some(bound), ClipScope::Module) => {
                    optim::clipping(bound, rounded(squares(module, divisor)?.sqrt()))
                }
            };
            let optimizer = self.optimizer(name)?;
            let lr = optim::rate_of(self.plan, optimizer, (step, lanes), module);
            optim::update(module, optimizer, lr, clip / divisor)?;
            if let Some(decay) = self.plan.training.ema {
                module.follow(decay)?;
            }
            module.clear()?;
        }
        Ok(())
    }
}

/// Leaves the trained modules as they were before the step.
fn clear(store: &mut Store, sums: &Sums<'_>) -> Result<(), WorkerError> {
    sums.trained.keys().try_for_each(|name| Ok(store.module(name)?.clear()?))
}

/// The sum of squares of a module's divided gradient.
fn squares(module: &ModuleStore, divisor: f64) -> Result<f64, WorkerError> {
    let (gradient, rest) = module.summed();
    Ok(flat::squares(gradient, rest)? / (divisor * divisor))
}

#[expect(clippy::cast_precision_loss, reason = "numbers of batches and sentences")]
fn number(count: usize) -> f64 {
    count as f64
}
