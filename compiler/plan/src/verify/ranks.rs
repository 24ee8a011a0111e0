//! Ranks: places, lanes, modules, owners, validators and costs.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Estimate, Plan, Precision, RankSpec};
use crate::verify::{Findings, Index, Rule};

pub(super) fn check(plan: &Plan, index: &Index<'_>, findings: &mut Findings) {
    findings.expect(!plan.ranks.is_empty(), Rule::Placement, || ("ranks", "there is no rank"));
    places(plan, findings);
    lanes(plan, findings);
    for (number, (rank, needed)) in plan.ranks.iter().zip(&index.needed).enumerate() {
        modules(plan, number, rank, needed, findings);
        estimate(plan, number, rank, findings);
    }
    owners(plan, findings);
    validators(plan, findings);
    totals(plan, findings);
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

/// Parameters and state are sums; state and activations fit the device.
fn estimate(plan: &Plan, number: usize, rank: &RankSpec, findings: &mut Findings) {
    let place = || format!("rank {number}");
    let specs = rank.modules.iter().filter_map(|name| plan.modules.get(name));
    let parameters: u128 = specs.map(|module| u128::from(module.parameters)).sum();
    let Estimate { parameters: told, state_bytes, activation_bytes, .. } = rank.estimate;
    findings.expect(u128::from(told) == parameters, Rule::Estimate, || {
        (place(), format!("{told} parameters, but its modules have {parameters}"))
    });
    let width = match plan.training.precision {
        Precision::Fp32 => 4,
        Precision::Fp64 => 8,
    };
    // The parameter, its gradient and two moments.
    let state = parameters * 4 * width;
    findings.expect(u128::from(state_bytes) == state, Rule::Estimate, || {
        (place(), format!("{state_bytes} bytes of state, but its modules have {state}"))
    });
    let memory = u128::from(state_bytes) + u128::from(activation_bytes);
    let limit = plan.cluster.device_memory;
    findings.expect(memory <= u128::from(limit), Rule::Memory, || {
        (place(), format!("{memory} bytes on a device of {limit}"))
    });
}

/// Totals are sums, but a step lasts as long as on the slowest rank.
fn totals(plan: &Plan, findings: &mut Findings) {
    let totals = amounts(&plan.totals);
    for (at, (name, told)) in totals.into_iter().enumerate() {
        let of_ranks =
            plan.ranks.iter().filter_map(|rank| amounts(&rank.estimate).get(at).copied());
        let sum: u128 = of_ranks.map(|(_, amount)| amount).sum();
        findings.expect(told == sum, Rule::Estimate, || {
            (format!("totals.{name}"), format!("{told}, but the ranks sum to {sum}"))
        });
    }
    let seconds = plan.ranks.iter().map(|rank| rank.estimate.step_seconds).fold(0.0, f64::max);
    let told = plan.totals.step_seconds;
    let kept = (told - seconds).abs() <= 1e-9 * seconds.abs();
    findings.expect(kept, Rule::Estimate, || {
        ("totals.step_seconds", format!("{told}, but the slowest rank needs {seconds}"))
    });
}

/// The amounts of an estimate that add up, by name.
fn amounts(estimate: &Estimate) -> [(&'static str, u128); 5] {
    [
        ("parameters", estimate.parameters.into()),
        ("state_bytes", estimate.state_bytes.into()),
        ("activation_bytes", estimate.activation_bytes.into()),
        ("step_flops", estimate.step_flops.into()),
        ("step_bytes_sent", estimate.step_bytes_sent.into()),
    ]
}
