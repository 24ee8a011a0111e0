//! A plan to a timeline: every rank's lanes and collectives, step after step, as the estimates say they go.
//!
//! Events are discrete. A rank runs its lanes one after the other, then takes part in its collectives in their order; a
//! collective begins when its last member has come and ends for all at once. Which task a lane runs, and so which buckets are
//! sent, is what the plan draws for that very step. Formulas are those of the estimates: operations of a batch at the
//! device's rate, [`cost::all_reduce_seconds`]; validation itself, files and reading are not in them.

use std::collections::{BTreeMap, VecDeque};

use mmc_plan::{CollectiveCall, CollectivePurpose, Plan};

use crate::{cost, size};

/// Operations of a weight and a token with the backward pass; of a frozen weight, whose own gradient nobody needs.
const TRAINED: u64 = 6;
const FROZEN: u64 = 4;

/// What a rank does for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// Runs a batch.
    Computes,
    /// Waits for other members of a communicator.
    Waits,
    /// Sends and receives.
    Communicates,
}

/// A while of a rank.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The rank.
    pub rank: u32,
    /// The step, from 1.
    pub step: u64,
    /// What it does.
    pub activity: Activity,
    /// The task, or the communicator.
    pub subject: String,
    /// What the collective is for, and its bytes; none for a task.
    pub collective: Option<(CollectivePurpose, u64)>,
    /// Seconds from the first step's begin.
    pub start: f64,
    /// Seconds that it lasts.
    pub seconds: f64,
}

/// What ranks do in some steps, in order of time for every rank.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// First and last step.
    pub steps: [u64; 2],
    /// Ranks.
    pub ranks: u32,
    /// Spans without those of no length.
    pub spans: Vec<Span>,
    /// Seconds from begin to end.
    pub seconds: f64,
}

impl Timeline {
    /// Seconds of an activity, of one rank or of all.
    pub fn total(&self, activity: Activity, rank: Option<u32>) -> f64 {
        let of_rank = |span: &&Span| rank.is_none_or(|rank| span.rank == rank);
        let spans = self.spans.iter().filter(of_rank);
        let spans = spans.filter(|span| span.activity == activity);
        spans.map(|span| span.seconds).fold(0.0, |sum, seconds| sum + seconds)
    }

    /// Per communicator: seconds of all ranks that wait for it and that communicate in it, the dearest first.
    pub fn losses(&self) -> Vec<(String, f64, f64)> {
        let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for span in self.spans.iter().filter(|span| span.collective.is_some()) {
            let sum = sums.entry(&span.subject).or_default();
            match span.activity {
                Activity::Waits => sum.0 += span.seconds,
                Activity::Communicates | Activity::Computes => sum.1 += span.seconds,
            }
        }
        let mut rows: Vec<(String, f64, f64)> = sums
            .into_iter()
            .map(|(name, (waits, sends))| (name.to_owned(), waits, sends))
            .collect();
        rows.sort_by(|one, other| (other.1 + other.2).total_cmp(&(one.1 + one.2)));
        rows
    }
}

/// Runs steps of a plan that is in order, from `first` (counted from 1) to at most `last`.
pub fn simulate(plan: &Plan, first: u64, last: u64) -> Timeline {
    let last = last.min(plan.training.steps);
    let mut clock = Clock {
        plan,
        seconds: plan.tasks.keys().map(|name| (name.as_str(), batch_seconds(plan, name))).collect(),
        now: vec![0.0; plan.ranks.len()],
        spans: Vec::new(),
    };
    for step in first..=last {
        clock.compute(step);
        clock.communicate(step);
    }
    let seconds = clock.now.iter().copied().fold(0.0, f64::max);
    let ranks = u32::try_from(plan.ranks.len()).unwrap_or(u32::MAX);
    Timeline { steps: [first, last], ranks, spans: clock.spans, seconds }
}

/// Seconds of the batches of one task that a lane runs in a step.
fn batch_seconds(plan: &Plan, name: &str) -> f64 {
    let Some(task) = plan.tasks.get(name) else { return 0.0 };
    let (model, training) = (&plan.model, &plan.training);
    let rows =
        plan.vocabularies.get(&task.target_vocabulary).map_or(0, |spec| u64::from(spec.size()));
    let (mut flops, mut moved) = (TRAINED * u64::from(model.dim) * rows, 3 * rows);
    for module in task.path().filter_map(|name| plan.modules.get(name)) {
        let weights = size::module(model, &module.kind, &|_| 0).weights;
        flops += weights * if module.frozen { FROZEN } else { TRAINED };
        moved += size::moved(model, &module.kind);
    }
    let trained = task.modules().into_iter().filter_map(|name| plan.modules.get(name));
    let update = |optimizer| cost::update_bytes(training, optimizer);
    let updates = trained.filter_map(|m| Some(update(m.trained_by(training)?) * m.parameters));
    let updates: u64 = updates.sum();
    let tokens = u64::from(training.batch_tokens) * u64::from(training.accumulate);
    let bytes = tokens * moved * training.precision.activation_bytes() + updates;
    cost::compute_seconds(&plan.cluster, tokens * flops, bytes)
}

struct Clock<'a> {
    plan: &'a Plan,
    /// Per task: seconds of a lane's step.
    seconds: BTreeMap<&'a str, f64>,
    /// Per rank: when it is free.
    now: Vec<f64>,
    spans: Vec<Span>,
}

