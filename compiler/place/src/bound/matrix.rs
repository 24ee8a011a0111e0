//! A cover bound for tables of languages: tasks have a key of one side and a key of the other.
//!
//! With `a` keys of one side and `b` of the other, at most as many tasks can be had as the `a` fullest rows have in their `b`
//! fullest cells, and the same by columns. Where cells on a diagonal are empty, `a + b` beyond the side of the table costs a
//! cell each. Keys bring groups: `a` keys need at least as many groups as the largest of them take.

use super::keys::Keys;

/// Per number of tasks the least weight of keys and groups; none when the keys don't have two sides.
pub(super) fn by_sides(keys: &Keys, most: usize) -> Option<Vec<u64>> {
    let side_of = sides(keys)?;
    let table = Table::of(keys, &side_of)?;
    let prices: [Vec<u64>; 2] = [0, 1].map(|side| prices(keys, &side_of, side));
    let mut least = vec![u64::MAX; most + 1];
    for rows in 0..=table.rows {
        for columns in 0..=table.columns {
            let tasks = table.most(rows, columns).min(most);
            least[tasks] = least[tasks].min(prices[0][rows] + prices[1][columns]);
        }
    }
    for at in (1..least.len()).rev() {
        least[at - 1] = least[at - 1].min(least[at]);
    }
    Some(least)
}

/// Per key its side: two keys of a task are on different ones. None when a task has more than two keys or no sides fit.
fn sides(keys: &Keys) -> Option<Vec<usize>> {
    let count = keys.weight.len();
    let mut beside = vec![Vec::new(); count];
    for task in &keys.of_task {
        match task[..] {
            [one, other] => {
                beside[one].push(other);
                beside[other].push(one);
            }
            [] | [_] => {}
            _ => return None,
        }
    }
    let mut side = vec![usize::MAX; count];
    for start in 0..count {
        if side[start] < usize::MAX {
            continue;
        }
        side[start] = 0;
        let mut open = vec![start];
        while let Some(key) = open.pop() {
            for &other in &beside[key] {
                if side[other] == side[key] {
                    return None;
                }
                if side[other] == usize::MAX {
                    side[other] = 1 - side[key];
                    open.push(other);
                }
            }
        }
    }
    Some(side)
}

/// Per number of keys of a side: the least weight that they and what they imply have.
fn prices(keys: &Keys, side_of: &[usize], side: usize) -> Vec<u64> {
    let mine: Vec<usize> = (0..side_of.len()).filter(|&key| side_of[key] == side).collect();
    let mut levels = levels(keys, &mine).into_iter();
    let mut sums = with_groups(keys, &mine, &levels.next().unwrap_or_default());
    for groups in levels {
        let extra = alone(&groups, mine.len());
        for (sum, extra) in sums.iter_mut().zip(extra) {
            *sum += extra;
        }
    }
    sums
}

/// Members of a group, and its weight.
type Group = (Vec<usize>, u64);

/// Per number of keys: the least weight of them and of the groups of one level. Of a group the lightest keys go first.
fn with_groups(keys: &Keys, mine: &[usize], groups: &[Group]) -> Vec<u64> {
    let mut is_grouped = vec![false; keys.weight.len()];
    for &key in groups.iter().flat_map(|group| &group.0) {
        is_grouped[key] = true;
    }
    let single = mine.iter().filter(|&&key| !is_grouped[key]).map(|&key| (vec![key], 0));
    let mut best = vec![u64::MAX; mine.len() + 1];
    best[0] = 0;
    for (members, weight) in groups.iter().cloned().chain(single) {
        let mut weights: Vec<u64> = members.iter().map(|&key| keys.weight[key]).collect();
        weights.sort_unstable();
        for count in
            (0..mine.len()).rev().filter(|&count| best[count] < u64::MAX).collect::<Vec<_>>()
        {
            let mut sum = best[count] + weight;
            for (more, key) in weights.iter().enumerate() {
                sum += key;
                let cell = &mut best[count + more + 1];
                *cell = (*cell).min(sum);
            }
        }
    }
    best
}

/// Per number of keys: the least weight of the groups alone. Keys without a group come first, then the largest groups.
fn alone(groups: &[Group], keys: usize) -> Vec<u64> {
    let lightest = groups.iter().map(|group| group.1).min().unwrap_or(0);
    let mut sizes: Vec<usize> = groups.iter().map(|group| group.0.len()).collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    let free = keys - sizes.iter().sum::<usize>();
    let ends: Vec<usize> = sums(&sizes).into_iter().map(|sum| sum + free).collect();
    (0..=keys).map(|count| ends.partition_point(|&end| end < count) as u64 * lightest).collect()
}

