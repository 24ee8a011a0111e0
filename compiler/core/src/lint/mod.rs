//! Lints: what is allowed but probably not meant. They look at everything and change nothing.
//!
//! Each has a level of its own that the file may change: `lint { deny = [...] warn = [...] allow = [...] }`.

mod batch_below_longest;
mod column_of_two_languages;
mod copying_task;
mod corpus_repeated;
mod corpus_worn_out;
mod crowded_window;
mod fewer_updates;
mod frozen_rank;
mod group_name_twice;
mod group_named_like_language;
mod idle_rank;
mod learning_rate;
mod macro_language;
mod memory_tight;
mod never_validated;
mod retired_code;
mod script_mismatch;
mod single_task_module;
mod target_in_encoder;
mod target_untold;
mod temperature_above_one;
mod test_leak;
mod thin_support;
mod transform_order;
mod unimax_budget;
mod unknown_pieces;
mod unsampled_task;
mod unused_corpus;
mod unused_group;
mod unused_language;
mod unused_tokenizer;
mod warmup_longer_than_training;
mod wide_adapter;
mod zero_shot;
mod zero_shot_unconnected;

use std::borrow::Cow;
use std::fmt;

use miette::{Diagnostic, LabeledSpan, Severity};
use mmc_plan::Plan;
use mmc_syntax::source::Span;

use crate::diagnostics::Diagnostics;
use crate::ir::experiment::{Experiment, LintLevel};
use crate::ir::module::ModuleGraph;
use crate::ir::task::TaskTable;
use crate::world::World;

/// Names that one finding lists before it counts the rest.
const MOST_NAMES: usize = 6;

/// What lints look at.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The resolved program.
    pub experiment: &'a Experiment,
    /// Its tasks.
    pub table: &'a TaskTable,
    /// Its modules.
    pub graph: &'a ModuleGraph,
    /// Its plan.
    pub plan: &'a Plan,
    /// Where text can be looked at.
    pub world: &'a dyn World,
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("experiment", &self.experiment.spec).finish_non_exhaustive()
    }
}

/// One lint.
#[derive(Debug, Clone, Copy)]
pub struct Lint {
    /// `mmc::lint::<fault>`.
    pub code: &'static str,
    /// Its level when the file says nothing.
    pub level: LintLevel,
    /// A note rather than a warning when its level is `warn`.
    pub is_note: bool,
    /// What it finds, in one line.
    pub docs: &'static str,
    /// Finds.
    run: fn(&Subject<'_>) -> Vec<Found>,
}

const fn warning(
    code: &'static str,
    docs: &'static str,
    run: fn(&Subject<'_>) -> Vec<Found>,
) -> Lint {
    Lint { code, level: LintLevel::Warn, is_note: false, docs, run }
}

const fn denial(
    code: &'static str,
    docs: &'static str,
    run: fn(&Subject<'_>) -> Vec<Found>,
) -> Lint {
    Lint { code, level: LintLevel::Deny, is_note: false, docs, run }
}

const fn note(code: &'static str, docs: &'static str, run: fn(&Subject<'_>) -> Vec<Found>) -> Lint {
    Lint { code, level: LintLevel::Warn, is_note: true, docs, run }
}

/// All lints, in order of code.
pub static LINTS: &[Lint] = &[
    batch_below_longest::LINT,
    column_of_two_languages::LINT,
    copying_task::LINT,
    corpus_repeated::LINT,
    corpus_worn_out::LINT,
    crowded_window::LINT,
    fewer_updates::LINT,
    frozen_rank::LINT,
    group_name_twice::LINT,
    group_named_like_language::LINT,
    idle_rank::LINT,
    learning_rate::LINT,
    macro_language::LINT,
    memory_tight::LINT,
    never_validated::LINT,
    retired_code::LINT,
    script_mismatch::LINT,
    single_task_module::LINT,
    target_in_encoder::LINT,
    target_untold::LINT,
    temperature_above_one::LINT,
    test_leak::LINT,
    thin_support::LINT,
    transform_order::LINT,
    unimax_budget::LINT,
    unknown_pieces::LINT,
    unsampled_task::LINT,
    unused_corpus::LINT,
    unused_group::LINT,
    unused_language::LINT,
    unused_tokenizer::LINT,
    warmup_longer_than_training::LINT,
    wide_adapter::LINT,
    zero_shot::LINT,
    zero_shot_unconnected::LINT,
];

/// What a lint found, before its level makes it a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    message: String,
    label: &'static str,
    span: Span,
    help: Cow<'static, str>,
}

/// Runs all lints that the file does not allow.
pub fn run(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for lint in LINTS {
        let level = subject.experiment.lints.get(lint.code).copied().unwrap_or(lint.level);
        let severity = match level {
            LintLevel::Allow => continue,
            LintLevel::Warn if lint.is_note => Severity::Advice,
            LintLevel::Warn => Severity::Warning,
            LintLevel::Deny => Severity::Error,
        };
        for found in (lint.run)(subject) {
            diagnostics.report(LintFinding { code: lint.code, severity, found });
        }
    }
}

/// A finding of a lint.
#[derive(Debug)]
struct LintFinding {
    code: &'static str,
    severity: Severity,
    found: Found,
}

impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.found.message)
    }
}

impl std::error::Error for LintFinding {}

impl Diagnostic for LintFinding {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.found.help))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_with_span(Some(self.found.label.to_owned()), self.found.span);
        Some(Box::new(std::iter::once(label)))
    }
}

/// `` `a`, `b` and 3 more ``.
fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<String> =
        names.iter().take(MOST_NAMES).map(|name| format!("`{}`", name.as_ref())).collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// `1 task`, `2 tasks`.
fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
