//! Models without an encoder: lines are continued from what is given of them, and scored, alone and in batches, by one model and by
//! several, against searches that recompute everything.

use super::super::force::scores;
use super::super::sides::Encoded;
use super::tests::{all, causal, greedy, search, whole};
use super::{Asked, Found, Search};
use crate::model::Direction;

/// Beginnings of different lengths, none among them.
fn beginnings(count: u32, vocabulary: u32) -> Vec<Vec<u32>> {
    let ids = |at: u32| (0..at * 5 % 7).map(|i| 3 + (i * i + at) % (vocabulary - 3)).collect();
    (0..count).map(ids).collect()
}

/// All translations of each, up to `more` ids behind what is given.
fn continued(
    directions: &[Direction],
    search: &Search,
    begun: &[Vec<u32>],
    more: usize,
) -> Vec<Vec<Found>> {
    let asked = (0..).zip(begun).map(|(key, forced)| Asked {
        source: &[],
        limit: forced.len() + more,
        forced,
        key,
    });
    search.run(directions, &asked.collect::<Vec<_>>())
}

#[test]
fn a_beam_of_one_continues_by_what_is_likeliest() {
    let search = search(1, 1.0);
    let begun = beginnings(64, 12);
    let mut lengths = Vec::new();
    for seed in 0..3 {
        let directions = [causal(12, seed)];
        let found = continued(&directions, &search, &begun, 30);
        for (begun, found) in begun.iter().zip(found).step_by(5) {
            let limit = begun.len() + 30;
            let ids = &found[0].ids;
            assert_eq!(*ids, greedy(&directions[0], &search, (&[], begun), limit));
            assert!(ids.starts_with(begun));
            lengths.push(ids.len() - begun.len());
        }
    }
    assert!(lengths.iter().any(|&length| length > 17), "caches grow: {lengths:?}");
}

#[test]
fn a_beam_that_loses_nothing_finds_the_best_continuation() {
    let directions = [causal(6, 1)];
    let search = search(130, 0.6);
    for begun in [vec![], vec![4], vec![5, 3]] {
        let best = continued(&directions, &search, std::slice::from_ref(&begun), 5 - begun.len());
        let scored = all(6, 5).into_iter().filter(|ids| ids.starts_with(&begun)).map(|ids| {
            let length = f64::from(u32::try_from(ids.len() + 1).expect("short"));
            (whole(&directions[0], &search, &[], &ids) / length.powf(0.6), ids)
        });
        let (score, ids) = scored.max_by(|a, b| a.0.total_cmp(&b.0)).expect("some");
        assert_eq!(best[0][0].ids, ids, "{begun:?}");
        assert!((best[0][0].score - score).abs() < 1e-10);
    }
}

#[test]
fn lists_depend_on_no_batch_and_score_alike_when_given() {
    let both = [causal(12, 9), causal(12, 4)];
    let begun = beginnings(20, 12);
    for directions in [&both[..1], &both] {
        let search = Search { nbest: 3, ..search(4, 0.6) };
        let together = continued(directions, &search, &begun, 9);
        let (mut pairs, mut expected) = (Vec::new(), Vec::new());
        for (begun, found) in begun.iter().zip(&together) {
            let alone = continued(directions, &search, std::slice::from_ref(begun), 9);
            assert_eq!(alone[0].len(), found.len());
            for (one, other) in alone[0].iter().zip(found) {
                assert_eq!(one.ids, other.ids);
                assert!((one.score - other.score).abs() < 1e-10);
            }
            for Found { ids, score } in found {
                pairs.push(Encoded { source: Vec::new(), target: ids.clone() });
                expected.push(*score);
            }
        }
        assert!(pairs.len() > 2 * begun.len(), "lists of several");
        let of_all = scores(&search, directions, &pairs.iter().collect::<Vec<_>>());
        for ((pair, score), expected) in pairs.iter().zip(of_all).zip(expected) {
            assert!((score - expected).abs() < 1e-10, "{score} {expected}");
            let alone = scores(&search, directions, &[pair]);
            assert!((alone[0] - score).abs() < 1e-10, "{alone:?} {score}");
        }
    }
}

#[test]
fn several_models_continue_otherwise_than_one() {
    let [one, other] = [causal(12, 9), causal(12, 4)];
    let begun = beginnings(20, 12);
    let by = |directions: &[Direction]| continued(directions, &search(3, 1.0), &begun, 9);
    let alone = by(std::slice::from_ref(&one));
    assert_ne!(by(&[one, other]), alone);
    assert_ne!(by(&[causal(12, 4)]), alone);
    for (found, alone) in by(&[causal(12, 9), causal(12, 9)]).iter().zip(&alone) {
        assert_eq!(found[0].ids, alone[0].ids);
        assert!((found[0].score - alone[0].score).abs() < 1e-10);
    }
}
