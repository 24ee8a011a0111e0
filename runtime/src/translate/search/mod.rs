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
mod sampling;
#[cfg(test)]
mod tests;

use tch::{Device, Tensor};

use crate::model::{Direction, Ids};

pub(crate) use joint::{Joint, log_mean};
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

/// What the decoder says of all rows.
struct Outlook {
    /// Best ids of each row, with log-probabilities, best first.
    best: Vec<Vec<(u32, f64)>>,
    /// Log-probability of the end token in each row.
    end: Vec<f64>,
    /// What some rows must go on with.
    forced: Vec<Option<(u32, f64)>>,
    /// Coverage of each row; empty where it does not count.
    coverage: Vec<f64>,
}

impl Search {
    /// The best translations of each sentence, best first, by one network or several together. The results don't depend on what
    /// else is in the batch.
    pub(crate) fn run(
        &self,
        directions: &[Direction],
        asked: &[Asked<'_>],
        device: Device,
    ) -> Vec<Vec<Found>> {
        let _unrecorded = tch::no_grad_guard();
        let mut found: Vec<Vec<Found>> = vec![Vec::new(); asked.len()];
        if asked.is_empty() {
            return found;
        }
        let source = Ids::new(asked.iter().map(|asked| asked.source), device);
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
            let mut outlook = self.look(&decoding.advance(&ids), &sentences);
            outlook.coverage = decoding.coverage();
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

    /// The best ids of each row by logits `[rows, vocabulary]`: one more than the beam is wide, for one may be the end token.
    fn look(&self, logits: &Tensor, sentences: &[Sentence]) -> Outlook {
        let logsumexp = logits.logsumexp([-1_i64].as_slice(), true);
        let forced = forced(logits, &logsumexp, sentences);
        let mut logits = logits.shallow_clone();
        if !self.never.is_empty() {
            let never = Tensor::from_slice(&self.never).to_device(logits.device());
            let _ = logits.index_fill_(1, &never, f64::NEG_INFINITY);
        }
        self.forbid_repetitions(&logits, sentences);
        let wide = match &self.sampling {
            Some(Sampling { top_k: 0, .. }) => i64::MAX,
            Some(sampling) => as_i64(sampling.top_k),
            None => as_i64(self.beam).saturating_add(1),
        };
        let count = wide.min(logits.size().last().copied().unwrap_or(1));
        let (top, ids) = logits.topk(count, 1, true, true);
        let numbers = |x: &Tensor| -> Vec<f64> {
            Vec::try_from(x.to_kind(tch::Kind::Double).reshape([-1])).unwrap_or_default()
        };
        let end = logits.narrow(1, i64::from(self.end), 1) - &logsumexp;
        let top = numbers(&(top - &logsumexp));
        let ids: Vec<i64> = Vec::try_from(ids.reshape([-1])).unwrap_or_default();
        let count = usize::try_from(count).unwrap_or(1).max(1);
        let row = |(ids, top): (&[i64], &[f64])| {
            let pair = |(&id, &log_p): (&i64, &f64)| (u32::try_from(id).unwrap_or(0), log_p);
            let mut row: Vec<(u32, f64)> = ids.iter().zip(top).map(pair).collect();
            row.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            row
        };
        let mut best: Vec<Vec<(u32, f64)>> =
            ids.chunks(count).zip(top.chunks(count)).map(row).collect();
        if let Some(sampling) = &self.sampling {
            for (row, (sentence, open)) in best.iter_mut().zip(rows(sentences)) {
                row.retain(|(_, log_p)| *log_p > f64::NEG_INFINITY);
                *row = sampling.draw(row, sentence.key, open.ids.len()).into_iter().collect();
            }
        }
        Outlook { best, end: numbers(&end), forced, coverage: Vec::new() }
    }

    /// Makes ids impossible that would end a sequence of ids that a row has had before.
    fn forbid_repetitions(&self, logits: &Tensor, sentences: &[Sentence]) {
        let Some(before) = self.no_repeat.checked_sub(1) else { return };
        let (mut at, mut forbidden) = (Vec::new(), Vec::new());
        for (row, (_, open)) in (0_i64..).zip(rows(sentences)) {
            let Some(first) = open.ids.len().checked_sub(before) else { continue };
            let (_, newest) = open.ids.split_at(first);
            for window in open.ids.windows(before + 1).filter(|window| window.starts_with(newest)) {
                at.push(row);
                forbidden.extend(window.last().map(|&id| i64::from(id)));
            }
        }
        if !at.is_empty() {
            let index = |list: &[i64]| Some(Tensor::from_slice(list).to_device(logits.device()));
            let never = Tensor::full([], f64::NEG_INFINITY, (logits.kind(), logits.device()));
            let _ =
                logits.shallow_clone().index_put_(&[index(&at), index(&forbidden)], &never, false);
        }
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

/// The ids that rows must go on with, and their log-probabilities.
fn forced(logits: &Tensor, logsumexp: &Tensor, sentences: &[Sentence]) -> Vec<Option<(u32, f64)>> {
    let asked: Vec<Option<u32>> = rows(sentences)
        .map(|(sentence, open)| sentence.forced.get(open.ids.len()).copied())
        .collect();
    if asked.iter().all(Option::is_none) {
        return Vec::new();
    }
    let ids: Vec<i64> = asked.iter().map(|id| i64::from(id.unwrap_or(0))).collect();
    let ids = Tensor::from_slice(&ids).to_device(logits.device()).unsqueeze(1);
    let of_ids = (logits.gather(1, &ids, false) - logsumexp).to_kind(tch::Kind::Double);
    let of_ids: Vec<f64> = Vec::try_from(of_ids.reshape([-1])).unwrap_or_default();
    asked.into_iter().zip(of_ids).map(|(id, log_p)| id.map(|id| (id, log_p))).collect()
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
