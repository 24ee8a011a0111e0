//! Text of a `.mmc` file to its syntax tree, and back to canonical text.

pub mod ast;
pub mod source;
