//! Files to lines, one at a time: plain, gzip (also of several members) and zstd, chosen by the file's last suffix.
//!
//! Memory is bounded by the longest line that is allowed, never by the file. A line ends at `\n`, at `\r\n`, or at the end
//! of the file; a byte order mark before the first line is dropped.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::error::TextError;

/// Most bytes of a line unless [`LineReader::with_limit`] says otherwise: 1 MiB.
pub const DEFAULT_LIMIT: usize = 1 << 20;

/// Bytes read at a time, before and after decompression.
pub(crate) const BUFFER: usize = 128 << 10;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Its text, without the line end.
    Text(&'a str),
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// More bytes than the reader's limit; they were skipped.
    TooLong,
    /// Nothing: the file's line lacks the column ([`crate::columns`]). Readers of whole lines give none.
    Absent,
}

impl<'a> Line<'a> {
    /// The text, if it is any.
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::NotUtf8 | Self::TooLong | Self::Absent => None,
        }
    }
}

/// Bytes of a file, decompressed by its suffix: `.gz`, `.zst`, anything else is plain.
pub(crate) fn open_bytes(path: &Path) -> Result<Box<dyn BufRead + Send>, TextError> {
    decoded(path, BufReader::with_capacity(BUFFER, open_file(path)?))
}

/// A file that can be read.
pub(crate) fn open_file(path: &Path) -> Result<File, TextError> {
    let file = File::open(path).map_err(|cause| TextError::unreadable(path, cause))?;
    if file.metadata().is_ok_and(|facts| facts.is_dir()) {
        let cause = io::Error::from(io::ErrorKind::IsADirectory);
        return Err(TextError::unreadable(path, cause));
    }
    Ok(file)
}

/// The text in a file's bytes, by the suffix of its path.
pub(crate) fn decoded<'r>(
    path: &Path,
    plain: impl BufRead + Send + 'r,
) -> Result<Box<dyn BufRead + Send + 'r>, TextError> {
    Ok(match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("gz") => {
            let bytes = flate2::bufread::MultiGzDecoder::new(plain);
            Box::new(BufReader::with_capacity(BUFFER, bytes))
        }
        Some("zst") => {
            let bytes = zstd::stream::read::Decoder::with_buffer(plain)
                .map_err(|cause| TextError::unreadable(path, cause))?;
            Box::new(BufReader::with_capacity(BUFFER, bytes))
        }
        _ => Box::new(plain),
    })
}

