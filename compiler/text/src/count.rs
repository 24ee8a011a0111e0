//! Lines and bytes of a file, counted without decoding its text; whether that text is UTF-8, and what the file's hash is.
//!
//! Counting is a search for newlines and takes no longer than reading. Looking at every byte again to see whether it is UTF-8
//! would: [`count`] looks at the first MiB and then at one block in 32, [`inspect`] at all.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::TextError;
use crate::lines::{BUFFER, decoded, open_bytes, open_file};
use crate::utf8::Utf8;

/// Blocks of [`BUFFER`] bytes at the start that are all looked at: 1 MiB.
const FIRST: u64 = 8;

/// Of the later blocks, one in so many is looked at.
const SAMPLED: u64 = 32;

/// The size of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Lines; a last line without its line end counts.
    pub lines: u64,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Whether the last line has no line end.
    pub ends_open: bool,
    /// The first line, from 1, that was seen not to be UTF-8.
    pub not_utf8: Option<u64>,
}

/// Counts the lines and the decompressed bytes of a plain, gzip or zstd file, and looks at samples of its text.
pub fn count(path: impl AsRef<Path>) -> Result<Count, TextError> {
    let path = path.as_ref();
    read(path, open_bytes(path)?, &|block| block < FIRST || block.is_multiple_of(SAMPLED))
}

/// Counts and looks at the whole text; also gives the `sha256` of the file as it lies on disk, in hexadecimal.
pub fn inspect(path: impl AsRef<Path>) -> Result<(Count, String), TextError> {
    let path = path.as_ref();
    let mut hashed = Hashed { file: open_file(path)?, hash: Sha256::new() };
    let plain = BufReader::with_capacity(BUFFER, &mut hashed);
    let counted = read(path, decoded(path, plain)?, &|_| true)?;
    // What a decoder leaves behind its data belongs to the file too.
    io::copy(&mut hashed, &mut io::sink()).map_err(|cause| TextError::unreadable(path, cause))?;
    Ok((counted, format!("{:x}", hashed.hash.finalize())))
}

fn found(block: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', block).count() as u64
}

/// Counts; `is_seen` says which blocks are looked at.
fn read(
    path: &Path,
    bytes: impl BufRead,
    is_seen: &dyn Fn(u64) -> bool,
) -> Result<Count, TextError> {
    let (mut total, mut ends_open, mut number) = (Count::default(), false, 0);
    let mut text = Utf8::default();
    blocks(path, bytes, &mut |block, before| {
        if is_seen(number) {
            text.see(block, before);
        } else {
            text.skip();
        }
        number += 1;
        ends_open = block.last() != Some(&b'\n');
        total.bytes += block.len() as u64;
        total.lines = before + found(block);
        total.lines
    })?;
    text.end(total.lines);
    total.not_utf8 = text.first_fault();
    total.ends_open = ends_open;
    total.lines += u64::from(ends_open);
    Ok(total)
}

/// Gives every block with the lines before it to `take`, which answers with the lines up to its end.
fn blocks(
    path: &Path,
    mut bytes: impl BufRead,
    take: &mut dyn FnMut(&[u8], u64) -> u64,
) -> Result<(), TextError> {
    let mut lines = 0;
    loop {
        let available = match bytes.fill_buf() {
            Ok(available) => available,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => {
                return Err(TextError::Damaged { path: path.to_owned(), line: lines, cause });
            }
        };
        if available.is_empty() {
            return Ok(());
        }
        lines = take(available, lines);
        let used = available.len();
        bytes.consume(used);
    }
}

/// A file that is hashed as it is read.
struct Hashed {
    file: File,
    hash: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.hash.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_and_bytes(path: &Path) -> (u64, u64) {
        let count = count(path).unwrap();
        (count.lines, count.bytes)
    }

    #[test]
    fn a_last_line_without_its_end_counts() {
        let folder = tempfile::tempdir().unwrap();
        for (text, lines) in
            [("", 0), ("\n", 1), ("a", 1), ("a\nb", 2), ("a\nb\n", 2), ("\n\n\n", 3)]
        {
            let path = folder.path().join("x");
            std::fs::write(&path, text).unwrap();
            assert_eq!(lines_and_bytes(&path), (lines, text.len() as u64), "{text:?}");
            assert_eq!(count(&path).unwrap().ends_open, !text.is_empty() && !text.ends_with('\n'));
        }
    }

    #[test]
    fn a_truncated_file_is_damaged() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gz");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all("a line\n".repeat(900).as_bytes()).unwrap();
        let whole = gz.finish().unwrap();
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(lines_and_bytes(&path), (900, 6300));
        std::fs::write(&path, &whole[..whole.len() - 4]).unwrap();
        assert!(matches!(count(&path), Err(TextError::Damaged { .. })));
    }

    #[test]
    fn lines_that_are_not_utf8_are_seen_where_they_are_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        // Lines of 64 bytes with letters of two bytes; the blocks' ends lie within letters.
        let mut text = "é".repeat(31).into_bytes();
        text.extend(b"x\n");
        let mut text = text.repeat(90_000);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(count(&path).unwrap().not_utf8, None);
        assert_eq!(inspect(&path).unwrap().0, count(&path).unwrap());
        // In block 12 of 44: only a whole inspection looks there.
        let line = 12 * BUFFER / 64 + 20;
        text[line * 64] = 0xff;
        std::fs::write(&path, &text).unwrap();
        assert_eq!(count(&path).unwrap().not_utf8, None);
        assert_eq!(inspect(&path).unwrap().0.not_utf8, Some(line as u64 + 1));
        for seen in [0, 5, 33 * BUFFER / 64 - 10] {
            let mut text = text.clone();
            text[seen * 64 + 62] = 0xc3;
            std::fs::write(&path, &text).unwrap();
            assert_eq!(count(&path).unwrap().not_utf8, Some(seen as u64 + 1), "{seen}");
        }
        std::fs::write(&path, b"a\nb\n\xc3").unwrap();
        assert_eq!(count(&path).unwrap().not_utf8, Some(3));
    }

    #[test]
    fn the_hash_is_that_of_the_file_on_disk() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gz");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"a\nb\n").unwrap();
        std::fs::write(&path, gz.finish().unwrap()).unwrap();
        let (count, hash) = inspect(&path).unwrap();
        let expected = format!("{:x}", Sha256::digest(std::fs::read(&path).unwrap()));
        assert_eq!((count.lines, hash), (2, expected));
    }

    #[test]
    fn agrees_with_the_reader_on_real_text() {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/multi30k/val.de.gz");
        if !path.exists() {
            return;
        }
        let counted = count(&path).unwrap();
        let mut reader = crate::lines::open(&path).unwrap();
        assert_eq!(reader.skip(u64::MAX).unwrap(), counted.lines);
        assert!(counted.bytes > 50_000);
        assert_eq!(counted.not_utf8, None);
    }
}
