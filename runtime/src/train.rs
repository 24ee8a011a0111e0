//! Training on one rank: steps, validation, checkpoints, events. Takes no decision that the plan could have taken.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;
use std::time::Instant;

use mmc_plan::{Device, Event, Plan, RankSpec};
use tch::{Kind, Tensor};

use crate::checkpoint::Checkpoints;
use crate::dist::{Seat, World};
use crate::error::{While as _, WorkerError};
use crate::events::Events;
use crate::feed::Feed;
use crate::ffi;
use crate::model::{Mode, Network};
use crate::step::{StepRecord, Stepper};
use crate::store::Store;

/// What a training worker is asked.
#[derive(Debug, Clone)]
pub struct TrainArguments {
    /// Go on from the newest checkpoint.
    pub resume: bool,
    /// In place of the plan's output folder.
    pub output: Option<PathBuf>,
    /// Threads of tensor operations; none: the processors of this machine shared among its ranks.
    pub threads: Option<u32>,
}

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All steps are done.
    Finished,
    /// A signal asked for the end; a checkpoint was written.
    Interrupted,
}

/// A fault that ended training.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub fault: WorkerError,
    /// Whether the ranks had met: then rank 0 tells the launcher for all, and has done so.
    pub told: bool,
}

impl<F: Into<WorkerError>> From<F> for Failure {
    fn from(fault: F) -> Self {
        Self { fault: fault.into(), told: false }
    }
}

/// Trains to the plan's last step, or until a signal. A failure is told to the other ranks and, by rank 0, as an event.
pub fn train(plan: &Plan, seat: Seat, arguments: &TrainArguments) -> Result<Ending, Failure> {
    if plan.cluster.device == Device::Gpu {
        return Err(WorkerError::Device.into());
    }
    ffi::keep_memory();
    tch::set_num_threads(threads(plan, &seat, arguments.threads));
    let output = arguments.output.clone().unwrap_or_else(|| PathBuf::from(&plan.experiment.output));
    // Signals are heard from here on: one that comes during set-up ends training behind its first step.
    let stop = listen()?;
    let rank = seat.rank;
    let world = World::join(plan, seat)?;
    let mut events = Events::of_rank(rank);
    // The scope ends when the thread that reads ahead has: it does as soon as its trainer is gone.
    let ending = std::thread::scope(|scope| {
        events.record(&output)?;
        let mut trainer = Trainer::new(plan, &world, &output, stop)?;
        trainer.run(arguments.resume, &mut events, scope)
    });
    ending.map_err(|fault| {
        let culprit = fault.culprit();
        let own = culprit.is_none();
        let (rank, message) = culprit.unwrap_or_else(|| (rank, fault.to_string()));
        // For rank 0 only: the others' faults reach it, and it tells them.
        world.fail(own, &fault.to_string());
        // The first fault is the one to report, whether or not the record can be written.
        let _ = events.tell(&Event::Failed { rank, message });
        Failure { fault, told: true }
    })
}

/// Threads of tensor operations.
fn threads(plan: &Plan, seat: &Seat, asked: Option<u32>) -> i32 {
    let node = plan.ranks.get(seat.rank as usize).map(|spec| spec.node);
    let beside = plan.ranks.iter().filter(|spec| Some(spec.node) == node).count();
    let local = seat.local_world.map_or(beside, |local| local as usize).max(1);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let share = asked.map_or(processors / local, |asked| asked as usize).max(1);
    i32::try_from(share).unwrap_or(1)
}

#[derive(Debug)]
struct Trainer<'a> {
    plan: &'a Plan,
    world: &'a World,
    rank: &'a RankSpec,
    store: Store,
    stepper: Stepper<'a>,
    feed: Feed<'a>,
    checkpoints: Checkpoints,
    stop: Arc<AtomicBool>,
}

