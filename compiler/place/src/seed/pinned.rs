//! An assignment that knows nothing of pins -> one that respects them, with as many tasks on every device.

use crate::instance::{Instance, narrow};

/// Exchanges pinned tasks with free ones; whether all could be.
pub(super) fn respect(instance: &Instance, homes: &mut [u32]) -> bool {
    let mut free: Vec<Vec<u32>> = vec![Vec::new(); instance.devices()];
    for (task, &home) in homes.iter().enumerate() {
        if instance.pinned[task].is_none() {
            free[home as usize].push(narrow(task));
        }
    }
    // Pinned tasks that sit on another device than theirs give way last: they move themselves.
    for task in 0..homes.len() {
        let Some(device) = instance.pinned[task] else { continue };
        let from = homes[task];
        if from == device {
            continue;
        }
        let away =
            |&other: &usize| homes[other] == device && instance.pinned[other] != Some(device);
        let guest = free[device as usize].pop().map(|other| other as usize);
        let Some(other) = guest.or_else(|| (0..homes.len()).find(away)) else { return false };
        if instance.pinned[other].is_none() {
            free[from as usize].push(narrow(other));
        }
        homes[other] = from;
        homes[task] = device;
    }
    true
}
