//! Tilings: tasks are cut into `p` runs along one column and each run into `q` along another, `p q` devices in all; the nodes
//! are tiles of that grid. All factorisations and all tiles are tried, along all pairs of columns.

use super::columns::{Column, columns};
use crate::instance::{Instance, narrow};
use crate::state::State;

/// Columns that are combined, at most.
const MOST_COLUMNS: usize = 4;

/// A grid of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grid {
    rows: usize,
    columns: usize,
    /// Rows and columns of a node's tile.
    tile: (usize, usize),
}

impl Grid {
    /// The device of a cell.
    fn device(&self, row: usize, column: usize) -> usize {
        let (high, wide) = self.tile;
        let node = (row / high) * (self.columns / wide) + column / wide;
        node * high * wide + (row % high) * wide + column % wide
    }

    /// All grids of a machine.
    fn all(instance: &Instance) -> Vec<Self> {
        let (devices, on_node) = (instance.devices(), instance.machine.devices_per_node);
        let mut grids = Vec::new();
        for rows in (1..=devices).filter(|&rows| devices.is_multiple_of(rows)) {
            for high in (1..=on_node).filter(|&high| on_node.is_multiple_of(high)) {
                let (columns, wide) = (devices / rows, on_node / high);
                if rows.is_multiple_of(high) && columns.is_multiple_of(wide) {
                    grids.push(Self { rows, columns, tile: (high, wide) });
                }
            }
        }
        // The nearer to a square, the fewer copies in a full matrix.
        grids.sort_by_key(|grid| grid.rows.max(grid.columns));
        grids
    }
}

/// The best tilings, cheapest first, at most `keep` of them; those of pinned tasks are moved by the caller.
pub(super) fn seeds(
    instance: &Instance,
    keep: usize,
    work: &mut u64,
    most: u64,
) -> Vec<(u64, Vec<u32>)> {
    let mut found: Vec<(u64, Vec<u32>)> = Vec::new();
    let columns = columns(instance);
    let columns = &columns[..columns.len().min(MOST_COLUMNS)];
    let sizes = sizes(instance);
    for (first, second) in pairs(columns) {
        for grid in Grid::all(instance) {
            if *work > most && !found.is_empty() {
                return found;
            }
            *work += instance.modules_of.total() as u64;
            let homes = cut(instance, (first, second), grid, &sizes);
            let cost = State::of(instance, &homes).cost();
            found.push((cost, homes));
            found.sort();
            found.dedup();
            found.truncate(keep);
        }
    }
    found
}

/// Ordered pairs of columns, the finest first; one column goes with itself.
fn pairs(columns: &[Column]) -> Vec<(&Column, &Column)> {
    if let [only] = columns {
        return vec![(only, only)];
    }
    let numbers = 0..columns.len();
    let mut pairs: Vec<(usize, usize)> = numbers
        .clone()
        .flat_map(|first| numbers.clone().map(move |second| (first, second)))
        .filter(|(first, second)| first != second)
        .collect();
    pairs.sort_by_key(|&(first, second)| (first.max(second), first + second));
    pairs.into_iter().map(|(first, second)| (&columns[first], &columns[second])).collect()
}

/// Tasks of every device: its fewest, and one more in turn until all tasks have a seat.
fn sizes(instance: &Instance) -> Vec<usize> {
    let mut sizes: Vec<usize> = instance.seats.iter().map(|(least, _)| *least as usize).collect();
    let mut left = instance.tasks().saturating_sub(sizes.iter().sum());
    while left > 0 {
        let before = left;
        // From the last device, so that the first one has the small number.
        for (size, (_, most)) in sizes.iter_mut().zip(&instance.seats).rev() {
            if left > 0 && *size < *most as usize {
                *size += 1;
                left -= 1;
            }
        }
        if before == left {
            break;
        }
    }
    sizes
}

/// The runs of runs.
fn cut(
    instance: &Instance,
    (first, second): (&Column, &Column),
    grid: Grid,
    sizes: &[usize],
) -> Vec<u32> {
    let mut homes = vec![0; instance.tasks()];
    let mut order: Vec<u32> = (0..instance.tasks()).map(narrow).collect();
    let by = |major: &Column, minor: &Column, order: &mut [u32]| {
        order.sort_by_key(|&task| {
            let task = task as usize;
            (major.rank[task], minor.rank[task], task)
        });
    };
    by(first, second, &mut order);
    let mut rest = order.as_mut_slice();
    for row in 0..grid.rows {
        let here: usize = (0..grid.columns).map(|column| sizes[grid.device(row, column)]).sum();
        let (run, after) = rest.split_at_mut(here.min(rest.len()));
        rest = after;
        by(second, first, run);
        let mut tasks = run.iter();
        for column in 0..grid.columns {
            let device = grid.device(row, column);
            for &task in tasks.by_ref().take(sizes[device]) {
                homes[task as usize] = narrow(device);
            }
        }
    }
    homes
}
