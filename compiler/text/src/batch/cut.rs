//! A chunk of examples to batches: shuffled, sorted by length, cut, shuffled again.

use std::ops::Range;

use mmc_plan::random::Stream;

use super::example::Example;

/// Pairs of ids that go through the network together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Prefix tokens, pieces and the end token of every row.
    pub source: Vec<Vec<u32>>,
    /// Start token, prefix tokens, pieces and the end token of every row: an id is predicted from those before it.
    pub target: Vec<Vec<u32>>,
    /// Which predictions of every row are scored, the first being of the id behind the start token: those behind its prefix
    /// tokens, or fewer.
    pub scored: Vec<Range<usize>>,
    /// Source ids.
    pub source_tokens: u64,
    /// Scored target ids.
    pub target_tokens: u64,
}

impl Batch {
    fn new(examples: Vec<Example>) -> Self {
        let source_tokens = examples.iter().map(|example| example.source.len() as u64).sum();
        let target_tokens = examples.iter().map(|example| example.scored.len() as u64).sum();
        let (mut source, mut target, mut scored) = (Vec::new(), Vec::new(), Vec::new());
        for example in examples {
            source.push(example.source);
            target.push(example.target);
            scored.push(example.scored);
        }
        Self { source, target, scored, source_tokens, target_tokens }
    }
}

/// Padded columns of an example: the larger side as the network reads it (the target without its last id).
pub(super) fn columns(example: &Example) -> usize {
    example.source.len().max(example.target.len() - 1)
}

/// Cuts examples, in their order, into batches of at most `most` padded tokens on the larger side. Every example fits alone.
pub(super) fn in_order(examples: Vec<Example>, most: usize) -> Vec<Batch> {
    let mut batches = Vec::new();
    let (mut rows, mut widest) = (Vec::new(), 0);
    for example in examples {
        let wider = widest.max(columns(&example));
        if !rows.is_empty() && wider * (rows.len() + 1) > most {
            batches.push(Batch::new(std::mem::take(&mut rows)));
            widest = columns(&example);
        } else {
            widest = wider;
        }
        rows.push(example);
    }
    if !rows.is_empty() {
        batches.push(Batch::new(rows));
    }
    batches
}

