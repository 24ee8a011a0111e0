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

    /// Where an example is served does not depend on where it stood: over many shuffles its mean place is the middle.
    #[test]
    fn the_order_is_a_fair_shuffle() {
        let lengths: Vec<usize> = (0..60).map(|at| 1 + at % 6).collect();
        let mut places = vec![0.0; 60];
        let trials = 400_u64;
        for trial in 0..trials {
            let mut streams = (stream(trial * 2), stream(trial * 2 + 1));
            let batches = shuffled(examples(&lengths), 24, (&mut streams.0, &mut streams.1));
            let served = batches.iter().flat_map(|batch| batch.source.iter().map(|row| row[0]));
            for (place, at) in (0_u32..).zip(served) {
                places[at as usize] += f64::from(place);
            }
        }
        // The mean of 400 uniform places of 60 has a standard deviation of 0.87.
        for (at, sum) in places.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a small count")]
            let mean = sum / trials as f64;
            assert!((mean - 29.5).abs() < 4.5, "example {at} at {mean}");
        }
    }
}
