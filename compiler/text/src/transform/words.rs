//! Which pieces of a vocabulary begin a word, and which end a sentence.

use crate::tokenizer::Tokenizer;

/// Marks that end a sentence, of the world's common scripts.
pub(super) const TERMINAL: [char; 14] =
    ['.', '?', '!', '…', '。', '？', '！', '؟', '۔', '।', '॥', '։', '።', '፧'];

/// Facts of every piece of a vocabulary, by id.
#[derive(Debug)]
pub(crate) struct Pieces {
    begins: Vec<bool>,
    ends: Vec<bool>,
}

impl Pieces {
    /// Reads the pieces of a tokenizer. Words begin with `▁` or `Ġ` where a vocabulary has such pieces, do not begin with `##`
    /// where it has those, and are single pieces otherwise.
    pub(crate) fn new(tokenizer: &Tokenizer) -> Self {
        let texts: Vec<String> = (0..tokenizer.facts().pieces)
            .map(|id| tokenizer.piece(id).unwrap_or_default())
            .collect();
        let any = |mark: &str| texts.iter().any(|text| text.starts_with(mark));
        let begins: Box<dyn Fn(&String) -> bool> = if any("\u{2581}") {
            Box::new(|text| text.starts_with('\u{2581}'))
        } else if any("\u{120}") {
            Box::new(|text| text.starts_with('\u{120}'))
        } else {
            Box::new(|text| !text.starts_with("##"))
        };
        Self {
            begins: texts.iter().map(begins).collect(),
            ends: texts.iter().map(|text| text.ends_with(TERMINAL)).collect(),
        }
    }

    /// The pieces of each word, as lengths; the first piece begins one in any case.
    pub(super) fn words(&self, pieces: &[u32]) -> Vec<usize> {
        let mut lengths: Vec<usize> = Vec::new();
        for &piece in pieces {
            match lengths.last_mut() {
                Some(length) if !is(&self.begins, piece) => *length += 1,
                _ => lengths.push(1),
            }
        }
        lengths
    }

    /// The pieces of each sentence, as lengths.
    pub(super) fn sentences(&self, pieces: &[u32]) -> Vec<usize> {
        let mut lengths = Vec::new();
        let mut open = 0;
        for &piece in pieces {
            open += 1;
            if is(&self.ends, piece) {
                lengths.push(std::mem::take(&mut open));
            }
        }
        if open > 0 {
            lengths.push(open);
        }
        lengths
    }

    #[cfg(test)]
    pub(super) fn of(begins: &[bool], ends: &[bool]) -> Self {
        Self { begins: begins.to_vec(), ends: ends.to_vec() }
    }
}

fn is(facts: &[bool], piece: u32) -> bool {
    facts.get(piece as usize).copied().unwrap_or(false)
}
