//! Trees to canonical text. One setting a line, two spaces a level; what the author wrote on one line stays there if it
//! fits; lists that don't fit stand one item a line. Comments stay between the tokens between which they were written.

mod inline;
mod lines;

use crate::ast::File;
use crate::error::SyntaxError;
use crate::source::SourceId;
use lines::{Layout, Printer};

/// Columns of a line that isn't broken, in characters.
pub(crate) const WIDTH: usize = 100;

/// The canonical form of a text, or what is wrong with it.
pub fn format(text: &str) -> Result<String, Vec<SyntaxError>> {
    let file = crate::parse::parse(SourceId::default(), text)?;
    let mut printer = Printer::new(Some(Layout::of(text)));
    printer.file(&file);
    Ok(printer.finish())
}

/// The canonical text of a tree that wasn't read from a text: places are not looked at, every entry has its own line.
pub fn print(file: &File) -> String {
    let mut printer = Printer::new(None);
    printer.file(file);
    printer.finish()
}
