//! SentencePiece models: text to ids and back exactly as the C++ library (google/sentencepiece 0.2) does it.

mod normalise;
mod proto;
mod sample;
mod segment;
mod trie;

use mmc_plan::Sampling;
use mmc_plan::random::Stream;
use normalise::{Normaliser, SPACE};
use proto::{Algorithm, Model, Piece, PieceKind, Reason};
use segment::{Segment, Segmenter};

use super::TokenizerFacts;

/// A model that is ready to encode and decode.
#[derive(Debug, Clone)]
pub(crate) struct SentencePiece {
    model: Model,
    normaliser: Normaliser,
    segmenter: Segmenter,
    unknown: u32,
    /// Ids of the 256 byte pieces, when the model falls back to bytes.
    bytes: Vec<u32>,
}

/// The facts of a model file.
pub(crate) fn facts(bytes: &[u8], sha256: String) -> Result<TokenizerFacts, Reason> {
    let model = Model::read(bytes)?;
    Ok(facts_of(&model, sha256))
}

fn facts_of(model: &Model, sha256: String) -> TokenizerFacts {
    TokenizerFacts {
        pieces: u32::try_from(model.pieces.len()).unwrap_or(u32::MAX),
        unk: Some(model.unknown()),
        bos: model.control(&model.bos),
        eos: model.control(&model.eos),
        pad: model.control(&model.pad),
        sha256,
        one_way: false,
    }
}

/// The value of a byte piece, `<0x41>` for 65.
fn byte_value(piece: &Piece) -> Option<u8> {
    let digits = piece.text.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

impl SentencePiece {
    /// Reads a model file.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Reason> {
        let model = Model::read(bytes)?;
        let user_defined = model.pieces.iter().filter(|piece| piece.kind == PieceKind::UserDefined);
        let normaliser =
            Normaliser::new(&model, user_defined.map(|piece| piece.text.clone()).collect())?;
        let mut fallback = Vec::new();
        if model.byte_fallback {
            for value in 0..=u8::MAX {
                let is_it = |piece: &Piece| {
                    piece.kind == PieceKind::Byte && byte_value(piece) == Some(value)
                };
                let at = model.pieces.iter().position(is_it);
                let id = at.and_then(|at| u32::try_from(at).ok());
                fallback.push(id.ok_or_else(|| {
                    format!("it falls back to bytes but lacks `<0x{value:02X}>`")
                })?);
            }
        }
        let segmenter = Segmenter::new(&model);
        let unknown = model.unknown();
        Ok(Self { model, normaliser, segmenter, unknown, bytes: fallback })
    }

    pub(crate) fn facts(&self, sha256: String) -> TokenizerFacts {
        facts_of(&self.model, sha256)
    }

    /// Ids of a text, without start and end.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        let normal = self.normaliser.normalise(text);
        self.ids(&normal, self.segmenter.segment(&normal))
    }

    /// Ids of a text by a segmentation that is drawn.
    pub(crate) fn sample(&self, text: &str, sampling: Sampling, draw: &mut Stream) -> Vec<u32> {
        let normal = self.normaliser.normalise(text);
        self.ids(&normal, self.segmenter.sample(&normal, sampling, draw))
    }

    /// Whether the model can draw segmentations so; `Err` says why not.
    pub(crate) fn can_sample(&self, sampling: Sampling) -> Result<(), &'static str> {
        match (self.model.algorithm, sampling) {
            (Algorithm::Bpe, Sampling { nbest: Some(_), .. }) => {
                Err("a BPE model has no `nbest` best segmentations: `nbest = all`")
            }
            (Algorithm::Bpe, Sampling { alpha, .. }) if alpha > 1.0 => {
                Err("`alpha` of a BPE model is a probability, at most 1")
            }
            (Algorithm::Bpe | Algorithm::Unigram, _) => Ok(()),
        }
    }

    fn ids(&self, normal: &str, segments: Vec<Segment>) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut after_unknown = false;
        for segment in segments {
            let is_unknown = segment.id == self.unknown;
            if is_unknown && self.model.byte_fallback {
                let bytes = normal.as_bytes().get(segment.start..segment.end).unwrap_or_default();
                ids.extend(bytes.iter().filter_map(|&byte| self.bytes.get(usize::from(byte))));
            } else if !(is_unknown && after_unknown) {
                // A run of unknown characters is one unknown piece.
                ids.push(segment.id);
            }
            after_unknown = is_unknown;
        }
        ids
    }

    /// The text of one piece.
    pub(crate) fn piece(&self, id: u32) -> Option<String> {
        self.model.pieces.get(id as usize).map(|piece| piece.text.clone())
    }

    /// The text of ids; ids beyond the vocabulary and control pieces say nothing.
    pub(crate) fn decode(&self, ids: &[u32]) -> String {
        let mut text = String::new();
        let mut bytes: Vec<u8> = Vec::new();
        let strips = self.model.dummy_prefix || self.model.squeeze_spaces;
        let mut at_start = true;
        for &id in ids {
            let piece = usize::try_from(id).ok().and_then(|at| self.model.pieces.get(at));
            let Some(piece) = piece else { continue };
            if piece.kind == PieceKind::Byte {
                bytes.extend(byte_value(piece));
                continue;
            }
            flush(&mut bytes, &mut text);
            at_start = at_start && text.is_empty();
            match piece.kind {
                PieceKind::Control => {}
                PieceKind::Unknown => text.push_str(&self.model.unknown_surface),
                PieceKind::Normal
                | PieceKind::UserDefined
                | PieceKind::Unused
                | PieceKind::Byte => {
                    let mut shown = piece.text.as_str();
                    if at_start
                        && strips
                        && let Some(rest) = shown.strip_prefix(SPACE)
                    {
                        shown = rest;
                        at_start = self.model.squeeze_spaces;
                    }
                    text.extend(shown.chars().map(|c| if c == SPACE { ' ' } else { c }));
                }
            }
        }
        flush(&mut bytes, &mut text);
        text
    }
}

/// Appends collected bytes as text; each byte that is no part of a character becomes U+FFFD.
fn flush(bytes: &mut Vec<u8>, text: &mut String) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    bytes.clear();
}
