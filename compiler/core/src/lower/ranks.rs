//! Lanes on ranks -> what every rank holds, owns and validates.

use std::collections::BTreeSet;

use mmc_plan::{Estimate, Plan, RankSpec};

/// One rank a device, in order of node and device.
pub(super) fn ranks(plan: &Plan, rank_of_lane: &[u32]) -> Vec<RankSpec> {
    let per_node = plan.cluster.devices_per_node.max(1);
    let count = plan.cluster.nodes.saturating_mul(per_node);
    let mut ranks: Vec<RankSpec> = (0..count)
        .map(|rank| {
            let lanes: Vec<u32> = (0..)
                .zip(rank_of_lane)
                .filter(|(_, home)| **home == rank)
                .map(|(lane, _)| lane)
                .collect();
            let modules = modules(plan, &lanes);
            RankSpec {
                node: rank / per_node,
                device: rank % per_node,
                lanes,
                modules,
                owns: Vec::new(),
                validates: Vec::new(),
                estimate: Estimate::default(),
            }
        })
        .collect();
    let mut owned: BTreeSet<String> = BTreeSet::new();
    for rank in &mut ranks {
        rank.owns =
            rank.modules.iter().filter(|name| owned.insert((*name).clone())).cloned().collect();
    }
    assign_validation(plan, rank_of_lane, &mut ranks);
    ranks
}

/// The modules of the tasks of lanes, in order of name.
fn modules(plan: &Plan, lanes: &[u32]) -> Vec<String> {
    let mut modules: BTreeSet<&str> = BTreeSet::new();
    for lane in lanes.iter().filter_map(|&lane| plan.lanes.get(lane as usize)) {
        for task in lane.tasks.keys().filter_map(|name| plan.tasks.get(name)) {
            modules.extend(task.modules());
        }
    }
    modules.into_iter().map(str::to_owned).collect()
}

/// A task is validated by the rank of its first lane.
fn assign_validation(plan: &Plan, rank_of_lane: &[u32], ranks: &mut [RankSpec]) {
    for (name, task) in &plan.tasks {
        if task.corpus.valid.is_none() {
            continue;
        }
        let lane = plan.lanes.iter().position(|lane| lane.tasks.contains_key(name));
        let rank = lane.and_then(|lane| rank_of_lane.get(lane)).copied();
        if let Some(rank) = rank.and_then(|rank| ranks.get_mut(rank as usize)) {
            rank.validates.push(name.clone());
        }
    }
}
