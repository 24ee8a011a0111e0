//! The cover function: the least weight of modules that a number of tasks can touch.

use super::{keys, matrix, share};
use crate::instance::Instance;

/// Per number of tasks, up to the room of a node: no so many tasks touch modules of less weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    least: Vec<u64>,
    /// Whether the numbers are exact and not only bounds.
    pub is_exact: bool,
}

/// Cells of the table of [`Cover::over`]; above, the convex hull of the function must do.
const MOST_CELLS: usize = 20_000_000;

impl Cover {
    /// The cover function of some tables: by all sets of modules where these are few, else by what languages and groups allow,
    /// else by shares of tasks. `room` is the most tasks that will be asked for.
    pub fn new(instance: &Instance, room: usize) -> Self {
        let most = room.min(instance.tasks());
        let keys = keys::Keys::of(instance);
        if let Some(least) = keys.by_subsets(most) {
            return Self { least, is_exact: true };
        }
        let mut least = share::by_shares(instance, most);
        if let Some(better) = matrix::by_sides(&keys, most) {
            for (least, better) in least.iter_mut().zip(better) {
                *least = (*least).max(better);
            }
        }
        // More tasks never touch less.
        for at in (1..least.len()).rev() {
            least[at - 1] = least[at - 1].min(least[at]);
        }
        Self { least, is_exact: false }
    }

    /// The least weight that a number of tasks touch; of the largest number known for larger ones.
    #[inline]
    pub fn fewest(&self, tasks: usize) -> u64 {
        self.least[tasks.min(self.least.len() - 1)]
    }

    /// The least sum over places that have all tasks, every place at least and at most so many.
    pub fn over(&self, tasks: usize, places: &[(usize, usize)]) -> u64 {
        let widest = places.iter().map(|&(least, most)| most - least.min(most) + 1).max();
        let cells = places.len().saturating_mul(tasks + 1).saturating_mul(widest.unwrap_or(1));
        if cells > MOST_CELLS { self.on_hull(tasks, places) } else { self.by_table(tasks, places) }
    }

    /// Place by place: the least sum of all numbers of tasks.
    pub(super) fn by_table(&self, tasks: usize, places: &[(usize, usize)]) -> u64 {
        let mut sums = vec![u64::MAX; tasks + 1];
        sums[0] = 0;
        for &(least, most) in places {
            let mut next = vec![u64::MAX; tasks + 1];
            for (before, sum) in sums.iter().enumerate().filter(|(_, sum)| **sum < u64::MAX) {
                for here in least..=most.min(tasks - before) {
                    let cell = &mut next[before + here];
                    *cell = (*cell).min(sum + self.fewest(here));
                }
            }
            sums = next;
        }
        // No way to seat all tasks: then there is no assignment, and any bound holds.
        if sums[tasks] == u64::MAX { 0 } else { sums[tasks] }
    }

    /// By Jensen's inequality: the mean number of tasks, on the lower convex hull of the function.
    pub(super) fn on_hull(&self, tasks: usize, places: &[(usize, usize)]) -> u64 {
        let least = places.iter().map(|&(least, _)| least).min().unwrap_or(0);
        let most = places.iter().map(|&(_, most)| most).max().unwrap_or(0).min(tasks);
        let mut hull: Vec<(i128, i128)> = Vec::new();
        for here in least..=most {
            let point = (here as i128, i128::from(self.fewest(here)));
            while let [.., one, two] = hull[..]
                && (two.1 - one.1) * (point.0 - two.0) >= (point.1 - two.1) * (two.0 - one.0)
            {
                hull.pop();
            }
            hull.push(point);
        }
        let (sum, count) = (tasks as i128, places.len() as i128);
        let right = hull.iter().position(|point| point.0 * count >= sum);
        match right.unwrap_or(hull.len()) {
            0 => hull.first().map_or(0, |point| u64::try_from(point.1 * count).unwrap_or(0)),
            at => {
                let (one, two) = (hull[at - 1], hull[at.min(hull.len() - 1)]);
                let run = (two.0 - one.0).max(1);
                let rise = (sum - count * one.0) * (two.1 - one.1);
                let value = one.1 * count + rise.div_euclid(run);
                u64::try_from(value + i128::from(rise.rem_euclid(run) > 0)).unwrap_or(0)
            }
        }
    }
}
