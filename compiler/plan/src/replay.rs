//! Plays all ranks' steps by the rules of collectives, from the plan alone.
//!
//! Every rank derives its own sequence from what it holds, as the worker would; ranks then meet: a collective happens when all
//! members of its communicator have arrived at it, with the same purpose, modules and size. Gradients are played as sums of
//! tokens, one token a lane, so that it is seen whether every holder of a trained module ends the step with every lane's
//! gradient exactly once. No code is shared with [`Plan::collectives`]; both are compared.

mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use miette::Diagnostic;
use thiserror::Error;

use worker::Worker;

use crate::collective::{
    CHECKPOINT_BARRIERS, CollectivePurpose, LANE_SCALARS, RANK_SCALARS, STEP_SCALARS,
};
use crate::plan::{Plan, TaskSpec};
use crate::random::name_key;
use crate::schedule::Draws;

/// What was played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Steps.
    pub steps: u64,
    /// Collectives, each counted once for all its members.
    pub collectives: u64,
    /// Numbers in all of them, counted once for all members.
    pub elements: u128,
    /// Collectives that were skipped because no lane trained a module of the communicator, by communicator.
    pub skipped: BTreeMap<String, u64>,
}

/// Why ranks would not meet, or would not end up with the same parameters.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[diagnostic(
    code(mmc::plan::replay),
    help("a plan that `mmc` wrote can be played: make it again from its source")
)]
pub enum ReplayFault {
    /// Nobody can go on.
    #[error("plan deadlocks in step {step}: {waiting}")]
    Deadlock {
        /// The step of the rank that is least far.
        step: u64,
        /// Who waits for what.
        waiting: String,
    },
    /// Members meet with different buckets.
    #[error(
        "ranks {first} and {second} meet in `{communicator}` in step {step} with different buckets: \
         {first_elements} and {second_elements} numbers"
    )]
    Bucket {
        /// The step.
        step: u64,
        /// The communicator.
        communicator: String,
        /// A member.
        first: u32,
        /// Another.
        second: u32,
        /// Numbers in the first's bucket.
        first_elements: u64,
        /// Numbers in the second's.
        second_elements: u64,
    },
    /// A holder does not end up with the gradient of all lanes.
    #[error("rank {rank} ends step {step} without the whole gradient of module `{module}`")]
    Gradient {
        /// The step.
        step: u64,
        /// The rank.
        rank: u32,
        /// The module.
        module: String,
    },
    /// A trained module is counted by no rank, or by several, in the norm.
    #[error("{owners} ranks count module `{module}` in the norm of step {step}, not one")]
    Norm {
        /// The step.
        step: u64,
        /// The module.
        module: String,
        /// Ranks that own it.
        owners: usize,
    },
    /// A lane is run by no rank or several.
    #[error("{ranks} ranks run lane {lane} in step {step}, not one")]
    Lane {
        /// The step.
        step: u64,
        /// The lane.
        lane: usize,
        /// Ranks that run it.
        ranks: usize,
    },
    /// The sequence that the worker takes is not the one that follows from the plan: a fault of this crate.
    #[error("rank {rank} takes other collectives in step {step} than the plan asks for")]
    Sequence {
        /// The step.
        step: u64,
        /// The rank.
        rank: u32,
    },
}

/// One collective as one rank sees it. Modules by number, see [`Play::modules`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    step: u64,
    communicator: usize,
    purpose: CollectivePurpose,
    modules: Rc<[usize]>,
    elements: u64,
}

/// Plays the first `steps` steps and, when there are more, the last.
pub fn replay(plan: &Plan, steps: u64) -> Result<ReplayReport, ReplayFault> {
    let last = plan.training.steps;
    let mut report = ReplayReport::default();
    let first = steps.min(last);
    let ending = (first < last && steps > 0).then_some(last);
    let mut queues: Vec<VecDeque<Call>> = vec![VecDeque::new(); plan.ranks.len()];
    let mut ranks = Play::new(plan);
    let mut worker = Worker::new(plan);
    for step in (1..=first).chain(ending) {
        ranks.start(step)?;
        worker.start(&ranks);
        for (rank, queue) in (0..).zip(&mut queues) {
            let calls = ranks.sequence(step, rank, &mut report);
            if !worker.takes(step, rank, &calls, &ranks) {
                return Err(ReplayFault::Sequence { step, rank });
            }
            queue.extend(calls);
        }
        ranks.meet(&mut queues, &mut report)?;
        ranks.finish(step)?;
        report.steps += 1;
    }
    Ok(report)
}

