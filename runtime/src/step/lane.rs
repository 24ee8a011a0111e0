//! A lane's batches to losses and gradients; a batch for which memory is too small is run in parts.
//!
//! Losses are sums over tokens and are divided when all lanes have run, so parts of a batch come to the same. Only dropout's masks
//! differ: those of a part are drawn for the part.
//!
//! In the backward pass of the last part, modules are handed over one by one, while the pass goes on: where there are other ranks to
//! wait for them, and memory was large enough for such a batch before. What was handed over could not be taken back.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::Stepper;
use super::exchange::Exchange;
use crate::error::WorkerError;
use crate::ffi;
use crate::model::{Batch, Direction, Masks, Mode, Objective, Size};
use crate::shortage;
use crate::store::Store;

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

/// Takes from lanes the gradients that they are done with.
#[derive(Debug)]
pub(super) struct Hand<'h, 'a> {
    pub(super) exchange: &'h mut Exchange<'a>,
    pub(super) store: &'h mut Store,
    /// Of this rank's lanes so far, this one included.
    pub(super) divisors: &'h BTreeMap<&'a str, f64>,
}

impl Hand<'_, '_> {
    fn take_in(&mut self, module: &str) -> Result<(), WorkerError> {
        Ok(self.store.module(module)?.take_in()?)
    }

    fn over(&mut self, module: &str) -> Result<(), WorkerError> {
        self.exchange.hand_over(module, self.store, self.divisors)
    }
}

/// What came of running some parts one after the other.
enum Attempt {
    /// Their losses, without dimensions.
    Done(Vec<Tensor>),
    /// Memory was too small for one, as libtorch said.
    Refused { at: usize, words: String },
}

impl<'a> Stepper<'a> {
    /// Forward and backward passes of a lane's batches, whose gradients are handed over. Where memory is too small for one, what was
    /// computed is dropped and the lane begins anew with that one in halves.
    pub(super) fn descend(
        &self,
        (step, lane): (u64, u32),
        batches: Vec<Batch>,
        objective: Objective,
        hand: &mut Hand<'_, 'a>,
    ) -> Result<Passed, WorkerError> {
        let task = self.task(step, lane)?;
        let direction = self.direction(task)?;
        let mut modules: Vec<&str> = self.trained_by(task).collect();
        let (count, mut refused) = (batches.len(), 0);
        let part = |(of, batch)| Part { batch, of, key: vec![step, lane.into(), of as u64] };
        let mut parts: Vec<Part> = batches.into_iter().enumerate().map(part).collect();
        loop {
            let kept = modules.len();
            let (at, words) =
                match self.attempt((task, direction), &parts, objective, (&mut modules, hand))? {
                    Attempt::Done(losses) => {
                        modules.into_iter().try_for_each(|module| hand.over(module))?;
                        let losses = by_batch(&parts, &losses, count)?;
                        return Ok(Passed { losses, refused, parts: parts.len() });
                    }
                    Attempt::Refused { at, words } => (at, words),
                };
            let Part { batch, of, key } = parts.remove(at);
            if modules.len() < kept {
                // What was handed over can't be taken back.
                let (task, sentences) = (task.to_owned(), batch.rows());
                return Err(WorkerError::MemoryLate { step, lane, task, sentences, words });
            }
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
            for module in &modules {
                hand.store.module(module)?.drop_gradient()?;
            }
            refused = refused.max(batch.rows());
            let half = |(half, batch)| Part { batch, of, key: [key.as_slice(), &[half]].concat() };
            drop(parts.splice(at..at, (0..).zip(halves).map(half)));
        }
    }

    /// Runs parts. In the last, `modules` whose gradients are there are handed over and no longer among them.
    fn attempt(
        &self,
        (task, direction): (&'a str, &Direction),
        parts: &[Part],
        objective: Objective,
        (modules, hand): (&mut Vec<&'a str>, &mut Hand<'_, 'a>),
    ) -> Result<Attempt, WorkerError> {
        let mut losses = Vec::with_capacity(parts.len());
        for (at, part) in parts.iter().enumerate() {
            let size = part.batch.size();
            let hands_over = at + 1 == parts.len() && self.may_hand_over(task, size);
            let passed = shortage::within(|| {
                let (root, loss) = self.ascend(direction, part, objective)?;
                if hands_over {
                    hand_over_during(&root, modules, hand)?;
                } else {
                    root.f_backward()?;
                }
                if at + 1 < parts.len() {
                    modules.iter().try_for_each(|module| hand.take_in(module))?;
                }
                Ok(loss)
            });
            match passed? {
                Ok(loss) => {
                    self.fitted.borrow_mut().add(task, size);
                    losses.push(loss);
                }
                Err(words) => return Ok(Attempt::Refused { at, words }),
            }
        }
        Ok(Attempt::Done(losses))
    }

    /// Whether modules may be handed over in the backward pass of a part of this size.
    fn may_hand_over(&self, task: &str, size: Size) -> bool {
        self.world.seat().world > 1 && self.fitted.borrow().covers(task, size)
    }

    /// A part's root of gradients, and its loss.
    fn ascend(
        &self,
        direction: &Direction,
        part: &Part,
        objective: Objective,
    ) -> Result<(Tensor, Tensor), WorkerError> {
        let masks = Masks::on(self.plan.experiment.seed, &part.key, self.world.device());
        let sum = direction.loss(&part.batch, Mode::Train(&masks), objective);
        let loss = sum.loss.f_to_kind(Kind::Double)?;
        #[cfg(test)]
        if self.fitting.is_some_and(|most| part.batch.rows() > most) {
            return Err(tch::TchError::Torch("can't allocate memory".to_owned()).into());
        }
        Ok((sum.root, loss))
    }
}

/// A backward pass in which modules are handed over as soon as their gradients are there; those stay among `modules` that have a
/// parameter without a part in it.
fn hand_over_during(
    root: &Tensor,
    modules: &mut Vec<&str>,
    hand: &mut Hand<'_, '_>,
) -> Result<(), WorkerError> {
    let mut leaves = Vec::new();
    for (number, module) in modules.iter().enumerate() {
        let of_module = hand.store.module(module)?.leaves();
        leaves.extend(of_module.map(|leaf| (leaf.shallow_clone(), number)));
    }
    let watched: Vec<(&Tensor, usize)> = leaves.iter().map(|(leaf, at)| (leaf, *at)).collect();
    let mut left: Vec<Option<&str>> = modules.iter().copied().map(Some).collect();
    let mut fault = None;
    let passed = ffi::backward(root, &watched, &mut |number| {
        let module = left.get_mut(number).and_then(Option::take);
        if let (Some(module), None) = (module, &fault) {
            fault = hand.over(module).err();
        }
    });
    *modules = left.into_iter().flatten().collect();
    fault.map_or(Ok(()), Err)?;
    Ok(passed?)
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
