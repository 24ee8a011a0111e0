//! Segmentations drawn in place of the best one: subword regularisation of unigram models (Kudo 2018, section 3.2) and
//! BPE-dropout (Provilkov et al. 2020, algorithm 1).
//!
//! A unigram model draws a segmentation with probability proportional to `exp(alpha * score)`, the score being the sum of its
//! pieces' log probabilities: among all by forward filtering and backward sampling, or among the `nbest` best. A BPE model
//! leaves each merge out with probability `alpha`, at every step anew.

use mmc_plan::Sampling;
use mmc_plan::random::Stream;

use super::proto::Algorithm;
use super::segment::{Segment, Segmenter};

/// A piece of the text in its lattice.
#[derive(Debug, Clone, Copy)]
struct Edge {
    segment: Segment,
    score: f64,
    /// Another one that ends at the same place.
    next: Option<usize>,
}

/// All pieces of a text, by where they begin.
#[derive(Debug)]
struct Lattice {
    edges: Vec<Edge>,
    /// By place of the text: the last piece that ends there.
    ending: Vec<Option<usize>>,
}

/// One of the best ways to a place: its score, its last piece, and which of the best ways to that piece's start it goes on.
#[derive(Debug, Clone, Copy)]
struct Way {
    score: f64,
    edge: usize,
    rank: usize,
}

impl Lattice {
    fn new(segmenter: &Segmenter, text: &str) -> Self {
        let (mut edges, mut ending) = (Vec::new(), vec![None; text.len() + 1]);
        segmenter.pieces(text, |start, length, id, score| {
            let segment = Segment { start, end: start + length, id };
            if let Some(last) = ending.get_mut(segment.end) {
                edges.push(Edge { segment, score, next: last.replace(edges.len()) });
            }
        });
        Self { edges, ending }
    }

    /// The pieces that end at a place, with their numbers.
    fn ending_at(&self, place: usize) -> impl Iterator<Item = (usize, &Edge)> {
        let numbered = |at: usize| self.edges.get(at).map(|edge| (at, edge));
        let last = self.ending.get(place).copied().flatten().and_then(numbered);
        std::iter::successors(last, move |(_, edge)| edge.next.and_then(numbered))
    }

    /// The logarithm of the sum of `exp(alpha * score)` over the ways to each place.
    fn forward(&self, alpha: f64) -> Vec<f64> {
        let mut sums = vec![f64::NEG_INFINITY; self.ending.len()];
        if let Some(start) = sums.first_mut() {
            *start = 0.0;
        }
        for place in 1..sums.len() {
            let ways = || self.ending_at(place).map(|(_, edge)| through(edge, &sums, alpha));
            let top = ways().fold(f64::NEG_INFINITY, f64::max);
            if top > f64::NEG_INFINITY {
                let sum = top + libm::log(ways().map(|way| libm::exp(way - top)).sum());
                if let Some(place) = sums.get_mut(place) {
                    *place = sum;
                }
            }
        }
        sums
    }

    /// A way through the text, from its end to its start.
    fn sample(&self, alpha: f64, draw: &mut Stream) -> Vec<Segment> {
        let sums = self.forward(alpha);
        let mut path = Vec::new();
        let mut place = sums.len() - 1;
        while place > 0 {
            let ways: Vec<&Edge> = self.ending_at(place).map(|(_, edge)| edge).collect();
            let logits = ways.iter().map(|edge| through(edge, &sums, alpha)).collect::<Vec<f64>>();
            let Some(edge) = ways.get(drawn(&logits, draw)) else { break };
            path.push(edge.segment);
            place = edge.segment.start;
        }
        path.reverse();
        path
    }

    /// The `most` best ways to each place, the best first; of equally good ones the one whose last piece is longer.
    fn best(&self, most: usize) -> Vec<Vec<Way>> {
        let mut best: Vec<Vec<Way>> = vec![Vec::new(); self.ending.len()];
        if let Some(start) = best.first_mut() {
            start.push(Way { score: 0.0, edge: usize::MAX, rank: 0 });
        }
        for place in 1..best.len() {
            let mut ways: Vec<Way> = Vec::new();
            for (number, edge) in self.ending_at(place) {
                let before = best.get(edge.segment.start).into_iter().flatten().zip(0..);
                ways.extend(before.map(|(way, rank)| Way {
                    score: way.score + edge.score,
                    edge: number,
                    rank,
                }));
            }
            ways.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.edge.cmp(&b.edge)));
            ways.truncate(most);
            if let Some(place) = best.get_mut(place) {
                *place = ways;
            }
        }
        best
    }

    /// One of the `most` best ways through the text.
    fn sample_best(&self, most: usize, alpha: f64, draw: &mut Stream) -> Vec<Segment> {
        let best = self.best(most);
        let logits: Vec<f64> =
            best.last().into_iter().flatten().map(|way| alpha * way.score).collect();
        let (mut place, mut rank) = (best.len() - 1, drawn(&logits, draw));
        let mut path = Vec::new();
        while place > 0 {
            let Some(way) = best.get(place).and_then(|ways| ways.get(rank)) else { break };
            let Some(edge) = self.edges.get(way.edge) else { break };
            path.push(edge.segment);
            (place, rank) = (edge.segment.start, way.rank);
        }
        path.reverse();
        path
    }
}

