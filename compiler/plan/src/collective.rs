//! The collectives of a step, rank by rank: what the worker drives itself by.
//!
//! A step `s` (from 1) of a plan with more than one rank has, in this order, on every rank:
//!
//! 1. **Gradients.** For each communicator in the plan's order of which the rank is a member: a module is *trained* in the
//!    step when the task of any lane of the plan ([`Plan::task_at`]) leads through it. Communicators none of whose modules
//!    are trained are skipped, by all members alike. Otherwise all-reduces (sums) of flat buckets of 64-bit floats
//!    (`docs/decisions/0003-sums-in-64-bits.md`): the trained modules in the communicator's order, cut behind each with which a
//!    bucket is full. A bucket has the gradients of its modules, then one number for each of them: its
//!    divisor's summand. A member none of whose lanes trained a module puts zeros in both places. A rank may begin a bucket as
//!    soon as its lanes are done with the modules in it and the communicator's earlier buckets have begun: what ranks do in
//!    other communicators never keeps it from beginning, so that this order is one of those in which they may meet. On processors of several
//!    nodes the sum is made in two levels, within nodes and between them: all members take part in both, so that for the order
//!    of a step it is one collective.
//! 2. **Scalars.** One all-reduce (sum) over `world` of 64-bit floats: for each lane of the plan, in order, its sum of losses,
//!    its target tokens, its source tokens, the number of its first batch whose loss is no finite number (from 1, else 0), the
//!    sentences of the largest part of a batch that memory was too small for (else 0), the parts in which its batches were run and
//!    the least and the largest learning rate of the modules that it trains; then for each rank the most bytes of memory that it has held; then the
//!    sum of squares of the divided gradients of the trained modules; then
//!    the number of ranks that a signal asked to end. A rank puts zeros for the lanes of others and for other ranks, and counts the
//!    modules that it owns. Lanes have places of their own, so that what is told of them does not depend on who ran them.
//! 3. The optimiser steps every trained module. No communication.
//! 4. **Validation**, in steps that are multiples of `training.validate_every` and after the last: one all-reduce (sum) over
//!    `world` of 64-bit floats: for each task of the plan, in order of name, its numbers ([`Plan::task_scalars`]); zeros
//!    where other ranks validate it or none, and what the rank found in its parts of the text where several score it ([`Plan::scorers`]).
//! 5. **Checkpoint**, in steps that are multiples of `training.checkpoint.every` and after the last: three barriers over
//!    `world`: the folder is there; every rank has written the modules that it owns; rank 0 has published the whole. After the
//!    last step of a plan with `training.average` the same again, for the mean of checkpoints.
//!
//! When the scalars say that a signal asked for the end, the step has no validation, a checkpoint, and no successor.
//!
//! One rank alone has no collectives. The order of communicators is one for all ranks, so no two ranks can wait for each
//! other; [`crate::replay()`] proves it of each plan by other code.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::plan::{CommunicatorSpec, Plan, TaskSpec};

/// What a collective is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CollectivePurpose {
    /// Sums of gradients and divisors.
    Gradients,
    /// Losses and tokens of lanes, memory of ranks, norm, requests to end.
    Scalars,
    /// Validation losses and scores.
    Validation,
    /// A barrier around the files of a checkpoint.
    Checkpoint,
}

/// One all-reduce (sum), or barrier, in which a rank takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectiveCall<'a> {
    /// The communicator's name.
    pub communicator: &'a str,
    /// What for.
    pub purpose: CollectivePurpose,
    /// [`CollectivePurpose::Gradients`]: the trained modules in the order of the bucket; else empty.
    pub modules: Vec<&'a str>,
    /// 64-bit floats in the bucket; 0 for a barrier.
    pub elements: u64,
}

/// Numbers of a lane among the scalars: sum of losses, target tokens, source tokens, first batch without a finite loss, what memory
/// was too small for, parts of batches, learning rates.
pub const LANE_SCALARS: u64 = 8;

