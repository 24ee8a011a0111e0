//! Text to tensors: the batches of this rank's lanes, read ahead on a thread of their own, and those that it validates.
//!
//! Which lane runs which task in which step is known beforehand, so one thread serves all streams in the order in which steps
//! will ask for them. With each lane's batches it hands over where the stream stood behind them: that is what is saved, however
//! far the thread has read. It copies them to a GPU too, while that computes.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use mmc_plan::{Plan, RankSpec, SkippedPairs};
pub use mmc_text::batch::LaneStreams;
use mmc_text::batch::{
    Batch as Text, StreamError, StreamState, Streams, Tokenizers, ValidationStream,
};
use tch::Device;

use crate::error::WorkerError;
use crate::gpu;
use crate::model::Batch;
use crate::shortage;

/// Steps that are read ahead: for a GPU so many that the next chunk of text is read while batches of the last are computed, which takes
/// a second or less.
fn ahead(device: Device) -> usize {
    if device == Device::Cpu { 4 } else { 32 }
}

/// Streams of a rank that keep their two files open between chunks: far fewer than a process may open, whose limit is often 1 024.
const OPEN: usize = 64;

/// What a lane reads in a step.
#[derive(Debug)]
struct Portion {
    batches: Vec<Batch>,
    /// Where the stream stands behind them.
    state: StreamState,
}

/// The streams of a rank.
#[derive(Debug)]
pub struct Feed<'a> {
    plan: &'a Plan,
    rank: &'a RankSpec,
    tokenizers: Tokenizers,
    /// Where batches are computed.
    device: Device,
    portions: Option<Receiver<Result<Portion, WorkerError>>>,
    /// Time of waiting for portions since it was last asked for.
    waited: Duration,
    /// Where every stream stands behind what was drawn.
    states: BTreeMap<u32, LaneStreams>,
}

impl<'a> Feed<'a> {
    /// Loads the vocabularies of the tasks that the rank trains or validates.
    pub fn new(
        plan: &'a Plan,
        rank: &'a RankSpec,
        tasks: &[&str],
        device: Device,
    ) -> Result<Self, WorkerError> {
        let tokenizers = Tokenizers::load(plan, tasks)?;
        let states = rank.lanes.iter().map(|lane| (*lane, LaneStreams::new())).collect();
        let waited = Duration::ZERO;
        Ok(Self { plan, rank, tokenizers, device, portions: None, waited, states })
    }

    /// Goes on where a former run stood; before anything is read.
    pub fn resume(&mut self, saved: BTreeMap<u32, LaneStreams>) {
        self.states.extend(saved);
    }

    /// Starts to read for the steps behind `step`, until the last or until this feed is dropped. So many threads make examples of text.
    pub fn read<'scope>(
        &mut self,
        step: u64,
        threads: usize,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<(), WorkerError>
    where
        'a: 'scope,
    {
        let (sender, receiver) = sync_channel(ahead(self.device) * self.rank.lanes.len().max(1));
        self.portions = Some(receiver);
        let (plan, lanes) = (self.plan, self.rank.lanes.as_slice());
        let (tokenizers, saved) = (self.tokenizers.clone(), self.states.clone());
        let streams = Streams::new(plan, tokenizers, saved, (OPEN, threads))?;
        let mut reader = Reader { plan, lanes, streams, device: self.device };
        scope.spawn(move || reader.run(step, &sender));
        Ok(())
    }

    /// A lane's next batches of a task, for one step: the next that the reader hands over.
    pub fn draw(&mut self, lane: u32, task: &str) -> Result<Vec<Batch>, WorkerError> {
        let ended = || StreamError::Ended(task.to_owned());
        let began = Instant::now();
        let received = self.portions.as_ref().and_then(|portions| portions.recv().ok());
        self.waited += began.elapsed();
        let Portion { batches, state } = received.ok_or_else(ended)??;
        self.states.entry(lane).or_default().insert(task.to_owned(), state);
        Ok(batches)
    }

    /// Time for which the rank has waited for text to train on, since it was last asked.
    pub fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    /// Where every stream stands that was ever drawn from, before a resumption too, by lane.
    pub fn states(&self) -> &BTreeMap<u32, LaneStreams> {
        &self.states
    }

    /// Of the vocabularies of all tasks that the rank trains or validates.
    pub(crate) fn tokenizers(&self) -> &Tokenizers {
        &self.tokenizers
    }

    /// Hands the batches of a task's validation text to `take`, in the text's order; gives the pairs that are in none.
    pub fn validation(
        &self,
        task: &str,
        take: &mut dyn FnMut(&Batch) -> Result<(), WorkerError>,
    ) -> Result<SkippedPairs, WorkerError> {
        let mut stream = ValidationStream::open(self.plan, task, &self.tokenizers)?;
        while let Some(text) = stream.next_batch()? {
            take(&tensors(&text, self.device))?;
        }
        Ok(stream.skipped())
    }
}

fn tensors(text: &Text, device: Device) -> Batch {
    Batch::new(&text.source, &text.target, &text.scored, device)
}

/// What the reading thread holds.
#[derive(Debug)]
struct Reader<'a> {
    plan: &'a Plan,
    lanes: &'a [u32],
    streams: Streams<'a>,
    device: Device,
}

impl Reader<'_> {
    /// Reads for the steps behind `step` in the order of steps and lanes, until nobody listens or a stream fails.
    fn run(&mut self, step: u64, sender: &SyncSender<Result<Portion, WorkerError>>) {
        if let Err(fault) = gpu::enter(self.device) {
            let _ = sender.send(Err(fault));
            return;
        }
        for step in step + 1..=self.plan.training.steps {
            for lane in self.lanes {
                let portion = self.portion(step, *lane);
                let failed = portion.is_err();
                if sender.send(portion).is_err() || failed {
                    return;
                }
            }
        }
    }

    fn portion(&mut self, step: u64, lane: u32) -> Result<Portion, WorkerError> {
        let not_there = || StreamError::NotOnLane { task: String::new(), lane };
        let task = self.plan.task_at(step, lane).ok_or_else(not_there)?;
        let (texts, state) = self.streams.draw(step, lane, task)?;
        let batches = || texts.iter().map(|text| tensors(text, self.device)).collect();
        let batches = shortage::caught(batches);
        let batches = batches.map_err(|words| WorkerError::MemoryOfText { words })?;
        Ok(Portion { batches, state })
    }
}
