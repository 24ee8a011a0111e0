//! Faults of a configuration: what keeps a stage from its end.

use miette::Diagnostic;
use mmc_syntax::Span;
use thiserror::Error;

/// A fault with its place in the YAML.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum MammothError {
    /// A key that the stage needs.
    #[error("{section} has no `{key}`")]
    #[diagnostic(code(mmc::mammoth::missing_key))]
    MissingKey {
        /// Where it should stand: `config_config`, `task de-en`.
        section: String,
        /// The key.
        key: String,
        /// The section.
        #[label("`{key}` is missing here")]
        span: Span,
        /// What to do.
        #[help]
        help: String,
    },
    /// A value of another kind.
    #[error("`{key}` must be {expected}, and is {found}")]
    #[diagnostic(code(mmc::mammoth::wrong_type))]
    WrongType {
        /// The key.
        key: String,
        /// What is needed.
        expected: &'static str,
        /// What is there.
        found: &'static str,
        /// The value.
        #[label("not {expected}")]
        span: Span,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// A language code or a group name that is no text.
    #[error("`{written}` is {kind} in YAML 1.1, not a text")]
    #[diagnostic(code(mmc::mammoth::code_not_text), help("write it in quotes: `'{written}'`"))]
    CodeNotText {
        /// As written.
        written: String,
        /// What it is.
        kind: &'static str,
        /// Where.
        #[label("here")]
        span: Span,
    },
    /// A language code that can't be told from a pair.
    #[error("the language code `{code}` has a hyphen, at which MAMMOTH splits pairs")]
    #[diagnostic(
        code(mmc::mammoth::hyphen),
        help(
            "write it with `_`, and rename its files or put the difference into the path template"
        )
    )]
    Hyphen {
        /// The code.
        code: String,
        /// Where.
        #[label("this code")]
        span: Span,
    },
    /// `src_tgt` that isn't two codes.
    #[error("`src_tgt` is `{written}`, which is not two language codes with a hyphen between them")]
    #[diagnostic(code(mmc::mammoth::bad_src_tgt), help("write `src_tgt: de-en`"))]
    BadSrcTgt {
        /// As written.
        written: String,
        /// Where.
        #[label("here")]
        span: Span,
    },
    /// A template that can't be filled.
    #[error("the template of `{key}` can't be filled: {reason}")]
    #[diagnostic(code(mmc::mammoth::bad_template))]
    BadTemplate {
        /// The option.
        key: String,
        /// Why.
        reason: String,
        /// Where.
        #[label("this template")]
        span: Span,
        /// What to do.
        #[help]
        help: String,
    },
    /// Not a single task.
    #[error("no pair of languages has its files, so there is no task")]
    #[diagnostic(code(mmc::mammoth::no_tasks))]
    NoTasks {
        /// The template.
        #[label("no file of this template is there")]
        span: Span,
        /// The first path that was tried.
        #[help]
        help: String,
    },
    /// A corpus that can't be counted.
    #[error("can't count the lines of `{path}`: {reason}")]
    #[diagnostic(
        code(mmc::mammoth::uncountable),
        help("paths are relative to the working directory; test a compressed file with `gzip -t`")
    )]
    Uncountable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
        /// The task's path.
        #[label("named here")]
        span: Span,
    },
    /// No lines at all.
    #[error("all corpora are empty, so no task has a share")]
    #[diagnostic(code(mmc::mammoth::no_lines), help("look at the files that `path_src` names"))]
    NoLines {
        /// The tasks.
        #[label("the tasks of these files")]
        span: Span,
    },
    /// Patterns and stacks that don't match.
    #[error("`{key}` has {patterns} patterns for the {stacks} stacks of `{layers}`")]
    #[diagnostic(
        code(mmc::mammoth::sharing_count),
        help("each layer stack has one sharing pattern")
    )]
    SharingCount {
        /// The option.
        key: &'static str,
        /// How many.
        patterns: usize,
        /// The key of the stacks.
        layers: &'static str,
        /// How many.
        stacks: usize,
        /// The patterns.
        #[label("{patterns} patterns")]
        span: Span,
        /// The stacks.
        #[label("{stacks} stacks")]
        stacks_span: Span,
    },
    /// A pattern that does not exist.
    #[error("there is no sharing pattern `{written}`")]
    #[diagnostic(code(mmc::mammoth::unknown_pattern))]
    UnknownPattern {
        /// As written.
        written: String,
        /// Where.
        #[label("unknown")]
        span: Span,
        /// What there is.
        #[help]
        help: String,
    },
    /// A language without a group.
    #[error("the language `{language}` is in no group")]
    #[diagnostic(code(mmc::mammoth::no_group), help("add `{language}: <group>` to `groups`"))]
    NoGroup {
        /// The language.
        language: String,
        /// The groups.
        #[label("not among these")]
        span: Span,
    },
    /// Neither groups nor a distance matrix.
    #[error("there are neither `groups` nor a `distance_matrix`")]
    #[diagnostic(
        code(mmc::mammoth::no_groups),
        help("write `groups` with a group for every language, or name a distance file")
    )]
    NoGroups {
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// A distance file that can't be used.
    #[error("the distance file `{path}` can't be used: {reason}")]
    #[diagnostic(
        code(mmc::mammoth::bad_distances),
        help(
            "its first line is `lang,de,en,...`, and each line below has a language and its distances, in the same order"
        )
    )]
    BadDistances {
        /// The file.
        path: String,
        /// Why.
        reason: String,
        /// Where it is named.
        #[label("named here")]
        span: Span,
    },
    /// Both or none of the two ways to cut.
    #[error("clusters need either `n_groups` or `cutoff_threshold`, and {found}")]
    #[diagnostic(
        code(mmc::mammoth::cluster_choice),
        help("set one of them, and the other to null")
    )]
    ClusterChoice {
        /// What is there.
        found: &'static str,
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// A number of clusters that can't be.
    #[error("{languages} languages can't be put into {groups} groups")]
    #[diagnostic(
        code(mmc::mammoth::cluster_count),
        help("`n_groups` lies between 1 and the number of languages that tasks use")
    )]
    ClusterCount {
        /// Languages that tasks use.
        languages: usize,
        /// Asked for.
        groups: i64,
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// A number that must be at least one.
    #[error("`{key}` is {value}, and must be at least 1")]
    #[diagnostic(code(mmc::mammoth::bad_count), help("write a whole number from 1"))]
    BadCount {
        /// The option.
        key: &'static str,
        /// Its value.
        value: i128,
        /// Where.
        #[label("too small")]
        span: Span,
    },
    /// Neither nodes nor slots.
    #[error("neither `n_nodes` nor `n_slots_per_gpu` is given, so the number of GPUs is open")]
    #[diagnostic(code(mmc::mammoth::no_devices), help("set one of the two"))]
    NoDevices {
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// More tasks than slots.
    #[error("{tasks} tasks do not fit into the {slots} slots of {gpus} GPUs")]
    #[diagnostic(
        code(mmc::mammoth::too_few_slots),
        help("raise `n_slots_per_gpu` to {needed}, or leave it out")
    )]
    TooFewSlots {
        /// Tasks.
        tasks: usize,
        /// Slots in all.
        slots: usize,
        /// GPUs.
        gpus: usize,
        /// Slots of a GPU that would do.
        needed: usize,
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// What the peer fails at when it adjusts the curriculum.
    #[error(
        "{tasks} tasks on {gpus} GPUs, of which {ready} can start: MAMMOTH's adjustment of starting steps fails here"
    )]
    #[diagnostic(
        code(mmc::mammoth::ready_index),
        help("without `--bug-for-bug` it is adjusted as it was meant")
    )]
    ReadyIndex {
        /// Tasks.
        tasks: usize,
        /// GPUs.
        gpus: usize,
        /// Tasks that start at step 0.
        ready: usize,
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// No assignment.
    #[error("found no assignment of the tasks to GPUs: {reason}")]
    #[diagnostic(code(mmc::mammoth::no_assignment), help("give more GPUs or more slots"))]
    NoAssignment {
        /// What the engine says.
        reason: String,
        /// The options.
        #[label("in these options")]
        span: Span,
    },
    /// A source token without the transform that writes it.
    #[error("`use_src_lang_token` needs the transform `prefix`, which `{task}` does not have")]
    #[diagnostic(code(mmc::mammoth::no_prefix))]
    NoPrefix {
        /// A task.
        task: String,
        /// The option.
        #[label("asked for here")]
        span: Span,
        /// What to do.
        #[help]
        help: String,
    },
    /// A task without transforms where one is put before the last.
    #[error("`{task}` has no transforms, so there is no place for `prefix`")]
    #[diagnostic(
        code(mmc::mammoth::no_transforms),
        help("without `--bug-for-bug` `prefix` becomes its only transform")
    )]
    NoTransforms {
        /// The task.
        task: String,
        /// Where.
        #[label("empty")]
        span: Span,
    },
    /// Configurations with other tasks.
    #[error("the tasks of the two configurations differ: {difference}")]
    #[diagnostic(
        code(mmc::mammoth::tasks_differ),
        help("an assignment can be copied between configurations with the same task names")
    )]
    TasksDiffer {
        /// Names, shortened.
        difference: String,
        /// Our tasks.
        #[label("these tasks")]
        span: Span,
    },
    /// A path that a shell would not take as one word.
    #[error("MAMMOTH gives `{path}` to a shell unquoted, which would do something else with it")]
    #[diagnostic(
        code(mmc::mammoth::shell),
        help("without `--bug-for-bug` the file is counted; `mmc` runs no shell")
    )]
    Shell {
        /// The path.
        path: String,
        /// Where.
        #[label("this path")]
        span: Span,
    },
}
