//! The search against plain searches that recompute everything, and against enumeration of all translations.

use std::collections::{BTreeMap, BTreeSet};

use mmc_plan::Plan;
use mmc_plan::sample::Sample;
use tch::{Device, Kind, Tensor};

use super::super::force::scores;
use super::super::sides::Encoded;
use super::{Asked, Found, Sampling, Search};
use crate::model::{Direction, Ids, Mode, Network, Weights, init, layout};

pub(super) const START: u32 = 1;
pub(super) const END: u32 = 2;

/// A random network in 64-bit floats whose output is far from uniform.
pub(super) fn direction(vocabulary: u32, seed: u64) -> Direction {
    of_sample(Sample::new(&["a", "b"], 1, &[&[0]]), ["a", "b"], vocabulary, seed)
}

/// The same without an encoder.
pub(super) fn causal(vocabulary: u32, seed: u64) -> Direction {
    of_sample(Sample::causal(&["a", "b"], 1, &[&[0]]), ["b", "b"], vocabulary, seed)
}

fn of_sample(mut sample: Sample, [from, to]: [&str; 2], vocabulary: u32, seed: u64) -> Direction {
    let joint = sample.vocabularies.get_mut("joint").expect("the sample's vocabulary");
    joint.pieces = vocabulary - 1;
    sample.model.decoder[0].layers = 2;
    let plan = sample.plan();
    let path = plan.module_path(from, to).expect("a path");
    let weights = weights(&plan, seed);
    let network = Network::build(&plan, &weights).expect("all parameters");
    network.direction(&path).expect("a path of right kinds")
}

fn weights(plan: &Plan, seed: u64) -> BTreeMap<String, Weights> {
    let of = |module: &String| {
        let named = layout(plan, module).expect("a module of the plan").into_iter().map(|spec| {
            let tensor = init::fill(seed, module, &spec);
            // Wider than usual, so that what follows depends on what went before.
            let tensor = if tensor.dim() == 2 { tensor * 2.5 } else { tensor };
            (spec.name, tensor)
        });
        (module.clone(), Weights::new(named.collect()))
    };
    plan.modules.keys().map(of).collect()
}

pub(super) fn search(beam: usize, length_penalty: f64) -> Search {
    Search {
        beam,
        nbest: 1,
        no_repeat: 0,
        sampling: None,
        length_penalty,
        coverage_penalty: 0.0,
        prompt: vec![START, 3],
        end: END,
        never: vec![0, 1],
    }
}

pub(super) fn sources(count: u32, vocabulary: u32) -> Vec<Vec<u32>> {
    let source = |at: u32| {
        let mut ids: Vec<u32> =
            (0..=(at * 5) % 7).map(|i| 3 + (i * i + at) % (vocabulary - 3)).collect();
        ids.push(END);
        ids
    };
    (0..count).map(source).collect()
}

pub(super) fn run(
    search: &Search,
    direction: &Direction,
    sources: &[Vec<u32>],
    limit: usize,
) -> Vec<Found> {
    let found = run_all(search, direction, sources, limit);
    found.into_iter().map(|found| found.into_iter().next().expect("a translation")).collect()
}

pub(super) fn run_all(
    search: &Search,
    direction: &Direction,
    sources: &[Vec<u32>],
    limit: usize,
) -> Vec<Vec<Found>> {
    let asked: Vec<Asked<'_>> =
        (0..).zip(sources).map(|(key, source)| Asked { source, limit, forced: &[], key }).collect();
    search.run(std::slice::from_ref(direction), &asked)
}

/// Log-probabilities of what follows each position of one target, everything computed afresh: `[positions, vocabulary]`.
pub(super) fn log_p(direction: &Direction, source: &[u32], target: &[u32]) -> Vec<Vec<f64>> {
    let ids = |ids| Ids::new(std::iter::once(ids), Device::Cpu);
    let memory = direction.encode(&ids(source), Mode::Evaluate);
    let states = direction.decode(&ids(target), &memory, Mode::Evaluate);
    let table = direction.logits(&states).log_softmax(-1, Kind::Double);
    Vec::<Vec<f64>>::try_from(table).expect("a matrix")
}

