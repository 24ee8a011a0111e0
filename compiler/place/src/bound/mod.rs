//! What no assignment can be cheaper than.
//!
//! Two arguments. A module with many tasks needs devices for them: `k >= ceil(tasks / seats)`, and nodes alike. And a device
//! with so many tasks holds at least the modules that so many tasks can get along with ([`Cover`]); summed over devices, and
//! over nodes, that counts every copy. The dearer of the two holds for copies on devices and for copies on nodes.

mod cover;
mod keys;
mod matrix;
mod share;
#[cfg(test)]
mod tests;

pub use cover::Cover;
pub(crate) use keys::Keys;

use crate::instance::{Instance, tighten};
use crate::objective::{Objective, Spread};

/// No assignment of these tables costs less.
pub fn bound(instance: &Instance) -> u64 {
    match &instance.objective {
        Objective::Spread(spread) => {
            let places = seats(instance);
            let room = places.1.iter().map(|&(_, most)| most).max().unwrap_or(0);
            with_cover(instance, spread, &Cover::new(instance, room), &places)
        }
        Objective::Time(_) => instance.fixed + by_module(instance) + load(instance),
    }
}

/// The fewest and the most tasks of places.
pub(crate) type Seats = Vec<(usize, usize)>;

/// The bound of a sum of copies, with what is known of covers, when devices and nodes have such seats.
pub(crate) fn with_cover(
    instance: &Instance,
    spread: &Spread,
    cover: &Cover,
    (devices, nodes): &(Seats, Seats),
) -> u64 {
    if instance.tasks() == 0 {
        return instance.fixed;
    }
    let held: u64 = instance.weight.iter().sum();
    let beyond = |places: &[(usize, usize)]| {
        let counted = cover.over(instance.tasks(), places).saturating_sub(held);
        counted.max(by_room(instance, places))
    };
    instance.fixed
        + spread.intra * beyond(devices)
        + spread.inter * beyond(nodes)
        + evenness(instance, spread)
}

/// The fewest and the most tasks of every device, and of every node.
fn seats(instance: &Instance) -> (Seats, Seats) {
    let devices: Seats =
        instance.seats.iter().map(|&(least, most)| (least as usize, most as usize)).collect();
    let mut nodes = node_seats(instance);
    tighten(&mut nodes, instance.tasks());
    (devices, nodes)
}

/// The fewest and the most tasks of every node, by those of its devices.
pub(crate) fn node_seats(instance: &Instance) -> Seats {
    let nodes = instance.seats.chunks(instance.machine.devices_per_node);
    nodes
        .map(|node| {
            node.iter().fold((0, 0), |sum, one| (sum.0 + one.0 as usize, sum.1 + one.1 as usize))
        })
        .collect()
}

/// Copies beyond the first that modules need because no place has room for all their tasks.
fn by_room(instance: &Instance, places: &[(usize, usize)]) -> u64 {
    let fewest = fewest_places(places);
    let copies = |module| (fewest(instance.tasks_of.of(module).len()).max(1) - 1) as u64;
    (0..instance.modules()).map(|module| instance.weight[module] * copies(module)).sum()
}

/// What copies on devices cost at least because no device has room for all tasks of a module, without what is fixed.
pub(crate) fn room_bound(instance: &Instance, spread: &Spread) -> u64 {
    spread.intra * by_room(instance, &seats(instance).0)
}

/// How many places a number of tasks needs, the roomiest first.
fn fewest_places(places: &[(usize, usize)]) -> impl Fn(usize) -> usize {
    let mut room: Vec<usize> = places.iter().map(|&(_, most)| most).collect();
    room.sort_unstable_by(|one, other| other.cmp(one));
    let mut sums = vec![0];
    for most in room {
        sums.push(sums.last().copied().unwrap_or(0) + most);
    }
    move |tasks| sums.partition_point(|&sum| sum < tasks).min(sums.len() - 1)
}

/// Prices of modules on the fewest devices and nodes that have room for them.
fn by_module(instance: &Instance) -> u64 {
    let (devices, nodes) = seats(instance);
    let (fewest_devices, fewest_nodes) = (fewest_places(&devices), fewest_places(&nodes));
    let price = |module: usize| {
        let tasks = instance.tasks_of.of(module).len();
        let (devices, most) = (fewest_devices(tasks), instance.machine.nodes);
        // More nodes may be faster than few with many devices each.
        let nodes = fewest_nodes(tasks)..=most.min(tasks);
        nodes.map(|nodes| instance.price(module, nodes, devices.max(nodes))).min().unwrap_or(0)
    };
    (0..instance.modules()).map(price).sum()
}

/// The load that some device has at least: the mean, and what `j + 1` tasks have of the `j K + 1` largest, which `K` devices can't
/// share without that one of them takes as many.
fn load(instance: &Instance) -> u64 {
    let devices = instance.devices();
    let mut loads = instance.load.clone();
    loads.sort_unstable_by(|one, other| other.cmp(one));
    let crowded = (0..loads.len().div_ceil(devices))
        .map(|more| loads[more * devices - more..=more * devices].iter().sum());
    let mean = loads.iter().sum::<u64>().div_ceil(devices as u64);
    crowded.max().unwrap_or(0).max(mean)
}

/// What uneven numbers cost at least.
fn evenness(instance: &Instance, spread: &Spread) -> u64 {
    let devices = instance.devices();
    let least = |count: usize, price: &crate::objective::Evenness| {
        let empty = devices.saturating_sub(count) as u64;
        price.range * u64::from(!count.is_multiple_of(devices)) + price.empty * empty
    };
    let ready = instance.is_ready.iter().filter(|&&is_ready| is_ready).count();
    least(instance.tasks(), &spread.tasks) + least(ready, &spread.ready)
}
