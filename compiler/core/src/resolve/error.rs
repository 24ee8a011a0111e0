//! The faults of resolution. Each carries its help line, made where the candidates are known.

use miette::Diagnostic;
use mmc_syntax::source::Span;
use thiserror::Error;

/// What can be wrong with the meaning of a grammatical file.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[expect(
    missing_docs,
    reason = "every variant is described, with examples, in the registry of codes"
)]
pub enum ResolveError {
    #[error("{construct} is not built yet")]
    #[diagnostic(code(mmc::resolve::not_built))]
    NotBuilt {
        construct: String,
        #[label("not built yet")]
        span: Span,
        #[help]
        help: Option<String>,
    },
    #[error("there is no {kind} `{word}`")]
    #[diagnostic(code(mmc::resolve::unknown_name))]
    UnknownName {
        kind: &'static str,
        word: String,
        #[label("unknown")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("there is no language `{word}`")]
    #[diagnostic(code(mmc::resolve::unknown_language))]
    UnknownLanguage {
        word: String,
        #[label("not declared")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("`{block}` has no field `{word}`")]
    #[diagnostic(code(mmc::resolve::unknown_field))]
    UnknownField {
        block: String,
        word: String,
        #[label("unknown field")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("`{block}` lacks `{field}`")]
    #[diagnostic(code(mmc::resolve::missing_field))]
    MissingField {
        block: String,
        field: &'static str,
        #[label("`{field}` is needed here")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("the experiment has no `{block}`")]
    #[diagnostic(code(mmc::resolve::missing_block))]
    MissingBlock {
        block: &'static str,
        #[label("in this file or its imports")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("{what} `{word}` is declared twice")]
    #[diagnostic(code(mmc::resolve::duplicate))]
    Duplicate {
        what: String,
        word: String,
        #[label("again here")]
        span: Span,
        #[label("first here")]
        first: Span,
        #[help]
        help: String,
    },
    #[error("`{field}` needs {expected}, not {found}")]
    #[diagnostic(code(mmc::resolve::wrong_type))]
    WrongType {
        field: String,
        expected: String,
        found: String,
        #[label("needs {expected}")]
        span: Span,
        #[help]
        help: Option<String>,
    },
    #[error("`{field}` needs a unit")]
    #[diagnostic(code(mmc::resolve::missing_unit))]
    MissingUnit {
        field: String,
        #[label("of what?")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("`{field}` is {expected}: `{unit}` does not fit")]
    #[diagnostic(code(mmc::resolve::wrong_unit))]
    WrongUnit {
        field: String,
        expected: String,
        unit: String,
        #[label("wrong unit")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("`{field}` is out of range: {value}")]
    #[diagnostic(code(mmc::resolve::out_of_range))]
    OutOfRange {
        field: String,
        value: String,
        #[label("out of range")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("{fault}")]
    #[diagnostic(code(mmc::resolve::arithmetic))]
    Arithmetic {
        fault: String,
        #[label("here")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("`{name}` is defined by itself")]
    #[diagnostic(code(mmc::resolve::cyclic_value))]
    CyclicValue {
        name: String,
        #[label("needs its own value")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("there is no param `{name}`, given with `-p {name}={value}`")]
    #[diagnostic(code(mmc::resolve::unknown_param))]
    UnknownParam {
        name: String,
        value: String,
        #[help]
        help: String,
    },
    #[error("param `{name}` needs {expected}, not `{value}`")]
    #[diagnostic(code(mmc::resolve::bad_param))]
    BadParam {
        name: String,
        expected: &'static str,
        value: String,
        #[label("declared here")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("param `{name}` has no value")]
    #[diagnostic(code(mmc::resolve::missing_param))]
    MissingParam {
        name: String,
        #[label("no default")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("`{path}` can't be imported: {why}")]
    #[diagnostic(code(mmc::resolve::import_missing))]
    ImportMissing {
        path: String,
        why: String,
        #[label("imported here")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("files import each other in a circle: {circle}")]
    #[diagnostic(code(mmc::resolve::import_cycle))]
    ImportCycle {
        circle: String,
        #[label("closes the circle")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("`{path}` can't be read: {why}")]
    #[diagnostic(code(mmc::resolve::entry_missing))]
    EntryMissing {
        path: String,
        why: String,
        #[help]
        help: String,
    },
    #[error("the template of `{field}` is faulty: {fault}")]
    #[diagnostic(code(mmc::resolve::template))]
    Template {
        field: String,
        fault: String,
        #[label("in this template")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("`{word}` means several things")]
    #[diagnostic(code(mmc::resolve::ambiguous))]
    Ambiguous {
        word: String,
        #[label("which one?")]
        span: Span,
        #[label("declared here")]
        first: Option<Span>,
        #[label("and here")]
        second: Option<Span>,
        #[help]
        help: String,
    },
    #[error("{expected} is needed here, not {found}")]
    #[diagnostic(code(mmc::resolve::wrong_set))]
    WrongSet {
        expected: &'static str,
        found: String,
        #[label("{found}")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("{what} selects no direction")]
    #[diagnostic(code(mmc::resolve::empty_selection))]
    EmptySelection {
        what: String,
        #[label("nothing is left")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("{language} is in no group of `{grouping}`")]
    #[diagnostic(code(mmc::resolve::ungrouped))]
    Ungrouped {
        language: String,
        grouping: String,
        #[label("shares by this grouping")]
        span: Span,
        #[label("grouping declared here")]
        declared: Span,
        #[help]
        help: String,
    },
    #[error("`{name}` has {count} tokenizers among its transforms")]
    #[diagnostic(code(mmc::resolve::tokenizer_count))]
    TokenizerCount {
        name: String,
        count: String,
        #[label("exactly one is needed")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("{fault}")]
    #[diagnostic(code(mmc::resolve::conflict))]
    Conflict {
        fault: String,
        #[label("{here}")]
        span: Span,
        here: &'static str,
        #[label("{there}")]
        other: Span,
        there: &'static str,
        #[help]
        help: String,
    },
    #[error("the weight table has no weight for {missing}")]
    #[diagnostic(code(mmc::resolve::table_incomplete))]
    TableIncomplete {
        missing: String,
        #[label("every direction needs a weight")]
        span: Span,
        #[help]
        help: String,
    },
    #[error("`{word}` is no name for {what}")]
    #[diagnostic(code(mmc::resolve::reserved))]
    Reserved {
        word: String,
        what: &'static str,
        #[label("has a meaning of its own")]
        span: Span,
        #[help]
        help: String,
    },
}
