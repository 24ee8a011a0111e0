//! Assignments to start from: tilings and a greedy one, the best of which is taken.

mod columns;
mod greedy;
mod grid;
mod pinned;

use crate::answer::Algorithm;
use crate::instance::Instance;
use crate::state::State;

/// Looks at a module of a task that seeds may take beyond the first tiling.
const GRID_WORK: u64 = 80_000_000;
/// Tasks times devices up to which tasks are placed one by one.
const GREEDY_WORK: usize = 20_000_000;

/// The best seed, what made it, and the work; none when no seed keeps the numbers of tasks.
pub(crate) fn best(instance: &Instance) -> Option<(Algorithm, Vec<u32>, u64)> {
    let mut work = 0;
    let mut found = Vec::new();
    let pins = instance.pinned.iter().filter(|pin| pin.is_some()).count();
    for (_, mut homes) in grid::seeds(instance, 3, &mut work, GRID_WORK) {
        if pins == 0 || pinned::respect(instance, &mut homes) {
            found.push((Algorithm::Grid, homes));
        }
    }
    if found.is_empty() || instance.tasks() * instance.devices() <= GREEDY_WORK {
        found.extend(greedy::seed(instance, &mut work).map(|homes| (Algorithm::Greedy, homes)));
    }
    let standing = |homes: &[u32]| {
        let state = State::of(instance, homes);
        (state.excess(), state.cost())
    };
    let (algorithm, homes) = found.into_iter().min_by_key(|(_, homes)| standing(homes))?;
    Some((algorithm, homes, work))
}
