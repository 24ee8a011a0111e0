//! Text of an experiment in the making, with the place in the configuration from which every part of it comes.

use mmc_syntax::Span;

/// A part of the text and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin {
    /// Bytes of the text.
    start: u32,
    end: u32,
    from: Span,
}

/// Where the parts of a text come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    parts: Vec<Origin>,
}

impl Origins {
    /// The place in the configuration of a place in the text; text of nowhere has that of the part before it.
    pub fn of(&self, at: u32) -> Option<Span> {
        let next = self.parts.partition_point(|part| part.start <= at);
        self.parts.get(next.checked_sub(1)?).map(|part| part.from)
    }
}

/// Collects the text.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) text: String,
    pub(super) origins: Origins,
}

impl Writer {
    /// Text that comes from a place.
    pub(super) fn put(&mut self, text: &str, from: Span) {
        let start = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.push_str(text);
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.origins.parts.push(Origin { start, end, from });
    }

    /// `key = value` on a line.
    pub(super) fn field(&mut self, key: &str, value: &str, from: Span) {
        self.put(&format!("  {key} = {value}\n"), from);
    }
}

/// A text in quotes.
pub(super) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{}\"", escaped.replace('\t', "\\t"))
}
