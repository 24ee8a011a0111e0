//! One task on one lane: an endless stream of batches that can be left and found again.

use mmc_plan::random::{Purpose, Stream, name_key};
use mmc_plan::schedule::line_position;
use mmc_plan::{BadLines, Competence, ParallelFiles, Plan, SkippedPairs};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::cut::{Batch, columns, shuffled};
use super::ease::easiest;
use super::example::{Example, Examples};
use super::good;
use super::{StreamError as Fault, Tokenizers};
use crate::error::TextError;
use crate::parallel::ParallelReader;

/// Why a stream gives no batch.
#[derive(Debug, Error)]
pub enum StreamError {
    /// The plan has no such task.
    #[error("the plan has no task `{0}`")]
    UnknownTask(String),
    /// The plan has no such lane, or the task is not on it.
    #[error("task `{task}` is not on lane {lane}")]
    NotOnLane {
        /// The task.
        task: String,
        /// The lane.
        lane: u32,
    },
    /// A transform that this reader can't do.
    #[error("the plan needs a transform that can't be done yet: {0}")]
    NotBuilt(String),
    /// The plan has no such vocabulary.
    #[error("the plan has no vocabulary `{0}`")]
    UnknownVocabulary(String),
    /// Segmentations that the vocabulary's tokenizer can't draw.
    #[error("vocabulary `{vocabulary}` can't draw its segmentations so: {reason}")]
    NoSampling {
        /// The vocabulary.
        vocabulary: String,
        /// Why.
        reason: String,
    },
    /// Threads that the system does not give.
    #[error("threads that read text can't be had: {0}")]
    Threads(String),
    /// A prefix token that the vocabulary lacks.
    #[error("vocabulary `{vocabulary}` has no token `{token}`")]
    UnknownToken {
        /// The token.
        token: String,
        /// The vocabulary.
        vocabulary: String,
    },
    /// A task without the files asked for.
    #[error("task `{0}` has no validation text")]
    NoValidation(String),
    /// A whole epoch without an example.
    #[error(
        "task `{task}`: no pair of {} is usable on lane {lane} ({} empty, {} too long, {} not UTF-8, {} filtered)",
        files.join(", "), skipped.empty, skipped.too_long, skipped.not_utf8,
        skipped.filtered
    )]
    NothingUsable {
        /// The task.
        task: String,
        /// The lane.
        lane: u32,
        /// Source files.
        files: Vec<String>,
        /// Why pairs were skipped.
        skipped: SkippedPairs,
    },
    /// A bad line of a corpus that may have none.
    #[error("task `{task}`: {file}, line {line}: {what}, and the corpus has `bad_lines = fatal`")]
    BadLine {
        /// The task.
        task: String,
        /// The file.
        file: String,
        /// From 1.
        line: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A state that the corpus no longer fits.
    #[error("task `{0}`: the corpus is not the one that the saved state belongs to")]
    OtherCorpus(String),
    /// The tokenizer's file is another one than the plan was made with.
    #[error(
        "`{file}` is not the file that the plan's vocabulary `{vocabulary}` was made from (sha256 {expected})"
    )]
    OtherTokenizer {
        /// The vocabulary.
        vocabulary: String,
        /// Its file.
        file: String,
        /// The digest in the plan.
        expected: String,
    },
    /// The thread that reads ahead is gone: it failed before.
    #[error("task `{0}`: the stream has ended")]
    Ended(String),
    /// Files and tokenizers.
    #[error(transparent)]
    Text(#[from] TextError),
}

/// Where a stream stands: enough to find the next batch again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamState {
    /// Passes through the corpus that are done.
    pub epoch: u64,
    /// Chunks of the epoch before the present one.
    pub chunk: u64,
    /// First line of the present chunk, over all files.
    pub line: u64,
    /// Batches of the present chunk that were served.
    pub served: u64,
    /// Pairs skipped so far, those of the present chunk with them.
    pub skipped: SkippedPairs,
    /// The step that the present chunk was read for, where that matters (competence); else 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub step: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A pair that was read.
#[derive(Debug)]
struct Texts {
    /// Its number over all files, from 0.
    index: u64,
    source: String,
    target: String,
}