impl Clock<'_> {
    fn compute(&mut self, step: u64) {
        for (rank, spec) in (0_u32..).zip(&self.plan.ranks) {
            for &lane in &spec.lanes {
                let Some(task) = self.plan.task_at(step, lane) else { continue };
                let seconds = self.seconds.get(task).copied().unwrap_or(0.0);
                self.spend(rank, step, (Activity::Computes, task), None, seconds);
            }
        }
    }

    /// Every collective whose members have all come to it, until none is left.
    fn communicate(&mut self, step: u64) {
        let plan = self.plan;
        let mut waiting: Vec<VecDeque<CollectiveCall<'_>>> = (0_u32..)
            .zip(&plan.ranks)
            .map(|(rank, _)| plan.collectives(rank, step).into())
            .collect();
        while let Some((call, members)) = ready(plan, &waiting) {
            for &member in members {
                if let Some(calls) = waiting.get_mut(member as usize) {
                    calls.pop_front();
                }
            }
            self.collective(step, &call, members);
        }
        debug_assert!(waiting.iter().all(VecDeque::is_empty), "a verified plan has no deadlock");
    }

    fn collective(&mut self, step: u64, call: &CollectiveCall<'_>, members: &[u32]) {
        let free = |rank: u32| self.now.get(rank as usize).copied().unwrap_or(0.0);
        let start = members.iter().map(|&rank| free(rank)).fold(0.0, f64::max);
        // Sums of gradients are as wide as the estimates say; all other numbers are 64-bit floats.
        let width = match call.purpose {
            CollectivePurpose::Gradients => cost::summed_bytes(self.plan.training.precision),
            CollectivePurpose::Scalars
            | CollectivePurpose::Validation
            | CollectivePurpose::Checkpoint => 8,
        };
        let bytes = call.elements * width;
        let nodes = cost::node_count(&self.plan.cluster, members);
        let links = &self.plan.cluster.links;
        let seconds = cost::all_reduce_seconds(links, members.len() as u64, nodes, bytes);
        let what = Some((call.purpose, bytes));
        for &rank in members {
            let wait = start - self.now.get(rank as usize).copied().unwrap_or(start);
            self.spend(rank, step, (Activity::Waits, call.communicator), what, wait);
            self.spend(rank, step, (Activity::Communicates, call.communicator), what, seconds);
        }
    }

    fn spend(
        &mut self,
        rank: u32,
        step: u64,
        (activity, subject): (Activity, &str),
        collective: Option<(CollectivePurpose, u64)>,
        seconds: f64,
    ) {
        let Some(now) = self.now.get_mut(rank as usize) else { return };
        let start = *now;
        *now += seconds;
        if seconds > 0.0 {
            let subject = subject.to_owned();
            self.spans.push(Span { rank, step, activity, subject, collective, start, seconds });
        }
    }
}

/// The first collective that all its members have come to, with them.
fn ready<'a>(
    plan: &'a Plan,
    waiting: &[VecDeque<CollectiveCall<'a>>],
) -> Option<(CollectiveCall<'a>, &'a [u32])> {
    waiting.iter().filter_map(VecDeque::front).find_map(|call| {
        let spec = plan.communicators.iter().find(|spec| spec.name == call.communicator)?;
        let has_come = |&rank: &u32| {
            let next = waiting.get(rank as usize).and_then(VecDeque::front);
            next.is_some_and(|next| next == call)
        };
        spec.ranks.iter().all(has_come).then(|| (call.clone(), spec.ranks.as_slice()))
    })
}

#[cfg(test)]
mod tests {
    use mmc_plan::sample;

    use super::*;

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-9 * expected.abs().max(1e-9),
            "{found}, not {expected}"
        );
    }

    #[test]
    fn one_rank_only_computes() {
        let plan = sample::plan(&["de", "en"], 2, &[&[0, 1]]);
        let timeline = simulate(&plan, 1, 5);
        close(timeline.total(Activity::Computes, None), timeline.seconds);
        assert_eq!(timeline.spans.len(), 10);
        assert_eq!(timeline.losses(), []);
    }

    #[test]
    fn every_moment_of_a_rank_is_accounted_for() {
        let plan = sample::plan(&["cs", "de", "en"], 4, &[&[0, 1, 2], &[3]]);
        let timeline = simulate(&plan, 3, 12);
        for rank in 0..2 {
            let spent: f64 = [Activity::Computes, Activity::Waits, Activity::Communicates]
                .map(|activity| timeline.total(activity, Some(rank)))
                .iter()
                .sum();
            // All steps end with a collective of all ranks.
            close(spent, timeline.seconds);
            let mut end = 0.0;
            for span in timeline.spans.iter().filter(|span| span.rank == rank) {
                close(span.start, end);
                end = span.start + span.seconds;
            }
        }
        // Rank 1 has a third of the lanes, so it waits.
        let waits = |rank| timeline.total(Activity::Waits, Some(rank));
        assert!(waits(1) > waits(0), "{} and {}", waits(1), waits(0));
        let lost: f64 = timeline.losses().iter().map(|row| row.1 + row.2).sum();
        close(
            lost,
            timeline.total(Activity::Waits, None) + timeline.total(Activity::Communicates, None),
        );
    }

    #[test]
    fn steps_end_with_the_run() {
        let plan = sample::plan(&["de", "en"], 1, &[&[0]]);
        let steps = plan.training.steps;
        assert_eq!(simulate(&plan, steps - 1, steps + 50).steps, [steps - 1, steps]);
    }
}
