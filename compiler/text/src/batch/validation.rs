//! A task's validation text as batches, in order of length within bounded chunks, each pair once.

use mmc_plan::{BadLines, Plan, SkippedPairs};

use super::cut::{Batch, columns, in_order};
use super::example::Examples;
use super::good;
use super::{StreamError, Tokenizers};
use crate::parallel::ParallelReader;

/// Pairs that are sorted by length together.
const CHUNK: usize = 10_000;

/// One pass through a task's validation text.
#[derive(Debug)]
pub struct ValidationStream {
    task: String,
    bad_lines: BadLines,
    reader: ParallelReader,
    examples: Examples,
    most: usize,
    /// Batches of the present chunk, last first.
    waiting: Vec<Batch>,
    skipped: SkippedPairs,
}

impl ValidationStream {
    /// A pass from the first pair.
    pub fn open(plan: &Plan, task: &str, tokenizers: &Tokenizers) -> Result<Self, StreamError> {
        let unknown = || StreamError::UnknownTask(task.to_owned());
        let spec = plan.tasks.get(task).ok_or_else(unknown)?;
        let files =
            spec.corpus.valid.as_ref().ok_or_else(|| StreamError::NoValidation(task.to_owned()))?;
        Ok(Self {
            task: task.to_owned(),
            bad_lines: spec.corpus.bad_lines,
            reader: ParallelReader::open(files)?,
            examples: Examples::new(plan, spec, tokenizers)?,
            most: plan.training.batch_tokens as usize,
            waiting: Vec::new(),
            skipped: SkippedPairs::default(),
        })
    }

    /// Pairs left out so far.
    pub fn skipped(&self) -> SkippedPairs {
        self.skipped
    }

    /// The next batch; none at the end.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, StreamError> {
        if self.waiting.is_empty() {
            let mut chunk = Vec::new();
            while chunk.len() < CHUNK
                && let Some(pair) = self.reader.next_pair()?
            {
                let (source, target) = match good::texts(pair) {
                    Ok(texts) => texts,
                    Err(bad) => {
                        let here = (self.task.as_str(), &self.reader);
                        bad.meet(self.bad_lines, &mut self.skipped, here)?;
                        continue;
                    }
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
