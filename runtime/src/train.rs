//! Training on one rank: steps, validation, checkpoints, events. Takes no decision that the plan could have taken.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use mmc_plan::{Device, Event, Plan, RankMemory, RankSpec};

use crate::checkpoint::{Checkpoints, Contents, Newest};
use crate::counts;
use crate::dist::{Seat, World};
use crate::error::{While as _, WorkerError};
use crate::events::Events;
use crate::feed::Feed;
use crate::ffi;
use crate::gpu;
use crate::memory;
use crate::model::Network;
use crate::profile::Profile;
use crate::shortage;
use crate::skips::Skips;
use crate::step::{Skipped, StepRecord, Stepper};
use crate::store::Store;
use crate::validation::{self, Share};
use crate::watch::Watch;

/// What a training worker is asked.
#[derive(Debug, Clone)]
pub struct TrainArguments {
    /// Go on from the newest checkpoint.
    pub resume: bool,
    /// In place of the plan's output folder.
    pub output: Option<PathBuf>,
    /// Threads of tensor operations; none: the processors of this machine shared among its ranks.
    pub threads: Option<u32>,
    /// How long a collective may take.
    pub timeout: Duration,
    /// A step (from 1) of which a trace is written.
    pub profile: Option<u64>,
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
    pub fault: Box<WorkerError>,
    /// Whether the ranks had met: then rank 0 tells the launcher for all, and has done so.
    pub told: bool,
}

impl<F: Into<WorkerError>> From<F> for Failure {
    fn from(fault: F) -> Self {
        Self { fault: Box::new(fault.into()), told: false }
    }
}

