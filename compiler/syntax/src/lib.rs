//! Text of a `.mmc` file to its syntax tree, and back to canonical text.
//!
//! ```text
//! text -> scan (brackets, texts, numbers, comments) -> grammar/mmc.pest -> parse -> ast::File -> format -> text
//! ```

pub mod ast;
pub mod dump;
mod error;
mod format;
mod grammar;
mod parse;
mod scan;
pub mod source;

pub use error::SyntaxError;
pub use format::{format, print};
pub use parse::{Parsed, parse, parse_partial};
pub use source::{SourceId, SourceMap, Span};
