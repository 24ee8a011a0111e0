//! Every window is full on every lane, gives every task its share, and copies lie apart.

use proptest::prelude::*;

use super::*;
use crate::ir::task::{TaskRow, Window};
use crate::parts::apportion;

fn row(name: String, share: u64, copies: u32) -> TaskRow {
    TaskRow {
        name,
        kind: mmc_plan::TaskKind::Translate,
        source: "a".to_owned(),
        target: "b".to_owned(),
        factor: 1.0,
        share,
        copies,
        corpus: mmc_plan::CorpusFiles::default(),
        transforms: Vec::new().into(),
        source_vocabulary: String::new(),
        target_vocabulary: String::new(),
        span: mmc_syntax::source::Span::default(),
    }
}

/// Tasks in a row, cut where a lane is full.
fn filled(shares: &[u64], lanes: usize) -> Amounts {
    let mut amounts = vec![BTreeMap::new(); lanes];
    let (mut lane, mut room) = (0, SHARE_PARTS);
    for (task, share) in shares.iter().enumerate() {
        let mut left = share * lanes as u64;
        while left > 0 {
            let part = left.min(room);
            amounts[lane].insert(task, part);
            left -= part;
            room -= part;
            if room == 0 {
                lane += 1;
                room = SHARE_PARTS;
            }
        }
    }
    amounts
}

fn table(windows: &[Vec<u64>], copies: &[u32]) -> TaskTable {
    let windows: Vec<Window> = (1..)
        .zip(windows)
        .map(|(first, weights)| {
            let weights: Vec<u128> = weights.iter().map(|weight| u128::from(*weight)).collect();
            Window { first, shares: apportion(&weights, SHARE_PARTS) }
        })
        .collect();
    let sums: Vec<u128> = (0..copies.len())
        .map(|at| windows.iter().map(|window| u128::from(window.shares[at])).sum())
        .collect();
    let tasks = apportion(&sums, SHARE_PARTS)
        .into_iter()
        .zip(copies)
        .enumerate()
        .map(|(at, (share, copies))| row(format!("t{at:03}"), share, *copies))
        .collect();
    TaskTable { tasks, vocabularies: BTreeMap::new(), windows }
}

/// No modules: every move costs the same.
fn plain(tasks: usize) -> ModuleGraph {
    ModuleGraph { paths: vec![TaskPath::default(); tasks], ..ModuleGraph::default() }
}

fn check(found: &[Amounts], table: &TaskTable, lanes: usize) {
    assert_eq!(found.len(), table.windows.len());
    for (amounts, window) in found.iter().zip(&table.windows) {
        let mut given = vec![0; table.tasks.len()];
        for lane in amounts {
            assert_eq!(lane.values().sum::<u64>(), SHARE_PARTS);
            for (&task, amount) in lane {
                given[task] += amount;
            }
        }
        let wanted: Vec<u64> = window.shares.iter().map(|share| share * lanes as u64).collect();
        assert_eq!(given, wanted);
    }
}

#[test]
fn a_window_of_its_own_moves_as_little_as_it_can() {
    // Two lanes of two tasks each; later the first lane's tasks are twice as frequent.
    let table = table(&[vec![1, 1, 1, 1], vec![2, 2, 1, 1]], &[1; 4]);
    let base = filled(&table.windows[0].shares, 2);
    let found = spreads(base.clone(), &table, &plain(4), &Allowed::default());
    check(&found, &table, 2);
    assert_eq!(found[0], base);
    assert_eq!(found[1][0].len(), 2);
    assert_eq!(found[1][1].len(), 3);
}

#[test]
fn copies_lie_apart() {
    // One of four tasks on two lanes at least, and a lane has at most half of it.
    let table = table(&[vec![1, 1, 1, 1]], &[2, 1, 1, 1]);
    let found =
        spreads(filled(&table.windows[0].shares, 4), &table, &plain(4), &Allowed::default());
    check(&found, &table, 4);
    let most = found[0].iter().filter_map(|lane| lane.get(&0)).max();
    assert_eq!(most, Some(&(SHARE_PARTS / 2)));
}

proptest! {
    #[test]
    fn windows_are_full_and_exact(
        lanes in 1_usize..7,
        weights in prop::collection::vec(prop::collection::vec(0_u64..50, 9), 1..5),
        copies in prop::collection::vec(1_u32..4, 9),
    ) {
        let weights: Vec<Vec<u64>> =
            weights.into_iter().map(|mut row| { row[0] += 1; row }).collect();
        // Every task is there at some time.
        let mut all = weights;
        all.push(vec![1; 9]);
        let copies: Vec<u32> = copies.into_iter().map(|one| one.min(u32::try_from(lanes).unwrap())).collect();
        let table = table(&all, &copies);
        let shares: Vec<u64> = table.tasks.iter().map(|task| task.share).collect();
        let found = spreads(filled(&shares, lanes), &table, &plain(9), &Allowed::default());
        check(&found, &table, lanes);
    }
}
