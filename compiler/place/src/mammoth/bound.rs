//! What no allocation can cost less than, whatever its numbers of tasks.

use super::instance::{Instance, RANGE};
use crate::bound::{Cover, with_cover};
use crate::instance::Instance as Tables;

/// The bound in tenths: the engine's for every range of numbers of tasks that devices can have, with the price of the range.
///
/// Empty devices are left out of account where there are enough tasks: one costs more than any number of copies.
pub(super) fn bound(instance: &Instance, tables: &Tables) -> u64 {
    let (tasks, devices) = (instance.tasks.len(), instance.machine.devices());
    let spread = instance.prices();
    let per_node = instance.machine.devices_per_node;
    let cover = Cover::new(tables, instance.slots * per_node);
    let (fewest, least_range) = (tasks / devices, usize::from(tasks % devices > 0));
    let mut best = u64::MAX;
    for range in least_range..=instance.slots {
        let dearer = RANGE * (range - least_range) as u64;
        if dearer > best {
            break;
        }
        let lowest = (fewest + least_range).saturating_sub(range);
        for least in lowest..=fewest.min(instance.slots - range) {
            let seats =
                |places: usize, each: usize| vec![(least * each, (least + range) * each); places];
            let places = (seats(devices, 1), seats(instance.machine.nodes, per_node));
            let copies = with_cover(tables, &spread, &cover, &places);
            best = best.min(copies + dearer);
        }
    }
    let components = instance.components().into_iter().flatten().max().map_or(0, |most| most + 1);
    // A component on one device only still pays homogeneity there; every task takes its four back.
    best + (instance.slots * components) as u64 - 4 * tasks as u64
}
