//! Training on one rank: steps, validation, checkpoints, events. Takes no decision that the plan could have taken.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use mmc_plan::{Device, Event, Plan};
use mmc_text::batch::{Batch, TaskStream, Tokenizers, ValidationStream};
use tch::Kind;

use crate::checkpoint::{Checkpoints, LaneStreams};
use crate::dist::{Seat, World};
use crate::error::{While as _, WorkerError};
use crate::model::Network;
use crate::step::{StepRecord, Stepper};
use crate::store::Store;

/// What a training worker is asked.
#[derive(Debug, Clone)]
pub struct TrainArguments {
    /// Go on from the newest checkpoint.
    pub resume: bool,
    /// In place of the plan's output folder.
    pub output: Option<PathBuf>,
}

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All steps are done.
    Finished,
    /// A signal asked for the end; a checkpoint was written.
    Interrupted,
}

/// Trains to the plan's last step, or until a signal.
pub fn train(plan: &Plan, seat: Seat, arguments: &TrainArguments) -> Result<Ending, WorkerError> {
    if plan.cluster.device == Device::Gpu {
        return Err(WorkerError::Device);
    }
    let world = World::join(plan, seat)?;
    let mut trainer = Trainer::new(plan, &world, arguments)?;
    let mut step = if arguments.resume { trainer.resume()? } else { 0 };
    trainer.tell_started(step)?;
    let mut stepper = Stepper::new(plan, &world, trainer.store.kind)?;
    while step < plan.training.steps {
        step += 1;
        let began = Instant::now();
        let stop = trainer.stop.load(Ordering::Relaxed);
        let streams = &mut trainer.streams;
        let accumulate = plan.training.accumulate;
        let record = stepper.run(
            step,
            (&mut trainer.store, &trainer.network),
            &mut |lane, task| streams.next(lane, task, accumulate),
            stop,
        )?;
        let last = step == plan.training.steps || record.stop;
        let stop = record.stop;
        trainer.tell_step(step, record, began)?;
        if !stop && (last || every(plan.training.validate_every, step)) {
            trainer.validate(step)?;
        }
        if last || every(plan.training.checkpoint.every, step) {
            trainer.save(step)?;
        }
        if stop && step < plan.training.steps {
            trainer.tell(&Event::Finished { step, interrupted: true })?;
            return Ok(Ending::Interrupted);
        }
    }
    trainer.tell(&Event::Finished { step, interrupted: false })?;
    Ok(Ending::Finished)
}

fn every(interval: Option<u64>, step: u64) -> bool {
    interval.is_some_and(|interval| interval > 0 && step.is_multiple_of(interval))
}

/// The streams of this rank's lanes, opened when first drawn.
#[derive(Debug)]
struct Streams<'a> {
    plan: &'a Plan,
    tokenizers: Tokenizers,
    open: BTreeMap<(u32, String), TaskStream>,
    saved: BTreeMap<u32, LaneStreams>,
}

impl Streams<'_> {
    fn next(&mut self, lane: u32, task: &str, batches: u32) -> Result<Vec<Batch>, WorkerError> {
        let key = (lane, task.to_owned());
        let stream = match self.open.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let mut stream = TaskStream::open(self.plan, task, lane, &self.tokenizers)?;
                if let Some(state) = self.saved.get(&lane).and_then(|states| states.get(task)) {
                    stream.resume(state)?;
                }
                entry.insert(stream)
            }
        };
        (0..batches).map(|_| Ok(stream.next_batch()?)).collect()
    }

    /// States of every stream that was ever opened, also before a resumption.
    fn states(&self, lanes: &[u32]) -> BTreeMap<u32, LaneStreams> {
        let saved = |lane: &u32| self.saved.get(lane).cloned().unwrap_or_default();
        let mut states: BTreeMap<u32, LaneStreams> =
            lanes.iter().map(|lane| (*lane, saved(lane))).collect();
        for ((lane, task), stream) in &self.open {
            states.entry(*lane).or_default().insert(task.clone(), stream.state());
        }
        states
    }
}

#[derive(Debug)]
struct Trainer<'a> {
    plan: &'a Plan,
    world: &'a World,
    lanes: &'a [u32],
    validates: &'a [String],
    store: Store,
    network: Network,
    streams: Streams<'a>,
    checkpoints: Checkpoints,
    events: Option<File>,
    stop: Arc<AtomicBool>,
}

impl<'a> Trainer<'a> {
    fn new(
        plan: &'a Plan,
        world: &'a World,
        arguments: &TrainArguments,
    ) -> Result<Self, WorkerError> {
        let rank = world.seat().rank as usize;
        let spec = plan.ranks.get(rank).ok_or(WorkerError::NoRank(rank))?;
        let output =
            arguments.output.clone().unwrap_or_else(|| PathBuf::from(&plan.experiment.output));
        fs::create_dir_all(output.join("checkpoints"))
            .doing(format_args!("making {}", output.display()))?;
        let events = if world.leads() {
            let path = output.join("events.jsonl");
            let file = OpenOptions::new().create(true).append(true).open(&path);
            Some(file.doing(format_args!("opening {}", path.display()))?)
        } else {
            None
        };
        let store = Store::new(plan, rank)?;
        let network = Network::build(plan, &store.weights())?;
        let tasks: Vec<&str> = spec
            .lanes
            .iter()
            .filter_map(|lane| plan.lanes.get(*lane as usize))
            .flat_map(|lane| lane.tasks.keys().map(String::as_str))
            .chain(spec.validates.iter().map(String::as_str))
            .collect();
        let tokenizers = Tokenizers::load(plan, &tasks)?;
        let streams = Streams { plan, tokenizers, open: BTreeMap::new(), saved: BTreeMap::new() };
        Ok(Self {
            plan,
            world,
            lanes: &spec.lanes,
            validates: &spec.validates,
            store,
            network,
            streams,
            checkpoints: Checkpoints::new(&output),
            events,
            stop: listen()?,
        })
    }

