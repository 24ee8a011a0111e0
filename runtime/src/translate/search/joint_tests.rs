//! Coverage and ensembles against plain searches that recompute everything, in loops and without caches.

use tch::{Device, Kind, Tensor};

use super::super::force::scores;
use super::super::sides::Encoded;
use super::tests::{END, all, direction, log_p, run, search, sources};
use super::{Asked, Found, Joint, Search};
use crate::model::{Direction, Grid, Ids, Inside, Mask, Mode};

fn matrix(x: &Tensor, rows: usize) -> Vec<Vec<f64>> {
    let flat: Vec<f64> = Vec::try_from(x.to_kind(Kind::Double).reshape([-1])).expect("numbers");
    flat.chunks(flat.len() / rows).map(<[f64]>::to_vec).collect()
}

/// What the last decoder layer's heads attend to on average, `[target positions][source positions]`, from queries and keys by
/// loops.
fn attention(direction: &Direction, source: &[u32], target: &[u32]) -> Vec<Vec<f64>> {
    let ids = |ids| Ids::new(std::iter::once(ids), Device::Cpu);
    let (source, target) = (ids(source), ids(target));
    let memory = direction.encode(&source, Mode::Evaluate);
    let mut x = direction.place(&direction.target, &target, 0);
    let mut found = Vec::new();
    for (stack, _) in &direction.decoder {
        for layer in &stack.layers {
            let (residual, attention) = &layer.self_attention;
            let (inside, mask) = (Inside::default(), Mask::Causal);
            x = residual.around(&x, Mode::Evaluate, |x| {
                attention.forward(x, target.grid, mask, &inside, Mode::Evaluate)
            });
            let (residual, attention) = layer.cross_attention.as_ref().expect("an encoder");
            x = residual.around(&x, Mode::Evaluate, |x| {
                let Grid { columns: queries, .. } = target.grid;
                let rows = |count: i64| usize::try_from(count).expect("small");
                let q = matrix(&attention.query.forward(x), rows(queries));
                let kv = attention.key_value.forward(&memory.states);
                let k = matrix(&kv, rows(memory.grid.columns));
                found = averaged(&q, &k, rows(attention.heads.count));
                attention.forward(x, target.grid, &memory, &inside, Mode::Evaluate)
            });
            let (residual, feed_forward) = &layer.feed_forward;
            x = residual.around(&x, Mode::Evaluate, |x| feed_forward.forward(x, Mode::Evaluate));
        }
        x = stack.close(x);
    }
    found
}

/// The mean over heads of `softmax(q k / sqrt(width))`; rows of `k` have values behind the keys.
fn averaged(q: &[Vec<f64>], k: &[Vec<f64>], heads: usize) -> Vec<Vec<f64>> {
    let dim = q[0].len();
    let width = dim / heads;
    let of_query = |q: &Vec<f64>| {
        let mut mean = vec![0.0; k.len()];
        for head in 0..heads {
            let part = head * width..(head + 1) * width;
            let dot = |k: &Vec<f64>| -> f64 {
                let products = q[part.clone()].iter().zip(&k[part.clone()]).map(|(a, b)| a * b);
                products.sum::<f64>() / f64::from(u32::try_from(width).expect("small")).sqrt()
            };
            let powers: Vec<f64> = k.iter().map(|k| dot(k).exp()).collect();
            let sum: f64 = powers.iter().sum();
            for (mean, power) in mean.iter_mut().zip(powers) {
                *mean += power / sum / f64::from(u32::try_from(heads).expect("few"));
            }
        }
        mean
    };
    q.iter().map(of_query).collect()
}

/// Wu et al. 2016, equation 14: attention of the steps that produce the pieces and the end token.
fn coverage(direction: &Direction, search: &Search, source: &[u32], pieces: &[u32]) -> f64 {
    let target: Vec<u32> = search.prompt.iter().chain(pieces).copied().collect();
    let steps = attention(direction, source, &target).split_off(search.prompt.len() - 1);
    assert_eq!(steps.len(), pieces.len() + 1);
    let got = |at: usize| steps.iter().map(|step| step[at]).sum::<f64>();
    (0..source.len()).map(|at| got(at).min(1.0).ln()).sum()
}

/// The log-probability of pieces and end token where each one's probability is the mean of the members'.
fn whole(directions: &[Direction], search: &Search, source: &[u32], pieces: &[u32]) -> f64 {
    let target: Vec<u32> = search.prompt.iter().chain(pieces).copied().collect();
    let tables: Vec<Vec<Vec<f64>>> =
        directions.iter().map(|direction| log_p(direction, source, &target)).collect();
    let next = pieces.iter().chain([&search.end]);
    let from = search.prompt.len() - 1;
    let of_step = |(at, &id): (usize, &u32)| {
        let sum: f64 = tables.iter().map(|table| table[from + at][id as usize].exp()).sum();
        (sum / f64::from(u32::try_from(tables.len()).expect("few"))).ln()
    };
    next.enumerate().map(of_step).sum()
}

fn score(directions: &[Direction], search: &Search, source: &[u32], pieces: &[u32]) -> f64 {
    let length = f64::from(u32::try_from(pieces.len() + 1).expect("short"));
    let count = f64::from(u32::try_from(directions.len()).expect("few"));
    let covered = |direction| coverage(direction, search, source, pieces);
    whole(directions, search, source, pieces) / length.powf(search.length_penalty)
        + search.coverage_penalty * directions.iter().map(covered).sum::<f64>() / count
}

