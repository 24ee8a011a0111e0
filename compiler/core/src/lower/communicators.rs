//! Who talks: one communicator for every distinct set of ranks that hold the same modules.

use std::collections::BTreeMap;

use mmc_plan::{CommunicatorSpec, Plan};

/// `world` first when there are several ranks, then the others in order of their ranks; modules in order of name.
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
    let elements = modules
        .iter()
        .filter_map(|name| plan.modules.get(*name))
        .map(|module| module.parameters + 1)
        .sum();
    CommunicatorSpec {
        name,
        ranks,
        modules: modules.iter().map(|name| (*name).to_owned()).collect(),
        elements,
    }
}
