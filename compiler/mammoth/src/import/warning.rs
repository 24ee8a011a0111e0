//! What an experiment does otherwise than the configuration that it comes from.

use miette::{Diagnostic, LabeledSpan};
use mmc_syntax::Span;
use thiserror::Error;

/// A remark about an import, with its places.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum ImportWarning {
    /// Keys that no part of the experiment comes from.
    #[error("{keys} left out: nothing that is trained depends on {pronoun}")]
    #[diagnostic(code(mmc::import::left_out), severity(Advice))]
    LeftOut {
        /// "`a` and `b` are".
        keys: String,
        /// "it" or "them".
        pronoun: &'static str,
        /// Each with its reason.
        #[label(collection)]
        places: Vec<LabeledSpan>,
    },
    /// Settings with which MAMMOTH does not do what it says.
    #[error("{keys} taken as MAMMOTH documents {pronoun}, not as its code has {pronoun}")]
    #[diagnostic(code(mmc::import::mended), severity(Advice))]
    Mended {
        /// "`a` and `b` are".
        keys: String,
        /// "it" or "them".
        pronoun: &'static str,
        /// Each with what MAMMOTH does.
        #[label(collection)]
        places: Vec<LabeledSpan>,
    },
    /// Places of tasks, which are not part of an experiment.
    #[error("placement is mmc's own: `node_gpu` of {tasks} is not kept, {was}")]
    #[diagnostic(
        code(mmc::import::placement),
        severity(Warning),
        help(
            "shares are of the whole run, not of one GPU as in MAMMOTH; `mmc place` shows where tasks go and what it costs"
        )
    )]
    Placement {
        /// "80 tasks".
        tasks: String,
        /// "which was `0:1`" or "the first of which was `0:1`".
        was: String,
        /// The first.
        #[label("not kept")]
        span: Span,
    },
    /// A machine that the configuration does not name.
    #[error("the configuration names no machine: `{machine}` is taken")]
    #[diagnostic(
        code(mmc::import::machine),
        severity(Advice),
        help(
            "estimates and placement depend on it: put yours in the imported file, `cluster = mahti(nodes = 2)`"
        )
    )]
    Machine {
        /// The preset.
        machine: &'static str,
        /// Where GPUs are counted.
        #[label("GPUs of which kind?")]
        span: Span,
    },
    /// Something that the configuration should say.
    #[error("{what} is not given: {instead} is taken")]
    #[diagnostic(code(mmc::import::assumed), severity(Warning))]
    Assumed {
        /// What.
        what: String,
        /// What is taken.
        instead: String,
        /// Where it is needed.
        #[label("needs it")]
        span: Span,
        /// What to write.
        #[help]
        help: String,
    },
    /// Something that is near what the configuration says.
    #[error("{what} becomes {instead}")]
    #[diagnostic(code(mmc::import::nearly), severity(Warning))]
    Nearly {
        /// What.
        what: String,
        /// What it becomes.
        instead: String,
        /// Where.
        #[label("not quite the same")]
        span: Span,
        /// The difference.
        #[help]
        help: String,
    },
}