/// Trains to the plan's last step, or until a signal. A failure is told to the other ranks and, by rank 0, as an event.
pub fn train(plan: &Plan, seat: Seat, arguments: &TrainArguments) -> Result<Ending, Failure> {
    let device = match plan.cluster.device {
        Device::Cpu => tch::Device::Cpu,
        Device::Gpu => gpu::of_rank(seat.local_rank)?,
    };
    ffi::keep_memory();
    let threads = threads(plan, &seat, arguments.threads);
    tch::set_num_threads(threads);
    let output = arguments.output.clone().unwrap_or_else(|| PathBuf::from(&plan.experiment.output));
    // Signals are heard from here on: one that comes during set-up ends training behind its first step.
    let stop = listen()?;
    let rank = seat.rank;
    let world = World::join(plan, seat, device, arguments.timeout)?;
    let mut events = Events::of_rank(rank);
    // The scope ends when the thread that reads ahead has: it does as soon as its trainer is gone.
    let ending = std::thread::scope(|scope| {
        let trained = shortage::caught(|| {
            events.record(&output)?;
            let mut trainer = Trainer::new(plan, &world, &output, stop)?;
            trainer.profile =
                arguments.profile.map(|step| trainer.profile(step, &output)).transpose()?;
            if device != tch::Device::Cpu {
                // Where a GPU computes, a rank's processors have nothing else to do.
                trainer.readers = usize::try_from(threads).unwrap_or(1);
            }
            trainer.run(arguments.resume, &mut events, scope)
        });
        trained.unwrap_or_else(|words| Err(WorkerError::MemoryOfModel { words }))
    });
    ending.map_err(|fault| {
        let culprit = fault.culprit();
        let own = culprit.is_none();
        let (rank, message) = culprit.unwrap_or_else(|| (rank, fault.to_string()));
        // For rank 0 only: the others' faults reach it, and it tells them.
        world.fail(own, &fault.to_string());
        // The first fault is the one to report, whether or not the record can be written.
        let _ = events.tell(&Event::Failed { rank, message });
        Failure { fault: Box::new(fault), told: true }
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
    share: Share<'a>,
    store: Store,
    stepper: Stepper<'a>,
    /// The parameters as they are, when the stepper computes with copies of some in 16 bits.
    whole: Option<Network>,
    feed: Feed<'a>,
    checkpoints: Checkpoints,
    /// Of a plan that looks for its best validation.
    watch: Option<Watch>,
    stop: Arc<AtomicBool>,
    /// A step that is yet to be recorded.
    profile: Option<Profile>,
    /// Threads that make examples of text.
    readers: usize,
    /// Bytes that the rank's device held before the model.
    held: u64,
}

impl<'a> Trainer<'a> {
    fn new(
        plan: &'a Plan,
        world: &'a World,
        output: &Path,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, WorkerError> {
        let number = world.seat().rank;
        let rank = plan.ranks.get(number as usize).ok_or(WorkerError::NoRank(number))?;
        let share = Share::of_rank(plan, number as usize);
        let lanes = rank.lanes.iter().filter_map(|lane| plan.lanes.get(*lane as usize));
        let trained = lanes.flat_map(|lane| lane.tasks.keys()).map(String::as_str);
        let tasks: BTreeSet<&str> = trained.chain(share.tasks()).collect();
        let tasks: Vec<&str> = tasks.into_iter().collect();
        let feed = Feed::new(plan, rank, &tasks, world.device())?;
        let held = if world.device() == tch::Device::Cpu { memory::without_model()? } else { 0 };
        let store = Store::new(plan, number as usize, world.device())?;
        let network = Network::build(plan, &store.weights())?.computing_in(plan.training.precision);
        let whole = store.whole_weights()?;
        let whole = whole.map(|weights| Network::build(plan, &weights)).transpose()?;
        let mut directions = BTreeMap::new();
        for name in tasks {
            let task = plan.tasks.get(name).ok_or_else(|| WorkerError::NoTask(name.to_owned()))?;
            directions.insert(name.to_owned(), network.direction(task)?);
        }
        let stepper = Stepper::new(plan, world, directions)?;
        let checkpoints = Checkpoints::new(output);
        let watch = plan.training.compares().map(|_| Watch::default());
        Ok(Self {
            plan,
            world,
            rank,
            share,
            store,
            stepper,
            whole,
            feed,
            checkpoints,
            watch,
            stop,
            profile: None,
            readers: 1,
            held,
        })
    }

    fn profile(&self, step: u64, output: &Path) -> Result<Profile, WorkerError> {
        Profile::new(step, output, self.world.seat().rank, self.world.device())
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
        if self.world.leads() {
            self.checkpoints.make_ready(resume)?;
        }
        let mut step = if resume { self.resume(events)? } else { 0 };
        self.feed.read(step, self.readers, scope)?;
        let parameters = plan.modules.values().map(|module| module.parameters).sum();
        let (world, steps) = (self.world.seat().world, plan.training.steps);
        if let Some(asked) = self.profile.as_ref().map(|profile| profile.step)
            && !(step < asked && asked <= steps)
        {
            return Err(WorkerError::Profile { asked, done: step, steps });
        }
        events.tell(&Event::Started { world, step, steps, parameters, memory: self.held })?;
        while step < steps && self.over().is_none() {
            step += 1;
            let interrupted = match self.profile.take_if(|profile| profile.step == step) {
                Some(profile) => profile.of(|| self.step(step, events))?,
                None => self.step(step, events)?,
            };
            let mut saves = interrupted || plan.saves_after(step);
            // What the best is looked for among is not left out, even when there is little time: a resumed run must find the same,
            // and end where an uninterrupted one does.
            if plan.validates_after(step) && (!interrupted || plan.training.compares().is_some()) {
                saves |= self.validate(step, events)?;
            }
            if saves || self.over().is_some() {
                let (states, watch) = (self.feed.states(), self.watch.as_ref());
                let (scaler, skips) = (self.stepper.scaler, self.stepper.skips);
                let store = &self.store;
                let contents = Contents { store, streams: states, watch, scaler, skips };
                let folder = self.checkpoints.save(step, plan, self.world, &contents)?;
                if self.world.leads() {
                    let skipped = self.checkpoints.skipped(step, plan)?;
                    let path = folder.display().to_string();
                    events.tell(&Event::Saved { step, path, skipped })?;
                }
            }
            if interrupted && step < steps && self.over().is_none() {
                events.tell(&Event::Finished { step, interrupted: true })?;
                return Ok(Ending::Interrupted);
            }
        }
        if let Some(best) = self.over().filter(|_| step < steps) {
            events.tell(&Event::StoppedEarly { step, best })?;
        }
        let steps = plan.averaged_at(step);
        if !steps.is_empty() {
            let path = self.checkpoints.average(&steps, plan, self.world)?.display().to_string();
            events.tell(&Event::Averaged { steps, path })?;
        }
        events.tell(&Event::Finished { step, interrupted: false })?;
        Ok(Ending::Finished)
    }

    /// Runs one step and tells it; whether some rank was asked to stop.
    fn step(&mut self, step: u64, events: &mut Events) -> Result<bool, WorkerError> {
        let began = Instant::now();
        // What validation and checkpoints waited for is not the step's.
        let _ = (self.world.take_waited(), self.feed.take_waited());
        let asked = self.stop.load(Ordering::Relaxed);
        let Self { stepper, store, feed, .. } = self;
        let record = stepper.run(step, store, &mut |lane, task| feed.draw(lane, task), asked)?;
        let skips = stepper.skips;
        let StepRecord {
            losses,
            source_tokens,
            target_tokens,
            norm,
            scale,
            lr,
            least_lr,
            memory,
            splits,
            skipped,
            stop,
        } = record;
        let seconds = began.elapsed().as_secs_f64();
        let sync_seconds = self.world.take_waited().as_secs_f64();
        let data_seconds = self.feed.take_waited().as_secs_f64();
        let fullest = fullest(&memory);
        let memory = memory.first().copied().unwrap_or_default();
        events.tell(&Event::Step {
            step,
            losses,
            source_tokens,
            target_tokens,
            lr,
            least_lr,
            norm,
            scale,
            seconds,
            sync_seconds,
            data_seconds,
            memory,
            fullest,
        })?;
        if !splits.is_empty() {
            events.tell(&Event::Split { step, lanes: splits })?;
        }
        if let Some(Skipped { batches, tasks }) = skipped {
            let Skips { in_a_row, in_all } = skips;
            events.tell(&Event::Skipped { step, batches, tasks, in_a_row, in_all })?;
        }
        Ok(stop)
    }

    /// Loads the newest whole checkpoint, chosen by rank 0 for all; gives its step, 0 when there is none.
    fn resume(&mut self, events: &mut Events) -> Result<u64, WorkerError> {
        let mut chosen = [0.0];
        if self.world.leads()
            && let Some(Newest { step, damaged }) = self.checkpoints.newest_whole(self.plan)?
        {
            damaged.iter().try_for_each(|event| events.tell(event))?;
            chosen = [counts::number(step)];
        }
        self.world.sum_all(&mut chosen)?;
        let step = counts::whole(chosen[0]);
        if step > 0 {
            let saved = self.checkpoints.load(step, &mut self.store, &self.rank.lanes)?;
            self.feed.resume(saved.streams);
            if saved.scaler.is_some() != self.stepper.scaler.is_some() {
                return Err(WorkerError::Scale { step });
            }
            (self.stepper.scaler, self.stepper.skips) = (saved.scaler, saved.skips);
            if let Some(watch) = &mut self.watch {
                *watch = saved.watch.unwrap_or_default();
            }
        }
        Ok(step)
    }

    /// Validates, by moving averages where there are some, and tells it; whether this is the best so far that is looked for.
    fn validate(&mut self, step: u64, events: &mut Events) -> Result<bool, WorkerError> {
        let Self { plan, world, share, store, stepper, feed, .. } = self;
        let direction = |task: &str| stepper.direction(task);
        let network = &self.whole;
        let plain = |task: &str| match network {
            Some(network) => {
                let spec = plan.tasks.get(task).ok_or_else(|| WorkerError::NoTask(task.to_owned()));
                Ok(network.direction(spec?)?)
            }
            None => Ok(stepper.direction(task)?.plain()),
        };
        store.swap_averages()?;
        let found = validation::validate(plan, share, world, feed, (&direction, &plain))?;
        store.swap_averages()?;
        let Some(found) = found else { return Ok(false) };
        let best = match (&mut self.watch, plan.training.compares()) {
            (Some(watch), Some(on)) => watch.see(on, step, &found),
            _ => false,
        };
        events.tell(&found.told(step))?;
        Ok(best)
    }

    /// The step of the best validation, when it is time to stop early.
    fn over(&self) -> Option<u64> {
        let (watch, rule) = (self.watch.as_ref()?, self.plan.training.stop_early?);
        watch.best().filter(|_| watch.is_over(rule))
    }
}

/// The rank that has held most, unless it is rank 0.
fn fullest(memory: &[u64]) -> Option<RankMemory> {
    let most = (0..).zip(memory).max_by_key(|&(rank, &memory)| (memory, Reverse(rank)));
    let (rank, &memory) = most.filter(|&(rank, _)| rank > 0)?;
    Some(RankMemory { rank, memory })
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
