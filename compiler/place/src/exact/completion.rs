//! What a place still pays: the least weight of keys that include what it holds and have room for its tasks.

use crate::bound::Keys;

/// The most keys of which all sets are tabled; for few tasks fewer, or the tables take longer than the search.
const MOST_KEYS: usize = 16;
const KEYS_ALWAYS: usize = 9;
const TASKS_A_KEY: usize = 8;
/// The most modules of which places are asked one by one: sets of them are words. What is left out is not counted.
const MOST_OTHERS: usize = 128;

/// Tables over sets of keys. Where there are too many keys, those with the most tasks are tabled; of others only what a place
/// holds is counted, by the search.
#[derive(Debug)]
pub(super) struct Completions {
    /// Per key of [`Keys`]: its bit in the sets.
    pub(super) bit: Vec<Option<u32>>,
    /// Modules that no table counts, ascending: keys without a bit, and what they imply; of very many the heaviest.
    pub(super) others: Vec<usize>,
    /// Per number of tasks: per set the least weight of a set around it that has room for as many.
    tables: Vec<Vec<u32>>,
}

impl Completions {
    /// Tables for up to `most` tasks.
    pub(super) fn new(keys: &Keys, most: usize) -> Self {
        let mut uses = vec![0_usize; keys.weight.len()];
        for &key in keys.of_task.iter().flatten() {
            uses[key] += 1;
        }
        let mut order: Vec<usize> = (0..uses.len()).collect();
        order.sort_by_key(|&key| (std::cmp::Reverse(uses[key]), key));
        order.truncate(MOST_KEYS.min(KEYS_ALWAYS + keys.of_task.len() / TASKS_A_KEY));
        let mut bit = vec![None; uses.len()];
        for (&key, place) in order.iter().zip(0..) {
            bit[key] = Some(place);
        }
        let untabled = (0..uses.len()).filter(|&key| bit[key].is_none());
        let mut others: Vec<usize> = untabled
            .flat_map(|key| keys.implied[key].iter().copied().chain([keys.module[key]]))
            .collect();
        others.sort_by_key(|&module| (std::cmp::Reverse(keys.module_weight[module]), module));
        others.dedup();
        others.truncate(MOST_OTHERS);
        others.sort_unstable();
        let weight = weights(keys, &order, &others);
        let within = within(keys, &bit, weight.len());
        let tables = (0..=most).map(|tasks| least(&weight, &within, tasks)).collect();
        Self { bit, others, tables }
    }

    /// The same by load, in place of tasks: up to `most` units, which are rounded up. `needs`: of every task its tabled keys and
    /// its load.
    pub(super) fn by_load(&self, needs: &[(u32, u64)], unit: u64, most: usize) -> Self {
        let weight = &self.tables[0];
        let mut within = vec![0_u64; weight.len()];
        for &(keys, load) in needs {
            within[keys as usize] += load;
        }
        add_subsets(&mut within);
        let units = |load: u64| u32::try_from(load.div_ceil(unit)).unwrap_or(u32::MAX);
        let within: Vec<u32> = within.into_iter().map(units).collect();
        let tables = (0..=most).map(|units| least(weight, &within, units)).collect();
        Self { bit: self.bit.clone(), others: self.others.clone(), tables }
    }

    /// Sets of keys.
    pub(super) fn sets(&self) -> usize {
        self.tables[0].len()
    }

    /// What making the tables took, in looks at a cell.
    pub(super) fn work(&self) -> u64 {
        let cells: usize = self.tables.iter().map(Vec::len).sum();
        (cells * self.bit.len().max(1)) as u64
    }

    /// The least weight around a set with room for so many tasks; `u32::MAX` where there is none.
    #[inline]
    pub(super) fn weight(&self, set: u32, tasks: usize) -> u32 {
        self.tables.get(tasks).map_or(u32::MAX, |table| table[set as usize])
    }
}

/// The weight of every set of keys, with what they imply that is tabled.
fn weights(keys: &Keys, tabled: &[usize], others: &[usize]) -> Vec<u32> {
    let mut members = vec![0_u32; keys.module_weight.len()];
    for (place, &key) in tabled.iter().enumerate() {
        for &module in keys.implied[key].iter().filter(|at| others.binary_search(at).is_err()) {
            members[module] |= 1 << place;
        }
    }
    let brought: Vec<(u32, u64)> = members
        .into_iter()
        .zip(&keys.module_weight)
        .filter(|(members, _)| *members > 0)
        .map(|(members, &weight)| (members, weight))
        .collect();
    let weight = |set: u32| {
        let own = tabled.iter().enumerate().filter(|(place, _)| set >> place & 1 == 1);
        let own: u64 = own.map(|(_, &key)| keys.weight[key]).sum();
        let others = brought.iter().filter(|(members, _)| members & set > 0);
        own + others.map(|(_, weight)| weight).sum::<u64>()
    };
    (0..1 << tabled.len()).map(|set| u32::try_from(weight(set)).unwrap_or(u32::MAX / 2)).collect()
}

/// Per set: tasks of which it holds all tabled keys.
fn within(keys: &Keys, bit: &[Option<u32>], sets: usize) -> Vec<u32> {
    let mut within = vec![0; sets];
    for task in &keys.of_task {
        let set = task.iter().filter_map(|&key| bit[key]).fold(0_usize, |set, bit| set | 1 << bit);
        within[set] += 1;
    }
    add_subsets(&mut within);
    within
}

/// Sums over all subsets (Yates 1937): one key after the other.
fn add_subsets<T: Copy + std::ops::AddAssign>(of: &mut [T]) {
    let mut step = 1;
    while step < of.len() {
        for set in (0..of.len()).filter(|set| set & step > 0) {
            let less = of[set ^ step];
            of[set] += less;
        }
        step *= 2;
    }
}

fn least(weight: &[u32], within: &[u32], number: usize) -> Vec<u32> {
    let has_room = |tasks: u32| tasks as usize >= number;
    let mut least: Vec<u32> = weight
        .iter()
        .zip(within)
        .map(|(&weight, &tasks)| if has_room(tasks) { weight } else { u32::MAX })
        .collect();
    let mut step = 1;
    while step < least.len() {
        for set in (0..least.len()).filter(|set| set & step == 0) {
            least[set] = least[set].min(least[set | step]);
        }
        step *= 2;
    }
    least
}