/// A file's lines in order.
pub struct LineReader {
    bytes: Box<dyn BufRead + Send>,
    path: PathBuf,
    limit: usize,
    line: u64,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for LineReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineReader")
            .field("path", &self.path)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// Opens a file for reading by lines of at most [`DEFAULT_LIMIT`] bytes.
pub fn open(path: impl AsRef<Path>) -> Result<LineReader, TextError> {
    LineReader::with_limit(path.as_ref(), DEFAULT_LIMIT)
}

impl LineReader {
    /// Opens a file for reading by lines of at most `limit` bytes (line end not counted).
    pub fn with_limit(path: &Path, limit: usize) -> Result<Self, TextError> {
        let bytes = open_bytes(path)?;
        Ok(Self { bytes, path: path.to_owned(), limit, line: 0, buffer: Vec::new() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of the line that was read last, from 1; 0 before the first.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next line, whatever it is; none at the end. Errors: a file that can't be read on.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, TextError> {
        let Some(fits) = self.fill()? else { return Ok(None) };
        if !fits {
            return Ok(Some(Line::TooLong));
        }
        let mut bytes = self.buffer.as_slice();
        if let Some(rest) = bytes.strip_suffix(b"\r") {
            bytes = rest;
        }
        if self.line == 1
            && let Some(rest) = bytes.strip_prefix("\u{feff}".as_bytes())
        {
            bytes = rest;
        }
        Ok(Some(std::str::from_utf8(bytes).map_or(Line::NotUtf8, Line::Text)))
    }

    /// The next line's text; none at the end. Errors: what can't be read, lines beyond the limit and lines that aren't UTF-8.
    pub fn next_text(&mut self) -> Result<Option<&str>, TextError> {
        let (path, limit, number) = (self.path.clone(), self.limit, self.line + 1);
        match self.next_line()? {
            None | Some(Line::Absent) => Ok(None),
            Some(Line::Text(text)) => Ok(Some(text)),
            Some(Line::NotUtf8) => Err(TextError::NotUtf8 { path, line: number }),
            Some(Line::TooLong) => Err(TextError::LineTooLong { path, line: number, limit }),
        }
    }

    /// Reads past up to `count` lines and says past how many.
    pub fn skip(&mut self, count: u64) -> Result<u64, TextError> {
        let mut skipped = 0;
        while skipped < count && self.fill()?.is_some() {
            skipped += 1;
        }
        Ok(skipped)
    }

    /// Whether no line is left.
    pub fn at_end(&mut self) -> Result<bool, TextError> {
        loop {
            match self.bytes.fill_buf() {
                Ok(available) => return Ok(available.is_empty()),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => {
                    let (path, line) = (self.path.clone(), self.line);
                    return Err(TextError::Damaged { path, line, cause });
                }
            }
        }
    }

    /// Reads a line into the buffer, without its `\n`: whether it fits, or none at the end.
    fn fill(&mut self) -> Result<Option<bool>, TextError> {
        self.buffer.clear();
        let mut read = false;
        let mut fits = true;
        loop {
            let available = match self.bytes.fill_buf() {
                Ok(available) => available,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => {
                    let (path, line) = (self.path.clone(), self.line);
                    return Err(TextError::Damaged { path, line, cause });
                }
            };
            if available.is_empty() {
                self.line += u64::from(read);
                return Ok(read.then_some(fits));
            }
            read = true;
            let end = memchr::memchr(b'\n', available);
            let (content, used) = match end {
                Some(at) => (available.get(..at).unwrap_or(available), at + 1),
                None => (available, available.len()),
            };
            // One more than the limit may be the `\r` of the line end.
            fits = fits && self.buffer.len() + content.len() <= self.limit + 1;
            if fits {
                self.buffer.extend_from_slice(content);
            }
            self.bytes.consume(used);
            if end.is_some() {
                fits = fits && (self.buffer.len() <= self.limit || self.buffer.ends_with(b"\r"));
                self.line += 1;
                return Ok(Some(fits));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gz(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn all(path: &Path) -> Result<Vec<String>, TextError> {
        let mut reader = open(path)?;
        let mut lines = Vec::new();
        while let Some(line) = reader.next_text()? {
            lines.push(line.to_owned());
        }
        Ok(lines)
    }

    #[test]
    fn plain_gzip_of_two_members_and_zstd_give_the_same_lines() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = ("\u{feff}één\r\n\nzwei", " Teile\nlast");
        let whole = format!("{first}{second}");
        let plain = folder.path().join("a.txt");
        std::fs::write(&plain, &whole).unwrap();
        let members = folder.path().join("a.gz");
        std::fs::write(&members, [gz(first.as_bytes()), gz(second.as_bytes())].concat()).unwrap();
        let zst = folder.path().join("a.zst");
        std::fs::write(&zst, zstd::encode_all(whole.as_bytes(), 1).unwrap()).unwrap();
        let expected = ["één", "", "zwei Teile", "last"];
        for path in [plain, members, zst] {
            assert_eq!(all(&path).unwrap(), expected, "{}", path.display());
        }
    }

    #[test]
    fn truncated_and_mislabelled_files_are_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let text = "a line of text\n".repeat(5000);
        let whole = gz(text.as_bytes());
        for (name, bytes) in [
            ("cut.gz", &whole[..whole.len() - 9]),
            ("plain.gz", text.as_bytes()),
            ("plain.zst", text.as_bytes()),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(all(&path), Err(TextError::Damaged { .. })), "{name}");
        }
        let zst = zstd::encode_all(text.as_bytes(), 1).unwrap();
        let path = folder.path().join("cut.zst");
        std::fs::write(&path, &zst[..zst.len() - 3]).unwrap();
        assert!(matches!(all(&path), Err(TextError::Damaged { .. })));
    }

    #[test]
    fn absent_files_and_folders_are_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(open(folder.path()), Err(TextError::Unreadable { .. })));
        assert!(matches!(open(folder.path().join("x")), Err(TextError::Unreadable { .. })));
    }

    #[test]
    fn bad_lines_are_told_apart_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad");
        std::fs::write(&path, b"12345\r\n123456\nab\xff\nok").unwrap();
        let mut reader = LineReader::with_limit(&path, 5).unwrap();
        assert_eq!(reader.next_line().unwrap(), Some(Line::Text("12345")));
        assert_eq!(reader.next_line().unwrap(), Some(Line::TooLong));
        assert_eq!(reader.next_line().unwrap(), Some(Line::NotUtf8));
        assert_eq!(reader.next_line().unwrap(), Some(Line::Text("ok")));
        assert_eq!(reader.next_line().unwrap(), None);
        assert_eq!(reader.line(), 4);
        let mut strict = LineReader::with_limit(&path, 9).unwrap();
        assert_eq!(strict.skip(2).unwrap(), 2);
        let fault = strict.next_text().unwrap_err();
        assert!(matches!(fault, TextError::NotUtf8 { line: 3, .. }), "{fault}");
    }
}
