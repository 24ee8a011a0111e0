//! Changes that bring an assignment within its limits, whatever they cost.

use crate::random::Random;
use crate::state::{Change, State};

/// Rounds over all tasks, at most.
const ROUNDS: usize = 4;
/// Partners that a task tries.
const PARTNERS: usize = 48;

/// Moves and swaps tasks while limits are exceeded and that helps.
pub(crate) fn repair(state: &mut State<'_>, random: &mut Random) {
    let devices = state.instance().devices();
    for _ in 0..ROUNDS {
        let before = state.standing();
        for task in 0..state.instance().tasks() {
            if state.excess() == 0 {
                return;
            }
            if state.is_free(task) {
                relieve(state, task, devices, random);
            }
        }
        if state.standing() >= before {
            return;
        }
    }
}

/// The best of some changes of one task, if it is for the better.
fn relieve(state: &mut State<'_>, task: usize, devices: usize, random: &mut Random) {
    let mut best = (Change::NONE, None, 0);
    for _ in 0..PARTNERS {
        let to = random.below(devices);
        let from = state.home(task);
        if state.can_spare(from) && state.has_seat(to) {
            best = best.min((state.moving(task, to), None, to));
        }
        let Some(other) = random.of(state.here(to)) else { continue };
        if to != from && state.is_free(other as usize) {
            best = best.min((state.swapping(task, other as usize), Some(other), to));
        }
    }
    match best {
        (change, _, _) if !change.is_better() => {}
        (_, Some(other), _) => state.swap(task, other as usize),
        (_, None, to) => state.shift_to(task, to),
    }
}
