//! Blocks of a text, some of them left out -> the first line that is not UTF-8.

/// What was seen of a text. Lines are judged whole, so that a block may end within a letter.
#[derive(Debug, Default)]
pub(crate) struct Utf8 {
    /// The start of a line whose end is not there yet.
    open: Vec<u8>,
    /// Whether the block before was left out: the line that it ends in can't be judged.
    is_torn: bool,
    first_fault: Option<u64>,
}

impl Utf8 {
    /// Looks at a block; `before` lines end in the blocks before it.
    pub(crate) fn see(&mut self, block: &[u8], before: u64) {
        let Some(first) = memchr::memchr(b'\n', block) else {
            if !self.is_torn {
                self.open.extend_from_slice(block);
            }
            return;
        };
        let (head, rest) = block.split_at(first + 1);
        if self.is_torn {
            self.is_torn = false;
        } else {
            self.open.extend_from_slice(head);
            let line = std::mem::take(&mut self.open);
            self.judge(&line, before);
        }
        self.open.clear();
        let end = memchr::memrchr(b'\n', rest).map_or(0, |last| last + 1);
        let (lines, tail) = rest.split_at(end);
        self.judge(lines, before + 1);
        self.open.extend_from_slice(tail);
    }

    /// Leaves a block out.
    pub(crate) fn skip(&mut self) {
        self.open.clear();
        self.is_torn = true;
    }

    /// The text is over, with so many lines that have an end.
    pub(crate) fn end(&mut self, lines: u64) {
        let line = std::mem::take(&mut self.open);
        self.judge(&line, lines);
    }

    /// The first line that is not UTF-8, from 1.
    pub(crate) fn first_fault(&self) -> Option<u64> {
        self.first_fault
    }

    fn judge(&mut self, lines: &[u8], before: u64) {
        // The quick look says only whether, the slow one where.
        if self.first_fault.is_none()
            && simdutf8::basic::from_utf8(lines).is_err()
            && let Err(fault) = std::str::from_utf8(lines)
        {
            let good = lines.get(..fault.valid_up_to()).unwrap_or_default();
            let within = memchr::memchr_iter(b'\n', good).count() as u64;
            self.first_fault = Some(before + within + 1);
        }
    }
}
