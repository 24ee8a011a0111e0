//! What keeps a MAMMOTH configuration from becoming an experiment.

use miette::Diagnostic;
use mmc_syntax::Span;
use thiserror::Error;

/// A fault of a configuration, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum ImportError {
    /// A key that MAMMOTH does not know either.
    #[error("there is no key `{key}`")]
    #[diagnostic(code(mmc::import::unknown_key))]
    UnknownKey {
        /// The key.
        key: String,
        /// Where.
        #[label("unknown: MAMMOTH would ignore it without a word")]
        span: Span,
        /// What is alike.
        #[help]
        help: String,
    },
    /// A key without which there is no experiment.
    #[error("`{key}` is missing")]
    #[diagnostic(code(mmc::import::missing_key))]
    MissingKey {
        /// The key.
        key: &'static str,
        /// Where it would be.
        #[label("needed here")]
        span: Span,
        /// What to write.
        #[help]
        help: String,
    },
    /// A value that the key can't have.
    #[error("`{key}` needs {expected}, not {found}")]
    #[diagnostic(code(mmc::import::wrong_value))]
    WrongValue {
        /// The key.
        key: String,
        /// What it needs.
        expected: &'static str,
        /// What is there.
        found: String,
        /// Where.
        #[label("needs {expected}")]
        span: Span,
        /// What to write.
        #[help]
        help: String,
    },
    /// Something that experiments can't say.
    #[error("{what} has no equal in an experiment")]
    #[diagnostic(code(mmc::import::no_equal))]
    NoEqual {
        /// What.
        what: String,
        /// Where.
        #[label("no equal")]
        span: Span,
        /// What to do.
        #[help]
        help: String,
    },
}