/// The log-probability of pieces and the end token behind the search's prompt.
pub(super) fn whole(direction: &Direction, search: &Search, source: &[u32], pieces: &[u32]) -> f64 {
    let target: Vec<u32> = search.prompt.iter().chain(pieces).copied().collect();
    let rows = log_p(direction, source, &target);
    let scored = rows.iter().skip(search.prompt.len() - 1);
    let next = pieces.iter().chain([&search.end]);
    scored.zip(next).map(|(row, &id)| row[id as usize]).sum()
}

/// What is likeliest, piece after piece, behind some that are given.
pub(super) fn greedy(
    direction: &Direction,
    search: &Search,
    (source, begun): (&[u32], &[u32]),
    limit: usize,
) -> Vec<u32> {
    let mut target = [search.prompt.as_slice(), begun].concat();
    while target.len() - search.prompt.len() + 1 < limit {
        let last = log_p(direction, source, &target).pop().expect("one position");
        let allowed =
            (0_u32..).zip(&last).filter(|(id, _)| !search.never.contains(&i64::from(*id)));
        let (id, _) = allowed.max_by(|a, b| a.1.total_cmp(b.1)).expect("some id");
        if id == search.end {
            break;
        }
        target.push(id);
    }
    target.split_off(search.prompt.len())
}

#[test]
fn a_beam_of_one_is_greedy_search_without_caches() {
    for seed in 0..4 {
        let direction = direction(12, seed);
        let search = search(1, 1.0);
        let sources = sources(9, 12);
        let mut lengths = Vec::new();
        for (source, found) in sources.iter().zip(run(&search, &direction, &sources, 40)) {
            assert_eq!(found.ids, greedy(&direction, &search, (source, &[]), 40));
            let score = whole(&direction, &search, source, &found.ids);
            let length = f64::from(u32::try_from(found.ids.len() + 1).expect("short"));
            assert!((found.score - score / length).abs() < 1e-10);
            lengths.push(found.ids.len());
        }
        assert!(lengths.iter().any(|&length| length > 17), "caches grow: {lengths:?}");
    }
}

/// All sequences of at most `limit - 1` pieces from `3..vocabulary`.
pub(super) fn all(vocabulary: u32, limit: usize) -> Vec<Vec<u32>> {
    let mut every: Vec<Vec<u32>> = vec![Vec::new()];
    let mut longest = every.clone();
    for _ in 1..limit {
        let longer = |ids: &Vec<u32>| -> Vec<Vec<u32>> {
            (3..vocabulary).map(|id| [ids.as_slice(), &[id]].concat()).collect()
        };
        longest = longest.iter().flat_map(longer).collect();
        every.extend(longest.iter().cloned());
    }
    every
}

#[test]
fn a_beam_that_loses_nothing_finds_the_best_of_all() {
    for (seed, penalty) in [(1, 0.0), (2, 0.6), (3, 1.0), (4, 1.7)] {
        let direction = direction(6, seed);
        // 3 pieces, at most 4 of them: no more than 81 hypotheses are open, and no more than 121 can end.
        let search = search(130, penalty);
        let sources = sources(3, 6);
        for (source, found) in sources.iter().zip(run(&search, &direction, &sources, 5)) {
            let scored = all(6, 5).into_iter().map(|ids| {
                let length = f64::from(u32::try_from(ids.len() + 1).expect("short"));
                (whole(&direction, &search, source, &ids) / length.powf(penalty), ids)
            });
            let (score, ids) = scored.max_by(|a, b| a.0.total_cmp(&b.0)).expect("some");
            assert_eq!(found.ids, ids, "seed {seed}, penalty {penalty}");
            assert!((found.score - score).abs() < 1e-10);
        }
    }
}