/// Makes examples of pairs. An example depends on its pair alone: so they may be made in any order.
#[derive(Debug)]
struct Maker<'a> {
    examples: &'a Examples,
    most: usize,
    seed: u64,
    task_and_epoch: [u64; 2],
}

impl Maker<'_> {
    /// What is made of a pair, and what is left out of it.
    fn make(&self, Texts { index, source, target }: &Texts) -> (Option<Example>, SkippedPairs) {
        let mut skipped = SkippedPairs::default();
        // By line, not by lane: the same noise wherever a line is read.
        let [task, epoch] = self.task_and_epoch;
        let noise = Stream::new(self.seed, Purpose::Noise, &[task, epoch, *index]);
        let made = self.examples.make(source, target, Some(noise), &mut skipped);
        let fits = made.as_ref().is_none_or(|example| columns(example) <= self.most);
        skipped.too_long += u64::from(!fits);
        (made.filter(|_| fits), skipped)
    }
}

/// Endless batches of one task on one lane.
#[derive(Debug)]
pub struct TaskStream {
    task: String,
    lane: u32,
    seed: u64,
    files: ParallelFiles,
    lines: [u32; 2],
    most: usize,
    chunk_size: usize,
    bad_lines: BadLines,
    examples: Examples,
    competence: Option<Competence>,
    reader: Option<ParallelReader>,
    state: StreamState,
    /// Batches of the present chunk that are still to be served, last first.
    waiting: Vec<Batch>,
    /// Where the reader stands behind the present chunk.
    behind: u64,
    at_end: bool,
}

impl TaskStream {
    /// A stream at its start. Nothing is read before the first batch.
    pub fn open(
        plan: &Plan,
        task: &str,
        lane: u32,
        tokenizers: &Tokenizers,
    ) -> Result<Self, StreamError> {
        let spec = plan.tasks.get(task).ok_or_else(|| Fault::UnknownTask(task.to_owned()))?;
        let on_lane = plan
            .lanes
            .get(lane as usize)
            .and_then(|spec| spec.tasks.get(task))
            .ok_or_else(|| Fault::NotOnLane { task: task.to_owned(), lane })?;
        Ok(Self {
            task: task.to_owned(),
            lane,
            seed: plan.experiment.seed,
            files: spec.corpus.train.clone(),
            lines: on_lane.lines,
            most: plan.training.batch_tokens as usize,
            chunk_size: plan.training.shuffle.max(1) as usize,
            bad_lines: spec.corpus.bad_lines,
            examples: Examples::new(plan, spec, tokenizers)?,
            competence: plan.curriculum.competence,
            reader: None,
            state: StreamState::default(),
            waiting: Vec::new(),
            behind: 0,
            at_end: false,
        })
    }

    /// The task.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// Where the stream stands.
    pub fn state(&self) -> StreamState {
        self.state
    }

    /// Brings a stream to a state that an equal stream had.
    pub fn resume(&mut self, state: &StreamState) -> Result<(), StreamError> {
        self.state = *state;
        self.waiting.clear();
        self.reader = None;
        self.at_end = false;
        self.behind = state.line;
        if state.served == 0 {
            return Ok(());
        }
        // What the chunk skips is in the state already.
        let _ = self.fill()?;
        let left =
            self.waiting.len().checked_sub(usize::try_from(state.served).unwrap_or(usize::MAX));
        let left = left.ok_or_else(|| Fault::OtherCorpus(self.task.clone()))?;
        self.waiting.truncate(left);
        Ok(())
    }

