//! What an experiment says that MAMMOTH's configuration can't, and what MAMMOTH does otherwise.

use miette::Diagnostic;
use mmc_syntax::Span;
use thiserror::Error;

/// A finding about an experiment, with its place there. Errors: meaning would be lost.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum EmitFault {
    /// A construct that MAMMOTH has not.
    #[error("{what} has no equal in MAMMOTH")]
    #[diagnostic(code(mmc::emit::no_equal))]
    NoEqual {
        /// What.
        what: String,
        /// Where.
        #[label("no equal")]
        span: Span,
        /// What to write in its place.
        #[help]
        help: String,
    },
    /// One option of MAMMOTH, and two values for it.
    #[error("MAMMOTH has one `{key}` for all tasks, and two blocks need different ones")]
    #[diagnostic(
        code(mmc::emit::two_settings),
        help("write the same in both blocks, or train them as two experiments")
    )]
    TwoSettings {
        /// The option.
        key: String,
        /// Where.
        #[label("this one")]
        span: Span,
        /// The other.
        #[label("and this one")]
        other: Span,
    },
    /// No list of pieces.
    #[error("MAMMOTH needs a vocabulary file for `{language}`, and none follows from `{file}`")]
    #[diagnostic(
        code(mmc::emit::no_vocabulary),
        help("name the files: `mammoth {{ src_vocab = \"vocab/{{lang}}.vocab\" }}`")
    )]
    NoVocabulary {
        /// The language.
        language: String,
        /// The tokenizer's file.
        file: String,
        /// The tokenizer.
        #[label("its file")]
        span: Span,
    },
    /// Two modules of one name.
    #[error("`{first}` and `{second}` would be one module in MAMMOTH, `{id}` of the same stack")]
    #[diagnostic(code(mmc::emit::merged_modules), help("rename the group or the language"))]
    MergedModules {
        /// A module.
        first: String,
        /// Another.
        second: String,
        /// Their common name.
        id: String,
        /// The stack.
        #[label("of this stack")]
        span: Span,
    },
    /// A key of the `mammoth` block that MAMMOTH does not know.
    #[error("MAMMOTH has no key `{key}`")]
    #[diagnostic(code(mmc::emit::unknown_key))]
    UnknownKey {
        /// The key.
        key: String,
        /// Where.
        #[label("unknown")]
        span: Span,
        /// What is alike.
        #[help]
        help: String,
    },
    /// A key of the `mammoth` block that the experiment decides.
    #[error("`{key}` follows from the experiment")]
    #[diagnostic(
        code(mmc::emit::decided_key),
        help(
            "leave it out here and change the experiment: this block is for what only MAMMOTH reads"
        )
    )]
    DecidedKey {
        /// The key.
        key: String,
        /// Where.
        #[label("decided elsewhere")]
        span: Span,
    },
    /// A value of the `mammoth` block of the wrong kind.
    #[error("`{key}` needs {expected}")]
    #[diagnostic(code(mmc::emit::wrong_value))]
    WrongValue {
        /// The key.
        key: String,
        /// What it needs.
        expected: &'static str,
        /// Where.
        #[label("needs {expected}")]
        span: Span,
        /// An example.
        #[help]
        help: String,
    },
    /// Something without influence on what is trained.
    #[error("{what} is left out: {reason}")]
    #[diagnostic(code(mmc::emit::left_out), severity(Warning))]
    LeftOut {
        /// What.
        what: &'static str,
        /// Why.
        reason: &'static str,
        /// Where.
        #[label("left out")]
        span: Span,
        /// What to do.
        #[help]
        help: &'static str,
    },
    /// A fault of MAMMOTH that changes what this trains.
    #[error("MAMMOTH 0.2.1 {fault}")]
    #[diagnostic(code(mmc::emit::defect), severity(Warning))]
    Defect {
        /// What it does.
        fault: &'static str,
        /// Where.
        #[label("trained otherwise there")]
        span: Span,
        /// What to do.
        #[help]
        help: &'static str,
    },
    /// Whole tasks on GPUs.
    #[error(
        "MAMMOTH puts every task on one GPU and draws there: `{task}` will have {found} % of the batches and not {wanted} %"
    )]
    #[diagnostic(
        code(mmc::emit::shares_move),
        severity(Warning),
        help(
            "lanes hold parts of tasks, and MAMMOTH can't; `split = into(2)` makes strided copies that can lie apart, and one GPU keeps all shares"
        )
    )]
    SharesMove {
        /// The task that is farthest off.
        task: String,
        /// Its share there.
        found: String,
        /// Its share in the plan.
        wanted: String,
        /// The curriculum.
        #[label("the shares that are asked for")]
        span: Span,
    },
}