#[test]
fn a_result_does_not_depend_on_its_batch() {
    let direction = direction(20, 5);
    let sources = sources(64, 20);
    for beam in [1, 4] {
        let search = search(beam, 1.0);
        let together = run(&search, &direction, &sources, 15);
        for (at, found) in together.iter().enumerate().step_by(3) {
            let alone = run(&search, &direction, &sources[at..=at], 15);
            assert_eq!(alone[0].ids, found.ids, "sentence {at}, beam {beam}");
            assert!((alone[0].score - found.score).abs() < 1e-10);
        }
    }
}

#[test]
fn a_wider_beam_finds_better_ones_on_average() {
    let direction = direction(20, 6);
    let sources = sources(40, 20);
    let mean = |beam| {
        let found = run(&search(beam, 0.0), &direction, &sources, 15);
        found.iter().map(|found| found.score).sum::<f64>() / 40.0
    };
    let means = [mean(1), mean(3), mean(8)];
    assert!(means[0] < means[1] && means[1] <= means[2], "{means:?}");
}

#[test]
fn nothing_forbidden_is_produced_and_limits_hold() {
    let direction = direction(10, 7);
    let search = Search { never: vec![0, 1, 5, 6], ..search(3, 1.0) };
    for found in run(&search, &direction, &sources(20, 10), 4) {
        assert!(found.ids.len() <= 3, "{:?}", found.ids);
        assert!(found.ids.iter().all(|id| ![0, 1, 2, 5, 6].contains(id)));
    }
    assert!(run(&search, &direction, &[], 4).is_empty());
}

#[test]
fn a_network_of_nans_translates_to_nothing() {
    let mut sample = Sample::new(&["a", "b"], 1, &[&[0]]);
    sample.model.decoder[0].layers = 1;
    let plan = sample.plan();
    let path = plan.module_path("a", "b").expect("a path");
    let broken = |(name, weights): (String, Weights)| {
        let nan = |(name, tensor): &(String, Tensor)| (name.clone(), tensor * f64::NAN);
        (name, Weights::new(weights.named().iter().map(nan).collect()))
    };
    let weights = weights(&plan, 1).into_iter().map(broken).collect();
    let network = Network::build(&plan, &weights).expect("all parameters");
    let direction = network.direction(&path).expect("a path");
    let found = run(&search(2, 1.0), &direction, &sources(2, 10), 5);
    assert!(found.iter().all(|found| found.ids.is_empty()));
}

#[test]
fn the_best_of_all_translations_come_in_their_order() {
    let direction = direction(6, 4);
    let mut search = search(64, 0.7);
    let sources = sources(2, 6);
    search.nbest = 5;
    for (source, found) in sources.iter().zip(run_all(&search, &direction, &sources, 3)) {
        // All translations of up to two pieces out of 3, 4 and 5.
        let pieces: Vec<Vec<u32>> = std::iter::once(Vec::new())
            .chain((3..6).map(|a| vec![a]))
            .chain((3..6).flat_map(|a| (3..6).map(move |b| vec![a, b])))
            .collect();
        let mut all: Vec<(f64, Vec<u32>)> = pieces
            .into_iter()
            .map(|ids| {
                let log_p = whole(&direction, &search, source, &ids);
                (search.score(log_p, ids.len() + 1, 0.0), ids)
            })
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert_eq!(found.len(), 5);
        for (found, (score, ids)) in found.iter().zip(&all) {
            assert!((found.score - score).abs() < 1e-9 && found.ids == *ids, "{found:?} {all:?}");
        }
    }
}