/// The sum to a piece's end by way of it.
fn through(edge: &Edge, sums: &[f64], alpha: f64) -> f64 {
    sums.get(edge.segment.start).copied().unwrap_or(f64::NEG_INFINITY) + alpha * edge.score
}

/// A place of a list, with probability proportional to the exponential of what stands there.
fn drawn(logits: &[f64], draw: &mut Stream) -> usize {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.iter().map(|logit| libm::exp(logit - top)).collect();
    let point = draw.unit() * weights.iter().sum::<f64>();
    let mut upper = 0.0;
    let found = weights.iter().position(|weight| {
        upper += weight;
        point < upper
    });
    found.unwrap_or(weights.len().saturating_sub(1))
}

impl Segmenter {
    /// The pieces of a normalised text by a segmentation that is drawn.
    pub(crate) fn sample(&self, text: &str, sampling: Sampling, draw: &mut Stream) -> Vec<Segment> {
        let Sampling { nbest, alpha } = sampling;
        match (self.algorithm, nbest) {
            (Algorithm::Bpe, _) => self.merge(text, || draw.unit() < alpha),
            (Algorithm::Unigram, Some(0 | 1)) => self.segment(text),
            (Algorithm::Unigram, Some(most)) => {
                Lattice::new(self, text).sample_best(most as usize, alpha, draw)
            }
            (Algorithm::Unigram, None) => Lattice::new(self, text).sample(alpha, draw),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mmc_plan::random::Purpose;

    use super::super::proto::{Model, Piece, PieceKind};
    use super::*;

    const DRAWS: u32 = 20_000;

    /// A model of pieces with scores; `d` and `e` are unknown characters.
    fn segmenter(algorithm: Algorithm) -> Segmenter {
        let pieces = [
            ("<unk>", 0.0),
            ("a", -2.0),
            ("b", -2.5),
            ("c", -3.0),
            ("ab", -3.5),
            ("bc", -3.2),
            ("abc", -6.0),
            ("ca", -5.5),
            ("é", -2.2),
            ("éa", -4.0),
        ];
        let piece = |(text, score): &(&str, f32)| Piece {
            text: (*text).to_owned(),
            score: *score,
            kind: if *text == "<unk>" { PieceKind::Unknown } else { PieceKind::Normal },
        };
        let mut model = Model::empty();
        model.algorithm = algorithm;
        model.pieces = pieces.iter().map(piece).collect();
        Segmenter::new(&model)
    }

    /// Every segmentation with its score, by trying every cut.
    fn all(segmenter: &Segmenter, text: &str) -> Vec<(Vec<usize>, f64)> {
        let mut edges: BTreeMap<usize, Vec<(usize, f64)>> = BTreeMap::new();
        segmenter.pieces(text, |start, length, _, score| {
            edges.entry(start).or_default().push((start + length, score));
        });
        let (mut open, mut done) = (vec![(Vec::new(), 0.0)], Vec::new());
        while let Some((ends, score)) = open.pop() {
            let at: usize = ends.last().copied().unwrap_or(0);
            if at == text.len() {
                done.push((ends, score));
                continue;
            }
            for (end, of_piece) in &edges[&at] {
                let ends = ends.iter().copied().chain([*end]).collect();
                open.push((ends, score + of_piece));
            }
        }
        done
    }

    fn counts(segmenter: &Segmenter, text: &str, sampling: Sampling) -> BTreeMap<Vec<usize>, f64> {
        let mut counts = BTreeMap::new();
        for key in 0..u64::from(DRAWS) {
            let mut draw = Stream::new(11, Purpose::Noise, &[key]);
            let path = segmenter.sample(text, sampling, &mut draw);
            assert!(path.windows(2).all(|pair| pair[0].end == pair[1].start));
            *counts.entry(path.iter().map(|segment| segment.end).collect()).or_default() += 1.0;
        }
        counts
    }

    /// Pearson's statistic against probabilities, and its degrees of freedom; nothing else may have been drawn.
    fn chi_square(found: &BTreeMap<Vec<usize>, f64>, expected: &[(Vec<usize>, f64)]) -> (f64, f64) {
        assert!(found.keys().all(|path| expected.iter().any(|(known, _)| known == path)));
        let mut statistic = 0.0;
        for (path, probability) in expected {
            let expected = probability * f64::from(DRAWS);
            let found = found.get(path).copied().unwrap_or(0.0);
            statistic += (found - expected) * (found - expected) / expected;
        }
        (statistic, f64::from(u32::try_from(expected.len() - 1).unwrap()))
    }

    /// Far below what a wrong distribution gives, above the 99.9th percentile (Wilson and Hilferty 1931).
    fn assert_fits(statistic: f64, freedom: f64) {
        let part = 2.0 / (9.0 * freedom);
        let bound = freedom * (1.0 - part + 3.09 * part.sqrt()).powi(3);
        assert!(statistic < bound, "{statistic} with {freedom} degrees of freedom");
    }

    fn softmax(mut all: Vec<(Vec<usize>, f64)>, alpha: f64) -> Vec<(Vec<usize>, f64)> {
        let sum: f64 = all.iter().map(|(_, score)| (alpha * score).exp()).sum();
        for (_, score) in &mut all {
            *score = (alpha * *score).exp() / sum;
        }
        all
    }

    #[test]
    fn a_unigram_model_draws_each_segmentation_with_its_probability() {
        let segmenter = segmenter(Algorithm::Unigram);
        for (text, alpha) in [("abcab", 0.5), ("abcéab", 0.2), ("cabca", 0.0), ("bcdabc", 1.0)] {
            let expected = softmax(all(&segmenter, text), alpha);
            assert!(expected.len() >= 6);
            let found = counts(&segmenter, text, Sampling { nbest: None, alpha });
            let (statistic, freedom) = chi_square(&found, &expected);
            assert_fits(statistic, freedom);
        }
        // A wrong exponent is told apart.
        let found = counts(&segmenter, "abcab", Sampling { nbest: None, alpha: 0.5 });
        let (wrong, _) = chi_square(&found, &softmax(all(&segmenter, "abcab"), 0.6));
        assert!(wrong > 100.0, "{wrong}");
    }

    #[test]
    fn among_the_best_only_they_are_drawn() {
        let segmenter = segmenter(Algorithm::Unigram);
        for (most, alpha) in [(2, 0.3), (5, 0.5), (64, 0.4)] {
            let mut best = all(&segmenter, "abcébca");
            best.sort_by(|a, b| b.1.total_cmp(&a.1));
            best.truncate(most as usize);
            let found = counts(&segmenter, "abcébca", Sampling { nbest: Some(most), alpha });
            let (statistic, freedom) = chi_square(&found, &softmax(best, alpha));
            assert_fits(statistic, freedom);
        }
    }

    #[test]
    fn a_large_exponent_takes_the_best() {
        let segmenter = segmenter(Algorithm::Unigram);
        for text in ["abcab", "cabcaé", "d", "éabcd", ""] {
            let best = segmenter.segment(text);
            for nbest in [None, Some(1), Some(4)] {
                let mut draw = Stream::new(1, Purpose::Noise, &[]);
                let sampling = Sampling { nbest, alpha: 1e4 };
                assert_eq!(segmenter.sample(text, sampling, &mut draw), best);
            }
        }
    }

    #[test]
    fn merges_are_left_out_with_their_probability() {
        let segmenter = segmenter(Algorithm::Bpe);
        let sampled = |alpha| counts(&segmenter, "abc", Sampling { nbest: None, alpha });
        assert_eq!(sampled(0.0), BTreeMap::from([(vec![3], f64::from(DRAWS))]));
        assert_eq!(sampled(1.0), BTreeMap::from([(vec![1, 2, 3], f64::from(DRAWS))]));
        // `bc` goes before `ab`; each of them then goes on to `abc`.
        let p: f64 = 0.3;
        let (bc, ab) = (1.0 - p, p * (1.0 - p));
        let expected = [
            (vec![1, 2, 3], p * p),
            (vec![1, 3], bc * p),
            (vec![2, 3], ab * p),
            (vec![3], (bc + ab) * (1.0 - p)),
        ];
        let (statistic, freedom) = chi_square(&sampled(p), &expected);
        assert_fits(statistic, freedom);
    }
}