    /// Loads the newest whole checkpoint, chosen by rank 0 for all; gives its step, 0 when there is none.
    fn resume(&mut self) -> Result<u64, WorkerError> {
        let mut chosen = [0.0, 0.0];
        let mut fault = None;
        if self.world.leads() {
            match self.checkpoints.newest_whole(self.plan, &mut warn) {
                Ok(step) => chosen = [to_number(step.unwrap_or(0)), 0.0],
                Err(cause) => {
                    chosen = [0.0, 1.0];
                    fault = Some(cause);
                }
            }
        }
        self.world.sum_all(&mut chosen)?;
        if let Some(cause) = fault {
            return Err(cause);
        }
        let [step, failed] = chosen;
        if failed > 0.0 {
            return Err(WorkerError::Checkpoint("rank 0 found no checkpoint to resume from".into()));
        }
        let step = to_step(step);
        if step > 0 {
            self.streams.saved = self.checkpoints.load(step, &mut self.store, self.lanes)?;
        }
        Ok(step)
    }

    /// Validation losses of all tasks: each is computed by one rank and added to zeros elsewhere.
    fn validate(&mut self, step: u64) -> Result<(), WorkerError> {
        let names: Vec<&String> = self.plan.tasks.keys().collect();
        let mut sums = vec![0.0; names.len() * 2];
        for task in self.validates {
            let mut stream = ValidationStream::open(self.plan, task, &self.streams.tokenizers)?;
            let (mut loss, mut tokens) = (0.0, 0.0);
            while let Some(batch) = stream.next_batch()? {
                let sum = tch::no_grad(|| self.network.validation_loss(task, &batch))?;
                loss += sum.loss.to_kind(Kind::Double).double_value(&[]);
                tokens += to_number(sum.tokens);
            }
            if let Some(at) = names.iter().position(|name| *name == task) {
                for (slot, value) in sums.iter_mut().skip(at * 2).zip([loss, tokens]) {
                    *slot = value;
                }
            }
        }
        self.world.sum_all(&mut sums)?;
        let mut losses = BTreeMap::new();
        for (name, pair) in names.into_iter().zip(sums.chunks_exact(2)) {
            if let [loss, tokens] = pair
                && *tokens > 0.0
            {
                losses.insert(name.clone(), loss / tokens);
            }
        }
        if losses.is_empty() { Ok(()) } else { self.tell(&Event::Validated { step, losses }) }
    }

    fn save(&mut self, step: u64) -> Result<(), WorkerError> {
        let states = self.streams.states(self.lanes);
        let folder = self.checkpoints.save(step, self.plan, self.world, &self.store, &states)?;
        self.tell(&Event::Saved { step, path: folder.display().to_string() })
    }

    fn tell_started(&mut self, step: u64) -> Result<(), WorkerError> {
        let parameters = self.plan.modules.values().map(|module| module.parameters).sum();
        let world = self.world.seat().world;
        self.tell(&Event::Started { world, step, steps: self.plan.training.steps, parameters })
    }

    fn tell_step(
        &mut self,
        step: u64,
        record: StepRecord,
        began: Instant,
    ) -> Result<(), WorkerError> {
        let StepRecord { losses, source_tokens, target_tokens, norm, lr, stop: _ } = record;
        let seconds = began.elapsed().as_secs_f64();
        self.tell(&Event::Step { step, losses, source_tokens, target_tokens, lr, norm, seconds })
    }

    /// Rank 0 writes an event to standard output and to `events.jsonl`.
    fn tell(&mut self, event: &Event) -> Result<(), WorkerError> {
        let Some(file) = &mut self.events else { return Ok(()) };
        let mut line =
            serde_json::to_vec(event).map_err(|fault| WorkerError::Plan(fault.to_string()))?;
        line.push(b'\n');
        file.write_all(&line).doing("writing events.jsonl")?;
        // The launcher may be gone: training does not depend on somebody watching.
        let _ = io::stdout().write_all(&line).and_then(|()| io::stdout().flush());
        Ok(())
    }
}

/// A flag that the signals for an orderly end set: TERM, INT, and Slurm's USR1 before the time limit.
fn listen() -> Result<Arc<AtomicBool>, WorkerError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGUSR1,
    ] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).doing("listening for signals")?;
    }
    Ok(stop)
}

#[expect(clippy::print_stderr, reason = "a warning belongs into the rank's log")]
fn warn(message: String) {
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