fn asked(sources: &[Vec<u32>], limit: usize) -> Vec<Asked<'_>> {
    (0..).zip(sources).map(|(key, source)| Asked { source, limit, forced: &[], key }).collect()
}

fn best(directions: &[Direction], search: &Search, sources: &[Vec<u32>]) -> Vec<Found> {
    let found = search.run(directions, &asked(sources, 5));
    found.into_iter().map(|found| found.into_iter().next().expect("a translation")).collect()
}

/// The best of all by enumeration, and how many of the sentences the search without what is tested would get wrong.
fn assert_best_of_all(
    directions: &[Direction],
    searches: [&Search; 2],
    sources: &[Vec<u32>],
) -> usize {
    let [search, plain] = searches;
    let without = best(&directions[..1], plain, sources);
    let mut changed = 0;
    for ((source, found), without) in
        sources.iter().zip(best(directions, search, sources)).zip(without)
    {
        let scored = all(6, 5).into_iter();
        let scored = scored.map(|ids| (score(directions, search, source, &ids), ids));
        let (score, ids) = scored.max_by(|a, b| a.0.total_cmp(&b.0)).expect("some");
        assert_eq!(found.ids, ids);
        assert!((found.score - score).abs() < 1e-9, "{} {score}", found.score);
        changed += usize::from(found.ids != without.ids);
    }
    changed
}

#[test]
fn the_coverage_penalty_finds_the_best_of_all() {
    let mut changed = 0;
    for (seed, weight) in [(1, 0.3), (2, 1.0), (3, 4.0)] {
        let plain = search(130, 0.6);
        let covering = Search { coverage_penalty: weight, ..plain.clone() };
        let directions = [direction(6, seed)];
        changed += assert_best_of_all(&directions, [&covering, &plain], &sources(3, 6));
    }
    assert!(changed > 0, "the penalty changes nothing");
}

#[test]
fn an_ensemble_finds_the_best_by_the_mean_of_probabilities() {
    let plain = search(130, 0.6);
    let directions = [direction(6, 1), direction(6, 2), direction(6, 5)];
    let changed = assert_best_of_all(&directions, [&plain, &plain], &sources(3, 6));
    assert!(changed > 0, "the others change nothing");
    let covering = Search { coverage_penalty: 0.5, ..plain.clone() };
    assert_best_of_all(&directions, [&covering, &plain], &sources(3, 6));
}

#[test]
fn an_ensemble_of_equals_is_the_one() {
    let search = Search { coverage_penalty: 0.2, ..search(3, 1.0) };
    let sources = sources(8, 12);
    let alone = run(&search, &direction(12, 3), &sources, 5);
    let together = best(&[direction(12, 3), direction(12, 3)], &search, &sources);
    for (alone, together) in alone.iter().zip(&together) {
        assert_eq!(alone.ids, together.ids);
        assert!((alone.score - together.score).abs() < 1e-10);
    }
}

#[test]
fn penalties_and_ensembles_depend_on_no_batch_and_score_alike_when_given() {
    let directions = [direction(12, 9), direction(12, 4)];
    let search = Search { coverage_penalty: 0.7, nbest: 3, ..search(4, 0.6) };
    let sources = sources(7, 12);
    let together = search.run(&directions, &asked(&sources, 9));
    let (mut pairs, mut expected) = (Vec::new(), Vec::new());
    for (source, found) in sources.iter().zip(&together) {
        let alone = search.run(&directions, &asked(std::slice::from_ref(source), 9));
        for (one, other) in alone[0].iter().zip(found) {
            assert_eq!(one.ids, other.ids);
            assert!((one.score - other.score).abs() < 1e-9);
        }
        for Found { ids, score } in found {
            pairs.push(Encoded { source: source.clone(), target: ids.clone() });
            expected.push(*score);
        }
    }
    let found = scores(&search, &directions, &pairs.iter().collect::<Vec<_>>());
    for (score, expected) in found.iter().zip(&expected) {
        assert!((score - expected).abs() < 1e-9, "{score} {expected}");
    }
}

/// Sums of attention go with their hypotheses when these change places.
#[test]
fn coverage_follows_its_hypothesis() {
    let directions = [direction(12, 2)];
    let source = sources(3, 12).pop().expect("three");
    let search = search(2, 1.0);
    let ids = Ids::new(std::iter::once(source.as_slice()), Device::Cpu);
    let _unrecorded = tch::no_grad_guard();
    let mut joint = Joint::begin(&directions, &ids, true);
    let next = |joint: &mut Joint<'_>, rows: &[&[u32]]| {
        let _ = joint.advance(&Ids::new(rows.iter().copied(), Device::Cpu));
        Vec::<f64>::try_from(joint.coverage().expect("attention is summed up")).expect("numbers")
    };
    let _ = next(&mut joint, &[&search.prompt]);
    joint.select(&[0, 0], &[0]);
    let _ = next(&mut joint, &[&[4], &[7]]);
    joint.select(&[1, 0], &[0]);
    let last = next(&mut joint, &[&[5], &[END]]);
    let expected = [[7, 5], [4, END]].map(|ids| coverage(&directions[0], &search, &source, &ids));
    for (last, expected) in last.iter().zip(expected) {
        assert!((last - expected).abs() < 1e-10, "{last} {expected}");
    }
}