/// Numbers of a rank among the scalars: memory.
pub const RANK_SCALARS: u64 = 1;

/// Numbers behind the ranks' among the scalars: sum of squares, requests to end.
pub const STEP_SCALARS: u64 = 2;

/// Barriers of a checkpoint.
pub const CHECKPOINT_BARRIERS: usize = 3;

impl Plan {
    /// The tasks that the lanes run in a step (from 1), each once, in order of name.
    pub fn tasks_in(&self, step: u64) -> BTreeSet<&str> {
        self.drawn_in(step).collect()
    }

    /// The task of every lane in a step.
    fn drawn_in(&self, step: u64) -> impl Iterator<Item = &str> {
        (0..).zip(&self.lanes).filter_map(move |(lane, _)| self.task_at(step, lane))
    }

    /// The modules that are trained in a step (from 1), and how many lanes train each.
    pub fn lanes_training(&self, step: u64) -> BTreeMap<&str, u32> {
        let mut lanes_of: BTreeMap<&str, u32> = BTreeMap::new();
        for task in self.drawn_in(step) {
            *lanes_of.entry(task).or_default() += 1;
        }
        let mut lanes: BTreeMap<&str, u32> = BTreeMap::new();
        for (task, count) in lanes_of {
            for module in self.trained_by(&BTreeSet::from([task])) {
                *lanes.entry(module).or_default() += count;
            }
        }
        lanes
    }

    /// The modules that are trained in a step (from 1): those of its tasks that are not frozen, on whatever lane or rank.
    pub fn trained_in(&self, step: u64) -> BTreeSet<&str> {
        self.trained_by(&self.tasks_in(step))
    }

    /// The modules of tasks that are not frozen.
    pub(crate) fn trained_by(&self, tasks: &BTreeSet<&str>) -> BTreeSet<&str> {
        let specs = tasks.iter().filter_map(|&name| self.tasks.get(name));
        let trained = |name: &str| self.modules.get(name).is_none_or(|module| !module.frozen);
        specs.flat_map(TaskSpec::path).map(String::as_str).filter(|name| trained(name)).collect()
    }

    /// Whether all tasks with validation text are validated after a step.
    pub fn validates_after(&self, step: u64) -> bool {
        let every = self.training.validate_every;
        step == self.training.steps || every.is_some_and(|every| step.is_multiple_of(every))
    }

    /// Whether a checkpoint is written after a step, signals apart.
    pub fn saves_after(&self, step: u64) -> bool {
        let every = self.training.checkpoint.every;
        step == self.training.steps || every.is_some_and(|every| step.is_multiple_of(every))
    }

    /// The steps whose checkpoints are averaged when training ends behind `end` (from 1), newest first: that one, and those before it
    /// that are written whatever signals and validations say. None when the plan averages nothing.
    pub fn averaged_at(&self, end: u64) -> Vec<u64> {
        let every = self.training.checkpoint.every.map(|every| every.max(1));
        let regular =
            |every: u64| (1..=end.saturating_sub(1) / every).rev().map(move |n| n * every);
        let all = std::iter::once(end).chain(every.into_iter().flat_map(regular));
        all.take(self.training.average.unwrap_or(0) as usize).collect()
    }

    /// The communicators that a rank is a member of, by their numbers.
    pub(crate) fn communicators_of(&self, rank: u32) -> impl Iterator<Item = usize> {
        let members = self.communicators.iter().enumerate();
        members.filter(move |(_, spec)| spec.ranks.contains(&rank)).map(|(number, _)| number)
    }

