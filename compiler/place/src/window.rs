//! Large-neighbourhood search: a few devices are annealed by themselves, again and again; equal costs are accepted.

use crate::anneal::{Schedule, anneal};
use crate::instance::narrow;
use crate::random::{Patience, Random};
use crate::state::State;

/// Searches until the work is done or the cost is down to `enough`.
pub(crate) fn search(
    state: &mut State<'_>,
    (hot, cold): (u64, u64),
    (until, enough): (u64, u64),
    patience: &Patience,
    random: &mut Random,
) {
    if !(0..state.instance().tasks()).any(|task| state.is_free(task)) {
        return;
    }
    while state.work() < until && (state.excess() > 0 || state.cost() > enough) {
        let devices = choose(state, random);
        let tasks: Vec<u32> = devices
            .iter()
            .flat_map(|&device| state.here(device as usize).iter().copied())
            .collect();
        // A window in which nothing can go costs a look too: the search ends whatever it meets.
        state.add_work(1);
        let looks: u64 = tasks
            .iter()
            .map(|&task| state.instance().modules_of.of(task as usize).len() as u64)
            .sum();
        let heat = [2, 3, 4, 6][random.below(4)];
        let schedule = Schedule {
            devices: &devices,
            work: (looks * 800).min(until - state.work()),
            temperature: (hot * heat / 4, cold),
        };
        anneal(state, &schedule, patience, random);
    }
}

/// Two to four devices: those of a node, or such that share a module.
fn choose(state: &State<'_>, random: &mut Random) -> Vec<u32> {
    let instance = state.instance();
    let machine = instance.machine;
    let count = 2 + random.below(3);
    let mut devices: Vec<u32> = match random.below(4) {
        0 => {
            let node = random.below(machine.nodes);
            let first = node * machine.devices_per_node;
            (first..first + machine.devices_per_node).map(narrow).collect()
        }
        1 => (0..instance.devices()).map(narrow).collect(),
        _ => {
            let module = random.below(instance.modules());
            let mut holders: Vec<u32> = if instance.modules() == 0 {
                Vec::new()
            } else {
                state.holders(module).map(|(device, _)| narrow(device)).collect()
            };
            holders.sort_unstable();
            holders
        }
    };
    random.shuffle(&mut devices);
    devices.truncate(count);
    devices.sort_unstable();
    devices
}
