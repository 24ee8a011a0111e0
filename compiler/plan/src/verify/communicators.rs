//! Communicators: exactly the sets of ranks that share modules, with exactly those modules.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{CommunicatorSpec, Plan};
use crate::verify::{Findings, Index, Rule};

pub(super) fn check(plan: &Plan, index: &Index<'_>, findings: &mut Findings) {
    world(plan, findings);
    let (mut names, mut sets) = (BTreeSet::new(), BTreeSet::new());
    let mut homes: BTreeMap<&str, u32> = BTreeMap::new();
    for spec in &plan.communicators {
        let place = || format!("communicator `{}`", spec.name);
        findings.expect(names.insert(&spec.name), Rule::Communicator, || {
            (place(), "another has this name")
        });
        findings.expect(sets.insert(&spec.ranks), Rule::Communicator, || {
            (place(), format!("another has the ranks {:?}", spec.ranks))
        });
        members(plan, spec, findings);
        modules(plan, spec, index, findings);
        for module in &spec.modules {
            *homes.entry(module).or_default() += 1;
        }
    }
    for (module, holders) in &index.holders {
        let homes = homes.get(module).copied().unwrap_or(0);
        let frozen = plan.modules.get(*module).is_some_and(|module| module.frozen);
        let wanted = u32::from(holders.len() > 1 && !frozen);
        findings.expect(homes == wanted, Rule::Communicator, || {
            let (held, state) = (holders.len(), if frozen { "frozen" } else { "trained" });
            let message =
                format!("{held} ranks hold it, {state}, but it is in {homes} communicators");
            (format!("module `{module}`"), message)
        });
    }
}

/// `world` is first among several ranks; one rank has no communicator.
fn world(plan: &Plan, findings: &mut Findings) {
    let first = plan.communicators.first().map(|spec| spec.name.as_str());
    let several = plan.ranks.len() > 1;
    findings.expect(first == several.then_some("world"), Rule::Communicator, || {
        let ranks = plan.ranks.len();
        ("communicators", format!("{ranks} ranks, and the first communicator is {first:?}"))
    });
}

fn members(plan: &Plan, spec: &CommunicatorSpec, findings: &mut Findings) {
    let place = || format!("communicator `{}`", spec.name);
    findings.expect(spec.ranks.len() > 1, Rule::Communicator, || {
        (place(), format!("{} ranks are no group", spec.ranks.len()))
    });
    findings.expect(spec.ranks.is_sorted_by(|a, b| a < b), Rule::Communicator, || {
        (place(), format!("ranks {:?} do not ascend", spec.ranks))
    });
    let known = |rank: &u32| usize::try_from(*rank).is_ok_and(|rank| rank < plan.ranks.len());
    for rank in spec.ranks.iter().filter(|rank| !known(rank)) {
        findings.add(Rule::Reference, place(), format!("there is no rank {rank}"));
    }
    let all = spec.ranks.iter().copied().eq((0..).zip(&plan.ranks).map(|(rank, _)| rank));
    let numbers: Vec<String> = spec.ranks.iter().map(u32::to_string).collect();
    let name = if all { "world".to_owned() } else { format!("ranks.{}", numbers.join("-")) };
    findings.expect(spec.name == name, Rule::Communicator, || {
        (place(), format!("its ranks make it `{name}`"))
    });
    findings.expect(all || !spec.modules.is_empty(), Rule::Communicator, || {
        (place(), "its ranks share no module")
    });
}

fn modules(plan: &Plan, spec: &CommunicatorSpec, index: &Index<'_>, findings: &mut Findings) {
    let place = || format!("communicator `{}`", spec.name);
    let mut elements = 0_u128;
    for name in &spec.modules {
        let Some(module) = plan.modules.get(name) else {
            findings.add(Rule::Reference, place(), format!("there is no module `{name}`"));
            continue;
        };
        elements += u128::from(module.parameters) + 1;
        let holders = index.holders.get(name.as_str());
        let kept = holders.is_some_and(|holders| holders.iter().eq(&spec.ranks));
        findings.expect(kept, Rule::Communicator, || {
            let message = format!("module `{name}` is held by the ranks {holders:?}");
            (place(), message)
        });
    }
    findings.expect(spec.bucket != Some(0), Rule::Number, || {
        (place(), "a bucket that is full of nothing".to_owned())
    });
    findings.expect(u128::from(spec.elements) == elements, Rule::Communicator, || {
        (place(), format!("{} elements, but its modules have {elements}", spec.elements))
    });
}
