//! What the decoder says of all rows, taken from its device in one transfer.

use tch::{Kind, Tensor};

use super::{Sampling, Search, Sentence, as_i64, rows};
use crate::counts;

/// What the decoder says of all rows.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// Best ids of each row, with log-probabilities, best first.
    pub(super) best: Vec<Vec<(u32, f64)>>,
    /// Log-probability of the end token in each row.
    pub(super) end: Vec<f64>,
    /// What some rows must go on with; empty where none must.
    pub(super) forced: Vec<Option<(u32, f64)>>,
    /// Coverage of each row; empty where it does not count.
    pub(super) coverage: Vec<f64>,
}

impl Search {
    /// The best ids of each row by logits `[rows, vocabulary]`: one more than the beam is wide, for one may be the end token. Ids
    /// `never` are none of them. `coverage` is of each row, `[rows]`.
    pub(super) fn look(
        &self,
        logits: &Tensor,
        never: &Tensor,
        coverage: Option<Tensor>,
        sentences: &[Sentence],
    ) -> Outlook {
        let logsumexp = logits.logsumexp([-1_i64].as_slice(), true);
        let forced = forced(sentences);
        // Before ids are made impossible: what is given may be any.
        let of_forced = (!forced.is_empty()).then(|| {
            let ids: Vec<i64> = forced.iter().map(|id| i64::from(id.unwrap_or(0))).collect();
            logits.gather(1, &index(&ids, logits).unsqueeze(1), false) - &logsumexp
        });
        let mut logits = logits.shallow_clone();
        if !self.never.is_empty() {
            let _ = logits.index_fill_(1, never, f64::NEG_INFINITY);
        }
        self.forbid_repetitions(&logits, sentences);
        let wide = match &self.sampling {
            Some(Sampling { top_k: 0, .. }) => i64::MAX,
            Some(sampling) => as_i64(sampling.top_k),
            None => as_i64(self.beam).saturating_add(1),
        };
        let count = wide.min(logits.size().last().copied().unwrap_or(1));
        let (top, ids) = logits.topk(count, 1, true, true);
        let end = logits.narrow(1, i64::from(self.end), 1) - &logsumexp;
        let mut columns = vec![top - &logsumexp, ids, end];
        columns.extend(of_forced);
        columns.extend(coverage.map(|coverage| coverage.unsqueeze(1)));
        let mut outlook = read(&columns, count, &forced);
        if let Some(sampling) = &self.sampling {
            for (row, (sentence, open)) in outlook.best.iter_mut().zip(rows(sentences)) {
                row.retain(|(_, log_p)| *log_p > f64::NEG_INFINITY);
                *row = sampling.draw(row, sentence.key, open.ids.len()).into_iter().collect();
            }
        }
        outlook
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
            let places = [Some(index(&at, logits)), Some(index(&forbidden, logits))];
            let never = Tensor::full([], f64::NEG_INFINITY, (logits.kind(), logits.device()));
            let _ = logits.shallow_clone().index_put_(&places, &never, false);
        }
    }
}

/// The outlook by columns `[rows, ..]`: `count` log-probabilities and `count` ids of the best, the log-probability of the end
/// token, that of what is forced where something is, and coverage where it counts. 64 bits hold all of them.
fn read(columns: &[Tensor], count: i64, forced: &[Option<u32>]) -> Outlook {
    let columns: Vec<Tensor> = columns.iter().map(|column| column.to_kind(Kind::Double)).collect();
    let table = Tensor::cat(&columns, 1);
    let width = table.size().last().map_or(1, |&width| as_usize(width).max(1));
    let table: Vec<f64> = Vec::try_from(table.reshape([-1])).unwrap_or_default();
    let mut outlook = Outlook::default();
    for (at, row) in table.chunks_exact(width).enumerate() {
        let (top, row) = row.split_at(as_usize(count));
        let (ids, row) = row.split_at(as_usize(count));
        let id = |id: &f64| u32::try_from(counts::whole(*id)).unwrap_or(0);
        let mut best: Vec<(u32, f64)> = ids.iter().map(id).zip(top.iter().copied()).collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        outlook.best.push(best);
        let mut row = row.iter().copied();
        outlook.end.extend(row.next());
        if let Some(forced) = forced.get(at) {
            let log_p = row.next();
            outlook.forced.push(forced.zip(log_p));
        }
        outlook.coverage.extend(row.next());
    }
    outlook
}

/// The ids that rows must go on with; nothing where none must.
fn forced(sentences: &[Sentence]) -> Vec<Option<u32>> {
    let asked: Vec<Option<u32>> = rows(sentences)
        .map(|(sentence, open)| sentence.forced.get(open.ids.len()).copied())
        .collect();
    if asked.iter().all(Option::is_none) { Vec::new() } else { asked }
}

/// Whole numbers where `like` lies.
fn index(list: &[i64], like: &Tensor) -> Tensor {
    Tensor::from_slice(list).to_device(like.device())
}

fn as_usize(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}
