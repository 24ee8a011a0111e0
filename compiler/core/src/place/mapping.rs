//! Lanes -> ranks by the placement engine, for clusters with too many mappings to look at all of them.

use mmc_place::{Effort, Limits, Link, Machine, Module, Objective, Problem, Task, Time, solve};
use mmc_plan::{ClusterSpec, LinkSpec};

use crate::cost::whole;

/// Picoseconds of a second: the unit in which the engine counts, and a thousandth of it for every byte.
const PICOSECONDS: f64 = 1e12;

/// Picoseconds of a nanosecond.
const OF_NANOSECOND: u64 = 1000;

/// The rank of every lane, by the nanoseconds that each computes and by sets of lanes that share modules, with their weights;
/// none when the engine finds nothing.
pub(super) fn map(
    cluster: &ClusterSpec,
    computing: &[u64],
    shared: &[(Vec<usize>, u64)],
    (objective, effort): (Objective, Effort),
) -> Option<Vec<u32>> {
    let mut modules_of = vec![Vec::new(); computing.len()];
    for (set, (members, _)) in shared.iter().enumerate() {
        for &lane in members {
            modules_of.get_mut(lane)?.push(set);
        }
    }
    let problem = Problem {
        machine: Machine {
            nodes: cluster.nodes.max(1) as usize,
            devices_per_node: cluster.devices_per_node.max(1) as usize,
        },
        tasks: modules_of
            .into_iter()
            .zip(computing)
            .map(|(modules, load)| Task {
                load: load.saturating_mul(OF_NANOSECOND),
                ..Task::of(modules)
            })
            .collect(),
        modules: shared.iter().map(|(_, bytes)| Module { weight: *bytes, memory: 0 }).collect(),
        limits: Limits::default(),
        objective,
    };
    mmc_place::check(&problem).ok()?;
    let answer = solve(&problem, effort).ok()?;
    let rank = |(node, place): &(usize, usize)| {
        u32::try_from(node * problem.machine.devices_per_node + place).ok()
    };
    answer.assignment.iter().map(rank).collect()
}

/// The time of all-reduces over links, in picoseconds; too large a number is one that the engine's check refuses.
pub(super) fn time(links: &LinkSpec) -> Objective {
    let link = |bytes_per_second: f64| Link {
        latency: whole(links.latency * PICOSECONDS),
        picoseconds_per_byte: whole(1000.0 * PICOSECONDS / bytes_per_second),
    };
    Objective::Time(Time { intra: link(links.intra), inter: link(links.inter) })
}
