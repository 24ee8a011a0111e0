//! Sample plans play through; plans with spoilt communication do not.

use super::*;
use crate::sample;
use crate::verify::verify;

fn plan() -> Plan {
    sample::plan(&["cs", "de", "en"], 4, &[&[0, 1], &[2], &[3]])
}

#[test]
fn samples_play_through() {
    for mapping in [&[&[0, 1, 2, 3][..]][..], &[&[0, 1], &[2, 3]], &[&[3], &[0, 2], &[1]]] {
        let plan = sample::plan(&["cs", "de", "en"], 4, mapping);
        let report = replay(&plan, 50).expect("it plays");
        assert_eq!(report.steps, 20);
        assert_eq!(report.collectives > 0, mapping.len() > 1);
    }
}

#[test]
fn counts_are_those_of_the_worker() {
    let plan = plan();
    let report = replay(&plan, 7).expect("it plays");
    assert_eq!(report.steps, 8, "seven steps and the last");
    let (mut calls, mut elements) = (0, 0);
    for step in (1..=7).chain([20]) {
        for rank in 0..3 {
            for call in plan.collectives(rank, step) {
                let spec = plan.communicators.iter().find(|spec| spec.name == call.communicator);
                if spec.is_some_and(|spec| spec.ranks[0] == rank) {
                    calls += 1;
                    elements += u128::from(call.elements);
                }
            }
        }
    }
    assert_eq!((report.collectives, report.elements), (calls, elements));
}

/// What no lane of any rank trains is not communicated.
#[test]
fn untrained_communicators_are_skipped() {
    let plan = sample::plan(&["cs", "de", "en", "fr"], 3, &[&[0], &[1], &[2]]);
    let report = replay(&plan, 20).expect("it plays");
    assert!(!report.skipped.is_empty(), "{report:?}");
}

/// Spoils that leave every other fact of the plan alone, and which of the two checkers sees them.
#[test]
fn spoilt_plans_are_rejected() {
    type Spoil = (&'static str, fn(&mut Plan), bool);
    let spoils: [Spoil; 9] = [
        (
            "moved lane",
            |plan| {
                let lane = plan.ranks[0].lanes.pop().expect("a lane");
                plan.ranks[1].lanes.push(lane);
            },
            false,
        ),
        ("lane on two ranks", |plan| plan.ranks[1].lanes.push(0), true),
        ("dropped member", |plan| plan.communicators[0].ranks.truncate(2), true),
        (
            "swapped modules",
            |plan| {
                let modules = std::mem::take(&mut plan.communicators[0].modules);
                plan.communicators[0].modules =
                    std::mem::replace(&mut plan.communicators[1].modules, modules);
            },
            true,
        ),
        ("module in no communicator", |plan| plan.communicators[0].modules.clear(), true),
        (
            "module in two communicators",
            |plan| {
                let module = plan.communicators[0].modules[0].clone();
                plan.communicators[1].modules.push(module);
            },
            true,
        ),
        (
            "resized module",
            |plan| {
                plan.modules.values_mut().for_each(|module| module.parameters += 1);
            },
            false,
        ),
        ("second owner", |plan| plan.ranks[2].owns.push("embed.full".to_owned()), true),
        ("unknown member", |plan| plan.communicators[0].ranks.push(7), true),
    ];
    for (what, spoil, seen) in spoils {
        let mut plan = plan();
        spoil(&mut plan);
        assert!(verify(&plan).is_err(), "verify accepts: {what}");
        assert!(!seen || replay(&plan, 20).is_err(), "replay accepts: {what}");
    }
}

#[test]
fn ranks_that_wait_for_each_other_are_a_deadlock() {
    let plan = plan();
    let mut ranks = Play::new(&plan);
    ranks.start(1).expect("lanes run");
    let mut report = ReplayReport::default();
    let mut queues: Vec<VecDeque<Call>> =
        (0..3).map(|rank| ranks.sequence(1, rank, &mut report).into()).collect();
    assert!(queues[2].len() > 1, "a rank with two collectives is needed");
    let first = queues[2].pop_front().expect("a collective");
    queues[2].insert(1, first);
    let fault = ranks.meet(&mut queues, &mut report).expect_err("they never meet");
    assert!(matches!(
        fault,
        ReplayFault::Deadlock { step: 1, .. } | ReplayFault::Bucket { step: 1, .. }
    ));
}

#[test]
fn members_with_different_buckets_do_not_meet() {
    let plan = plan();
    let mut ranks = Play::new(&plan);
    ranks.start(1).expect("lanes run");
    let mut report = ReplayReport::default();
    let mut queues: Vec<VecDeque<Call>> =
        (0..3).map(|rank| ranks.sequence(1, rank, &mut report).into()).collect();
    queues[1][0].elements += 1;
    let fault = ranks.meet(&mut queues, &mut report).expect_err("buckets differ");
    assert!(matches!(fault, ReplayFault::Bucket { step: 1, second: 1, .. }), "{fault}");
}

#[test]
fn absurd_plans_do_not_panic() {
    let mut plan = plan();
    plan.training.validate_every = Some(0);
    plan.training.checkpoint.every = Some(0);
    let _ = replay(&plan, 3);
    plan.communicators.clear();
    let _ = replay(&plan, 3);
    plan.ranks.clear();
    let _ = replay(&plan, 3);
    plan.lanes.clear();
    assert!(replay(&plan, 3).is_ok());
}
