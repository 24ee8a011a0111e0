//! Files as one stream of pairs: file `i` of the source side beside file `i` of the target side, or files that hold both sides in
//! columns, each read once.

use std::path::{Path, PathBuf};

use mmc_plan::ParallelFiles;

use crate::columns::column;
use crate::error::TextError;
use crate::lines::{Line, LineReader, Place, is_plain};

/// One line of each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair<'a> {
    /// Number of the pair over all files, from 0.
    pub index: u64,
    /// Source side.
    pub source: Line<'a>,
    /// Target side.
    pub target: Line<'a>,
}

/// The pairs of parallel files in order.
#[derive(Debug)]
pub struct ParallelReader {
    files: ParallelFiles,
    /// Files of each side that are through.
    through: usize,
    /// The files behind them.
    open: Option<Open>,
    /// Where those are read on when they are opened.
    places: [Place; 2],
    next: u64,
}

/// What the next pair is read from.
#[derive(Debug)]
enum Open {
    /// A file of each side.
    Aligned(LineReader, LineReader),
    /// One file with both sides in these columns.
    Columns(LineReader, [u32; 2]),
}

impl ParallelReader {
    /// Opens the files of a corpus one after the other. The error is at once when the sides have different numbers of files.
    pub fn open(files: &ParallelFiles) -> Result<Self, TextError> {
        let (source_files, target_files) = (files.source.len(), files.target.len());
        if source_files != target_files {
            return Err(TextError::UnequalFiles { source_files, target_files });
        }
        let places = [Place::default(); 2];
        Ok(Self { files: files.clone(), through: 0, open: None, places, next: 0 })
    }

    /// Closes the files that are open. They are opened where they were left when the next pair is asked for.
    pub fn rest(&mut self) {
        if let Some(open) = self.open.take() {
            self.places = [0, 1].map(|side| open.side(side).place());
        }
    }

    /// Whether files are open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether the present files, once closed, are opened where they were left without reading what is before.
    pub fn seeks(&self) -> bool {
        self.present().is_none_or(|(source, target)| is_plain(source) && is_plain(target))
    }

    /// Number of the next pair, from 0.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// File and line (from 1) of the pair that was read last, on a side (0: source, 1: target).
    pub(crate) fn place(&self, side: usize) -> (String, u64) {
        let open = self.open.as_ref().map(|open| open.side(side));
        open.map_or_else(Default::default, |lines| {
            (lines.path().display().to_string(), lines.line())
        })
    }

    /// The next pair; none at the end. Errors: files that can't be read on, or that differ in length.
    pub fn next_pair(&mut self) -> Result<Option<Pair<'_>>, TextError> {
        // Whether there is another line is asked first, because the line itself is lent out.
        while let Some(open) = self.opened()? {
            if !open.at_end()? {
                break;
            }
            self.close();
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        Ok(open.next()?.map(|[source, target]| Pair { index, source, target }))
    }

    /// Reads past up to `count` pairs and says past how many.
    pub fn skip(&mut self, count: u64) -> Result<u64, TextError> {
        let mut skipped = 0;
        while skipped < count
            && let Some(open) = self.opened()?
        {
            skipped += open.skip(count - skipped)?;
            if skipped < count {
                self.close();
            }
        }
        self.next += skipped;
        Ok(skipped)
    }

    /// The files behind those that are through.
    fn present(&self) -> Option<(&Path, &Path)> {
        let source = self.files.source.get(self.through)?;
        Some((Path::new(source), Path::new(self.files.target.get(self.through)?)))
    }

    /// What is open, or else the present files, opened where they were left; none when there are none.
    fn opened(&mut self) -> Result<Option<&mut Open>, TextError> {
        if self.open.is_none()
            && let Some((source, target)) = self.present()
        {
            let [source_place, target_place] = self.places;
            let lines = LineReader::at(source, source_place)?;
            self.open = Some(match self.files.columns {
                Some(columns) => Open::Columns(lines, columns),
                None => Open::Aligned(lines, LineReader::at(target, target_place)?),
            });
        }
        Ok(self.open.as_mut())
    }

    /// Leaves the present files behind.
    fn close(&mut self) {
        self.open = None;
        self.places = [Place::default(); 2];
        self.through += 1;
    }
}

impl Open {
    /// The reader of a side (0: source, 1: target).
    fn side(&self, side: usize) -> &LineReader {
        match self {
            Self::Aligned(_, target) if side == 1 => target,
            Self::Aligned(lines, _) | Self::Columns(lines, _) => lines,
        }
    }

    /// Whether no pair is left.
    fn at_end(&mut self) -> Result<bool, TextError> {
        match self {
            Self::Columns(lines, _) => lines.at_end(),
            Self::Aligned(source, target) => {
                let ends = source.at_end()?;
                if ends == target.at_end()? { Ok(ends) } else { Err(unequal(source, target)) }
            }
        }
    }

    /// The next line of each side; none at the end.
    fn next(&mut self) -> Result<Option<[Line<'_>; 2]>, TextError> {
        Ok(match self {
            Self::Columns(lines, columns) => {
                lines.next_line()?.map(|line| columns.map(|number| column(line, number)))
            }
            Self::Aligned(source, target) => source
                .next_line()?
                .zip(target.next_line()?)
                .map(|(source, target)| [source, target]),
        })
    }

    /// Reads past up to `count` pairs and says past how many: fewer at the end alone.
    fn skip(&mut self, count: u64) -> Result<u64, TextError> {
        let (source, target) = match self {
            Self::Columns(lines, _) => return lines.skip(count),
            Self::Aligned(source, target) => (source, target),
        };
        let skipped = source.skip(count)?;
        if target.skip(skipped)? < skipped || skipped < count && !target.at_end()? {
            return Err(unequal(source, target));
        }
        Ok(skipped)
    }
}

