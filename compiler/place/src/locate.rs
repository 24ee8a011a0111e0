//! Where a value stands in a JSON text that was read already.

use std::ops::Range;

/// A step from a value to one inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// The value of a key of an object.
    Key(&'a str),
    /// An item of a list.
    Item(usize),
}

/// The bytes of the value at the end of a path; none when there is none.
pub(crate) fn locate(text: &str, path: &[Step<'_>]) -> Option<Range<usize>> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    for step in path {
        reader.enter(*step)?;
    }
    reader.blank();
    let start = reader.at;
    reader.skip()?;
    Some(start..reader.at)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace() || b",:".contains(&byte)) {
            self.at += 1;
        }
    }

    /// Goes to the start of a value inside the one that starts here.
    fn enter(&mut self, step: Step<'_>) -> Option<()> {
        self.blank();
        let wanted = if matches!(step, Step::Key(_)) { b'{' } else { b'[' };
        if self.peek()? != wanted {
            return None;
        }
        self.at += 1;
        for number in 0.. {
            self.blank();
            if b"]}".contains(&self.peek()?) {
                return None;
            }
            match step {
                Step::Item(item) if item == number => return Some(()),
                Step::Item(_) => self.skip()?,
                Step::Key(key) => {
                    let start = self.at;
                    self.skip()?;
                    let found = self.bytes.get(start + 1..self.at.checked_sub(1)?)?;
                    self.blank();
                    if found == key.as_bytes() {
                        return Some(());
                    }
                    self.skip()?;
                }
            }
        }
        None
    }

    /// Goes behind the value that starts here.
    fn skip(&mut self) -> Option<()> {
        self.blank();
        match self.peek()? {
            b'"' => {
                self.at += 1;
                while self.peek()? != b'"' {
                    self.at += if self.peek()? == b'\\' { 2 } else { 1 };
                }
                self.at += 1;
            }
            b'[' | b'{' => {
                self.at += 1;
                loop {
                    self.blank();
                    if b"]}".contains(&self.peek()?) {
                        break;
                    }
                    self.skip()?;
                }
                self.at += 1;
            }
            _ => {
                while self
                    .peek()
                    .is_some_and(|byte| !byte.is_ascii_whitespace() && !b",:]}".contains(&byte))
                {
                    self.at += 1;
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_path() {
        let text = r#"{"a": "x,\"}", "b": [1, [2, 34], {"c": true}]}"#;
        let found = |path: &[Step<'_>]| locate(text, path).map(|range| &text[range]);
        assert_eq!(found(&[Step::Key("a")]), Some(r#""x,\"}""#));
        assert_eq!(found(&[Step::Key("b"), Step::Item(1), Step::Item(1)]), Some("34"));
        assert_eq!(found(&[Step::Key("b"), Step::Item(2), Step::Key("c")]), Some("true"));
        assert_eq!(found(&[Step::Key("b"), Step::Item(3)]), None);
        assert_eq!(found(&[]), Some(text));
    }
}
