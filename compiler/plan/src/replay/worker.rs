//! The sequences that the worker takes by [`Plan::collectives`], to be compared with those that the replay derives.

use std::collections::HashSet;

use super::{Bucket, Call, Play};
use crate::collective::CollectiveCall;
use crate::plan::{CommunicatorSpec, Plan};

/// The sequences that the worker takes, to be compared with those that are derived here.
pub(super) struct Worker<'a> {
    plan: &'a Plan,
    /// Rank -> its communicators.
    communicators: Vec<Vec<usize>>,
    /// Communicator -> the all-reduces of the step, and whether they have the modules that they should.
    gradients: Vec<(Vec<CollectiveCall<'a>>, bool)>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let ranks = (0..).zip(&plan.ranks);
        let communicators = ranks.map(|(rank, _)| plan.communicators_of(rank).collect()).collect();
        Self { plan, communicators, gradients: Vec::new() }
    }

    /// What is trained in the step that is played is the same on all ranks.
    pub(super) fn start(&mut self, ranks: &Play<'a>) {
        let plan = self.plan;
        let trained: HashSet<&str> = plan.trained_by(&ranks.drawn).into_iter().collect();
        let compared = |(number, spec): (usize, &'a CommunicatorSpec)| {
            let calls = plan.gradients(spec, &trained);
            let own: &[Bucket] = ranks.buckets.get(number).map_or(&[], Vec::as_slice);
            let pairs = calls.iter().zip(own);
            let same = calls.len() == own.len()
                && pairs.clone().all(|(call, (modules, _))| {
                    let names = modules.iter().map(|&module| ranks.name(module));
                    names.eq(call.modules.iter().copied())
                });
            (calls, same)
        };
        self.gradients = plan.communicators.iter().enumerate().map(compared).collect();
    }

    /// Whether the worker's sequence of a rank is this one.
    pub(super) fn takes(&self, step: u64, rank: u32, calls: &[Call], ranks: &Play<'_>) -> bool {
        let own = usize::try_from(rank).ok().and_then(|rank| self.communicators.get(rank));
        let gradients = own.into_iter().flatten().filter_map(|&number| self.gradients.get(number));
        let same = gradients.clone().all(|(_, same)| *same);
        let theirs = self.plan.sequence(step, gradients.flat_map(|(calls, _)| calls.clone()));
        let name =
            |call: &Call| ranks.plan.communicators.get(call.communicator).map(|spec| &spec.name);
        same && theirs.len() == calls.len()
            && theirs.iter().zip(calls).all(|(their, own)| {
                name(own).is_some_and(|name| name == their.communicator)
                    && their.purpose == own.purpose
                    && their.elements == own.elements
            })
    }
}