/// Modules of a communicator that a step trains, and the numbers in their bucket.
type Bucket = (Rc<[usize]>, u64);

/// The state of all ranks.
struct Play<'a> {
    plan: &'a Plan,
    /// Module -> its number: those of the plan in order of name, then others that something names.
    modules: HashMap<&'a str, usize>,
    /// Number -> name.
    names: Vec<&'a str>,
    /// Lane -> ranks that run it.
    runners: Vec<Vec<usize>>,
    /// Rank -> communicators that it is a member of.
    member_of: Vec<Vec<usize>>,
    /// Communicator -> its modules.
    bundles: Vec<Vec<usize>>,
    /// Rank, module -> whether it is held.
    held: Vec<Vec<bool>>,
    /// Module -> ranks that own it.
    owners: Vec<usize>,
    /// The draws of the window of the step.
    draws: Draws<'a>,
    /// The tasks of the step.
    drawn: BTreeSet<&'a str>,
    /// Per rank and module held: the sum of the tokens of the lanes whose gradients are in it.
    gradients: Vec<Vec<Option<u64>>>,
    /// The tokens of all lanes that trained a module in this step.
    trained: BTreeMap<usize, u64>,
    /// Communicator -> what it sums in this step.
    buckets: Vec<Vec<Bucket>>,
}

impl<'a> Play<'a> {
    fn new(plan: &'a Plan) -> Self {
        let names: Vec<&str> = plan.modules.keys().map(String::as_str).collect();
        let mut ranks = Self {
            plan,
            modules: names.iter().enumerate().map(|(at, name)| (*name, at)).collect(),
            names,
            runners: vec![Vec::new(); plan.lanes.len()],
            member_of: vec![Vec::new(); plan.ranks.len()],
            bundles: Vec::new(),
            held: Vec::new(),
            owners: Vec::new(),
            draws: plan.draws(0),
            drawn: BTreeSet::new(),
            gradients: Vec::new(),
            trained: BTreeMap::new(),
            buckets: Vec::new(),
        };
        for (number, spec) in plan.communicators.iter().enumerate() {
            for rank in &spec.ranks {
                let own = usize::try_from(*rank).ok().and_then(|at| ranks.member_of.get_mut(at));
                if let Some(own) = own.filter(|own| own.last() != Some(&number)) {
                    own.push(number);
                }
            }
            let bundle = spec.modules.iter().map(|name| ranks.number(name)).collect();
            ranks.bundles.push(bundle);
        }
        ranks.hold();
        ranks
    }

    /// Notes what ranks run, hold and own.
    fn hold(&mut self) {
        let plan = self.plan;
        for (rank, spec) in plan.ranks.iter().enumerate() {
            let lanes: BTreeSet<u32> = spec.lanes.iter().copied().collect();
            for lane in lanes {
                let known = usize::try_from(lane).ok().and_then(|at| self.runners.get_mut(at));
                if let Some(runners) = known {
                    runners.push(rank);
                }
            }
            let mut held = Vec::new();
            for module in &spec.modules {
                let number = self.number(module);
                *slot(&mut held, number) = true;
            }
            self.held.push(held);
            let owned: BTreeSet<&str> = spec.owns.iter().map(String::as_str).collect();
            for module in owned {
                let number = self.number(module);
                *slot(&mut self.owners, number) += 1;
            }
        }
        self.gradients = vec![Vec::new(); plan.ranks.len()];
        for (held, gradients) in self.held.iter().zip(&mut self.gradients) {
            *gradients = held.iter().map(|held| held.then_some(0)).collect();
        }
    }

    /// The number of a module.
    fn number(&mut self, name: &'a str) -> usize {
        let names = &mut self.names;
        *self.modules.entry(name).or_insert_with(|| {
            names.push(name);
            names.len() - 1
        })
    }

