//! Plays all ranks' steps by the rules of collectives, from the plan alone.
//!
//! Every rank derives its own sequence from what it holds, as the worker would; ranks then meet: a collective happens when all
//! members of its communicator have arrived at it, with the same purpose, modules and size. Gradients are played as sums of
//! tokens, one token a lane, so that it is seen whether every holder of a trained module ends the step with every lane's
//! gradient exactly once. No code is shared with [`Plan::collectives`]; both are compared.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use miette::Diagnostic;
use thiserror::Error;

use crate::collective::{
    CHECKPOINT_BARRIERS, CollectivePurpose, LANE_SCALARS, RANK_SCALARS, TASK_SCALARS,
};
use crate::plan::Plan;
use crate::random::name_key;

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

/// One collective as one rank sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call<'a> {
    step: u64,
    communicator: usize,
    purpose: CollectivePurpose,
    modules: Vec<&'a str>,
    elements: u64,
}

/// Plays the first `steps` steps and, when there are more, the last.
pub fn replay(plan: &Plan, steps: u64) -> Result<ReplayReport, ReplayFault> {
    let last = plan.training.steps;
    let mut report = ReplayReport::default();
    let first = steps.min(last);
    let ending = (first < last && steps > 0).then_some(last);
    let mut queues: Vec<VecDeque<Call<'_>>> = vec![VecDeque::new(); plan.ranks.len()];
    let mut ranks = Play::new(plan);
    for step in (1..=first).chain(ending) {
        ranks.start(step)?;
        for (rank, queue) in (0..).zip(&mut queues) {
            let calls = ranks.sequence(step, rank, &mut report);
            compare(plan, step, rank, &calls)?;
            queue.extend(calls);
        }
        ranks.meet(&mut queues, &mut report)?;
        ranks.finish(step)?;
        report.steps += 1;
    }
    Ok(report)
}

/// Whether the worker's own sequence is the one derived here.
fn compare(plan: &Plan, step: u64, rank: u32, calls: &[Call<'_>]) -> Result<(), ReplayFault> {
    let name = |call: &Call<'_>| plan.communicators.get(call.communicator).map(|spec| &spec.name);
    let theirs = plan.collectives(rank, step);
    let same = theirs.len() == calls.len()
        && theirs.iter().zip(calls).all(|(their, own)| {
            name(own).is_some_and(|name| name == their.communicator)
                && their.purpose == own.purpose
                && their.modules == own.modules
                && their.elements == own.elements
        });
    if same { Ok(()) } else { Err(ReplayFault::Sequence { step, rank }) }
}

/// The state of all ranks.
struct Play<'a> {
    plan: &'a Plan,
    /// Modules of each task that are trained.
    paths: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Per rank and module held: the sum of the tokens of the lanes whose gradients are in it.
    gradients: Vec<BTreeMap<&'a str, u64>>,
    /// The tokens of all lanes that trained a module in this step.
    trained: BTreeMap<&'a str, u64>,
}