    /// Closes its files until the next chunk, which is read on where the last one ended.
    pub fn rest(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.rest();
        }
    }

    /// Whether it has files open.
    pub fn is_open(&self) -> bool {
        self.reader.as_ref().is_some_and(ParallelReader::is_open)
    }

    /// Whether a rest costs it no more than a seek.
    pub fn seeks(&self) -> bool {
        self.reader.as_ref().is_none_or(ParallelReader::seeks)
    }

    /// The next batch, for a step (from 1). The stream starts anew, in another order, whenever the corpus is through.
    pub fn next_batch(&mut self, step: u64) -> Result<Batch, StreamError> {
        let mut empty_passes = 0;
        loop {
            if let Some(batch) = self.waiting.pop() {
                self.state.served += 1;
                return Ok(batch);
            }
            self.advance();
            self.state.step = if self.competence.is_some() { step } else { 0 };
            let skipped = self.fill()?;
            self.state.skipped += skipped;
            if self.waiting.is_empty() && self.at_end {
                empty_passes += 1;
                if empty_passes > 1 {
                    return Err(Fault::NothingUsable {
                        task: self.task.clone(),
                        lane: self.lane,
                        files: self.files.source.to_vec(),
                        skipped: self.state.skipped,
                    });
                }
            }
        }
    }

    /// Moves the state behind the present chunk: to the next one, or to the next epoch.
    fn advance(&mut self) {
        let untouched = self.state.served == 0 && self.behind == self.state.line && !self.at_end;
        if untouched {
            return;
        }
        let (line, skipped) = (self.behind, self.state.skipped);
        self.state = if self.at_end {
            self.reader = None;
            self.at_end = false;
            StreamState { epoch: self.state.epoch + 1, skipped, ..StreamState::default() }
        } else {
            let (epoch, chunk) = (self.state.epoch, self.state.chunk + 1);
            StreamState { epoch, chunk, line, skipped, ..StreamState::default() }
        };
        self.behind = self.state.line;
    }

    /// Reads the chunk at the state's line and cuts it into batches; says what it skips.
    fn fill(&mut self) -> Result<SkippedPairs, StreamError> {
        let mut reader = match self.reader.take() {
            Some(reader) if reader.position() == self.state.line => reader,
            _ => {
                let mut reader = ParallelReader::open(&self.files)?;
                if reader.skip(self.state.line)? < self.state.line {
                    return Err(Fault::OtherCorpus(self.task.clone()));
                }
                reader
            }
        };
        let mut skipped = SkippedPairs::default();
        let mut chunk = Vec::new();
        self.at_end = false;
        while chunk.len() < self.chunk_size && !self.at_end {
            // A pair gives one example at most: so nothing is read that the chunk has no place for.
            let pairs = self.read(&mut reader, self.chunk_size - chunk.len(), &mut skipped)?;
            let maker = Maker {
                examples: &self.examples,
                most: self.most,
                seed: self.seed,
                task_and_epoch: [name_key(&self.task), self.state.epoch],
            };
            let made: Vec<(Option<Example>, SkippedPairs)> =
                pairs.par_iter().map(|pair| maker.make(pair)).collect();
            for (example, left_out) in made {
                chunk.extend(example);
                skipped += left_out;
            }
        }
        if let Some(competence) = self.competence {
            let keep = competence.admitted(self.state.step, chunk.len());
            chunk = easiest(chunk, keep, competence.difficulty);
        }
        self.behind = reader.position();
        self.reader = Some(reader);
        let StreamState { epoch, chunk: number, .. } = self.state;
        let key = [name_key(&self.task), u64::from(self.lane), epoch, number];
        let mut streams = (
            Stream::new(self.seed, Purpose::Shuffle, &key),
            Stream::new(self.seed, Purpose::BatchOrder, &key),
        );
        self.waiting = shuffled(chunk, self.most, (&mut streams.0, &mut streams.1));
        self.waiting.reverse();
        Ok(skipped)
    }

    /// The lane's next good pairs, `most` or up to the end of the corpus.
    fn read(
        &mut self,
        reader: &mut ParallelReader,
        most: usize,
        skipped: &mut SkippedPairs,
    ) -> Result<Vec<Texts>, StreamError> {
        let mut pairs = Vec::new();
        while pairs.len() < most {
            let Some(pair) = reader.next_pair()? else {
                self.at_end = true;
                break;
            };
            let place = line_position(pair.index);
            let [from, to] = self.lines;
            if place < from || place >= to {
                continue;
            }
            let index = pair.index;
            match good::texts(pair) {
                Ok((source, target)) => {
                    let (source, target) = (source.to_owned(), target.to_owned());
                    pairs.push(Texts { index, source, target });
                }
                Err(bad) => bad.meet(self.bad_lines, skipped, (&self.task, reader))?,
            }
        }
        Ok(pairs)
    }
}
