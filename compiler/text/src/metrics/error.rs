//! What can't be scored.

use miette::Diagnostic;
use thiserror::Error;

/// A fault of what was to be scored, or of how.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum MetricError {
    /// Nothing to compare with.
    #[error("there are no references")]
    #[diagnostic(code(mmc::text::no_references), help("give at least one file of references"))]
    NoReferences,
    /// Nothing to score.
    #[error("there are no translations")]
    #[diagnostic(code(mmc::text::no_translations), help("is the file of translations empty?"))]
    NoTranslations,
    /// Files that don't belong together.
    #[error("{translations} translations, but {references} references")]
    #[diagnostic(
        code(mmc::text::unequal_references),
        help("line `i` of each file of references belongs to line `i` of the translations")
    )]
    UnequalLines {
        /// Lines of the translations.
        translations: usize,
        /// Lines of the first file of references that differs.
        references: usize,
    },
    /// A tokenization of sacreBLEU's that needs a model or dictionary.
    #[error("tokenization `{name}` needs {needs}, which isn't built in")]
    #[diagnostic(
        code(mmc::text::tokenization_not_built),
        help(
            "choose one of `13a`, `intl`, `zh`, `char`, `none`; `char` is usual for Japanese and Thai"
        )
    )]
    TokenizationNotBuilt {
        /// Its name.
        name: String,
        /// What it needs.
        needs: &'static str,
    },
    /// No tokenization.
    #[error("unknown tokenization `{name}`")]
    #[diagnostic(
        code(mmc::text::unknown_tokenization),
        help("choose one of `13a`, `intl`, `zh`, `char`, `none`")
    )]
    UnknownTokenization {
        /// As it was written.
        name: String,
    },
}
