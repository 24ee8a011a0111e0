//! Normalised text to pieces: the best path of a unigram model, or the merges of a BPE model
//! (google/sentencepiece, `src/unigram_model.cc` `EncodeOptimized`, `src/bpe_model.cc` `SampleEncode` without sampling, which
//! is in `sample.rs`).
//!
//! Sums are kept in single precision and compared in double, as there, so that near-ties fall to the same side.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use super::proto::{Algorithm, Model, PieceKind};
use super::trie::Trie;

/// What an unknown character costs below the worst piece.
const UNKNOWN_PENALTY: f32 = 10.0;

/// A vocabulary that can cut text.
#[derive(Debug, Clone)]
pub(crate) struct Segmenter {
    pub(super) algorithm: Algorithm,
    trie: Trie,
    scores: Vec<f32>,
    kinds: Vec<PieceKind>,
    /// User-defined pieces, longest first.
    frozen: Vec<String>,
    unknown: u32,
    unknown_score: f32,
    best_score: f32,
}

/// A piece of a text: byte range and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) id: u32,
}

/// Best way to a place of the text.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    id: u32,
    score: f32,
    from: Option<usize>,
}

/// A run of characters that was merged so far; neighbours by number.
#[derive(Debug, Clone, Copy)]
struct Symbol {
    start: usize,
    end: usize,
    before: Option<usize>,
    after: Option<usize>,
    frozen: bool,
}

/// Two neighbours whose concatenation is a piece.
#[derive(Debug, Clone, Copy)]
struct Merge {
    score: f32,
    left: usize,
    right: usize,
    size: usize,
}

impl PartialEq for Merge {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Merge {}

impl PartialOrd for Merge {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Merge {
    /// Best score first, then leftmost.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.left.cmp(&self.left))
    }
}

impl Segmenter {
    pub(crate) fn new(model: &Model) -> Self {
        let usable = |kind: PieceKind| match kind {
            PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused => true,
            PieceKind::Unknown | PieceKind::Control | PieceKind::Byte => false,
        };
        let numbered = model.pieces.iter().zip(0_u32..);
        let trie = Trie::new(
            numbered
                .filter(|(piece, _)| usable(piece.kind))
                .map(|(piece, id)| (piece.text.as_str(), id)),
        );
        let normal =
            || model.pieces.iter().filter(|piece| piece.kind == PieceKind::Normal).map(|p| p.score);
        let worst = normal().fold(f32::MAX, f32::min);
        let mut frozen: Vec<String> = model
            .pieces
            .iter()
            .filter(|piece| piece.kind == PieceKind::UserDefined)
            .map(|piece| piece.text.clone())
            .collect();
        frozen.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Self {
            algorithm: model.algorithm,
            trie,
            scores: model.pieces.iter().map(|piece| piece.score).collect(),
            kinds: model.pieces.iter().map(|piece| piece.kind).collect(),
            frozen,
            unknown: model.unknown(),
            unknown_score: worst - UNKNOWN_PENALTY,
            // The reference starts from `FLT_MIN`, the least positive number, and scores are negative.
            best_score: normal().fold(f32::MIN_POSITIVE, f32::max),
        }
    }

    /// The pieces of a normalised text, in order.
    pub(crate) fn segment(&self, text: &str) -> Vec<Segment> {
        match self.algorithm {
            Algorithm::Unigram => self.best_path(text),
            Algorithm::Bpe => self.merge(text, || false),
        }
    }

    fn kind(&self, id: u32) -> PieceKind {
        let at = usize::try_from(id).unwrap_or(usize::MAX);
        self.kinds.get(at).copied().unwrap_or(PieceKind::Unknown)
    }

    fn score(&self, id: u32) -> f32 {
        usize::try_from(id).ok().and_then(|at| self.scores.get(at)).copied().unwrap_or(0.0)
    }

