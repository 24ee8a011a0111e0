//! Text to normalised text as SentencePiece does it: longest match in the model's character map, spaces squeezed and
//! written as `▁` (google/sentencepiece, `src/normalizer.cc`).
//!
//! The map is a double-array trie of 32-bit units (Darts-clone) followed by strings that end in a zero byte. It comes from a
//! file, so each index is checked: a damaged map changes text, it never panics.

use super::proto::{Model, Reason};

/// The sign that stands for a space inside pieces.
pub(crate) const SPACE: char = '\u{2581}';

/// The settings of one model, ready to use.
#[expect(clippy::struct_excessive_bools, reason = "the message has these flags")]
#[derive(Debug, Clone)]
pub(crate) struct Normaliser {
    trie: Vec<u32>,
    strings: Vec<u8>,
    /// User-defined pieces, longest first: never changed.
    protected: Vec<String>,
    dummy_prefix: bool,
    squeeze_spaces: bool,
    escape_spaces: bool,
    space_as_suffix: bool,
}

impl Normaliser {
    pub(crate) fn new(model: &Model, mut protected: Vec<String>) -> Result<Self, Reason> {
        let (mut trie, mut strings) = (Vec::new(), Vec::new());
        if !model.charsmap.is_empty() {
            let damaged = || "its character map is damaged".to_owned();
            let (size, rest) = model.charsmap.split_first_chunk::<4>().ok_or_else(damaged)?;
            let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| damaged())?;
            let (units, rest) = rest.split_at_checked(size).ok_or_else(damaged)?;
            let (units, odd) = units.as_chunks::<4>();
            if units.is_empty() || !odd.is_empty() {
                return Err(damaged());
            }
            trie = units.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
            strings = rest.to_vec();
            std::str::from_utf8(&strings).map_err(|_| damaged())?;
        }
        protected.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Ok(Self {
            trie,
            strings,
            protected,
            dummy_prefix: model.dummy_prefix,
            squeeze_spaces: model.squeeze_spaces,
            escape_spaces: model.escape_spaces,
            space_as_suffix: model.space_as_suffix,
        })
    }

    /// The longest key of the map at the front of `text`: its length and the offset of its replacement.
    fn longest(&self, text: &[u8]) -> Option<(usize, usize)> {
        let offset = |unit: u32| (unit >> 10) << ((unit & (1 << 9)) >> 6);
        let unit_at = |at: u32| self.trie.get(usize::try_from(at).ok()?).copied();
        let mut place = offset(unit_at(0)?);
        let mut found = None;
        for (at, &byte) in text.iter().enumerate() {
            place ^= u32::from(byte);
            let Some(unit) = unit_at(place) else { break };
            if byte == 0 || unit & ((1 << 31) | 0xff) != u32::from(byte) {
                break;
            }
            place ^= offset(unit);
            if (unit >> 8) & 1 == 1 {
                let value = unit_at(place).map(|leaf| leaf & 0x7fff_ffff);
                found = value.and_then(|value| Some((at + 1, usize::try_from(value).ok()?)));
            }
        }
        found
    }

    /// What the front of `text` becomes, and how many bytes of it that took.
    fn prefix<'a>(&'a self, text: &'a str) -> (&'a str, usize) {
        for piece in &self.protected {
            if text.starts_with(piece.as_str()) {
                return (text.get(..piece.len()).unwrap_or_default(), piece.len());
            }
        }
        let width = text.chars().next().map_or(0, char::len_utf8);
        let unchanged = (text.get(..width).unwrap_or_default(), width);
        let Some((length, offset)) = self.longest(text.as_bytes()) else { return unchanged };
        if !text.is_char_boundary(length) {
            return unchanged;
        }
        let tail = self.strings.get(offset..).unwrap_or_default();
        let end = memchr::memchr(0, tail).unwrap_or(tail.len());
        let replaced = tail.get(..end).and_then(|bytes| std::str::from_utf8(bytes).ok());
        (replaced.unwrap_or_default(), length)
    }

    /// The normalised text.
    pub(crate) fn normalise(&self, text: &str) -> String {
        let space = if self.escape_spaces { SPACE } else { ' ' };
        let mut rest = text;
        if self.squeeze_spaces {
            while let (" ", used) = self.prefix(rest) {
                rest = rest.get(used..).unwrap_or_default();
            }
        }
        if rest.is_empty() {
            return String::new();
        }
        let mut out = String::with_capacity(text.len() + text.len() / 2);
        if self.dummy_prefix && !self.space_as_suffix {
            out.push(space);
        }
        let mut after_space = self.squeeze_spaces;
        while !rest.is_empty() {
            let (mut part, used) = self.prefix(rest);
            if after_space {
                part = part.trim_start_matches(' ');
            }
            if !part.is_empty() {
                out.extend(part.chars().map(|c| if c == ' ' { space } else { c }));
                after_space = part.ends_with(' ');
            }
            rest = rest.get(used.max(1)..).unwrap_or_default();
            after_space = after_space && self.squeeze_spaces;
        }
        if self.squeeze_spaces {
            out.truncate(out.trim_end_matches(space).len());
        }
        if self.dummy_prefix && self.space_as_suffix {
            out.push(space);
        }
        out
    }
}
