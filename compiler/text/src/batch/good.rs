//! Pairs of lines to pairs of texts: what is a bad line, how it is counted, and the fault where none may be.

use mmc_plan::{BadLines, SkippedPairs};

use super::StreamError;
use crate::lines::Line;
use crate::parallel::{Pair, ParallelReader};

/// Why a pair can't be read, and on which side (0: source, 1: target).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    NotUtf8(usize),
    TooLong(usize),
    /// This side has no text, the other has some.
    Missing(usize),
    /// The line lacks this side's column.
    NoColumn(usize),
}

/// The texts of a pair. Two sides without text are no bad line: they are as good as nothing.
pub(super) fn texts(pair: Pair<'_>) -> Result<(&str, &str), Bad> {
    let text = |side: usize, line| match line {
        Line::Text(text) => Ok(text),
        Line::NotUtf8 => Err(Bad::NotUtf8(side)),
        Line::TooLong => Err(Bad::TooLong(side)),
        Line::Absent => Err(Bad::NoColumn(side)),
    };
    let (source, target) = (text(0, pair.source)?, text(1, pair.target)?);
    match (source.trim().is_empty(), target.trim().is_empty()) {
        (true, false) => Err(Bad::Missing(0)),
        (false, true) => Err(Bad::Missing(1)),
        _ => Ok((source, target)),
    }
}

impl Bad {
    /// Counts it as skipped, or ends with its fault, as the corpus says. It is in the pair that was read last.
    pub(super) fn meet(
        self,
        bad_lines: BadLines,
        skipped: &mut SkippedPairs,
        (task, reader): (&str, &ParallelReader),
    ) -> Result<(), StreamError> {
        match bad_lines {
            BadLines::Skip => self.count(skipped),
            BadLines::Fatal => return Err(self.fault(task, reader)),
        }
        Ok(())
    }

    fn count(self, skipped: &mut SkippedPairs) {
        match self {
            Self::NotUtf8(_) => skipped.not_utf8 += 1,
            Self::TooLong(_) => skipped.too_long += 1,
            Self::Missing(_) | Self::NoColumn(_) => skipped.empty += 1,
        }
    }

    fn fault(self, task: &str, reader: &ParallelReader) -> StreamError {
        let (side, what) = match self {
            Self::NotUtf8(side) => (side, "not UTF-8"),
            Self::TooLong(side) => (side, "longer than 1 MiB"),
            Self::Missing(side) => (side, "no text, but the other side has some"),
            Self::NoColumn(side) => (side, "fewer columns than `columns` says"),
        };
        let (file, line) = reader.place(side);
        StreamError::BadLine { task: task.to_owned(), file, line, what }
    }
}
