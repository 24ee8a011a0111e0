//! A lane's batches to losses and gradients; a batch for which memory is too small is run in parts.
//!
//! Losses are sums over tokens and are divided when all lanes have run, so parts of a batch come to the same. Only dropout's masks
//! differ: those of a part are drawn for the part.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tch::{Device, Kind, Tensor};

use super::Stepper;
use crate::error::WorkerError;
use crate::model::{Batch, Direction, Masks, Mode, Objective};
use crate::store::Store;
use crate::translate::memory;

/// A batch, or some rows of one.
#[derive(Debug)]
struct Part {
    batch: Batch,
    /// Number of the batch among the lane's, from 0.
    of: usize,
    /// What its masks are keyed by: of a batch step, lane and number, of parts the halves too that lead to them. Never the rank, so
    /// that masks are the same wherever the lane runs.
    key: Vec<u64>,
}

/// What a lane's batches came to.
#[derive(Debug)]
pub(super) struct Passed {
    /// Sum over target tokens, of each batch.
    pub(super) losses: Vec<f64>,
    /// Sentences of the largest part that memory was too small for; 0: there was none.
    pub(super) refused: usize,
    /// Parts in which the batches were run.
    pub(super) parts: usize,
}

/// What came of running some parts one after the other.
enum Attempt {
    /// Their losses, without dimensions.
    Done(Vec<Tensor>),
    /// Memory was too small for one, as libtorch said.
    Refused { at: usize, words: String },
}

impl Stepper<'_> {
    /// Forward and backward passes of a lane's batches. Where memory is too small for one, what was computed is dropped and the lane
    /// begins anew with that one in halves.
    pub(super) fn descend(
        &self,
        (step, lane): (u64, u32),
        batches: Vec<Batch>,
        objective: Objective,
        store: &mut Store,
    ) -> Result<Passed, WorkerError> {
        let task = self.task(step, lane)?;
        let direction = self.direction(task)?;
        let (count, mut refused) = (batches.len(), 0);
        let part = |(of, batch)| Part { batch, of, key: vec![step, lane.into(), of as u64] };
        let mut parts: Vec<Part> = batches.into_iter().enumerate().map(part).collect();
        loop {
            let (at, words) = match self.attempt(direction, &parts, objective)? {
                Attempt::Done(losses) => {
                    let losses = by_batch(&parts, &losses, count)?;
                    return Ok(Passed { losses, refused, parts: parts.len() });
                }
                Attempt::Refused { at, words } => (at, words),
            };
            for module in self.trained_by(task) {
                store.module(module)?.drop_gradient()?;
            }
            let Part { batch, of, key } = parts.remove(at);
            let Some(halves) = batch.halves() else {
                let (task, [source_ids, target_ids]) = (task.to_owned(), batch.ids());
                return Err(WorkerError::Memory {
                    step,
                    lane,
                    task,
                    source_ids,
                    target_ids,
                    words,
                });
            };
            refused = refused.max(batch.rows());
            let half = |(half, batch)| Part { batch, of, key: [key.as_slice(), &[half]].concat() };
            drop(parts.splice(at..at, (0..).zip(halves).map(half)));
        }
    }

    fn attempt(
        &self,
        direction: &Direction,
        parts: &[Part],
        objective: Objective,
    ) -> Result<Attempt, WorkerError> {
        let mut losses = Vec::with_capacity(parts.len());
        for (at, part) in parts.iter().enumerate() {
            match within_memory(|| self.pass(direction, part, objective))? {
                Ok(loss) => losses.push(loss),
                Err(words) => return Ok(Attempt::Refused { at, words }),
            }
        }
        Ok(Attempt::Done(losses))
    }

    /// The loss of a part, whose gradients are added to its modules'.
    fn pass(
        &self,
        direction: &Direction,
        part: &Part,
        objective: Objective,
    ) -> Result<Tensor, WorkerError> {
        let masks = Masks::on(self.plan.experiment.seed, &part.key, self.world.device());
        let sum = direction.loss(&part.batch, Mode::Train(&masks), objective);
        let loss = sum.loss.f_to_kind(Kind::Double)?;
        sum.root.f_backward()?;
        #[cfg(test)]
        if self.fitting.is_some_and(|most| part.batch.rows() > most) {
            return Err(tch::TchError::Torch("can't allocate memory".to_owned()).into());
        }
        Ok(loss)
    }
}

/// What is computed; or, when memory was too small for it, what libtorch said.
fn within_memory<T>(
    compute: impl FnOnce() -> Result<T, WorkerError>,
) -> Result<Result<T, String>, WorkerError> {
    match catch_unwind(AssertUnwindSafe(compute)) {
        Ok(Err(fault)) if memory::says_out(&fault.to_string()) => Ok(Err(fault.to_string())),
        Ok(done) => done.map(Ok),
        // What the attempt held was freed when it unwound.
        Err(panic) => match memory::words(panic.as_ref()) {
            Some(words) => Ok(Err(words.to_owned())),
            None => resume_unwind(panic),
        },
    }
}

/// The losses of the batches that parts are of. They are read when all have run: a loss may still be in the making on a device.
fn by_batch(parts: &[Part], losses: &[Tensor], count: usize) -> Result<Vec<f64>, WorkerError> {
    let losses = Vec::<f64>::try_from(&Tensor::f_stack(losses, 0)?.f_to_device(Device::Cpu)?)?;
    let mut sums = vec![0.0; count];
    for (part, loss) in parts.iter().zip(losses) {
        if let Some(sum) = sums.get_mut(part.of) {
            *sum += loss;
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than any machine has.
    const HUGE: [i64; 1] = [1 << 55];

    #[test]
    fn memory_that_runs_out_is_told_from_other_faults() {
        memory::quiet();
        let options = (Kind::Float, Device::Cpu);
        let panics = within_memory(|| Ok(Tensor::zeros(HUGE, options))).unwrap();
        let fails = within_memory(|| Ok(Tensor::f_zeros(HUGE, options)?)).unwrap();
        for said in [panics, fails] {
            assert!(said.unwrap_err().contains("allocate"));
        }
        let other =
            within_memory(|| Ok(Tensor::f_zeros([2], options)?.f_view([3_i64].as_slice())?));
        assert!(other.is_err());
        assert!(within_memory(|| Ok(7)).unwrap() == Ok(7));
    }
}