impl<'a> Trainer<'a> {
    fn new(
        plan: &'a Plan,
        world: &'a World,
        output: &std::path::Path,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, WorkerError> {
        let number = world.seat().rank;
        let rank = plan.ranks.get(number as usize).ok_or(WorkerError::NoRank(number))?;
        let store = Store::new(plan, number as usize)?;
        let network = Network::build(plan, &store.weights())?;
        let lanes = rank.lanes.iter().filter_map(|lane| plan.lanes.get(*lane as usize));
        let mut directions = BTreeMap::new();
        for name in lanes.flat_map(|lane| lane.tasks.keys()).chain(&rank.validates) {
            let task = plan.tasks.get(name).ok_or_else(|| WorkerError::NoTask(name.clone()))?;
            directions.insert(name.clone(), network.direction(task)?);
        }
        let stepper = Stepper::new(plan, world, directions)?;
        let checkpoints = Checkpoints::new(output);
        let feed = Feed::new(plan, rank)?;
        Ok(Self { plan, world, rank, store, stepper, feed, checkpoints, stop })
    }

    fn run<'scope>(
        &mut self,
        resume: bool,
        events: &mut Events,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<Ending, WorkerError>
    where
        'a: 'scope,
    {
        let plan = self.plan;
        let mut step = if resume { self.resume()? } else { 0 };
        self.feed.read(step, scope);
        let parameters = plan.modules.values().map(|module| module.parameters).sum();
        let (world, steps) = (self.world.seat().world, plan.training.steps);
        events.tell(&Event::Started { world, step, steps, parameters })?;
        while step < steps {
            step += 1;
            let began = Instant::now();
            let asked = self.stop.load(Ordering::Relaxed);
            let Self { stepper, store, feed, .. } = self;
            let record =
                stepper.run(step, store, &mut |lane, task| feed.draw(lane, task), asked)?;
            let interrupted = record.stop;
            events.tell(&step_event(step, record, began))?;
            if !interrupted && plan.validates_after(step) {
                let losses = self.validate()?;
                if !losses.is_empty() {
                    events.tell(&Event::Validated { step, losses })?;
                }
            }
            if interrupted || plan.saves_after(step) {
                let states = self.feed.states();
                let folder = self.checkpoints.save(step, plan, self.world, &self.store, states)?;
                events.tell(&Event::Saved { step, path: folder.display().to_string() })?;
            }
            if interrupted && step < steps {
                events.tell(&Event::Finished { step, interrupted: true })?;
                return Ok(Ending::Interrupted);
            }
        }
        events.tell(&Event::Finished { step, interrupted: false })?;
        Ok(Ending::Finished)
    }

    /// Loads the newest whole checkpoint, chosen by rank 0 for all; gives its step, 0 when there is none.
    fn resume(&mut self) -> Result<u64, WorkerError> {
        let mut chosen = [0.0];
        if self.world.leads() {
            let newest = self.checkpoints.newest_whole(self.plan, &mut warn)?;
            chosen = [to_number(newest.unwrap_or(0))];
        }
        self.world.sum_all(&mut chosen)?;
        let step = to_step(chosen[0]);
        if step > 0 {
            let saved = self.checkpoints.load(step, &mut self.store, &self.rank.lanes)?;
            self.feed.resume(saved);
        }
        Ok(step)
    }

    /// Validation losses of all tasks: each is computed by one rank and added to zeros elsewhere.
    fn validate(&self) -> Result<BTreeMap<String, f64>, WorkerError> {
        let names: Vec<&String> = self.plan.tasks.keys().collect();
        let mut sums = vec![0.0; names.len() * 2];
        for (task, slots) in names.iter().zip(sums.chunks_exact_mut(2)) {
            if self.rank.validates.iter().any(|own| own == *task) {
                slots.copy_from_slice(&self.validate_task(task)?);
            }
        }
        self.world.sum_all(&mut sums)?;
        let pairs = names.into_iter().zip(sums.chunks_exact(2));
        Ok(pairs
            .filter_map(|(name, pair)| match pair {
                [loss, tokens] if *tokens > 0.0 => Some((name.clone(), loss / tokens)),
                _ => None,
            })
            .collect())
    }

    /// The sum of cross-entropies of a task's validation text and of its target tokens.
    fn validate_task(&self, task: &str) -> Result<[f64; 2], WorkerError> {
        let direction = self.stepper.direction(task)?;
        let mut loss = Tensor::f_zeros([], (Kind::Double, tch::Device::Cpu))?;
        let mut tokens = 0_u64;
        self.feed.validation(task, &mut |batch| {
            let sum = tch::no_grad(|| direction.loss(batch, Mode::Evaluate, 0.0));
            let _ = loss.f_add_(&sum.loss)?;
            tokens += u64::try_from(sum.tokens).unwrap_or(0);
            Ok(())
        })?;
        Ok([loss.f_double_value(&[])?, to_number(tokens)])
    }
}

fn step_event(step: u64, record: StepRecord, began: Instant) -> Event {
    let StepRecord { losses, source_tokens, target_tokens, norm, lr, stop: _ } = record;
    let seconds = began.elapsed().as_secs_f64();
    Event::Step { step, losses, source_tokens, target_tokens, lr, norm, seconds }
}

/// A flag that the signals for an orderly end set: TERM, INT, and Slurm's USR1 before the time limit.
fn listen() -> Result<Arc<AtomicBool>, WorkerError> {
    use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGUSR1] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).doing("listening for signals")?;
    }
    Ok(stop)
}

#[expect(clippy::print_stderr, reason = "a warning belongs into the rank's log")]
fn warn(message: &str) {
    eprintln!("warning: {message}");
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn to_number(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of one step number and zeros"
)]
fn to_step(number: f64) -> u64 {
    number as u64
}
