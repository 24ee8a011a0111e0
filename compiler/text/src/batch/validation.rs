//! A task's validation text as batches, in order of length within bounded chunks, each pair once.

use mmc_plan::Plan;

use super::cut::{Batch, columns, in_order};
use super::example::{Examples, Skipped};
use super::{StreamError, Tokenizers};
use crate::parallel::ParallelReader;

/// Pairs that are sorted by length together.
const CHUNK: usize = 10_000;

/// One pass through a task's validation text.
#[derive(Debug)]
pub struct ValidationStream {
    reader: ParallelReader,
    examples: Examples,
    most: usize,
    /// Batches of the present chunk, last first.
    waiting: Vec<Batch>,
    skipped: Skipped,
}

impl ValidationStream {
    /// A pass from the first pair.
    pub fn open(plan: &Plan, task: &str, tokenizers: &Tokenizers) -> Result<Self, StreamError> {
        let unknown = || StreamError::UnknownTask(task.to_owned());
        let spec = plan.tasks.get(task).ok_or_else(unknown)?;
        let files =
            spec.corpus.valid.as_ref().ok_or_else(|| StreamError::NoValidation(task.to_owned()))?;
        Ok(Self {
            reader: ParallelReader::open(files)?,
            examples: Examples::new(plan, spec, tokenizers)?,
            most: plan.training.batch_tokens as usize,
            waiting: Vec::new(),
            skipped: Skipped::default(),
        })
    }

    /// Pairs left out so far.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// The next batch; none at the end.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, StreamError> {
        if self.waiting.is_empty() {
            let mut chunk = Vec::new();
            while chunk.len() < CHUNK
                && let Some(pair) = self.reader.next_pair()?
            {
                let (Some(source), Some(target)) = (pair.source.text(), pair.target.text()) else {
                    self.skipped.not_utf8 += 1;
                    continue;
                };
                match self.examples.make(source, target, None, &mut self.skipped) {
                    Some(example) if columns(&example) > self.most => self.skipped.too_long += 1,
                    example => chunk.extend(example),
                }
            }
            chunk.sort_by_key(|example| (columns(example), example.target.len()));
            self.waiting = in_order(chunk, self.most);
            self.waiting.reverse();
        }
        Ok(self.waiting.pop())
    }
}