/// The fault of two files of different lengths, with both lengths as far as they can be counted.
fn unequal(source: &mut LineReader, target: &mut LineReader) -> TextError {
    let rest = |reader: &mut LineReader| -> Result<(PathBuf, u64), TextError> {
        reader.skip(u64::MAX)?;
        Ok((Path::to_owned(reader.path()), reader.line()))
    };
    match (rest(source), rest(target)) {
        (Ok((source_path, source_lines)), Ok((target_path, target_lines))) => {
            TextError::UnequalLines { source_path, source_lines, target_path, target_lines }
        }
        (Err(fault), _) | (_, Err(fault)) => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, sides: [&[&str]; 2]) -> ParallelFiles {
        let write = |side: usize| {
            let texts = sides[side].iter().enumerate();
            let paths = texts.map(|(at, text)| {
                let path = folder.join(format!("{side}.{at}"));
                std::fs::write(&path, text).unwrap();
                path.to_string_lossy().into_owned()
            });
            paths.collect()
        };
        ParallelFiles { source: write(0), target: write(1), ..ParallelFiles::default() }
    }

    fn all(files: &ParallelFiles, skip: u64) -> Result<Vec<(u64, String)>, TextError> {
        let mut reader = ParallelReader::open(files)?;
        reader.skip(skip)?;
        let mut pairs = Vec::new();
        while let Some(pair) = reader.next_pair()? {
            let text = |line: Line<'_>| line.text().unwrap_or("?").to_owned();
            pairs.push((pair.index, text(pair.source) + "|" + &text(pair.target)));
        }
        Ok(pairs)
    }

    #[test]
    fn files_follow_each_other_and_can_be_skipped_into() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), [&["a\nb\n", "", "c\nd"], &["A\nB", "", "C\nD\n"]]);
        let whole = all(&files, 0).unwrap();
        let texts: Vec<&str> = whole.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["a|A", "b|B", "c|C", "d|D"]);
        for skip in 0..5_usize {
            assert_eq!(all(&files, skip as u64).unwrap(), whole[skip..], "{skip}");
        }
    }

    #[test]
    fn closed_files_are_read_on_where_they_were_left() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), [&["a\nb\n", "", "c\nd"], &["A\nB", "", "C\nD\n"]]);
        let whole = all(&files, 0).unwrap();
        for skip in 0..4_usize {
            let mut reader = ParallelReader::open(&files).unwrap();
            reader.skip(skip as u64).unwrap();
            for (_, expected) in &whole[skip..] {
                reader.rest();
                assert!(!reader.is_open() && reader.seeks());
                let Pair { source, target, .. } = reader.next_pair().unwrap().unwrap();
                let found = source.text().unwrap().to_owned() + "|" + target.text().unwrap();
                assert_eq!(found, *expected, "behind {skip}");
                assert!(reader.is_open());
            }
            reader.rest();
            assert_eq!(reader.next_pair().unwrap(), None);
            assert_eq!(reader.position(), 4);
        }
    }

    #[test]
    fn different_lengths_are_named_with_both_counts() {
        let folder = tempfile::tempdir().unwrap();
        for skip in 0..4 {
            let files = files(folder.path(), [&["a\nb\nc\n"], &["A\n"]]);
            let fault = all(&files, skip).unwrap_err();
            let TextError::UnequalLines { source_lines, target_lines, .. } = fault else {
                panic!("{fault}")
            };
            assert_eq!((source_lines, target_lines), (3, 1));
        }
        let files = files(folder.path(), [&["a"], &[]]);
        assert!(matches!(all(&files, 0), Err(TextError::UnequalFiles { .. })));
    }

    #[test]
    fn columns_are_pairs_of_one_file_and_can_be_skipped_into() {
        let folder = tempfile::tempdir().unwrap();
        let texts = ["\u{feff}a\tA\t0.9\r\nb\tB\n", "", "c\tC\tx\ty\n\nd\n\t\ne\tE"];
        let text = files(folder.path(), [&texts, &[]]);
        let expected = ["a|A", "b|B", "c|C", "|", "d|?", "|", "e|E"];
        for columns in [[1, 2], [2, 1]] {
            let text = mmc_plan::sample::in_columns(&text, columns);
            let whole = all(&text, 0).unwrap();
            let turned = |pair: &(u64, String)| {
                let (source, target) = pair.1.split_once('|').unwrap();
                if columns == [1, 2] { pair.1.clone() } else { format!("{target}|{source}") }
            };
            assert_eq!(whole.iter().map(turned).collect::<Vec<_>>(), expected);
            assert!(whole.iter().map(|pair| pair.0).eq(0..7));
            for skip in 0..8_usize {
                assert_eq!(all(&text, skip as u64).unwrap(), whole[skip.min(7)..], "{skip}");
            }
        }
        let one = all(&mmc_plan::sample::in_columns(&text, [2, 2]), 0).unwrap();
        let one: Vec<&str> = one.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(one, ["A|A", "B|B", "C|C", "|", "?|?", "|", "E|E"]);
        let mut reader =
            ParallelReader::open(&mmc_plan::sample::in_columns(&text, [2, 3])).unwrap();
        let pair = reader.next_pair().unwrap().unwrap();
        assert_eq!((pair.source, pair.target), (Line::Text("A"), Line::Text("0.9")));
        let pair = reader.next_pair().unwrap().unwrap();
        assert_eq!((pair.source, pair.target), (Line::Text("B"), Line::Absent));
        assert_eq!((reader.place(0), reader.position()), (reader.place(1), 2));
        assert!(reader.place(1).0.ends_with("0.0") && reader.place(1).1 == 2);
    }
}
