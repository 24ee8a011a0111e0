//! Ranks: places, lanes, modules, owners and validators.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Plan, RankSpec};
use crate::verify::{Findings, Index, Rule};

pub(super) fn check(plan: &Plan, index: &Index<'_>, findings: &mut Findings) {
    findings.expect(!plan.ranks.is_empty(), Rule::Placement, || ("ranks", "there is no rank"));
    places(plan, findings);
    lanes(plan, findings);
    for (number, (rank, needed)) in plan.ranks.iter().zip(&index.needed).enumerate() {
        modules(plan, number, rank, needed, findings);
    }
    owners(plan, findings);
    validators(plan, findings);
}

fn places(plan: &Plan, findings: &mut Findings) {
    let mut taken = BTreeSet::new();
    for (number, RankSpec { node, device, .. }) in plan.ranks.iter().enumerate() {
        let kept = *node < plan.cluster.nodes && *device < plan.cluster.devices_per_node;
        findings.expect(kept, Rule::Placement, || {
            (format!("rank {number}"), format!("the cluster has no device {device} of node {node}"))
        });
        findings.expect(taken.insert((node, device)), Rule::Placement, || {
            let message = format!("device {device} of node {node} is another rank's already");
            (format!("rank {number}"), message)
        });
    }
}

fn lanes(plan: &Plan, findings: &mut Findings) {
    let mut times = vec![0_u32; plan.lanes.len()];
    for (number, rank) in plan.ranks.iter().enumerate() {
        for lane in &rank.lanes {
            let slot = usize::try_from(*lane).ok().and_then(|lane| times.get_mut(lane));
            if let Some(times) = slot {
                *times += 1;
            } else {
                let message = format!("there is no lane {lane}");
                findings.add(Rule::Reference, format!("rank {number}"), message);
            }
        }
    }
    for (lane, times) in times.iter().enumerate() {
        findings.expect(*times == 1, Rule::LaneRank, || {
            (format!("lane {lane}"), format!("it is run {times} times, not once"))
        });
    }
}

fn modules(
    plan: &Plan,
    number: usize,
    rank: &RankSpec,
    needed: &BTreeSet<&str>,
    findings: &mut Findings,
) {
    let place = || format!("rank {number}");
    let held: BTreeSet<&str> = rank.modules.iter().map(String::as_str).collect();
    for module in held.difference(needed) {
        findings.add(Rule::RankModules, place(), format!("no lane of it uses module `{module}`"));
    }
    for module in needed.difference(&held) {
        findings.add(Rule::RankModules, place(), format!("module `{module}` is missing"));
    }
    for (field, list) in
        [("modules", &rank.modules), ("owns", &rank.owns), ("validates", &rank.validates)]
    {
        findings.expect(ascends(list), Rule::RankModules, || {
            (place(), format!("`{field}` is not in order of name, each once"))
        });
    }
    for module in &rank.modules {
        findings.expect(plan.modules.contains_key(module), Rule::Reference, || {
            (place(), format!("there is no module `{module}`"))
        });
    }
    for module in &rank.owns {
        findings.expect(held.contains(module.as_str()), Rule::Owner, || {
            (place(), format!("it owns module `{module}`, which it does not hold"))
        });
    }
}

/// Whether names stand in strictly ascending order.
fn ascends(names: &[String]) -> bool {
    names.is_sorted_by(|a, b| a < b)
}

fn owners(plan: &Plan, findings: &mut Findings) {
    let mut owners: BTreeMap<&str, u32> = BTreeMap::new();
    for module in plan.ranks.iter().flat_map(|rank| &rank.owns) {
        *owners.entry(module).or_default() += 1;
    }
    for module in plan.modules.keys() {
        let owners = owners.remove(module.as_str()).unwrap_or(0);
        findings.expect(owners == 1, Rule::Owner, || {
            (format!("module `{module}`"), format!("{owners} ranks own it, not one"))
        });
    }
    for module in owners.keys() {
        let message = "a rank owns it, but it does not exist";
        findings.add(Rule::Reference, format!("module `{module}`"), message);
    }
}

fn validators(plan: &Plan, findings: &mut Findings) {
    let mut validators: BTreeMap<&str, u32> = BTreeMap::new();
    for (number, rank) in plan.ranks.iter().enumerate() {
        let held: BTreeSet<&str> = rank.modules.iter().map(String::as_str).collect();
        for name in &rank.validates {
            *validators.entry(name).or_default() += 1;
            let Some(task) = plan.tasks.get(name) else {
                let message = format!("it validates task `{name}`, which does not exist");
                findings.add(Rule::Reference, format!("rank {number}"), message);
                continue;
            };
            for module in task.modules() {
                findings.expect(held.contains(module), Rule::Validation, || {
                    let message = format!("it validates task `{name}` without module `{module}`");
                    (format!("rank {number}"), message)
                });
            }
        }
    }
    for (name, task) in &plan.tasks {
        let (times, wanted) = (
            validators.get(name.as_str()).copied().unwrap_or(0),
            u32::from(task.corpus.valid.is_some()),
        );
        findings.expect(times == wanted, Rule::Validation, || {
            (format!("task `{name}`"), format!("{times} ranks validate it, not {wanted}"))
        });
    }
}