impl<'a> Play<'a> {
    fn new(plan: &'a Plan) -> Self {
        let frozen = |name: &&str| plan.modules.get(*name).is_some_and(|module| module.frozen);
        let path = |task: &'a crate::plan::TaskSpec| {
            let modules = task.modules().into_iter();
            modules.filter(|name| !frozen(name)).collect()
        };
        Self {
            plan,
            paths: plan.tasks.iter().map(|(name, task)| (name.as_str(), path(task))).collect(),
            gradients: Vec::new(),
            trained: BTreeMap::new(),
        }
    }

    /// Runs the lanes: gradients appear where they are computed.
    fn start(&mut self, step: u64) -> Result<(), ReplayFault> {
        let plan = self.plan;
        self.trained.clear();
        self.gradients = plan
            .ranks
            .iter()
            .map(|rank| rank.modules.iter().map(|module| (module.as_str(), 0)).collect())
            .collect();
        for (number, _) in (0_u32..).zip(&plan.lanes) {
            let path = plan.task_at(step, number).and_then(|task| self.paths.get(task));
            let token = name_key(&format!("{step} {number}"));
            let runs = |rank: &&crate::plan::RankSpec| rank.lanes.contains(&number);
            let ranks = plan.ranks.iter().filter(runs).count();
            if ranks != 1 {
                return Err(ReplayFault::Lane { step, lane: number as usize, ranks });
            }
            for module in path.into_iter().flatten() {
                let all = self.trained.entry(module).or_default();
                *all = all.wrapping_add(token);
                for (rank, held) in plan.ranks.iter().zip(&mut self.gradients) {
                    if rank.lanes.contains(&number) {
                        let sum = held.entry(module).or_default();
                        *sum = sum.wrapping_add(token);
                    }
                }
            }
        }
        Ok(())
    }

    /// What a rank takes part in, from its own point of view: the modules that it holds, each found in a communicator.
    fn sequence(&self, step: u64, rank: u32, report: &mut ReplayReport) -> Vec<Call<'a>> {
        let mut calls = Vec::new();
        for (number, spec) in self.plan.communicators.iter().enumerate() {
            if !spec.ranks.contains(&rank) {
                continue;
            }
            let (mut modules, mut elements) = (Vec::new(), 0_u64);
            for module in &spec.modules {
                if self.trained.contains_key(module.as_str()) {
                    modules.push(module.as_str());
                    let size = self.plan.modules.get(module).map_or(0, |spec| spec.parameters);
                    elements = elements.saturating_add(size).saturating_add(1);
                }
            }
            if !modules.is_empty() {
                let purpose = CollectivePurpose::Gradients;
                calls.push(Call { step, communicator: number, purpose, modules, elements });
            } else if !spec.modules.is_empty() && spec.ranks.first() == Some(&rank) {
                *report.skipped.entry(spec.name.clone()).or_default() += 1;
            }
        }
        if self.plan.ranks.len() > 1 {
            calls.extend(self.over_world(step));
        }
        calls
    }

    /// The collectives of all ranks together that end a step.
    fn over_world(&self, step: u64) -> Vec<Call<'a>> {
        let plan = self.plan;
        let call = |purpose, elements| Call {
            step,
            communicator: 0,
            purpose,
            modules: Vec::new(),
            elements,
        };
        let due = |every: Option<u64>| {
            step == plan.training.steps || every.is_some_and(|every| step.is_multiple_of(every))
        };
        let lanes = plan.lanes.len() as u64;
        let mut calls = vec![call(CollectivePurpose::Scalars, lanes * LANE_SCALARS + RANK_SCALARS)];
        if due(plan.training.validate_every) {
            let tasks = plan.tasks.len() as u64;
            calls.push(call(CollectivePurpose::Validation, tasks * TASK_SCALARS));
        }
        if due(plan.training.checkpoint.every) {
            for _ in 0..CHECKPOINT_BARRIERS {
                calls.push(call(CollectivePurpose::Checkpoint, 0));
            }
        }
        calls
    }

    /// Lets ranks meet until all sequences are done.
    fn meet(
        &mut self,
        queues: &mut [VecDeque<Call<'a>>],
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
        queues: &mut [VecDeque<Call<'a>>],
        report: &mut ReplayReport,
    ) -> Result<bool, ReplayFault> {
        let Some(spec) = self.plan.communicators.get(number) else { return Ok(false) };
        let mut heads: Vec<(u32, &Call<'a>)> = Vec::new();
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
        let modules = call.modules.clone();
        self.sum(&spec.ranks, &modules);
        for &rank in &spec.ranks {
            let queue = usize::try_from(rank).ok().and_then(|rank| queues.get_mut(rank));
            queue.and_then(VecDeque::pop_front);
        }
        Ok(true)
    }

    /// Every member ends up with the sum over all members.
    fn sum(&mut self, ranks: &[u32], modules: &[&'a str]) {
        let members: Vec<usize> =
            ranks.iter().filter_map(|&rank| usize::try_from(rank).ok()).collect();
        for &module in modules {
            let of = |rank: &usize| self.gradients.get(*rank)?.get(module).copied();
            let sum = members.iter().filter_map(of).fold(0_u64, u64::wrapping_add);
            for &member in &members {
                if let Some(gradient) =
                    self.gradients.get_mut(member).and_then(|held| held.get_mut(module))
                {
                    *gradient = sum;
                }
            }
        }
    }

    fn deadlock(&self, queues: &[VecDeque<Call<'a>>]) -> ReplayFault {
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
        for (module, all) in &self.trained {
            for (rank, held) in (0..).zip(&self.gradients) {
                if held.get(module).is_some_and(|sum| sum != all) {
                    let module = (*module).to_owned();
                    return Err(ReplayFault::Gradient { step, rank, module });
                }
            }
            let owns =
                |rank: &&crate::plan::RankSpec| rank.owns.iter().any(|owned| owned == module);
            let owners = self.plan.ranks.iter().filter(owns).count();
            if owners != 1 {
                return Err(ReplayFault::Norm { step, module: (*module).to_owned(), owners });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