#[test]
fn no_sequence_comes_twice() {
    let sources = sources(4, 9);
    for (no_repeat, beam) in [(1, 1), (2, 3), (3, 2)] {
        let repeats = |found: &[Found]| {
            found.iter().any(|found| {
                let windows: Vec<&[u32]> = found.ids.windows(no_repeat).collect();
                let distinct: BTreeSet<&[u32]> = windows.iter().copied().collect();
                distinct.len() < windows.len()
            })
        };
        let mut search = search(beam, 1.0);
        let networks = (0..100).map(|seed| direction(9, seed));
        let repeating = |d: &Direction| repeats(&run(&search, d, &sources, 24));
        let direction = { networks }.find(repeating).expect("a network that repeats itself");
        search.no_repeat = no_repeat;
        let found = run(&search, &direction, &sources, 24);
        assert!(!repeats(&found), "{no_repeat}: {found:?}");
    }
}

#[test]
fn a_translation_begins_as_it_must_and_goes_on_as_after_a_prompt() {
    let direction = direction(9, 8);
    let (search, sources) = (search(3, 1.0), sources(3, 9));
    let forced = [vec![4, 4, 5], vec![], vec![8]];
    let asked: Vec<Asked<'_>> = sources
        .iter()
        .zip(&forced)
        .map(|(source, forced)| Asked { source, limit: 12, forced, key: 0 })
        .collect();
    let found = search.run(std::slice::from_ref(&direction), &asked);
    for ((source, forced), found) in sources.iter().zip(&forced).zip(&found) {
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert!(found.ids.starts_with(forced));
        let log_p = whole(&direction, &search, source, &found.ids);
        assert!((search.score(log_p, found.ids.len() + 1, 0.0) - found.score).abs() < 1e-9);
    }
    let free = run(&search, &direction, &sources, 12);
    assert_eq!(found[1][0], free[1]);
}

#[test]
fn samples_depend_on_their_key_alone_and_follow_the_distribution() {
    let direction = direction(6, 4);
    let mut search = search(1, 0.0);
    search.sampling = Some(Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed: 3 });
    let source = sources(1, 6).remove(0);
    let asked = |keys: std::ops::Range<u64>| -> Vec<Asked<'_>> {
        keys.map(|key| Asked { source: &source, limit: 2, forced: &[], key }).collect()
    };
    let together: Vec<Vec<Found>> = search.run(std::slice::from_ref(&direction), &asked(0..4000));
    let alone = search.run(std::slice::from_ref(&direction), &asked(17..18));
    assert_eq!(alone[0][0].ids, together[17][0].ids);
    // The first piece, of 2 (the end), 3, 4 and 5: ids that are never produced take no part.
    let first = &log_p(&direction, &source, &search.prompt)[search.prompt.len() - 1];
    let sum: f64 = (2..6).map(|id| first[id].exp()).sum();
    let mut statistic = 0.0;
    for id in 2..6_u32 {
        let drawn = |found: &&Vec<Found>| found[0].ids.first().copied().unwrap_or(END) == id;
        let count = f64::from(u32::try_from(together.iter().filter(drawn).count()).expect("few"));
        let expected = 4000.0 * first[id as usize].exp() / sum;
        statistic += (count - expected).powi(2) / expected;
    }
    assert!(statistic < 16.27, "{statistic}");
}

#[test]
fn what_was_found_scores_the_same_when_it_is_given() {
    let direction = direction(12, 9);
    let sources = sources(5, 12);
    for beam in [1, 4] {
        let mut search = search(beam, 0.6);
        search.nbest = beam;
        let found = run_all(&search, &direction, &sources, 14);
        let (mut pairs, mut expected) = (Vec::new(), Vec::new());
        for (source, found) in sources.iter().zip(found) {
            for found in found {
                pairs.push(Encoded { source: source.clone(), target: found.ids });
                expected.push(found.score);
            }
        }
        assert!(pairs.len() >= sources.len());
        let scores =
            scores(&search, std::slice::from_ref(&direction), &pairs.iter().collect::<Vec<_>>());
        for (score, expected) in scores.iter().zip(&expected) {
            assert!((score - expected).abs() < 1e-9, "{score} {expected}");
        }
    }
}
