//! Orders are whole, and as cheap as the best of all orders where all can be tried.

use super::*;

/// Lanes of tasks (task, parts) whose only module is given, each of one parameter.
fn board(lanes: &[&[(usize, u64)]], modules: &[usize]) -> Board {
    let item = |&(task, parts): &(usize, u64)| Item {
        task,
        edges: vec![modules[task]],
        parts: vec![parts],
    };
    let count = modules.iter().max().map_or(0, |most| most + 1);
    Board {
        lanes: lanes.iter().map(|tasks| tasks.iter().map(item).collect()).collect(),
        parameters: vec![1; count],
        lengths: vec![1],
        work: 0,
        most_work: 1_000_000,
    }
}

/// Points times parameters at which any lane trains a module.
fn union(board: &Board) -> u64 {
    let mut spans: BTreeMap<usize, Vec<[u64; 2]>> = BTreeMap::new();
    for items in &board.lanes {
        let mut reached = 0;
        for item in items {
            for &edge in &item.edges {
                spans.entry(edge).or_default().push([reached, reached + item.parts[0]]);
            }
            reached += item.parts[0];
        }
    }
    spans.into_values().map(|spans| Cover::new(spans).upto(u64::MAX)).sum()
}

#[test]
fn covers_count_what_lies_before_a_point() {
    let cover = Cover::new(vec![[5, 7], [0, 2], [6, 9], [9, 9]]);
    let upto: Vec<u64> = [0, 1, 2, 4, 5, 6, 8, 9, 20].map(|point| cover.upto(point)).to_vec();
    assert_eq!(upto, vec![0, 1, 2, 2, 2, 3, 5, 6, 6]);
}

#[test]
fn copies_of_the_same_tasks_meet_all_the_time() {
    // Three modules, three lanes with the same tasks in different orders: a step trains one module, not three.
    let mut board = board(
        &[
            &[(0, 500_000), (1, 300_000), (2, 200_000)],
            &[(2, 200_000), (1, 300_000), (0, 500_000)],
            &[(1, 300_000), (0, 500_000), (2, 200_000)],
        ],
        &[0, 1, 2],
    );
    board.improve();
    assert_eq!(union(&board), 1_000_000);
}

#[test]
fn chains_meet_at_alternating_ends() {
    // Lane l shares one task with the lane before and one with the lane after.
    let half = 500_000;
    let mut board = board(
        &[&[(0, half), (1, half)], &[(1, half), (2, half)], &[(2, half), (3, half)]],
        &[0, 1, 2, 3],
    );
    board.improve();
    assert_eq!(union(&board), 4 * half);
}

/// All orders of all lanes.
fn best(board: &mut Board, lane: usize) -> u64 {
    fn permutations(items: &[Item]) -> Vec<Vec<Item>> {
        if items.is_empty() {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for at in 0..items.len() {
            let mut rest = items.to_vec();
            let first = rest.remove(at);
            for mut tail in permutations(&rest) {
                tail.insert(0, first.clone());
                all.push(tail);
            }
        }
        all
    }
    if lane == board.lanes.len() {
        return union(board);
    }
    let kept = board.lanes[lane].clone();
    let mut least = u64::MAX;
    for order in permutations(&kept) {
        board.lanes[lane] = order;
        least = least.min(best(board, lane + 1));
    }
    board.lanes[lane] = kept;
    least
}

#[test]
fn small_cases_come_near_the_best_of_all_orders() {
    use mmc_plan::random::{Purpose, Stream};
    let mut sums = (0, 0);
    for case in 0..30 {
        let mut stream = Stream::new(case, Purpose::Synth, &[]);
        let modules: Vec<usize> =
            (0..8).map(|_| usize::try_from(stream.below(4)).unwrap()).collect();
        let mut lanes: Vec<Vec<(usize, u64)>> = Vec::new();
        for _ in 0..3 {
            let mut tasks: Vec<usize> = (0..8).collect();
            stream.shuffle(&mut tasks);
            let cuts = [250_000 + stream.below(200_000), 500_000 + stream.below(200_000)];
            let parts = [cuts[0], cuts[1] - cuts[0], 1_000_000 - cuts[1]];
            lanes.push(tasks.into_iter().zip(parts).collect());
        }
        let lanes: Vec<&[(usize, u64)]> = lanes.iter().map(Vec::as_slice).collect();
        let mut board = board(&lanes, &modules);
        let before = union(&board);
        board.improve();
        let found = union(&board);
        let least = best(&mut board, 0);
        assert_eq!(u128::from(found), board.total());
        assert!(found <= before && found >= least, "case {case}: {found} {before} {least}");
        sums = (sums.0 + found, sums.1 + least);
    }
    assert!(sums.0 * 100 <= sums.1 * 103, "{sums:?}");
}

#[test]
fn what_a_move_saves_is_what_all_costs_differ_by() {
    let tasks: Vec<(usize, u64)> = (0..7).map(|task| (task, 40_000 * (task as u64 + 2))).collect();
    let turned: Vec<(usize, u64)> = tasks.iter().rev().copied().collect();
    let mut board = board(&[&tasks, &turned], &[0, 1, 0, 2, 1, 2, 0]);
    let cover = board.cover(0, false);
    let items = board.lanes[0].clone();
    let order: Vec<usize> = vec![3, 0, 6, 2, 5, 1, 4];
    let before = board.cost(&items, &order, &cover);
    let line = board.line(&items, &order, &cover);
    for at in 0..order.len() {
        let mut all: Vec<(u128, usize)> = Vec::new();
        for to in 0..order.len() {
            let mut other = order.clone();
            let item = other.remove(at);
            other.insert(to, item);
            let after = board.cost(&items, &other, &cover);
            all.push((before.saturating_sub(after), to));
        }
        let most = all.iter().map(|(gain, _)| *gain).max().unwrap();
        let first = all.iter().find(|(gain, _)| *gain == most).map(|(_, to)| (*to, most));
        let found = board.best_place(&items, &order, (at, &line), &cover);
        assert_eq!(found, first.filter(|_| most > 0), "task at {at}");
    }
}
