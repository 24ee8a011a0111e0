//! Faults of syntax, as reports show them.

use miette::Diagnostic;
use thiserror::Error;

use crate::source::Span;

/// A fault of syntax.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum SyntaxError {
    /// Something stands where something else must.
    #[error("expected {expected}, found {found}")]
    #[diagnostic(code(mmc::syntax::unexpected))]
    Unexpected {
        /// What may stand here, in the user's words.
        expected: String,
        /// What stands here.
        found: String,
        /// Where.
        #[label("here")]
        span: Span,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// A character that the language doesn't have.
    #[error("`{found}` has no meaning here")]
    #[diagnostic(code(mmc::syntax::unknown_character))]
    UnknownCharacter {
        /// The character.
        found: String,
        /// Where.
        #[label("here")]
        span: Span,
        /// What to do.
        #[help]
        help: String,
    },
    /// A brace, bracket or parenthesis without its partner behind it.
    #[error("`{open}` is never closed")]
    #[diagnostic(code(mmc::syntax::unclosed))]
    Unclosed {
        /// The opening character.
        open: char,
        /// Where it stands.
        #[label("opened here")]
        span: Span,
        /// Where its partner was missed.
        #[label("`{close}` is missing before this")]
        end: Span,
        /// The missing character.
        close: char,
        /// What to do.
        #[help]
        help: String,
    },
    /// A closing brace, bracket or parenthesis without its partner before it.
    #[error("`{close}` closes nothing")]
    #[diagnostic(
        code(mmc::syntax::unopened),
        help("remove it, or write the `{open}` that it closes")
    )]
    Unopened {
        /// The closing character.
        close: char,
        /// Its missing partner.
        open: char,
        /// Where.
        #[label("nothing is open here")]
        span: Span,
    },
    /// A text without its second quote.
    #[error("text without a closing quote")]
    #[diagnostic(
        code(mmc::syntax::unclosed_text),
        help(
            "a text ends with `\"` on the line where it begins; write `\\n` for a line end inside it"
        )
    )]
    UnclosedText {
        /// From the quote to the end of its line.
        #[label("begins here")]
        span: Span,
    },
    /// An escape that texts don't have.
    #[error("`{escape}` is not an escape")]
    #[diagnostic(
        code(mmc::syntax::bad_escape),
        help(
            "escapes are `\\\"`, `\\\\`, `\\n`, `\\t` and `\\u{{1F600}}`; write `\\\\` for a backslash"
        )
    )]
    BadEscape {
        /// As written.
        escape: String,
        /// Where.
        #[label("in this text")]
        span: Span,
    },
    /// A number that can't be read.
    #[error("`{written}` is not a number")]
    #[diagnostic(
        code(mmc::syntax::bad_number),
        help("numbers look like `512`, `0.1`, `3e-4`, `1_000`, `50k`, `5%`")
    )]
    BadNumber {
        /// As written.
        written: String,
        /// Where.
        #[label("here")]
        span: Span,
    },
    /// Too many things inside each other.
    #[error("more than {most} levels of nesting")]
    #[diagnostic(
        code(mmc::syntax::too_deep),
        help("name a part with `let`, or use a list instead of a chain of operators")
    )]
    TooDeep {
        /// The bound.
        most: usize,
        /// Where it is passed.
        #[label("one level too many")]
        span: Span,
    },
    /// A file beyond the bound.
    #[error("the file has {bytes} bytes, more than {most}")]
    #[diagnostic(
        code(mmc::syntax::too_large),
        help("is this an experiment? corpora are named by path, never written into it")
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        most: usize,
    },
}

impl SyntaxError {
    /// Where the fault is; a file that is too large has no place.
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::Unexpected { span, .. }
            | Self::UnknownCharacter { span, .. }
            | Self::Unclosed { span, .. }
            | Self::Unopened { span, .. }
            | Self::UnclosedText { span }
            | Self::BadEscape { span, .. }
            | Self::BadNumber { span, .. }
            | Self::TooDeep { span, .. } => Some(*span),
            Self::TooLarge { .. } => None,
        }
    }
}
