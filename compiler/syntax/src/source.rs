//! Source files in one global space of bytes: every span names its file by where it lies.
//!
//! `SourceMap` is the only maker of miette spans and the only source that a diagnostic needs, so that one report can label
//! places in several files.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// A byte range in the global space; `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// A range.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// From the start of one to the end of the other.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl From<Span> for SourceSpan {
    fn from(span: Span) -> Self {
        Self::new((span.start as usize).into(), (span.end.saturating_sub(span.start)) as usize)
    }
}

/// A file of a [`SourceMap`]: where it begins in the global space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceId(u32);

impl SourceId {
    /// The global place of the file's first byte.
    pub const fn start(self) -> u32 {
        self.0
    }
}

/// Longest text that is accepted, in bytes.
pub const LONGEST_TEXT: usize = 64 << 20;

#[derive(Debug, Clone)]
struct Source {
    name: String,
    text: String,
    start: u32,
}

impl Source {
    /// Behind the last byte; the place of "end of file". The next file begins one further, so no place is in two files.
    fn end(&self) -> u32 {
        self.start.saturating_add(u32::try_from(self.text.len()).unwrap_or(u32::MAX))
    }
}

/// All files of a compilation. As miette's source it answers with the file in which a span lies.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file under the name that reports show. A text longer than [`LONGEST_TEXT`] is not kept: parsing refuses it.
    pub fn add(&mut self, name: &str, text: &str) -> SourceId {
        let start = self.sources.last().map_or(0, |last| last.end().saturating_add(1));
        let kept = if text.len() > LONGEST_TEXT { "" } else { text };
        self.sources.push(Source { name: name.to_owned(), text: kept.to_owned(), start });
        SourceId(start)
    }

    /// The file's name, if the span lies in a file.
    pub fn name(&self, span: Span) -> Option<&str> {
        self.find(span).map(|source| source.name.as_str())
    }

    /// The text at a span, if it lies in one file.
    pub fn text(&self, span: Span) -> Option<&str> {
        let source = self.find(span)?;
        source.text.get((span.start - source.start) as usize..(span.end - source.start) as usize)
    }

    /// Line and column of a span's start, both from 1; columns count characters.
    pub fn line_column(&self, span: Span) -> Option<(usize, usize)> {
        let source = self.find(span)?;
        let before = source.text.get(..(span.start - source.start) as usize)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Some((line, column))
    }

    fn find(&self, span: Span) -> Option<&Source> {
        let next = self.sources.partition_point(|source| source.start <= span.start);
        let source = self.sources.get(next.checked_sub(1)?)?;
        (span.start <= span.end && span.end <= source.end()).then_some(source)
    }
}

impl SourceCode for SourceMap {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let place = |at: usize| u32::try_from(at).map_err(|_| MietteError::OutOfBounds);
        let start = place(span.offset())?;
        let end = place(span.offset().saturating_add(span.len()))?;
        let source = self.find(Span::new(start, end)).ok_or(MietteError::OutOfBounds)?;
        let offset = source.start as usize;
        let local = SourceSpan::new((span.offset() - offset).into(), span.len());
        let contents = source.text.read_span(&local, lines_before, lines_after)?;
        let found = contents.span();
        let global = SourceSpan::new((found.offset() + offset).into(), found.len());
        Ok(Box::new(MietteSpanContents::new_named(
            source.name.clone(),
            contents.data(),
            global,
            contents.line(),
            contents.column(),
            contents.line_count(),
        )))
    }
}