/// Modules implied by keys of a side, in levels of which no key has two.
fn levels(keys: &Keys, mine: &[usize]) -> Vec<Vec<Group>> {
    let mut members = vec![Vec::new(); keys.module_weight.len()];
    for &key in mine {
        for &module in &keys.implied[key] {
            members[module].push(key);
        }
    }
    // What both sides bring would be counted twice.
    let others = (0..keys.weight.len()).filter(|key| mine.binary_search(key).is_err());
    for &module in others.flat_map(|key| &keys.implied[key]) {
        members[module].clear();
    }
    let mut levels: Vec<(Vec<bool>, Vec<Group>)> = Vec::new();
    for (module, members) in members.into_iter().enumerate().filter(|row| !row.1.is_empty()) {
        let fits = |taken: &[bool]| members.iter().all(|&key| !taken[key]);
        let at = levels.iter().position(|(taken, _)| fits(taken)).unwrap_or(levels.len());
        if at == levels.len() {
            levels.push((vec![false; keys.weight.len()], Vec::new()));
        }
        for &key in &members {
            levels[at].0[key] = true;
        }
        levels[at].1.push((members, keys.module_weight[module]));
    }
    levels.into_iter().map(|(_, groups)| groups).collect()
}

/// How many tasks rows and columns have in common at most.
struct Table {
    rows: usize,
    columns: usize,
    /// Tasks without a key, and tasks with a key of one side only, the most first: per number of keys.
    free: usize,
    alone: [Vec<usize>; 2],
    /// Per number of keys on the one side and on the other: tasks by rows, and by columns.
    by_rows: Vec<Vec<usize>>,
    by_columns: Vec<Vec<usize>>,
    /// Empty cells, when no two are in a row or in a column.
    diagonal: Option<usize>,
}

impl Table {
    fn of(keys: &Keys, side_of: &[usize]) -> Option<Self> {
        let mut place = vec![0; side_of.len()];
        let mut counts = [0_usize; 2];
        for (key, &side) in side_of.iter().enumerate() {
            place[key] = counts[side];
            counts[side] += 1;
        }
        let [rows, columns] = counts;
        // Tables of all numbers of rows and columns must fit the memory and the time.
        if rows.saturating_mul(columns) > 4_000_000 {
            return None;
        }
        let mut cells = vec![vec![0_usize; columns]; rows];
        let mut single = [vec![0_usize; rows], vec![0_usize; columns]];
        let mut free = 0;
        for task in &keys.of_task {
            match task[..] {
                [one, other] => {
                    let (row, column) = if side_of[one] == 0 { (one, other) } else { (other, one) };
                    cells[place[row]][place[column]] += 1;
                }
                [key] => single[side_of[key]][place[key]] += 1,
                _ => free += 1,
            }
        }
        let turned: Vec<Vec<usize>> =
            (0..columns).map(|column| cells.iter().map(|row| row[column]).collect()).collect();
        let is_simple = cells.iter().flatten().all(|&tasks| tasks < 2);
        let at_most_one_empty = |lines: &[Vec<usize>]| {
            lines.iter().all(|line| line.iter().filter(|&&tasks| tasks == 0).count() < 2)
        };
        let is_diagonal = is_simple && at_most_one_empty(&cells) && at_most_one_empty(&turned);
        Some(Self {
            rows,
            columns,
            free,
            alone: single.map(|mut tasks| {
                tasks.sort_unstable_by(|one, other| other.cmp(one));
                sums(&tasks)
            }),
            by_rows: fullest(&cells, columns),
            by_columns: fullest(&turned, rows),
            diagonal: is_diagonal
                .then(|| cells.iter().flatten().filter(|&&tasks| tasks == 0).count()),
        })
    }

    fn most(&self, rows: usize, columns: usize) -> usize {
        let mut cells = self.by_rows[columns][rows].min(self.by_columns[rows][columns]);
        if let Some(empty) = self.diagonal {
            let (full_rows, full_columns) = (self.rows - empty, self.columns - empty);
            let hit = rows.saturating_sub(full_rows) + columns.saturating_sub(full_columns);
            cells = cells.min(rows * columns - hit.saturating_sub(empty));
        }
        self.free + self.alone[0][rows] + self.alone[1][columns] + cells
    }
}

/// Per number of fullest cells and number of lines: the tasks of the fullest such lines.
fn fullest(lines: &[Vec<usize>], width: usize) -> Vec<Vec<usize>> {
    let partial: Vec<Vec<usize>> = lines
        .iter()
        .map(|line| {
            let mut line = line.clone();
            line.sort_unstable_by(|one, other| other.cmp(one));
            sums(&line)
        })
        .collect();
    (0..=width)
        .map(|cells| {
            let mut tasks: Vec<usize> = partial.iter().map(|sums| sums[cells]).collect();
            tasks.sort_unstable_by(|one, other| other.cmp(one));
            sums(&tasks)
        })
        .collect()
}

/// Sums of the first none, one, two and so on.
fn sums(numbers: &[usize]) -> Vec<usize> {
    let mut sums = vec![0];
    for number in numbers {
        sums.push(sums.last().copied().unwrap_or(0) + number);
    }
    sums
}