    /// The collectives of a rank in a step (from 1), in the order in which it takes part in them; signals apart.
    pub fn collectives(&self, rank: u32, step: u64) -> Vec<CollectiveCall<'_>> {
        let trained = self.trained_in(step).into_iter().collect();
        let own = self.communicators_of(rank).filter_map(|number| self.communicators.get(number));
        self.sequence(step, own.flat_map(|spec| self.gradients(spec, &trained)))
    }

    /// The collectives of a rank that sums these gradients.
    pub(crate) fn sequence<'a>(
        &'a self,
        step: u64,
        gradients: impl Iterator<Item = CollectiveCall<'a>>,
    ) -> Vec<CollectiveCall<'a>> {
        let mut calls: Vec<_> = gradients.collect();
        if self.ranks.len() < 2 {
            return calls;
        }
        let Some(world) = self.communicators.first().map(|spec| spec.name.as_str()) else {
            return calls;
        };
        let over_world = |purpose, elements| CollectiveCall {
            communicator: world,
            purpose,
            modules: Vec::new(),
            elements,
        };
        let (lanes, ranks) = (self.lanes.len() as u64, self.ranks.len() as u64);
        let scalars = LANE_SCALARS * lanes + RANK_SCALARS * ranks + STEP_SCALARS;
        calls.push(over_world(CollectivePurpose::Scalars, scalars));
        if self.validates_after(step) {
            let numbers = self.task_scalars() * self.tasks.len() as u64;
            calls.push(over_world(CollectivePurpose::Validation, numbers));
        }
        if self.saves_after(step) {
            let barrier = over_world(CollectivePurpose::Checkpoint, 0);
            let averages = step == self.training.steps && self.training.average.is_some();
            let folders = if averages { 2 } else { 1 };
            calls.extend(std::iter::repeat_n(barrier, folders * CHECKPOINT_BARRIERS));
        }
        calls
    }

    /// The all-reduces of a communicator's gradients, a bucket each; none when none of its modules is trained.
    pub(crate) fn gradients<'a>(
        &'a self,
        spec: &'a CommunicatorSpec,
        trained: &HashSet<&str>,
    ) -> Vec<CollectiveCall<'a>> {
        let full = spec.bucket.unwrap_or(u64::MAX);
        let mut calls: Vec<CollectiveCall<'a>> = Vec::new();
        for name in spec.modules.iter().map(String::as_str).filter(|name| trained.contains(name)) {
            let parameters = self.modules.get(name).map_or(0, |module| module.parameters);
            let elements = parameters.saturating_add(1);
            match calls.last_mut().filter(|call| call.elements < full) {
                Some(call) => {
                    call.modules.push(name);
                    call.elements = call.elements.saturating_add(elements);
                }
                None => calls.push(CollectiveCall {
                    communicator: &spec.name,
                    purpose: CollectivePurpose::Gradients,
                    modules: vec![name],
                    elements,
                }),
            }
        }
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn one_rank_has_none() {
        let plan = sample::plan(&["de", "en"], 2, &[&[0, 1]]);
        assert!((1..=plan.training.steps).all(|step| plan.collectives(0, step).is_empty()));
    }

    #[test]
    fn step_has_gradients_then_scalars_then_validation_then_checkpoint() {
        use CollectivePurpose::{Checkpoint, Gradients, Scalars, Validation};
        let plan = sample::plan(&["de", "en"], 2, &[&[0], &[1]]);
        let purposes = |step| -> Vec<CollectivePurpose> {
            plan.collectives(1, step).iter().map(|call| call.purpose).collect()
        };
        assert_eq!(purposes(1), [Gradients, Scalars]);
        let whole = [Gradients, Scalars, Validation, Checkpoint, Checkpoint, Checkpoint];
        assert_eq!(purposes(10), whole);
        assert_eq!(purposes(20), whole);
    }

    #[test]
    fn the_last_checkpoints_are_averaged() {
        let mut plan = sample::plan(&["de", "en"], 2, &[&[0], &[1]]);
        assert!(plan.averaged_at(20).is_empty());
        plan.training.average = Some(3);
        assert_eq!(plan.averaged_at(20), [20, 10]);
        assert_eq!((plan.averaged_at(47), plan.averaged_at(1)), (vec![47, 40, 30], vec![1]));
        let barriers = |step| plan.collectives(1, step).len();
        assert_eq!(barriers(20), barriers(10) + CHECKPOINT_BARRIERS);
        plan.training.checkpoint.every = None;
        assert_eq!(plan.averaged_at(20), [20]);
    }

    #[test]
    fn lanes_are_counted_for_every_module_that_they_train() {
        let mut plan = sample::plan(&["cs", "de", "en"], 4, &[&[0, 1], &[2, 3]]);
        plan.modules.get_mut("encoder.1.full").unwrap().frozen = true;
        let mut met = BTreeSet::new();
        for step in 1..=20 {
            let lanes = plan.lanes_training(step);
            for (name, spec) in &plan.modules {
                let trains = |lane: &u32| {
                    let task = &plan.tasks[plan.task_at(step, *lane).unwrap()];
                    !spec.frozen && task.modules().contains(&name.as_str())
                };
                let expected = (0..4).filter(trains).count();
                assert_eq!(lanes.get(name.as_str()).map_or(0, |&found| found as usize), expected);
                met.insert(expected);
            }
            assert!(lanes.into_keys().eq(plan.trained_in(step)));
        }
        assert!(met.len() > 3, "{met:?}");
    }

    #[test]
    fn bucket_holds_what_the_step_trains() {
        // Each lane draws among three directions: which modules are trained differs from step to step.
        let plan = sample::plan(&["cs", "de", "en"], 2, &[&[0], &[1]]);
        let mut seen = BTreeSet::new();
        for step in 1..=20 {
            let trained: HashSet<&str> = plan.trained_in(step).into_iter().collect();
            for spec in &plan.communicators {
                let calls = plan.gradients(spec, &trained);
                let modules: Vec<&str> = spec
                    .modules
                    .iter()
                    .map(String::as_str)
                    .filter(|m| trained.contains(m))
                    .collect();
                assert_eq!(calls.len(), usize::from(!modules.is_empty()));
                let Some(call) = calls.first() else { continue };
                let parameters: u64 = modules.iter().map(|&m| plan.modules[m].parameters).sum();
                assert_eq!(call.elements, parameters + modules.len() as u64);
                assert!(call.elements <= spec.elements);
                seen.insert((spec.name.as_str(), call.elements));
            }
        }
        assert!(seen.len() > plan.communicators.len(), "buckets never differ: {seen:?}");
    }

    #[test]
    fn buckets_are_cut_when_they_are_full() {
        let mut plan = sample::plan(&["cs", "de", "en"], 2, &[&[0], &[1]]);
        let trained: BTreeSet<&str> = plan.trained_in(1);
        let trained: HashSet<String> = trained.into_iter().map(str::to_owned).collect();
        let trained: HashSet<&str> = trained.iter().map(String::as_str).collect();
        let whole = plan.gradients(&plan.communicators[0], &trained).remove(0);
        let (modules, elements) = (whole.modules.len(), whole.elements);
        assert!(modules > 2);
        for full in [1, elements / 3, elements, elements + 1] {
            plan.communicators[0].bucket = Some(full);
            let calls = plan.gradients(&plan.communicators[0], &trained);
            let all: Vec<&str> = calls.iter().flat_map(|call| call.modules.clone()).collect();
            let own = plan.communicators[0].modules.iter().map(String::as_str);
            assert!(own.filter(|name| trained.contains(name)).eq(all));
            assert_eq!(calls.iter().map(|call| call.elements).sum::<u64>(), elements);
            for call in &calls {
                let last = plan.modules[*call.modules.last().unwrap()].parameters + 1;
                assert!(call.elements - last < full, "cut too late");
            }
            let but_last = &calls[..calls.len() - 1];
            assert!(but_last.iter().all(|call| call.elements >= full), "cut too early");
            assert_eq!(full == 1, calls.len() == modules);
        }
    }
}
