//! Lines that hold several texts, in columns with a tab between them -> one of these texts.
//!
//! There are no quotes and no escapes: a tab ends a column, wherever it stands.

use std::path::PathBuf;

use crate::lines::Line;

/// A text: a file, or one column of its lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextFile {
    /// The file, plain or compressed.
    pub path: PathBuf,
    /// The column, from 1; none: whole lines.
    pub column: Option<u32>,
}

impl TextFile {
    /// What a line of the file says in this text.
    pub fn of<'l>(&self, line: Line<'l>) -> Line<'l> {
        self.column.map_or(line, |number| column(line, number))
    }
}

impl From<PathBuf> for TextFile {
    fn from(path: PathBuf) -> Self {
        Self { path, column: None }
    }
}

/// A column (from 1) of a line. A line without text has all columns, without text; another may lack it.
pub fn column(line: Line<'_>, number: u32) -> Line<'_> {
    let Line::Text(text) = line else { return line };
    match text.split('\t').nth((number as usize).saturating_sub(1)) {
        Some(text) => Line::Text(text),
        None if text.trim().is_empty() => Line::Text(""),
        None => Line::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_from_one_and_may_lack() {
        let of = |text| [1, 2, 3].map(|number| column(Line::Text(text), number));
        let text = Line::Text;
        assert_eq!(of("a b\tc\td\te"), [text("a b"), text("c"), text("d")]);
        assert_eq!(of("\ta\t"), [text(""), text("a"), text("")]);
        assert_eq!(of("\"a\tb\""), [text("\"a"), text("b\""), Line::Absent]);
        assert_eq!(of("a"), [text("a"), Line::Absent, Line::Absent]);
        assert_eq!(of(""), [text(""); 3]);
        assert_eq!(of(" \t"), [text(" "), text(""), text("")]);
        for line in [Line::NotUtf8, Line::TooLong] {
            assert_eq!(column(line, 2), line);
        }
        let whole = TextFile::from(PathBuf::from("x"));
        assert_eq!(whole.of(text("a\tb")), text("a\tb"));
        assert_eq!(TextFile { column: Some(2), ..whole }.of(text("a\tb")), text("b"));
    }
}
