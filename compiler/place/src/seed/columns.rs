//! The places of a model, found again in bare module lists: sets of modules of which every task uses at most one, such as the
//! source languages, the target languages, their groups. Languages of one group are neighbours in their column's order.

use std::collections::BTreeMap;

use crate::instance::{Instance, narrow};

/// Columns that are looked for, at most.
const MOST: usize = 64;
/// A task that uses no module of a column.
pub(super) const NONE: u32 = u32::MAX;

/// A column: per task the rank of its module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) rank: Vec<u32>,
    /// Ranks that there are, without that of no module.
    pub(super) ranks: usize,
}

/// The columns with more than one module, those that tell most tasks apart first.
pub(super) fn columns(instance: &Instance) -> Vec<Column> {
    let raw = disjoint(instance);
    let mut found: Vec<Column> = Vec::new();
    for (at, column) in raw.iter().enumerate() {
        let column = ranked(column, at, &raw);
        if column.ranks > 1 && !found.contains(&column) {
            found.push(column);
        }
    }
    found.sort_by_key(|column| std::cmp::Reverse(column.ranks));
    found
}

/// Per column and task: its module there. Modules with many tasks choose first, each the first column that none of its tasks
/// is in already.
fn disjoint(instance: &Instance) -> Vec<Vec<u32>> {
    let mut order: Vec<usize> = (0..instance.modules()).collect();
    order.sort_by_key(|&module| (std::cmp::Reverse(instance.tasks_of.of(module).len()), module));
    let mut taken = vec![0_u64; instance.tasks()];
    let mut columns: Vec<Vec<u32>> = Vec::new();
    for module in order {
        let tasks = instance.tasks_of.of(module);
        let all = tasks.iter().fold(0, |all, &task| all | taken[task as usize]);
        let column = (!all).trailing_zeros() as usize;
        if column >= MOST {
            continue;
        }
        if column == columns.len() {
            columns.push(vec![NONE; instance.tasks()]);
        }
        for &task in tasks {
            taken[task as usize] |= 1 << column;
            columns[column][task as usize] = narrow(module);
        }
    }
    columns
}

/// A column with its modules in the order of what always goes with them, then of their first task.
fn ranked(column: &[u32], own: usize, all: &[Vec<u32>]) -> Column {
    let mut company: BTreeMap<u32, (Vec<Option<u32>>, usize)> = BTreeMap::new();
    for (task, &module) in column.iter().enumerate() {
        if module == NONE {
            continue;
        }
        let here = || all.iter().enumerate().filter(|(at, _)| *at != own).map(|(_, o)| o[task]);
        company
            .entry(module)
            .and_modify(|(known, _)| {
                for (known, here) in known.iter_mut().zip(here()) {
                    if *known != Some(here) {
                        *known = None;
                    }
                }
            })
            .or_insert_with(|| (here().map(Some).collect(), task));
    }
    let mut order: Vec<(Vec<Option<u32>>, usize, u32)> =
        company.into_iter().map(|(module, (known, first))| (known, first, module)).collect();
    order.sort();
    let rank: BTreeMap<u32, u32> =
        order.iter().enumerate().map(|(at, (_, _, module))| (*module, narrow(at))).collect();
    Column {
        rank: column.iter().map(|module| rank.get(module).copied().unwrap_or(NONE)).collect(),
        ranks: order.len(),
    }
}
