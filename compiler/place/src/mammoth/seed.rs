//! Starting points: tasks as cells of a table of sources and targets, cut in two again and again.
//!
//! A block of the table touches as many languages as it is high and wide. A cut along either side leaves one block for either
//! half of the devices, with a ragged edge where the numbers of tasks want it; the side is taken that leaves both halves the
//! fewest components. Languages of a group lie together.

use super::instance::Instance;
use crate::random::Random;

/// Languages in an order, and how far cuts may be worse than the best one.
pub(super) struct Table<'a> {
    components: &'a [[usize; 4]],
    /// Per component: its place.
    rank: Vec<usize>,
    noise: usize,
    /// Per component: the last count that met it.
    met: Vec<usize>,
    counts: usize,
    devices_per_node: usize,
}

impl<'a> Table<'a> {
    /// Languages by group; groups, and languages in them, as they come (`seed` 0) or shuffled.
    pub(super) fn new(
        instance: &Instance,
        components: &'a [[usize; 4]],
        seed: u64,
        random: &mut Random,
    ) -> Self {
        let count = components.iter().flatten().max().map_or(0, |most| most + 1);
        let mut group: Vec<usize> = (0..count).collect();
        for &[source, source_group, target, target_group] in components {
            group[source] = source_group;
            group[target] = target_group;
        }
        let shuffled: Vec<u64> = (0..count).map(|_| random.next()).collect();
        let key = |component: usize| if seed == 0 { component as u64 } else { shuffled[component] };
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|&at| (key(group[at]), key(at)));
        let mut rank = vec![0; count];
        for (place, &component) in order.iter().enumerate() {
            rank[component] = place;
        }
        let devices_per_node = instance.machine.devices_per_node;
        Self {
            components,
            rank,
            noise: usize::try_from(seed % 4).expect("a small number"),
            met: vec![0; count],
            counts: 0,
            devices_per_node,
        }
    }

    /// Per task its device, when device `g` takes from `seats[g].0` to `seats[g].1` tasks.
    pub(super) fn cut(mut self, seats: &[(usize, usize)], random: &mut Random) -> Vec<u32> {
        let mut homes = vec![0; self.components.len()];
        let mut open = vec![((0..self.components.len()).collect::<Vec<usize>>(), 0, seats)];
        while let Some((mut tasks, first, seats)) = open.pop() {
            if seats.len() == 1 {
                for task in tasks {
                    homes[task] = u32::try_from(first).expect("devices are counted in 32 bits");
                }
                continue;
            }
            let nodes = seats.len() / self.devices_per_node;
            let half = if nodes > 1 { nodes / 2 * self.devices_per_node } else { seats.len() / 2 };
            let (near, far) = seats.split_at(half);
            let count = self.halve(&mut tasks, room(near), room(far), random);
            let rest = tasks.split_off(count);
            open.push((tasks, first, near));
            open.push((rest, first + half, far));
        }
        homes
    }

    /// Orders tasks by the better side, and says how many of the first are for the near half of the devices.
    fn halve(
        &mut self,
        tasks: &mut Vec<usize>,
        near: (usize, usize),
        far: (usize, usize),
        random: &mut Random,
    ) -> usize {
        let along = |side: usize, rank: &[usize], task: usize| {
            let components = self.components[task];
            let (row, column) = (rank[components[side]], rank[components[2 - side]]);
            // Every other row backwards, so that the ragged edge is in one place; not at first, to have both.
            let column = if self.noise > 0 && row % 2 == 1 { usize::MAX - column } else { column };
            (row, column, task)
        };
        let mut other = tasks.clone();
        tasks.sort_unstable_by_key(|&task| along(0, &self.rank, task));
        other.sort_unstable_by_key(|&task| along(2, &self.rank, task));
        let all = tasks.len();
        let few = near.0.max(all.saturating_sub(far.1));
        let many = near.1.min(all - far.0);
        let even = all * (near.0 + near.1) / (near.0 + near.1 + far.0 + far.1).max(1);
        let mut best = |tasks: &[usize]| {
            let components = self.by_cut(tasks);
            let cuts = (few..=many).map(|cut| (components[cut], cut.abs_diff(even), cut));
            cuts.min().expect("seats of both halves take all tasks")
        };
        let (by_source, by_target) = (best(tasks), best(&other));
        let handicap = random.below(2 * self.noise + 1);
        if by_target.0 + handicap < by_source.0 + self.noise {
            *tasks = other;
            return by_target.2;
        }
        by_source.2
    }

    /// Per cut of a row of tasks: how many components the two parts have together.
    fn by_cut(&mut self, tasks: &[usize]) -> Vec<usize> {
        let mut sums = vec![0; tasks.len() + 1];
        for is_back in [false, true] {
            self.counts += 1;
            let mut found = 0;
            for step in 0..tasks.len() {
                let at = if is_back { tasks.len() - 1 - step } else { step };
                for component in self.components[tasks[at]] {
                    if self.met[component] != self.counts {
                        self.met[component] = self.counts;
                        found += 1;
                    }
                }
                sums[if is_back { at } else { at + 1 }] += found;
            }
        }
        sums
    }
}

/// The fewest and the most tasks of devices together.
fn room(seats: &[(usize, usize)]) -> (usize, usize) {
    seats.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}
