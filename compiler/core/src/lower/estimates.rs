//! What ranks cost: sums of the costs of modules and batches, and the time of communication.

use std::collections::BTreeMap;

use mmc_plan::{CommunicatorSpec, Estimate, Plan, RankSpec, RunEstimate, stretch};

use super::lanes::Lanes;
use crate::cost::{
    Work, all_reduce_seconds, compute_seconds, node_count, state_bytes, sum_bytes, summed_bytes,
    whole,
};

/// Fills the estimates of ranks and in total. `trained`: module -> the part of all steps in which it is trained.
pub(super) fn fill(plan: &mut Plan, lanes: &Lanes<'_>, trained: &BTreeMap<&str, f64>) {
    let traffic: Vec<(u64, f64)> = plan
        .communicators
        .iter()
        .map(|communicator| traffic(plan, communicator, trained))
        .collect();
    let users = lanes.users();
    let ranks: Vec<(u32, &RankSpec)> = (0..).zip(&plan.ranks).collect();
    let estimates = stretch::every(lanes.are_long(), &ranks, |&(number, rank)| Estimate {
        state_bytes: state(plan, rank, &users),
        ..estimate(plan, number, rank, lanes, &traffic)
    });
    for (rank, estimate) in plan.ranks.iter_mut().zip(&estimates) {
        rank.estimate = *estimate;
    }
    plan.totals = estimates.iter().fold(Estimate::default(), |sum, one| Estimate {
        parameters: sum.parameters + one.parameters,
        state_bytes: sum.state_bytes + one.state_bytes,
        activation_bytes: sum.activation_bytes + one.activation_bytes,
        step_flops: sum.step_flops + one.step_flops,
        step_bytes_moved: sum.step_bytes_moved + one.step_bytes_moved,
        step_bytes_sent: sum.step_bytes_sent + one.step_bytes_sent,
        // A step lasts as long as on the slowest rank.
        step_seconds: sum.step_seconds.max(one.step_seconds),
    });
    plan.run = Some(run(plan));
}

/// What all steps cost: their time, on every device of the cluster, at the power of a device (Lacoste et al. 2019, section 2).
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn run(plan: &Plan) -> RunEstimate {
    let rounded = |value: f64| libm::round(value * 1e6) / 1e6;
    let hours = plan.totals.step_seconds * plan.training.steps as f64 / 3600.0;
    let device_hours = hours * plan.ranks.len() as f64;
    let energy = |watts: f64| rounded(device_hours * watts / 1000.0);
    RunEstimate {
        hours: rounded(hours),
        device_hours: rounded(device_hours),
        kilowatt_hours: plan.cluster.device_power.map(energy),
    }
}

/// Bytes that every member of a communicator sends in a step, and the seconds of it, in expectation.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn traffic(
    plan: &Plan,
    communicator: &CommunicatorSpec,
    trained: &BTreeMap<&str, f64>,
) -> (u64, f64) {
    let mut elements = 0.0;
    for name in &communicator.modules {
        let parameters = plan.modules.get(name).map_or(0, |module| module.parameters + 1);
        elements += parameters as f64 * trained.get(name.as_str()).copied().unwrap_or(0.0);
    }
    let bytes = whole(elements * summed_bytes(plan.training.precision) as f64);
    let members = communicator.ranks.len() as u64;
    let nodes = node_count(&plan.cluster, &communicator.ranks);
    let seconds = if bytes == 0 {
        0.0
    } else {
        all_reduce_seconds(&plan.cluster.links, members, nodes, bytes)
    };
    (2 * bytes * (members - 1) / members, seconds)
}

/// Bytes of parameters, gradients and all else that a rank keeps of its modules from step to step. `users`: module -> the lanes
/// that train it.
fn state(plan: &Plan, rank: &RankSpec, users: &BTreeMap<&str, usize>) -> u64 {
    let of = |name: &String| {
        let module = plan.modules.get(name)?;
        let lanes = users.get(name.as_str()).copied().unwrap_or(0);
        let sum = sum_bytes(&plan.training, module.frozen, lanes);
        let state = state_bytes(&plan.training, module.trained_by(&plan.training));
        Some((state + sum) * module.parameters)
    };
    rank.modules.iter().filter_map(of).sum()
}

/// All but the state.
fn estimate(
    plan: &Plan,
    number: u32,
    rank: &RankSpec,
    lanes: &Lanes<'_>,
    traffic: &[(u64, f64)],
) -> Estimate {
    let held = rank.modules.iter().filter_map(|name| plan.modules.get(name));
    let parameters = held.map(|module| module.parameters).sum();
    let (mut work, mut activation_bytes) = (Work::default(), 0);
    for &lane in &rank.lanes {
        for (task, drawn) in lanes.of(lane as usize) {
            let Some(path) = lanes.path(*task) else { continue };
            work.add(drawn.parts, plan.training.accumulate, path);
            activation_bytes = activation_bytes.max(path.activation_bytes);
        }
    }
    let (step_flops, step_bytes_moved) = (work.operations(), work.bytes());
    let (mut step_bytes_sent, mut seconds) =
        (0, compute_seconds(&plan.cluster, step_flops, step_bytes_moved));
    for (communicator, (bytes, time)) in plan.communicators.iter().zip(traffic) {
        if communicator.ranks.contains(&number) {
            step_bytes_sent += bytes;
            seconds += time;
        }
    }
    Estimate {
        parameters,
        state_bytes: 0,
        activation_bytes,
        step_flops,
        step_bytes_moved,
        step_bytes_sent,
        step_seconds: libm::round(seconds * 1e9) / 1e9,
    }
}