    /// Every piece of a text with its score, by where it begins: `found(start, length, id, score)`. Each place is reached.
    #[expect(clippy::cast_precision_loss, reason = "lengths of pieces are small")]
    pub(super) fn pieces(&self, text: &str, mut found: impl FnMut(usize, usize, u32, f64)) {
        for (from, c) in text.char_indices() {
            let width = c.len_utf8();
            let mut single = false;
            let rest = text.as_bytes().get(from..).unwrap_or_default();
            self.trie.prefixes(rest, |length, id| {
                let cost = match self.kind(id) {
                    PieceKind::Unused => return,
                    PieceKind::UserDefined => f64::from(length as f32 * self.best_score) - 0.1,
                    PieceKind::Normal
                    | PieceKind::Unknown
                    | PieceKind::Control
                    | PieceKind::Byte => f64::from(self.score(id)),
                };
                found(from, length, id, cost);
                single = single || length == width;
            });
            if !single {
                found(from, width, self.unknown, f64::from(self.unknown_score));
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the reference keeps sums in single precision"
    )]
    fn best_path(&self, text: &str) -> Vec<Segment> {
        let unreached = Arrival { id: self.unknown, score: 0.0, from: None };
        let mut arrivals = vec![unreached; text.len() + 1];
        self.pieces(text, |from, length, id, cost| {
            let here = arrivals.get(from).map_or(0.0, |arrival| f64::from(arrival.score));
            let Some(there) = arrivals.get_mut(from + length) else { return };
            let score = cost + here;
            if there.from.is_none() || score > f64::from(there.score) {
                *there = Arrival { id, score: score as f32, from: Some(from) };
            }
        });
        let mut path = Vec::new();
        let mut end = text.len();
        while let Some(&Arrival { id, from: Some(start), .. }) = arrivals.get(end) {
            path.push(Segment { start, end, id });
            end = start;
        }
        path.reverse();
        path
    }

    /// Characters, with user-defined pieces whole.
    fn symbols(&self, text: &str) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = Vec::new();
        let mut start = 0;
        while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
            let whole = self.frozen.iter().find(|piece| rest.starts_with(piece.as_str()));
            let width = rest.chars().next().map_or(1, char::len_utf8);
            let end = start + whole.map_or(width, String::len);
            let at = symbols.len();
            let frozen = whole.is_some();
            symbols.push(Symbol {
                start,
                end,
                before: at.checked_sub(1),
                after: Some(at + 1),
                frozen,
            });
            start = end;
        }
        if let Some(last) = symbols.last_mut() {
            last.after = None;
        }
        symbols
    }

    /// Merges until nothing is left to merge. `leaves_out` is asked before each merge; one that is left out may come later.
    pub(super) fn merge(&self, text: &str, mut leaves_out: impl FnMut() -> bool) -> Vec<Segment> {
        let mut symbols = self.symbols(text);
        let mut agenda = BinaryHeap::new();
        let mut left_out: Vec<Merge> = Vec::new();
        // Pieces that were merged through but may not appear: how to take them apart again.
        let mut apart: BTreeMap<&str, usize> = BTreeMap::new();
        for right in 1..symbols.len() {
            self.propose(text, &symbols, (right - 1, right), &mut agenda, &mut apart);
        }
        while let Some(top) = agenda.pop() {
            let Some((&left, &right)) = symbols.get(top.left).zip(symbols.get(top.right)) else {
                continue;
            };
            let gone = left.start == left.end || right.start == right.end;
            if gone || right.end - left.start != top.size || left.after != Some(top.right) {
                continue;
            }
            if leaves_out() {
                left_out.push(top);
                continue;
            }
            agenda.extend(left_out.drain(..));
            if let Some(symbol) = symbols.get_mut(top.left) {
                symbol.end = right.end;
                symbol.after = right.after;
            }
            if let Some(symbol) = symbols.get_mut(top.right) {
                symbol.start = symbol.end;
            }
            if let Some(after) = right.after {
                if let Some(symbol) = symbols.get_mut(after) {
                    symbol.before = Some(top.left);
                }
                self.propose(text, &symbols, (top.left, after), &mut agenda, &mut apart);
            }
            if let Some(before) = left.before {
                self.propose(text, &symbols, (before, top.left), &mut agenda, &mut apart);
            }
        }
        let mut path = Vec::with_capacity(symbols.len());
        for symbol in symbols.iter().filter(|symbol| symbol.start < symbol.end) {
            self.emit(text, (symbol.start, symbol.end), &apart, &mut path);
        }
        path
    }

    /// Puts a pair of neighbours on the agenda when together they are a piece.
    fn propose<'a>(
        &self,
        text: &'a str,
        symbols: &[Symbol],
        pair: (usize, usize),
        agenda: &mut BinaryHeap<Merge>,
        apart: &mut BTreeMap<&'a str, usize>,
    ) {
        let Some((left, right)) = symbols.get(pair.0).zip(symbols.get(pair.1)) else { return };
        if left.frozen || right.frozen {
            return;
        }
        let Some(whole) = text.get(left.start..right.end) else { return };
        let Some(id) = self.trie.get(whole) else { return };
        agenda.push(Merge {
            score: self.score(id),
            left: pair.0,
            right: pair.1,
            size: whole.len(),
        });
        if self.kind(id) == PieceKind::Unused {
            apart.insert(whole, left.end - left.start);
        }
    }

    /// Writes a merged run; runs that are unused pieces as what they were merged from.
    fn emit(
        &self,
        text: &str,
        range: (usize, usize),
        apart: &BTreeMap<&str, usize>,
        path: &mut Vec<Segment>,
    ) {
        let mut waiting = vec![range];
        while let Some((start, end)) = waiting.pop() {
            let piece = text.get(start..end).unwrap_or_default();
            let id = self.trie.get(piece).unwrap_or(self.unknown);
            match apart.get(piece) {
                Some(&cut) if self.kind(id) == PieceKind::Unused => {
                    waiting.push((start + cut, end));
                    waiting.push((start, start + cut));
                }
                _ => path.push(Segment { start, end, id }),
            }
        }
    }
}
