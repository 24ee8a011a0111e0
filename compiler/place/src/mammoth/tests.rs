//! Terms by hand, answers beside exhaustive search.

use super::{Instance, Task, allocate, score};
use crate::answer::Effort;
use crate::problem::Machine;

/// Every pair of some languages, each its own group or all in one; every third task isn't ready.
fn pairs(languages: usize, groups: usize, nodes: usize, slots: usize) -> Instance {
    let tasks = (0..languages * languages).map(|cell| {
        let (source, target) = (cell / languages, cell % languages);
        Task {
            source,
            source_group: source % groups,
            target,
            target_group: target % groups,
            is_ready: cell % 3 < 2,
        }
    });
    Instance { machine: Machine { nodes, devices_per_node: 2 }, slots, tasks: tasks.collect() }
}

#[test]
fn terms_by_hand() {
    // Two nodes of two devices, a task each; sources 0 0 1 1, targets 0 1 0 1, one group.
    let instance = pairs(2, 1, 2, 3);
    let terms = score(&instance, &[0, 1, 2, 3]);
    // Sources: one device beyond the first each. Targets: a device and a node. Groups: three devices and a node each.
    assert_eq!(terms.communication, 2 + 2 * (1 + 5) + 2 * (3 + 5));
    // Four components on every device, each with two empty slots.
    assert_eq!(terms.homogeneity, 4 * 4 * 2);
    // Task 2 isn't ready: one device without a ready task.
    assert_eq!((terms.ready, terms.unready_devices), (501 + 10, 1));
    assert_eq!((terms.unassigned, terms.split), (0, 0));
    assert_eq!(terms.tenths(), 10 * 30 + 32 + 5 * 511);
    let uneven = score(&instance, &[0, 0, 2, 3]);
    assert_eq!(uneven.unassigned, 2 + 99_999_999 + 10);
}

#[test]
fn pieces_of_a_pair_are_kept_apart() {
    let mut instance = pairs(3, 1, 2, 4);
    let piece = instance.tasks[1];
    instance.tasks.extend([piece, piece]);
    let found = allocate(&instance, Effort::default()).expect("slots enough");
    assert_eq!(found.terms.split, 0);
    let devices = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 0];
    assert!(
        score(&Instance { slots: 5, ..instance }, &devices).split > 0 || devices[1] != devices[9]
    );
}

#[test]
fn answers_are_the_cheapest_of_all_and_above_the_bound() {
    for (groups, nodes, slots) in [(1, 1, 5), (1, 2, 3), (3, 2, 3), (3, 1, 6)] {
        let instance = pairs(3, groups, nodes, slots);
        let (tasks, devices) = (instance.tasks.len(), 2 * nodes);
        let count = devices.pow(u32::try_from(tasks).expect("few tasks"));
        let least = (0..count)
            .filter_map(|code| {
                let mut rest = code;
                let homes: Vec<usize> = (0..tasks)
                    .map(|_| {
                        let device = rest % devices;
                        rest /= devices;
                        device
                    })
                    .collect();
                let fits = |device| homes.iter().filter(|&&home| home == device).count() <= slots;
                (0..devices).all(fits).then(|| score(&instance, &homes).tenths())
            })
            .min()
            .expect("there are assignments");
        let found = allocate(&instance, Effort::default()).expect("slots enough");
        assert_eq!(found.terms.tenths(), least, "{groups} groups, {nodes} nodes");
        assert!(found.bound <= least, "bound {} above {least}", found.bound);
        assert_eq!(found.terms.unready_devices, 0);
        assert_eq!(allocate(&instance, Effort::default()), Some(found));
    }
}

#[test]
fn fewer_tasks_than_devices_and_more_tasks_than_slots() {
    let few = allocate(&pairs(2, 2, 4, 2), Effort::default()).expect("slots enough");
    assert_eq!(few.terms.unready_devices, 8 - 3);
    assert!(few.bound <= few.terms.tenths());
    assert_eq!(allocate(&pairs(3, 1, 1, 4), Effort::default()), None);
    let one = Instance { machine: Machine { nodes: 1, devices_per_node: 1 }, ..pairs(2, 1, 1, 9) };
    assert_eq!(allocate(&one, Effort::default()).expect("slots enough").assignment, [(0, 0); 4]);
}
