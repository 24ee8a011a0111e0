//! Lines and bytes of a file, counted without looking at its text.

use std::io::{self, BufRead};
use std::path::Path;

use crate::error::TextError;
use crate::lines::open_bytes;

/// The size of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Lines; a last line without its line end counts.
    pub lines: u64,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Whether the last line has no line end.
    pub ends_open: bool,
}

/// Counts the lines and the decompressed bytes of a plain, gzip or zstd file.
pub fn count(path: impl AsRef<Path>) -> Result<Count, TextError> {
    let path = path.as_ref();
    let mut bytes = open_bytes(path)?;
    let mut total = Count::default();
    let mut open_line = false;
    loop {
        let available = match bytes.fill_buf() {
            Ok(available) => available,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => {
                return Err(TextError::Damaged { path: path.to_owned(), line: total.lines, cause });
            }
        };
        let Some(last) = available.last() else { break };
        open_line = *last != b'\n';
        total.lines += memchr::memchr_iter(b'\n', available).count() as u64;
        total.bytes += available.len() as u64;
        let used = available.len();
        bytes.consume(used);
    }
    total.ends_open = open_line;
    total.lines += u64::from(open_line);
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_without_its_end_counts() {
        let folder = tempfile::tempdir().unwrap();
        for (text, lines) in
            [("", 0), ("\n", 1), ("a", 1), ("a\nb", 2), ("a\nb\n", 2), ("\n\n\n", 3)]
        {
            let path = folder.path().join("x");
            std::fs::write(&path, text).unwrap();
            let bytes = text.len() as u64;
            assert_eq!(
                count(&path).unwrap(),
                Count { lines, bytes, ends_open: text.ends_with('a') || text.ends_with('b') },
                "{text:?}"
            );
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
        assert_eq!(count(&path).unwrap(), Count { lines: 900, bytes: 6300, ends_open: false });
        std::fs::write(&path, &whole[..whole.len() - 4]).unwrap();
        assert!(matches!(count(&path), Err(TextError::Damaged { .. })));
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
    }
}
