//! Tasks in turn, each to the device where it costs least: pinned ones first, then those with the most in common with others.

use crate::instance::Instance;
use crate::state::{Change, State};

/// An assignment that keeps the numbers of tasks, or none when pins or seats forbid it.
pub(super) fn seed(instance: &Instance, work: &mut u64) -> Option<Vec<u32>> {
    let mut state = State::empty(instance);
    for (task, pin) in instance.pinned.iter().enumerate() {
        if let Some(device) = *pin {
            state.put(task, device as usize);
        }
    }
    let mut order: Vec<usize> = (0..instance.tasks()).filter(|&task| state.is_free(task)).collect();
    let shared = |task: usize| -> u64 {
        instance.modules_of.of(task).iter().map(|&module| instance.weight[module as usize]).sum()
    };
    order.sort_by_cached_key(|&task| (std::cmp::Reverse(shared(task)), task));
    // Seats that must be filled are filled before any device gets more.
    let mut due: usize = lacking(&state);
    for (left, task) in order.iter().copied().enumerate().map(|(at, task)| (order.len() - at, task))
    {
        let is_due = due >= left;
        let mut best: Option<(Change, usize, usize)> = None;
        for device in 0..instance.devices() {
            let here = state.here(device).len();
            let takes = if is_due {
                here < instance.seats[device].0 as usize
            } else {
                state.has_seat(device)
            };
            if takes {
                let found = (state.placing(task, device), here, device);
                best = Some(best.map_or(found, |known| known.min(found)));
            }
        }
        let (_, _, device) = best?;
        due -= usize::from(state.here(device).len() < instance.seats[device].0 as usize);
        state.put(task, device);
    }
    let is_kept = (0..instance.devices()).all(|device| {
        let (least, most) = instance.seats[device];
        (least as usize..=most as usize).contains(&state.here(device).len())
    });
    *work += state.work();
    is_kept.then(|| state.homes().to_vec())
}

fn lacking(state: &State<'_>) -> usize {
    let seats = &state.instance().seats;
    seats
        .iter()
        .enumerate()
        .map(|(device, (least, _))| (*least as usize).saturating_sub(state.here(device).len()))
        .sum()
}
