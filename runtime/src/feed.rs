//! Text to tensors: the batches of this rank's lanes and of the tasks that it validates.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use mmc_plan::{Plan, RankSpec};
use mmc_text::batch::{StreamState, TaskStream, Tokenizers, ValidationStream};
use tch::Device;

use crate::error::WorkerError;
use crate::model::Batch;

/// Where the streams of a lane stand: task -> state.
pub type LaneStreams = BTreeMap<String, StreamState>;

/// The streams of a rank, each opened when it is first drawn from.
#[derive(Debug)]
pub struct Feed<'a> {
    plan: &'a Plan,
    lanes: &'a [u32],
    tokenizers: Tokenizers,
    open: BTreeMap<(u32, String), TaskStream>,
    /// Of a resumed run: streams that are not open yet start here.
    saved: BTreeMap<u32, LaneStreams>,
}

impl<'a> Feed<'a> {
    /// Loads the vocabularies of the rank's tasks.
    pub fn new(plan: &'a Plan, rank: &'a RankSpec) -> Result<Self, WorkerError> {
        let specs = rank.lanes.iter().filter_map(|lane| plan.lanes.get(*lane as usize));
        let tasks: Vec<&str> = specs
            .flat_map(|lane| lane.tasks.keys())
            .chain(&rank.validates)
            .map(String::as_str)
            .collect();
        let tokenizers = Tokenizers::load(plan, &tasks)?;
        let (open, saved) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { plan, lanes: &rank.lanes, tokenizers, open, saved })
    }

    /// Goes on where a former run stood; before anything is drawn.
    pub fn resume(&mut self, saved: BTreeMap<u32, LaneStreams>) {
        self.saved = saved;
    }

    /// A lane's next batches of a task, for one step.
    pub fn draw(&mut self, lane: u32, task: &str) -> Result<Vec<Batch>, WorkerError> {
        let stream = match self.open.entry((lane, task.to_owned())) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut stream = TaskStream::open(self.plan, task, lane, &self.tokenizers)?;
                if let Some(state) = self.saved.get(&lane).and_then(|states| states.get(task)) {
                    stream.resume(state)?;
                }
                entry.insert(stream)
            }
        };
        (0..self.plan.training.accumulate)
            .map(|_| {
                let text = stream.next_batch()?;
                Ok(Batch::new(&text.source, &text.target, text.unscored, Device::Cpu))
            })
            .collect()
    }

    /// Where every stream stands that was ever drawn from, before a resumption too, by lane.
    pub fn states(&self) -> BTreeMap<u32, LaneStreams> {
        let saved = |lane: &u32| self.saved.get(lane).cloned().unwrap_or_default();
        let mut states: BTreeMap<u32, LaneStreams> =
            self.lanes.iter().map(|lane| (*lane, saved(lane))).collect();
        for ((lane, task), stream) in &self.open {
            states.entry(*lane).or_default().insert(task.clone(), stream.state());
        }
        states
    }

    /// Hands the batches of a task's validation text to `take`, in the text's order.
    pub fn validation(
        &self,
        task: &str,
        take: &mut dyn FnMut(&Batch) -> Result<(), WorkerError>,
    ) -> Result<(), WorkerError> {
        let mut stream = ValidationStream::open(self.plan, task, &self.tokenizers)?;
        while let Some(text) = stream.next_batch()? {
            take(&Batch::new(&text.source, &text.target, text.unscored, Device::Cpu))?;
        }
        Ok(())
    }
}
