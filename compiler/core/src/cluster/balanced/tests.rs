//! The best clusters against the search of all assignments; the improved ones against the best.

use super::*;

/// Knuth's MMIX generator: any fixed sequence will do.
fn numbers(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(state >> 48).unwrap() % 100) / 50.0
    }
}

fn random(things: usize, seed: u64) -> Distances {
    let mut next = numbers(seed);
    Distances::new(things, |_, _| next())
}

/// The least cost by trying every label for every thing.
fn all_cases(distances: &Distances, wanted: &Wanted) -> Option<u64> {
    let costs = Costs::new(distances);
    let things = costs.things;
    (0..wanted.count.pow(u32::try_from(things).unwrap()))
        .filter_map(|number| {
            let mut rest = number;
            let labels: Vec<usize> = (0..things)
                .map(|_| {
                    let label = rest % wanted.count;
                    rest /= wanted.count;
                    label
                })
                .collect();
            let mut loads = vec![0; wanted.count];
            for (label, weight) in labels.iter().zip(&wanted.weights) {
                loads[*label] += weight;
            }
            let fits = loads.iter().all(|load| (wanted.least..=wanted.most).contains(load))
                && (0..wanted.count).all(|label| labels.contains(&label));
            fits.then(|| costs.within(&labels))
        })
        .min()
}

#[test]
fn few_things_are_solved_to_the_best() {
    for seed in 0..60 {
        let things = 3 + usize::try_from(seed % 5).unwrap();
        let count = 1 + usize::try_from(seed % 3).unwrap();
        let distances = random(things, seed);
        let mut wanted = Wanted::even(things, count);
        if seed % 4 == 3 {
            wanted.weights = (0..things as u64).map(|thing| 1 + thing * 7 % 5).collect();
            (wanted.least, wanted.most) =
                (1, wanted.weights.iter().sum::<u64>().div_ceil(count as u64) + 1);
        }
        let found = balanced(&distances, &wanted);
        assert_eq!(
            found.as_ref().map(|(_, balance)| balance.within),
            all_cases(&distances, &wanted)
        );
        assert!(found.is_none_or(|(_, balance)| balance.is_best()));
    }
}

#[test]
fn sizes_differ_by_one_at_most_and_everything_is_somewhere() {
    for things in 1..40 {
        for count in 1..=things.min(7) {
            let wanted = Wanted::even(things, count);
            let (labels, balance) = balanced(&random(things, things as u64), &wanted).unwrap();
            assert_eq!(labels.len(), things);
            let (least, most) = (balance.weights.iter().min(), balance.weights.iter().max());
            assert!(most.unwrap() - least.unwrap() <= 1, "{things} in {count}: {balance:?}");
            assert!(balance.bound <= balance.within);
        }
    }
}

#[test]
fn improvement_comes_near_the_best() {
    let (mut worse, mut sum) = (0, 0);
    for seed in 0..20 {
        let distances = random(12, seed);
        let (costs, wanted) = (Costs::new(&distances), Wanted::even(12, 3));
        let best = costs.within(&best(&costs, &wanted).unwrap());
        let found = costs.within(&improved(&distances, &costs, &wanted).unwrap());
        assert!(found >= best && bound(&costs, &wanted) <= best);
        worse += found - best;
        sum += best;
    }
    assert!(worse * 20 <= sum, "{worse} of {sum}");
}

#[test]
fn clear_clusters_are_found_at_any_size() {
    // Things i and j with the same remainder are near.
    for things in [12, 30, 60] {
        let distances = Distances::new(things, |i, j| if i % 3 == j % 3 { 0.1 } else { 1.0 });
        let (labels, balance) = balanced(&distances, &Wanted::even(things, 3)).unwrap();
        assert!((0..things).all(|thing| labels[thing] == thing % 3), "{labels:?}");
        assert!(balance.is_best(), "{balance:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut wanted = Wanted::even(4, 2);
    wanted.weights = vec![10, 1, 1, 1];
    wanted.most = 5;
    assert_eq!(balanced(&random(4, 1), &wanted), None);
    assert_eq!(balanced(&random(3, 1), &Wanted { count: 5, ..Wanted::even(3, 3) }), None);
}
