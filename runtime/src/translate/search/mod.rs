//! Beam search over many sentences at once; with a beam of 1 it is greedy search.
//!
//! A hypothesis's probability is the product of its pieces' and its end token's. Hypotheses that ended are compared by
//! `log p / length^a + b * coverage` (length with the end token; `a` is the length penalty, as in fairseq and Marian; `b` the
//! coverage penalty). A sentence is done when it has as many ended hypotheses as the beam is wide, or when none of the open
//! ones can beat the best that ended.

#[cfg(test)]
mod causal_tests;
mod joint;
#[cfg(test)]
mod joint_tests;
mod outlook;
mod sampling;
#[cfg(test)]
mod tests;

use tch::Tensor;

use crate::model::{Direction, Ids};

use outlook::Outlook;

pub(crate) use joint::{Joint, device, log_mean};
pub(crate) use sampling::Sampling;

/// How to search.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Search {
    /// Hypotheses kept open, at least 1.
    pub(crate) beam: usize,
    /// Translations wanted of a sentence, at most the beam.
    pub(crate) nbest: usize,
    /// No sequence of so many ids comes twice in a translation (Paulus et al. 2018, section 2.5); 0: any may.
    pub(crate) no_repeat: usize,
    /// Draws ids in place of searching; with a beam of 1.
    pub(crate) sampling: Option<Sampling>,
    /// Exponent of the length by which log-probabilities are divided, at least 0.
    pub(crate) length_penalty: f64,
    /// Weight of the coverage (Wu et al. 2016, equation 14), at least 0.
    pub(crate) coverage_penalty: f64,
    /// What the decoder is given first: the start token and target prefix tokens.
    pub(crate) prompt: Vec<u32>,
    /// The end token.
    pub(crate) end: u32,
    /// Ids that are never produced.
    pub(crate) never: Vec<i64>,
}

/// A sentence to translate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Its ids, with the end token.
    pub(crate) source: &'a [u32],
    /// Most ids of the translation, the end token included.
    pub(crate) limit: usize,
    /// What the translation begins with.
    pub(crate) forced: &'a [u32],
    /// Of its random numbers.
    pub(crate) key: u64,
}

/// A translation of a sentence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// Pieces, without prompt and end token.
    pub(crate) ids: Vec<u32>,
    /// Log-probability divided by the length penalty, and the coverage penalty.
    pub(crate) score: f64,
}

/// An open hypothesis: a row of the decoding.
#[derive(Debug, Clone)]
struct Open {
    ids: Vec<u32>,
    /// Log-probability; `-inf` for a row that only fills the beam.
    log_p: f64,
}

/// A sentence whose search goes on.
#[derive(Debug)]
struct Sentence {
    /// Its place in the batch.
    at: usize,
    /// Most ids that are produced, the end token included.
    limit: usize,
    forced: Vec<u32>,
    key: u64,
    open: Vec<Open>,
    ended: Vec<Found>,
}

/// A way to go on with one sentence: the row it extends, the id, and the log-probability that results.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    row: usize,
    id: u32,
    log_p: f64,
}

