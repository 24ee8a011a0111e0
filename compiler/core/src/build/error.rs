//! The faults of building tasks and modules.

use miette::Diagnostic;
use mmc_syntax::source::Span;
use thiserror::Error;

/// What can be wrong with the text, the vocabularies and the modules of a resolved program.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[expect(
    missing_docs,
    reason = "every variant is described, with examples, in the registry of codes"
)]
pub enum BuildError {
    #[error("there is no text for `{pair}`: `{path}` is missing")]
    #[diagnostic(code(mmc::corpus::missing))]
    CorpusMissing {
        pair: String,
        path: String,
        #[label("asked for here")]
        span: Span,
        #[label("this path was looked for")]
        template: Span,
        #[help]
        help: String,
    },
    #[error("{} left out for want of text: {}", count(*.left_out, "direction"), .pairs)]
    #[diagnostic(code(mmc::corpus::left_out), severity(Advice))]
    LeftOut {
        left_out: usize,
        pairs: String,
        #[label("of these directions")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("can't read `{path}`: {reason}")]
    #[diagnostic(code(mmc::corpus::unreadable))]
    Unreadable {
        path: String,
        reason: String,
        #[label("this path")]
        span: Span,
        #[help]
        help: &'static str,
    },
    #[error("`{path}` ends after line {lines}, in the middle of the compressed data")]
    #[diagnostic(
        code(mmc::corpus::truncated),
        help("copy or download it again; `gzip -t` or `zstd -t` says when it is whole")
    )]
    Truncated {
        path: String,
        lines: u64,
        #[label("of this corpus")]
        span: Span,
    },
    #[error("`{path}` is damaged after line {lines}: {reason}")]
    #[diagnostic(
        code(mmc::corpus::damaged),
        help(
            "test it with `gzip -t` or `zstd -t`: is it what its name says? if it is, make or copy it again"
        )
    )]
    Damaged {
        path: String,
        lines: u64,
        reason: String,
        #[label("of this corpus")]
        span: Span,
    },
    #[error("line {line} of `{path}` is not UTF-8")]
    #[diagnostic(
        code(mmc::corpus::not_utf8),
        severity(Warning),
        help("convert the file, e.g. with `iconv -t UTF-8`; training leaves such lines out")
    )]
    NotUtf8 {
        path: String,
        line: u64,
        #[label("of this corpus")]
        span: Span,
    },
    #[error("line {line} of `{path}` is not UTF-8, and the corpus may have no bad lines")]
    #[diagnostic(
        code(mmc::corpus::bad_line),
        help("convert the file, e.g. with `iconv -t UTF-8`, or say `bad_lines = skip`")
    )]
    BadLine {
        path: String,
        line: u64,
        #[label("of this corpus")]
        span: Span,
    },
    #[error("{} not the ones of the index: {paths}", are(*.files, "file"))]
    #[diagnostic(
        code(mmc::corpus::stale_index),
        severity(Warning),
        help("the plan goes by the index; `mmc index FILE.mmc -o INDEX` makes it anew")
    )]
    StaleIndex { files: usize, paths: String },
    #[error("{} changed without a new size or time: {paths}", count(*.files, "file"))]
    #[diagnostic(
        code(mmc::corpus::stale_cache),
        severity(Warning),
        help(
            "they were counted again; tools that keep times (`rsync -t`, `touch -r`) hide changes"
        )
    )]
    StaleCache { files: usize, paths: String },
    #[error("the cache `{path}` can't be read: {reason}")]
    #[diagnostic(
        code(mmc::corpus::cache_damaged),
        severity(Warning),
        help("corpora are counted again and the cache is written anew; nothing is lost")
    )]
    CacheDamaged { path: String, reason: String },
    #[error("`{source_path}` has {source_lines} lines, but `{target_path}` has {target_lines}")]
    #[diagnostic(code(mmc::corpus::lines_differ))]
    LinesDiffer {
        source_path: String,
        source_lines: u64,
        target_path: String,
        target_lines: u64,
        #[label("of this corpus")]
        span: Span,
        #[help]
        help: &'static str,
    },
    #[error("`{pair}` has {source_files} source files, but {target_files} target files")]
    #[diagnostic(code(mmc::corpus::shards_differ))]
    ShardsDiffer {
        pair: String,
        source_files: usize,
        target_files: usize,
        #[label("of this corpus")]
        span: Span,
        #[help]
        help: &'static str,
    },
    #[error("tasks `{other}` and `{name}` are the same")]
    #[diagnostic(code(mmc::corpus::duplicate_task))]
    DuplicateTask {
        name: String,
        other: String,
        #[label("again here")]
        span: Span,
        #[label("first here")]
        first: Span,
        #[help]
        help: &'static str,
    },
    #[error("`{path}` has no lines")]
    #[diagnostic(code(mmc::corpus::empty))]
    CorpusEmpty {
        path: String,
        #[label("of this corpus")]
        span: Span,
        #[help]
        help: &'static str,
    },
    #[error("there is no task to train")]
    #[diagnostic(code(mmc::corpus::no_tasks))]
    NoTasks {
        #[label("no direction is left here")]
        span: Span,
        #[help]
        help: &'static str,
    },
    #[error("there is no tokenizer file `{path}`")]
    #[diagnostic(code(mmc::tokenizer::missing))]
    TokenizerMissing {
        path: String,
        #[label("looked for here")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("can't read tokenizer `{path}`: {reason}")]
    #[diagnostic(code(mmc::tokenizer::unreadable))]
    TokenizerUnreadable {
        path: String,
        reason: String,
        #[label("of this tokenizer")]
        span: Span,
        #[help]
        help: &'static str,
    },
    #[error("`{path}` can't turn pieces back into text, so `{task}` can't be scored")]
    #[diagnostic(
        code(mmc::tokenizer::one_way),
        help(
            "give the file a `decoder` that joins its pieces, or validate without `scores`; a file that `mmc tokenizer train` made has one"
        )
    )]
    OneWay {
        path: String,
        task: String,
        #[label("scores are of text")]
        span: Span,
        #[label("this tokenizer cuts it")]
        tokenizer: Span,
    },
    #[error("no translation of validation text can be scored")]
    #[diagnostic(code(mmc::corpus::nothing_scored))]
    NothingScored {
        #[label("scored here")]
        span: Span,
        #[help]
        help: &'static str,
    },
    #[error("module `{module}` would need two vocabularies: {uses}")]
    #[diagnostic(code(mmc::model::vocabularies_differ))]
    VocabulariesDiffer {
        module: String,
        uses: String,
        #[label("shared here")]
        span: Span,
        #[help]
        help: &'static str,
    },
    #[error("`freeze` selects no module")]
    #[diagnostic(code(mmc::model::nothing_frozen))]
    NothingFrozen {
        #[label("there is no such module")]
        span: Span,
        #[help]
        help: &'static str,
    },
    #[error("`freeze` selects all modules: nothing would be trained")]
    #[diagnostic(code(mmc::model::all_frozen))]
    AllFrozen {
        #[label("everything")]
        span: Span,
        #[help]
        help: &'static str,
    },
    #[error("this optimiser is for no module that is trained")]
    #[diagnostic(
        code(mmc::model::optimizer_for_nothing),
        help("`mmc plan FILE --emit-stage modules` lists the modules")
    )]
    OptimizerForNothing {
        #[label("there is no such module")]
        span: Span,
    },
    #[error("module `{module}` has two optimisers")]
    #[diagnostic(
        code(mmc::model::two_optimizers),
        help("take it out of one of the two sets: `decoder - \"decoder.0.full\"`")
    )]
    TwoOptimizers {
        module: String,
        #[label("this set holds it")]
        span: Span,
        #[label("and this one")]
        other: Span,
    },
    #[error("module `{module}` would have {first} for some tasks and {second} for others")]
    #[diagnostic(code(mmc::model::layers_differ))]
    LayersDiffer {
        module: String,
        first: String,
        second: String,
        #[label("one of the two")]
        span: Span,
        #[help]
        help: &'static str,
    },
}

/// `3 directions`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `1 file is`, `3 files are`.
fn are(number: usize, noun: &str) -> String {
    format!("{} {}", count(number, noun), if number == 1 { "is" } else { "are" })
}
