//! Warnings: where the peer's tool does something that nobody would expect, and what is done here.

use miette::Diagnostic;
use mmc_syntax::Span;
use thiserror::Error;

/// A warning with its place in the YAML.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum MammothWarning {
    /// A code that YAML takes for something else.
    #[error("`{written}` without quotes is {kind} in YAML 1.1; taken for the text `{written}`")]
    #[diagnostic(
        code(mmc::mammoth::unquoted_code),
        severity(Warning),
        help("write it in quotes: `'{written}'`; MAMMOTH fails on it")
    )]
    UnquotedCode {
        /// As written.
        written: String,
        /// What it is.
        kind: &'static str,
        /// Where.
        #[label("here")]
        span: Span,
    },
    /// An option that nothing reads.
    #[error("`config_config` has no option `{key}`; it is ignored")]
    #[diagnostic(code(mmc::mammoth::unknown_option), severity(Warning))]
    UnknownOption {
        /// The key.
        key: String,
        /// Where.
        #[label("unknown")]
        span: Span,
        /// What it may be.
        #[help]
        help: String,
    },
    /// An option that has no effect.
    #[error("`{key}` has no effect: {reason}")]
    #[diagnostic(code(mmc::mammoth::no_effect), severity(Warning), help("{help}"))]
    NoEffect {
        /// The option.
        key: &'static str,
        /// Why.
        reason: &'static str,
        /// Where.
        #[label("here")]
        span: Span,
        /// What to do.
        help: &'static str,
    },
    /// Pairs without files.
    #[error("{missing} of {wanted} pairs have no training files and are left out: {examples}")]
    #[diagnostic(
        code(mmc::mammoth::pairs_without_files),
        severity(Warning),
        help("the first: there is no `{source_path}` or no `{target_path}`")
    )]
    PairsWithoutFiles {
        /// How many.
        missing: usize,
        /// Of how many.
        wanted: usize,
        /// Their names, shortened.
        examples: String,
        /// The first one's files.
        source_path: String,
        /// The first one's files.
        target_path: String,
        /// The template.
        #[label("no file of this template")]
        span: Span,
    },
    /// A validation set with one side.
    #[error("`{task}` has validation text on one side only: there is no `{path}`")]
    #[diagnostic(
        code(mmc::mammoth::half_validation),
        severity(Warning),
        help("training fails at the first validation; add the file or remove the other")
    )]
    HalfValidation {
        /// The task.
        task: String,
        /// What is missing.
        path: String,
        /// The template.
        #[label("by this template")]
        span: Span,
    },
    /// Several monolingual files of a language.
    #[error(
        "{number} templates of `ae_path` have a file for `{language}`; only the last, `{path}`, is used"
    )]
    #[diagnostic(
        code(mmc::mammoth::several_mono_files),
        severity(Warning),
        help("join the files, or leave one template")
    )]
    SeveralMonoFiles {
        /// How many.
        number: usize,
        /// The language.
        language: String,
        /// The last one.
        path: String,
        /// The templates.
        #[label("these templates")]
        span: Span,
    },
    /// Lines that the peer does not count.
    #[error("the last line of {files} corpora has no newline; it is counted: {examples}")]
    #[diagnostic(
        code(mmc::mammoth::open_last_line),
        severity(Warning),
        help("MAMMOTH counts one line less; end the files with a newline")
    )]
    OpenLastLine {
        /// How many.
        files: usize,
        /// Their names, shortened.
        examples: String,
        /// The first one's path.
        #[label("the first")]
        span: Span,
    },
    /// Counts that are no longer true.
    #[error("`corpora_length_cache` is stale: {examples}")]
    #[diagnostic(
        code(mmc::mammoth::stale_cache),
        severity(Warning),
        help(
            "the files were counted; MAMMOTH believes the first count for ever: delete the cache before you use it"
        )
    )]
    StaleCache {
        /// Paths with both counts, shortened.
        examples: String,
        /// The first one's path.
        #[label("the first")]
        span: Span,
    },
    /// Counts that can't be checked.
    #[error(
        "{files} corpora are not here; their lines are those of `corpora_length_cache`: {examples}"
    )]
    #[diagnostic(
        code(mmc::mammoth::unchecked_cache),
        severity(Warning),
        help("run this stage where the corpora are to have them counted")
    )]
    UncheckedCache {
        /// How many.
        files: usize,
        /// Their names, shortened.
        examples: String,
        /// The first one's path.
        #[label("the first")]
        span: Span,
    },
    /// A weight that the peer does not read.
    #[error("`ae_weight` is {value} here; MAMMOTH takes 1.0 unless it is on the command line")]
    #[diagnostic(
        code(mmc::mammoth::ae_weight),
        severity(Warning),
        help("{value} is used; `--bug-for-bug` takes 1.0")
    )]
    AeWeight {
        /// As written.
        value: String,
        /// Where.
        #[label("used")]
        span: Span,
    },
    /// A flag that is zero.
    #[error("`--{flag} 0` is used; MAMMOTH takes a flag of zero for none")]
    #[diagnostic(
        code(mmc::mammoth::zero_flag),
        severity(Warning),
        help("`--bug-for-bug` takes the configuration's value")
    )]
    ZeroFlag {
        /// The flag.
        flag: &'static str,
    },
    /// A number of groups that nothing needs.
    #[error(
        "`n_groups` is missing, without which MAMMOTH fails; `groups` are given, so it is not needed"
    )]
    #[diagnostic(
        code(mmc::mammoth::n_groups_missing),
        severity(Warning),
        help("add `n_groups` if MAMMOTH is to read this file too")
    )]
    NGroupsMissing {
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// Languages of the distance file that no task uses.
    #[error(
        "{number} languages of the distance file are used by no task and left out of the clusters: {examples}"
    )]
    #[diagnostic(
        code(mmc::mammoth::unused_languages),
        severity(Warning),
        help("nothing to do, unless you expect tasks of these languages")
    )]
    UnusedLanguages {
        /// How many.
        number: usize,
        /// Their names, shortened.
        examples: String,
        /// Where the file is named.
        #[label("this file")]
        span: Span,
    },
    /// A group that is called as a language.
    #[error("the group `{name}` is called as a language that it is not alone in")]
    #[diagnostic(
        code(mmc::mammoth::shared_name),
        severity(Warning),
        help(
            "MAMMOTH names modules by group or language: rename the group, or two stacks may seem one"
        )
    )]
    SharedName {
        /// The name.
        name: String,
        /// Where.
        #[label("also a language")]
        span: Span,
    },
    /// Fewer tasks than devices.
    #[error(
        "{tasks} tasks on {gpus} GPUs: only {used} are used, since MAMMOTH does not start a GPU without tasks"
    )]
    #[diagnostic(
        code(mmc::mammoth::more_gpus_than_tasks),
        severity(Warning),
        help(
            "written are `n_nodes: {nodes}` and {gpus_per_node} GPUs a node; MAMMOTH's own tool fails here"
        )
    )]
    MoreGpusThanTasks {
        /// Tasks.
        tasks: usize,
        /// GPUs asked for.
        gpus: usize,
        /// GPUs used.
        used: usize,
        /// Nodes used.
        nodes: usize,
        /// GPUs of each.
        gpus_per_node: usize,
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// Starting steps that were moved.
    #[error(
        "starting steps are moved so that every GPU can start: {moved} tasks, by up to {most} steps"
    )]
    #[diagnostic(
        code(mmc::mammoth::curriculum_moved),
        severity(Warning),
        help("use fewer GPUs, or let more tasks start at step 0, to keep the curriculum")
    )]
    CurriculumMoved {
        /// Tasks.
        moved: usize,
        /// The largest change.
        most: i128,
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// More pieces of a pair than GPUs.
    #[error("some pairs are split into more pieces than there are GPUs, so a GPU has two of them")]
    #[diagnostic(
        code(mmc::mammoth::pieces_together),
        severity(Warning),
        help("raise `split_large_language_pairs`, or use more GPUs")
    )]
    PiecesTogether {
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// A time limit that is not needed.
    #[error(
        "`--time_budget_s` has no effect: the search counts steps, so that its answer is the same everywhere"
    )]
    #[diagnostic(code(mmc::mammoth::no_time_budget), severity(Warning), help("leave it out"))]
    NoTimeBudget,
    /// An adapter that no task uses.
    #[error("the adapter `{name}` is used by no task: its `ids` are no pattern")]
    #[diagnostic(
        code(mmc::mammoth::unused_adapter),
        severity(Warning),
        help("`ids` is `LANGUAGE`, `GROUP` or `FULL`; other ids must be given to tasks by hand")
    )]
    UnusedAdapter {
        /// The adapter.
        name: String,
        /// Its ids.
        #[label("left as they are")]
        span: Span,
    },
    /// A token for the wrong language.
    #[error(
        "`src_prefix` selects the target language, `<to_TARGET>`; MAMMOTH writes the source language there"
    )]
    #[diagnostic(
        code(mmc::mammoth::hack_token),
        severity(Warning),
        help("`--bug-for-bug` writes `<to_SOURCE>`")
    )]
    HackToken {
        /// The tasks.
        #[label("in these tasks")]
        span: Span,
    },
}
