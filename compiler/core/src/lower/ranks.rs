//! Lanes on ranks -> what every rank holds, owns and validates.

use mmc_plan::{Estimate, Plan, RankSpec, stretch};

use super::lanes::Lanes;
use crate::ir::module::TaskPath;

/// One rank a device, in order of node and device.
pub(super) fn ranks(plan: &Plan, on: &Lanes<'_>, rank_of_lane: &[u32]) -> Vec<RankSpec> {
    let per_node = plan.cluster.devices_per_node.max(1);
    let count = plan.cluster.nodes.saturating_mul(per_node);
    let mut is_owned = vec![false; on.module_count()];
    let lanes_of = |rank: u32| -> Vec<u32> {
        let lanes = (0..).zip(rank_of_lane).filter(|(_, home)| **home == rank);
        lanes.map(|(lane, _)| lane).collect()
    };
    let lanes: Vec<Vec<u32>> = (0..count).map(lanes_of).collect();
    let all = stretch::every(on.are_long(), &lanes, |lanes| held(on, lanes));
    let mut ranks: Vec<RankSpec> = (0..count)
        .zip(lanes.into_iter().zip(all))
        .map(|(rank, (lanes, held))| {
            let names = |held: &[bool]| -> Vec<String> {
                let names = on.modules().zip(held).filter(|(_, held)| **held);
                names.map(|(name, _)| name.to_owned()).collect()
            };
            // The first holder owns a module.
            let owned: Vec<bool> = held
                .iter()
                .zip(&mut is_owned)
                .map(|(held, owned)| *held && !std::mem::replace(owned, *owned || *held))
                .collect();
            RankSpec {
                node: rank / per_node,
                device: rank % per_node,
                lanes,
                modules: names(&held),
                owns: names(&owned),
                validates: Vec::new(),
                estimate: Estimate::default(),
            }
        })
        .collect();
    assign_validation(on, rank_of_lane, &mut ranks);
    ranks
}

/// Which modules the tasks of lanes lead through.
fn held(on: &Lanes<'_>, lanes: &[u32]) -> Vec<bool> {
    let mut held = vec![false; on.module_count()];
    let tasks = lanes.iter().flat_map(|&lane| on.of(lane as usize));
    for module in tasks.filter_map(|(task, _)| on.path(*task)).flat_map(TaskPath::steps) {
        if let Some(held) = held.get_mut(module.index()) {
            *held = true;
        }
    }
    held
}

/// A task is validated by the rank of its first lane.
fn assign_validation(on: &Lanes<'_>, rank_of_lane: &[u32], ranks: &mut [RankSpec]) {
    let mut home: Vec<Option<u32>> = vec![None; on.task_count()];
    for (lane, &rank) in rank_of_lane.iter().enumerate() {
        for (task, _) in on.of(lane) {
            if let Some(home) = home.get_mut(*task) {
                *home = home.or(Some(rank));
            }
        }
    }
    for (task, home) in home.into_iter().enumerate() {
        let rank = home.and_then(|rank| ranks.get_mut(rank as usize));
        let row = on.row(task).filter(|row| row.corpus.valid.is_some());
        if let (Some(rank), Some(row)) = (rank, row) {
            rank.validates.push(row.name.clone());
        }
    }
}
