//! A column is read as the text of two languages.

use std::collections::{BTreeMap, HashMap};

use super::{Found, Lint, Subject, warning};
use crate::ir::task::TaskRow;

pub(super) const LINT: Lint = warning(
    "mmc::lint::column_of_two_languages",
    "a column is read as the text of two languages",
    run,
);

/// A file and the number of its column.
type Column<'a> = (&'a str, u32);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let mut languages: HashMap<Column<'_>, &str> = HashMap::new();
    let mut twice: BTreeMap<Column<'_>, (&TaskRow, &str, &str)> = BTreeMap::new();
    for task in &subject.table.tasks {
        for (column, language) in columns(task) {
            let first = *languages.entry(column).or_insert(language);
            if first != language {
                twice.entry(column).or_insert((task, first, language));
            }
        }
    }
    let more = match twice.len().saturating_sub(1) {
        0 => String::new(),
        more => format!("; {more} more likewise"),
    };
    let Some(((file, column), (task, first, second))) = twice.into_iter().next() else {
        return Vec::new();
    };
    let block = task.name.rsplit_once('.').map_or("", |(block, _)| block);
    let of = subject.experiment.task_blocks.iter().find(|known| known.name == block);
    let corpus = of.and_then(|of| subject.experiment.corpora.get(of.corpus.value));
    let Some(corpus) = corpus else { return Vec::new() };
    vec![Found {
        message: format!(
            "column {column} of `{file}` is read as `{first}` and as `{second}`{more}"
        ),
        label: "its columns",
        span: corpus.span,
        help: "`columns = sorted_pair` gives a language the same column in both directions".into(),
    }]
}

/// The columns that a task reads, each with its language.
fn columns(task: &TaskRow) -> impl Iterator<Item = (Column<'_>, &str)> {
    let corpus = &task.corpus;
    let texts = std::iter::once(&corpus.train).chain(&corpus.valid).chain(&corpus.test);
    let in_columns = texts.filter_map(|files| Some((files, files.columns?)));
    in_columns.flat_map(move |(files, [source, target])| {
        files.source.iter().flat_map(move |file| {
            [((file.as_str(), source), task.source.as_str()), ((file, target), &task.target)]
        })
    })
}