    fn name(&self, module: usize) -> &'a str {
        self.names.get(module).copied().unwrap_or_default()
    }

    /// Runs the lanes: gradients appear where they are computed.
    fn start(&mut self, step: u64) -> Result<(), ReplayFault> {
        let plan = self.plan;
        for module in std::mem::take(&mut self.trained).into_keys() {
            for (held, gradients) in self.held.iter().zip(&mut self.gradients) {
                let is_held = held.get(module).copied().unwrap_or(false);
                *slot(gradients, module) = is_held.then_some(0);
            }
        }
        self.drawn.clear();
        let window = plan.curriculum.window_of(step);
        if self.draws.window() != window {
            self.draws = plan.draws(window);
        }
        for (number, _) in (0_u32..).zip(&plan.lanes) {
            let task = self.draws.task_at(step, number);
            self.drawn.extend(task);
            let path =
                task.and_then(|task| plan.tasks.get(task)).map_or_else(Vec::new, |t| self.path(t));
            let token = name_key(&format!("{step} {number}"));
            let lane = number as usize;
            let runners = self.runners.get(lane).map_or(&[][..], Vec::as_slice);
            let &[runner] = runners else {
                return Err(ReplayFault::Lane { step, lane, ranks: runners.len() });
            };
            for module in path {
                let all = self.trained.entry(module).or_default();
                *all = all.wrapping_add(token);
                if let Some(gradients) = self.gradients.get_mut(runner) {
                    let sum = slot(gradients, module);
                    *sum = Some(sum.unwrap_or(0).wrapping_add(token));
                }
            }
        }
        let bundles = self.bundles.iter().zip(&plan.communicators);
        self.buckets = bundles.map(|(bundle, spec)| self.fill(bundle, spec.bucket)).collect();
        Ok(())
    }

    /// The modules of a task that are trained.
    fn path(&mut self, task: &'a TaskSpec) -> Vec<usize> {
        let frozen = |name: &&str| self.plan.modules.get(*name).is_some_and(|module| module.frozen);
        let trained: Vec<&str> = task.modules().into_iter().filter(|name| !frozen(name)).collect();
        trained.into_iter().map(|name| self.number(name)).collect()
    }

    /// What of a communicator's modules is trained, in buckets that are closed when they have `full` numbers.
    fn fill(&self, bundle: &[usize], full: Option<u64>) -> Vec<Bucket> {
        let (mut closed, mut open, mut numbers) = (Vec::new(), Vec::new(), 0_u64);
        for &module in bundle.iter().filter(|module| self.trained.contains_key(module)) {
            let size = self.plan.modules.get(self.name(module)).map_or(0, |spec| spec.parameters);
            open.push(module);
            numbers = numbers.saturating_add(size).saturating_add(1);
            if full.is_some_and(|full| numbers >= full) {
                closed.push((std::mem::take(&mut open).into(), std::mem::take(&mut numbers)));
            }
        }
        if !open.is_empty() {
            closed.push((open.into(), numbers));
        }
        closed
    }

    /// What a rank takes part in: the buckets of the communicators that it is a member of, then what all ranks do.
    fn sequence(&self, step: u64, rank: u32, report: &mut ReplayReport) -> Vec<Call> {
        let mut calls = Vec::new();
        let own = usize::try_from(rank).ok().and_then(|rank| self.member_of.get(rank));
        for &communicator in own.into_iter().flatten() {
            let Some(spec) = self.plan.communicators.get(communicator) else { continue };
            let buckets = self.buckets.get(communicator).map_or(&[][..], Vec::as_slice);
            for (modules, elements) in buckets {
                let (modules, elements) = (Rc::clone(modules), *elements);
                let purpose = CollectivePurpose::Gradients;
                calls.push(Call { step, communicator, purpose, modules, elements });
            }
            let is_skipped = buckets.is_empty() && !spec.modules.is_empty();
            if is_skipped && spec.ranks.first() == Some(&rank) {
                *report.skipped.entry(spec.name.clone()).or_default() += 1;
            }
        }
        if self.plan.ranks.len() > 1 {
            calls.extend(self.over_world(step));
        }
        calls
    }

    /// The collectives of all ranks together that end a step.
    fn over_world(&self, step: u64) -> Vec<Call> {
        let plan = self.plan;
        let call = |purpose, elements| Call {
            step,
            communicator: 0,
            purpose,
            modules: Rc::default(),
            elements,
        };
        let due = |every: Option<u64>| {
            step == plan.training.steps || every.is_some_and(|every| step.is_multiple_of(every))
        };
        let (lanes, ranks) = (plan.lanes.len() as u64, plan.ranks.len() as u64);
        let scalars = lanes * LANE_SCALARS + ranks * RANK_SCALARS + STEP_SCALARS;
        let mut calls = vec![call(CollectivePurpose::Scalars, scalars)];
        if due(plan.training.validate_every) {
            let numbers = plan.tasks.len() as u64 * plan.task_scalars();
            calls.push(call(CollectivePurpose::Validation, numbers));
        }
        let averages = plan.training.average.is_some() && step == plan.training.steps;
        let folders = usize::from(due(plan.training.checkpoint.every)) + usize::from(averages);
        for _ in 0..folders * CHECKPOINT_BARRIERS {
            calls.push(call(CollectivePurpose::Checkpoint, 0));
        }
        calls
    }

    /// Lets ranks meet until all sequences are done.
    fn meet(
        &mut self,
        queues: &mut [VecDeque<Call>],
        report: &mut ReplayReport,
    ) -> Result<(), ReplayFault> {
        loop {
            let mut moved = false;
            for number in 0..self.plan.communicators.len() {
                moved |= self.try_collective(number, queues, report)?;
            }
            if queues.iter().all(VecDeque::is_empty) {
                return Ok(());
            }
            if !moved {
                return Err(self.deadlock(queues));
            }
        }
    }

    /// Performs the collective of a communicator when all its members stand at it.
    fn try_collective(
        &mut self,
        number: usize,
        queues: &mut [VecDeque<Call>],
        report: &mut ReplayReport,
    ) -> Result<bool, ReplayFault> {
        let Some(spec) = self.plan.communicators.get(number) else { return Ok(false) };
        let mut heads: Vec<(u32, &Call)> = Vec::new();
        for &rank in &spec.ranks {
            let queue = usize::try_from(rank).ok().and_then(|rank| queues.get(rank));
            match queue.and_then(VecDeque::front) {
                Some(head) if head.communicator == number => heads.push((rank, head)),
                Some(_) | None => return Ok(false),
            }
        }
        let Some(&(first, call)) = heads.first() else { return Ok(false) };
        if let Some(&(second, other)) = heads.iter().find(|(_, head)| *head != call) {
            return Err(ReplayFault::Bucket {
                step: call.step,
                communicator: spec.name.clone(),
                first,
                second,
                first_elements: call.elements,
                second_elements: other.elements,
            });
        }
        report.collectives += 1;
        report.elements += u128::from(call.elements);
        let modules = Rc::clone(&call.modules);
        self.sum(&spec.ranks, &modules);
        for &rank in &spec.ranks {
            let queue = usize::try_from(rank).ok().and_then(|rank| queues.get_mut(rank));
            queue.and_then(VecDeque::pop_front);
        }
        Ok(true)
    }

    /// Every member ends up with the sum over all members.
    fn sum(&mut self, ranks: &[u32], modules: &[usize]) {
        let members: Vec<usize> =
            ranks.iter().filter_map(|&rank| usize::try_from(rank).ok()).collect();
        for &module in modules {
            let of = |rank: &usize| self.gradients.get(*rank)?.get(module).copied().flatten();
            let sum = members.iter().filter_map(of).fold(0_u64, u64::wrapping_add);
            for &member in &members {
                let gradient = self.gradients.get_mut(member).and_then(|held| held.get_mut(module));
                if let Some(gradient) = gradient.and_then(Option::as_mut) {
                    *gradient = sum;
                }
            }
        }
    }

    fn deadlock(&self, queues: &[VecDeque<Call>]) -> ReplayFault {
        let mut step = u64::MAX;
        let mut waiting = Vec::new();
        for (rank, queue) in queues.iter().enumerate() {
            if let Some(call) = queue.front() {
                step = step.min(call.step);
                let name = self.plan.communicators.get(call.communicator);
                let name = name.map_or("world", |spec| spec.name.as_str());
                waiting.push(format!("rank {rank} waits in `{name}`"));
            } else {
                waiting.push(format!("rank {rank} is done"));
            }
        }
        ReplayFault::Deadlock { step, waiting: waiting.join(", ") }
    }

    /// Every holder of a trained module has the gradients of all lanes, once, and one rank counts it in the norm.
    fn finish(&self, step: u64) -> Result<(), ReplayFault> {
        for (&number, all) in &self.trained {
            let module = || self.name(number).to_owned();
            for (rank, held) in (0..).zip(&self.gradients) {
                if held.get(number).copied().flatten().is_some_and(|sum| sum != *all) {
                    return Err(ReplayFault::Gradient { step, rank, module: module() });
                }
            }
            let owners = self.owners.get(number).copied().unwrap_or(0);
            if owners != 1 {
                return Err(ReplayFault::Norm { step, module: module(), owners });
            }
        }
        Ok(())
    }
}

/// A place of a list that is made long enough.
fn slot<T: Default + Clone>(list: &mut Vec<T>, at: usize) -> &mut T {
    if at >= list.len() {
        list.resize(at + 1, T::default());
    }
    list.get_mut(at).expect("the list has just been made long enough")
}

#[cfg(test)]
mod tests;
