//! Who talks: one communicator for every distinct set of ranks that hold the same modules.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use mmc_plan::{CommunicatorSpec, ModuleKind, Plan, StackSide};

use crate::cost::{all_reduce_seconds, node_count, summed_bytes, whole};

/// A full bucket takes so many times as long as its latency: few calls, and little to wait for when a backward pass ends.
const LATENCIES: f64 = 16.0;

/// `world` first when there are several ranks, then the others in order of their ranks; modules in the order in which backward
/// passes are done with them.
pub(super) fn communicators(plan: &Plan) -> Vec<CommunicatorSpec> {
    let mut holders: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (number, rank) in (0_u32..).zip(&plan.ranks) {
        let trained = |name: &&String| plan.modules.get(*name).is_none_or(|module| !module.frozen);
        for module in rank.modules.iter().filter(trained) {
            holders.entry(module.as_str()).or_default().push(number);
        }
    }
    let mut sets: BTreeMap<Vec<u32>, Vec<&str>> = BTreeMap::new();
    for (module, ranks) in holders {
        if ranks.len() > 1 {
            sets.entry(ranks).or_default().push(module);
        }
    }
    let world: Vec<u32> = (0..).zip(&plan.ranks).map(|(number, _)| number).collect();
    let mut found = Vec::new();
    if world.len() > 1 {
        let modules = sets.remove(&world).unwrap_or_default();
        found.push(spec(plan, "world".to_owned(), world, &modules));
    }
    for (ranks, modules) in sets {
        let members: Vec<String> = ranks.iter().map(u32::to_string).collect();
        found.push(spec(plan, format!("ranks.{}", members.join("-")), ranks, &modules));
    }
    found
}

fn spec(plan: &Plan, name: String, ranks: Vec<u32>, modules: &[&str]) -> CommunicatorSpec {
    let mut modules = modules.to_vec();
    modules.sort_by_key(|name| (depth(plan, name), *name));
    let sizes = modules.iter().filter_map(|name| plan.modules.get(*name));
    let elements = sizes.map(|module| module.parameters + 1).sum();
    let full = full_bucket(plan, &ranks);
    let modules: Vec<String> = modules.into_iter().map(str::to_owned).collect();
    let bucket = (full < elements && modules.len() > 1).then_some(full);
    CommunicatorSpec { name, ranks, modules, elements, bucket }
}

/// Numbers of a bucket that takes [`LATENCIES`] times as long as the latency of its all-reduce; a power of two, so that small
/// differences of links make none.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn full_bucket(plan: &Plan, ranks: &[u32]) -> u64 {
    /// What processes and kernels have to do for a bucket is not in a link's latency.
    const FEW: u64 = 1 << 17;
    const MANY: u64 = 1 << 30;
    let (links, nodes) = (&plan.cluster.links, node_count(&plan.cluster, ranks));
    let seconds = |bytes| all_reduce_seconds(links, ranks.len() as u64, nodes, bytes);
    let latency = seconds(0);
    let per_byte = (seconds(MANY) - latency) / MANY as f64;
    let numbers = LATENCIES * latency / per_byte / summed_bytes(plan.training.precision) as f64;
    whole(numbers).clamp(FEW, MANY).next_power_of_two()
}

/// How far from the loss a module is: a backward pass is done with the nearest first. Embeddings, which both sides may share,
/// come last, adapters behind the stacks of their side.
fn depth(plan: &Plan, name: &str) -> (u8, Reverse<u32>) {
    let number = name.split('.').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0);
    let side = match plan.modules.get(name).map(|module| &module.kind) {
        None | Some(ModuleKind::Head { .. }) => 0,
        Some(ModuleKind::DecoderStack { .. }) => 1,
        Some(ModuleKind::Bridge) => 3,
        Some(ModuleKind::EncoderStack { .. }) => 4,
        Some(ModuleKind::Embedding { .. }) => 6,
        Some(ModuleKind::Adapter { adapter }) => {
            let spec = plan.model.adapters.iter().find(|spec| spec.name == *adapter);
            if spec.is_some_and(|spec| spec.side == StackSide::Decoder) { 2 } else { 5 }
        }
    };
    (side, Reverse(number))
}