/// The least bound under which examples of these columns, in ascending order, make no more batches than under `most`: batches are
/// then about equally large, where cutting at `most` itself leaves a last one of any size, for which lanes that run a whole one
/// in the same step would wait.
fn even(columns: &[usize], most: usize) -> usize {
    let batches = |bound: usize| {
        let (mut batches, mut rows) = (0, 0);
        for widest in columns {
            if rows == 0 || widest * (rows + 1) > bound {
                batches += 1;
                rows = 0;
            }
            rows += 1;
        }
        batches
    };
    let fewest = batches(most);
    // From the widest example, which has to fit, to `most`: the first bound that makes no more.
    let (mut low, mut high) = (columns.last().copied().unwrap_or(most).min(most), most);
    while low < high {
        let middle = usize::midpoint(low, high);
        if batches(middle) > fewest {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    high
}

/// A chunk's batches in the order in which they are served, as few as `most` allows and even: `examples` decides who stands
/// beside whom, `order` who comes first.
pub(super) fn shuffled(
    mut chunk: Vec<Example>,
    most: usize,
    (examples, order): (&mut Stream, &mut Stream),
) -> Vec<Batch> {
    examples.shuffle(&mut chunk);
    // Stable: examples of equal lengths stay in their shuffled order.
    chunk.sort_by_key(|example| (columns(example), example.target.len(), example.source.len()));
    let columns: Vec<usize> = chunk.iter().map(columns).collect();
    let mut batches = in_order(chunk, even(&columns, most));
    order.shuffle(&mut batches);
    batches
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mmc_plan::random::Purpose;

    use super::*;

    fn examples(lengths: &[usize]) -> Vec<Example> {
        let of = |(at, &length): (usize, &usize)| Example {
            source: vec![u32::try_from(at).unwrap(); length],
            target: vec![1; length + 1],
            scored: 0..length,
        };
        lengths.iter().enumerate().map(of).collect()
    }

    fn stream(key: u64) -> Stream {
        Stream::new(7, Purpose::Shuffle, &[key])
    }

    const TRIALS: u32 = 2000;

    /// Batches of at most 36 tokens, another draw for every trial.
    fn drawn(lengths: &[usize], trial: u32) -> Vec<Batch> {
        let mut streams = (stream(u64::from(trial) * 2), stream(u64::from(trial) * 2 + 1));
        shuffled(examples(lengths), 36, (&mut streams.0, &mut streams.1))
    }

    #[test]
    fn batches_hold_every_example_once_within_the_bound() {
        let lengths: Vec<usize> = (0..500).map(|at| 1 + (at * 37) % 40).collect();
        let batches = shuffled(examples(&lengths), 128, (&mut stream(1), &mut stream(2)));
        let mut seen = Vec::new();
        for batch in &batches {
            let widest = batch.source.iter().map(Vec::len).max().unwrap();
            assert!(widest * batch.source.len() <= 128);
            seen.extend(batch.source.iter().map(|row| row[0]));
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..500).collect::<Vec<u32>>());
        let padded: usize = batches
            .iter()
            .map(|batch| batch.source.len() * batch.source.iter().map(Vec::len).max().unwrap())
            .sum();
        let real: usize = lengths.iter().sum();
        assert!(padded * 100 < real * 110, "{padded} padded for {real}");
    }

    /// As few batches as a cut at the bound itself makes, the smallest not much smaller than the largest. Of 100 tokens in
    /// batches of 24: five of 20, not four of 24 and one of 4.
    #[test]
    fn batches_are_even() {
        let sizes = |lengths: &[usize], most: usize| {
            let size = |batch: &Batch| {
                batch.source.len() * batch.source.iter().map(Vec::len).max().unwrap()
            };
            let batches = shuffled(examples(lengths), most, (&mut stream(1), &mut stream(2)));
            batches.iter().map(size).collect::<Vec<usize>>()
        };
        assert_eq!(sizes(&[1; 100], 24), [20; 5]);
        assert_eq!(sizes(&[7], 7), [7]);
        assert_eq!(sizes(&[], 7), [0; 0]);
        for (count, most) in [(37, 64), (200, 256), (1000, 512), (1000, 4096)] {
            let mut lengths: Vec<usize> = (0..count).map(|at| 1 + (at * 37) % 40).collect();
            let even = sizes(&lengths, most);
            lengths.sort_unstable();
            assert_eq!(even.len(), in_order(examples(&lengths), most).len());
            let (least, largest) = (even.iter().min().unwrap(), even.iter().max().unwrap());
            assert!(largest <= &most && least + 2 * 40 > *largest, "{count}: {least} to {largest}");
        }
    }

    /// What an order by a fair shuffle of batches looks like, over many draws: the place of every example has the mean and the
    /// variance of a uniform one, and in no draw do longer ones come earlier or later than chance has it. (An order up or down by
    /// length, as a coin falls, has that mean too.)
    #[test]
    fn the_order_is_a_fair_shuffle() {
        let lengths: Vec<usize> = (0..60).map(|at| 6 + at % 6).collect();
        let mut places = vec![[0.0; 2]; 60];
        let mut correlations = [0.0; 2];
        let mut count = 0;
        for trial in 0..TRIALS {
            let batches = drawn(&lengths, trial);
            count = batches.len();
            // Lengths have the mean 8.5 and the variance 35 / 12, places 29.5 and 3599 / 12.
            let mut correlation = 0.0;
            for (place, row) in (0_u32..).zip(batches.iter().flat_map(|batch| &batch.source)) {
                let length = f64::from(u32::try_from(row.len()).unwrap());
                let place = f64::from(place);
                let [sum, squares] = &mut places[row[0] as usize];
                (*sum, *squares) = (*sum + place, *squares + place * place);
                correlation += (length - 8.5) * (place - 29.5) / 60.0;
            }
            correlation /= (35.0_f64 / 12.0 * 3599.0 / 12.0).sqrt();
            correlations[0] += correlation / f64::from(TRIALS);
            correlations[1] += correlation * correlation / f64::from(TRIALS);
        }
        for (at, [sum, squares]) in places.into_iter().enumerate() {
            let mean = sum / f64::from(TRIALS);
            let variance = squares / f64::from(TRIALS) - mean * mean;
            // Standard errors: 0.4 of the mean, 2 % of the variance, which batches of several rows change by some percent.
            assert!((mean - 29.5).abs() < 2.0, "example {at} at {mean}");
            let part = variance / (3599.0 / 12.0);
            assert!((part - 1.0).abs() < 0.15, "example {at}: {part} of the variance");
        }
        // The correlation in a draw is that of 16 batches in random order: its square is 1/15 on average.
        assert_eq!(count, 16);
        let [mean, square] = correlations;
        assert!(mean.abs() < 0.03 && (0.05..0.09).contains(&square), "{mean}, {square}");
    }

    /// Any two examples of a length are in one batch as often as any other two of it.
    #[test]
    fn who_stands_beside_whom_is_drawn() {
        let lengths: Vec<usize> = (0..60).map(|at| 6 + at % 6).collect();
        let pairs = |one: u32| (one + 6..60).step_by(6).map(move |other: u32| ((one, other), 0));
        let mut together: BTreeMap<(u32, u32), u32> = (0..60).flat_map(pairs).collect();
        for trial in 0..TRIALS {
            for batch in drawn(&lengths, trial) {
                let rows: Vec<u32> = batch.source.iter().map(|row| row[0]).collect();
                for (one, other) in rows.iter().flat_map(|one| rows.iter().map(move |o| (*one, *o)))
                {
                    if let Some(count) = together.get_mut(&(one, other)) {
                        *count += 1;
                    }
                }
            }
        }
        for length in 0..6 {
            let of_length = together.iter().filter(|((one, _), _)| one % 6 == length);
            let counts: Vec<f64> = of_length.map(|(_, count)| f64::from(*count)).collect();
            assert_eq!(counts.len(), 45);
            let mean = counts.iter().sum::<f64>() / 45.0;
            let deviation = (mean * (1.0 - mean / f64::from(TRIALS))).sqrt();
            let furthest = counts.iter().map(|count| (count - mean).abs()).fold(0.0, f64::max);
            assert!(furthest < 5.0 * deviation, "{furthest} from {mean}, {deviation}");
        }
    }
}
