//! Texts of a corpus that are files in columns: which files those are, and whose column is which.

use mmc_syntax::ast::{BinaryOp, Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::read::{PLAIN, Reader, arguments, head};
use super::section::Section;
use crate::ir::experiment::Columns;
use crate::template::{SORTED_VARIABLES, Templates, is_table};

/// Fields that may have such files.
const TEXTS: [&str; 3] = ["train", "valid", "test"];

const WORDS: &[&str] = &["lang_pair", "sorted_pair"];

/// What a corpus says of its columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'s, 'a> {
    section: &'s Section<'a>,
    /// None: nothing, or something faulty.
    columns: Option<Columns>,
}

impl<'s, 'a> Said<'s, 'a> {
    pub(super) fn of(section: &'s Section<'a>, span: Span, reader: &mut Reader<'_, 'a>) -> Self {
        let columns = section.value("columns").and_then(|value| columns(value, reader));
        let said = Self { section, columns };
        said.expect_a_file(span, reader);
        said
    }

    /// `columns` is of files with both sides.
    fn expect_a_file(self, corpus: Span, reader: &mut Reader<'_, 'a>) {
        let Some(span) = self.section.key("columns") else { return };
        let is_joined =
            |expr: &Expr| matches!(&expr.kind, ExprKind::Binary { op: BinaryOp::To, .. });
        let values = TEXTS.iter().filter_map(|field| self.section.value(field));
        if values.filter_map(|value| reader.follow(value)).any(|value| !is_joined(value)) {
            return;
        }
        reader.report(ResolveError::Conflict {
            fault: "`columns` is of files that hold both sides, and this corpus has none".to_owned(),
            span,
            here: "of which file?",
            other: corpus,
            there: "no text of it is such a file",
            help: "name such a file by one template, `train = \"{lang_pair}.tsv\"`, or leave `columns` out"
                .to_owned(),
        });
    }

    /// Whether one template, as it is written, is that of a file with both sides: others than `.tsv` only where the corpus says
    /// which columns it has. So a side that was forgotten is no such file.
    pub(super) fn are_in(self, template: &str) -> bool {
        self.section.key("columns").is_some() || is_table(template)
    }

    /// The columns of a file with both sides. A path that knows the order of the alphabet may mean that order of the columns too:
    /// there the corpus has to say.
    pub(super) fn columns_of(
        self,
        (template, span): (&str, Span),
        templates: &Templates,
        reader: &mut Reader<'_, 'a>,
    ) -> Option<Columns> {
        if self.section.key("columns").is_some() {
            return self.columns;
        }
        let used = templates.variables(template).unwrap_or_default();
        if SORTED_VARIABLES.iter().any(|name| used.contains(*name)) {
            reader.report(ResolveError::MissingField {
                block: self.section.what.clone(),
                field: "columns",
                span,
                help: "`columns = sorted_pair`: first the column of the language that comes first in the alphabet; or `lang_pair`: first the source's"
                    .to_owned(),
            });
            return None;
        }
        Some(Columns { numbers: [1, 2], is_sorted: false })
    }
}

/// Monolingual text with the number of the column that it is, `column("mono.{lang}.tsv", 2)`; without one its lines are whole.
pub(super) fn of_one<'a>(
    value: &'a Expr,
    reader: &mut Reader<'_, 'a>,
) -> Option<(&'a Expr, Option<u32>)> {
    const EXAMPLE: &str = "column(\"mono.{lang}.tsv\", 2)";
    let value = reader.follow(value)?;
    let Some(("column", span)) = head(value) else { return Some((value, None)) };
    let args = reader.args("column", arguments(value), &["text", "number"]);
    let text = reader.argument(("column", span), &args, "text", EXAMPLE);
    let number = reader.argument(("column", span), &args, "number", EXAMPLE);
    let number = number.and_then(|value| reader.small(value, "number", PLAIN, 1));
    Some((reader.follow(text?)?, Some(number?)))
}

/// `lang_pair`, `sorted_pair`, or either with the numbers of its two columns, `sorted_pair(2, 3)`.
fn columns<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<Columns> {
    let value = reader.follow(value)?;
    let Some((word, span)) = head(value) else {
        reader.wrong_type("columns", "`lang_pair` or `sorted_pair`", value);
        return None;
    };
    let is_sorted = match word {
        "lang_pair" => false,
        "sorted_pair" => true,
        _ => {
            reader.unknown_choice(word, span, "columns", WORDS, &[]);
            return None;
        }
    };
    if !matches!(value.kind, ExprKind::Call { .. }) {
        return Some(Columns { numbers: [1, 2], is_sorted });
    }
    let args = reader.args(word, arguments(value), &["first", "second"]);
    let mut number = |name: &'static str| {
        let value = reader.argument((word, span), &args, name, "sorted_pair(2, 3)")?;
        reader.small(value, name, PLAIN, 1)
    };
    let (first, second) = (number("first"), number("second"));
    let (first, second) = (first?, second?);
    if first == second {
        reader.report(ResolveError::OutOfRange {
            field: "second".to_owned(),
            value: second.to_string(),
            span: value.span,
            help: "needed: another column than the first".to_owned(),
        });
        return None;
    }
    Some(Columns { numbers: [first, second], is_sorted })
}
