//! The faults of groupings that are found: by attributes, files and texts.

use miette::Diagnostic;
use mmc_syntax::source::Span;
use thiserror::Error;

use crate::cluster::balanced::Wanted;

/// What can be wrong with what groups are found from.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[expect(
    missing_docs,
    reason = "every variant is described, with examples, in the registry of codes"
)]
pub enum GroupingError {
    #[error("`{path}` can't be used: {why}")]
    #[diagnostic(
        code(mmc::resolve::distance_table),
        help(
            "a table of distances: `lang,de,en` and rows `de,0,0.3`, or `a,b,distance` and rows `de,en,0.3`; of features: `lang,f1,f2` and rows `de,1,0`"
        )
    )]
    Table {
        path: String,
        why: String,
        #[label("this file")]
        span: Span,
    },
    #[error("`{path}` says nothing of {missing}")]
    #[diagnostic(code(mmc::resolve::unmeasured))]
    Unmeasured {
        path: String,
        missing: String,
        #[label("in this file")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("nothing is known in common of `{a}` and `{b}`: no feature of `{path}`, no family")]
    #[diagnostic(
        code(mmc::resolve::unrelated),
        help(
            "declare their families, `language {a} {{ family = ... }}`, or take them out of the features"
        )
    )]
    Unrelated {
        path: String,
        a: String,
        b: String,
        #[label("has features of either, none of both")]
        span: Span,
    },
    #[error("`{language}` has no `{attribute}`")]
    #[diagnostic(code(mmc::resolve::no_attribute))]
    NoAttribute {
        language: String,
        attribute: String,
        #[label("groups by this")]
        span: Span,
        #[label("declared here")]
        declared: Span,
        #[help]
        help: String,
    },
    #[error("the text of `{language}`, `{path}`, can't be used: {why}")]
    #[diagnostic(
        code(mmc::resolve::sample),
        help("the template must give a file of text for every declared language")
    )]
    Text {
        path: String,
        language: String,
        why: String,
        #[label("in this template")]
        span: Span,
    },
    #[error("{fault}")]
    #[diagnostic(code(mmc::resolve::unbalanced))]
    Unbalanced {
        fault: String,
        #[label("these bounds can't be kept")]
        span: Span,
        #[help]
        help: String,
    },
}

impl GroupingError {
    /// No clusters are within bounds.
    pub(crate) fn unbalanced(wanted: &Wanted, span: Span) -> Self {
        let total: u64 = wanted.weights.iter().sum();
        let largest = wanted.weights.iter().copied().max().unwrap_or_default();
        let (count, most) = (wanted.count, wanted.most);
        Self::Unbalanced {
            fault: format!(
                "no {count} clusters of at most {most} hold {total} in all, {largest} in one piece"
            ),
            span,
            help: format!(
                "raise `max` to {} or more, or `count`",
                largest.max(total.div_ceil(count as u64))
            ),
        }
    }
}