impl Search {
    /// The best translations of each sentence, best first, by one network or several together. The results don't depend on what
    /// else is in the batch.
    pub(crate) fn run(&self, directions: &[Direction], asked: &[Asked<'_>]) -> Vec<Vec<Found>> {
        let _unrecorded = tch::no_grad_guard();
        let mut found: Vec<Vec<Found>> = vec![Vec::new(); asked.len()];
        if asked.is_empty() {
            return found;
        }
        let device = device(directions);
        let source = Ids::new(asked.iter().map(|asked| asked.source), device);
        let never = Tensor::from_slice(&self.never).to_device(device);
        let mut decoding = Joint::begin(directions, &source, self.coverage_penalty > 0.0);
        let mut sentences: Vec<Sentence> = asked
            .iter()
            .enumerate()
            .map(|(at, asked)| Sentence {
                at,
                limit: asked.limit.max(asked.forced.len() + 1),
                forced: asked.forced.to_vec(),
                key: asked.key,
                open: vec![Open { ids: Vec::new(), log_p: 0.0 }],
                ended: Vec::new(),
            })
            .collect();
        let mut next: Vec<Vec<u32>> = vec![self.prompt.clone(); asked.len()];
        while !sentences.is_empty() {
            let ids = Ids::new(next.iter().map(Vec::as_slice), device);
            let logits = decoding.advance(&ids);
            let outlook = self.look(&logits, &never, decoding.coverage(), &sentences);
            let rows = self.step(&mut sentences, &outlook);
            next = rows_of(&sentences);
            keep(&mut decoding, &mut sentences, &rows, |sentence| {
                if let Some(slot) = found.get_mut(sentence.at) {
                    *slot = self.best(sentence.ended);
                }
            });
        }
        found
    }

    /// Extends every sentence's hypotheses by one id. Gives, sentence by sentence, the row that each open one comes from.
    fn step(&self, sentences: &mut [Sentence], outlook: &Outlook) -> Vec<Vec<i64>> {
        let mut first = 0;
        let mut rows = Vec::with_capacity(sentences.len());
        for sentence in sentences {
            let width = sentence.open.len();
            let taken = self.extend(sentence, first, outlook);
            rows.push(taken.iter().map(|&row| as_i64(first + row)).collect());
            first += width;
        }
        rows
    }

    /// One sentence's step: the best hypotheses that end are moved to the ended ones, the best of the others stay open.
    /// Gives the rows (within the sentence) that those come from; the beam is filled up with rows that lead nowhere.
    fn extend(&self, sentence: &mut Sentence, first: usize, outlook: &Outlook) -> Vec<usize> {
        let last = sentence.open.first().is_none_or(|open| open.ids.len() + 1 >= sentence.limit);
        let candidates = self.candidates(sentence, first, outlook, last);
        let mut open = Vec::with_capacity(self.beam);
        let mut rows = Vec::with_capacity(self.beam);
        for (rank, candidate) in candidates.into_iter().enumerate() {
            let Some(parent) = sentence.open.get(candidate.row) else { continue };
            if candidate.id == self.end {
                if rank < self.beam {
                    let coverage = outlook.coverage.get(first + candidate.row).copied();
                    let score = self.score(
                        candidate.log_p,
                        parent.ids.len() + 1,
                        coverage.unwrap_or_default(),
                    );
                    sentence.ended.push(Found { ids: parent.ids.clone(), score });
                }
            } else if open.len() < self.beam {
                let mut ids = parent.ids.clone();
                ids.push(candidate.id);
                open.push(Open { ids, log_p: candidate.log_p });
                rows.push(candidate.row);
            }
        }
        if self.done(&sentence.ended, &open, sentence.limit) {
            open.clear();
            rows.clear();
        } else if let Some(one) = open.first() {
            let filler = Open { ids: one.ids.clone(), log_p: f64::NEG_INFINITY };
            open.resize(self.beam, filler);
            rows.resize(self.beam, 0);
        }
        sentence.open = open;
        rows
    }

    /// All ways to go on, best first; only the end token where no more ids may follow.
    fn candidates(
        &self,
        sentence: &Sentence,
        first: usize,
        outlook: &Outlook,
        last: bool,
    ) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (row, open) in sentence.open.iter().enumerate() {
            let forced = outlook.forced.get(first + row).copied().flatten();
            let of_row = if let Some(forced) = forced {
                Some(vec![forced])
            } else if last {
                outlook.end.get(first + row).map(|&end| vec![(self.end, end)])
            } else {
                outlook.best.get(first + row).cloned()
            };
            for (id, log_p) in of_row.unwrap_or_default() {
                candidates.push(Candidate { row, id, log_p: open.log_p + log_p });
            }
        }
        candidates.retain(|candidate| candidate.log_p > f64::NEG_INFINITY);
        candidates.sort_by(|a, b| {
            b.log_p.total_cmp(&a.log_p).then(a.row.cmp(&b.row)).then(a.id.cmp(&b.id))
        });
        candidates
    }

    /// Whether no open hypothesis can matter any more. Log-probabilities only fall, so an open one can reach at best what it
    /// has now, divided by the largest length, with everything covered.
    fn done(&self, ended: &[Found], open: &[Open], limit: usize) -> bool {
        let Some(front) = open.first() else { return true };
        let mut scores: Vec<f64> = ended.iter().map(|found| found.score).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        let worst = scores.get(self.nbest.max(1) - 1).copied().unwrap_or(f64::NEG_INFINITY);
        ended.len() >= self.beam || worst >= self.score(front.log_p, limit, 0.0)
    }

    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
    pub(crate) fn score(&self, log_p: f64, length: usize, coverage: f64) -> f64 {
        log_p / (length as f64).powf(self.length_penalty) + self.coverage_penalty * coverage
    }

    /// The ended hypotheses with the best scores; by their ids among equals. One without ids when none has ended.
    fn best(&self, mut ended: Vec<Found>) -> Vec<Found> {
        ended.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.ids.cmp(&b.ids)));
        ended.truncate(self.nbest.max(1));
        if ended.is_empty() {
            ended.push(Found { ids: Vec::new(), score: f64::NEG_INFINITY });
        }
        ended
    }
}

/// All rows of a decoding.
fn rows(sentences: &[Sentence]) -> impl Iterator<Item = (&Sentence, &Open)> {
    sentences.iter().flat_map(|sentence| sentence.open.iter().map(move |open| (sentence, open)))
}

/// What every open hypothesis is extended by.
fn rows_of(sentences: &[Sentence]) -> Vec<Vec<u32>> {
    let last = |open: &Open| open.ids.last().copied().into_iter().collect();
    sentences.iter().flat_map(|sentence| sentence.open.iter().map(last)).collect()
}

/// Takes sentences that are done out of the batch and puts the decoding's rows into the order of the open hypotheses.
fn keep(
    decoding: &mut Joint<'_>,
    sentences: &mut Vec<Sentence>,
    rows: &[Vec<i64>],
    mut done: impl FnMut(Sentence),
) {
    let order: Vec<i64> = rows.iter().flatten().copied().collect();
    let mut kept = Vec::with_capacity(sentences.len());
    for (at, sentence) in std::mem::take(sentences).into_iter().enumerate() {
        if sentence.open.is_empty() {
            done(sentence);
        } else {
            kept.push(as_i64(at));
            sentences.push(sentence);
        }
    }
    if !order.is_empty() {
        decoding.select(&order, &kept);
    }
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
