//! Task blocks -> task table: every direction with its files, its vocabularies and its share.
//!
//! All that is known of the outside comes through the [`World`]; a direction made by the algebra and without text is left
//! out with a note, one asked for by name is an error.

use std::collections::{BTreeMap, HashMap};

use mmc_plan::stretch;
use mmc_syntax::source::Span;

use super::curriculum::{Run, means, windows};
use super::error::BuildError;
use super::files::{Direction, Found, Sought};
use super::scores;
use super::shares::Size;
use super::vocabularies::{Transformed, Vocabularies};
use crate::diagnostics::{Diagnostics, Finding, Halt};
use crate::ir::experiment::{Corpus, Experiment, TaskBlock};
use crate::ir::task::{TaskRow, TaskTable, Window};
use crate::template::Templates;
use crate::world::World;

/// Directions that a note names before it says `and so many more`.
const NAMED_IN_NOTE: usize = 8;

/// Directions that are expanded in one go; tests have fewer.
pub(super) const STRETCH: usize = if cfg!(test) { 3 } else { 8192 };

/// Makes the table of tasks.
pub fn expand_tasks(
    experiment: &Experiment,
    world: &dyn World,
    diagnostics: &mut Diagnostics,
) -> Result<TaskTable, Halt> {
    let templates = Templates::new(&experiment.languages);
    let mut sought = Sought::new(&templates);
    let mut vocabularies = Vocabularies::new(experiment, &templates, world);
    let mut tasks: Vec<TaskRow> = Vec::new();
    for block in &experiment.task_blocks {
        let Some(corpus) = experiment.corpora.get(block.corpus.value) else { continue };
        sought.ask(world, corpus, block);
        let mut rows = expand_block(&Asked { experiment, block, corpus }, &sought, diagnostics);
        vocabularies.serve(block, &mut rows);
        tasks.append(&mut rows);
    }
    tasks.sort_by(|a, b| a.name.cmp(&b.name));
    Sought::report(world, diagnostics);
    vocabularies.report(diagnostics);
    scores::report(experiment, tasks.iter(), &vocabularies, diagnostics);
    report_duplicates(&tasks, experiment.task_blocks.len() > 1, diagnostics);
    diagnostics.checkpoint()?;
    let Some(span) = experiment.task_blocks.first().map(|block| block.span) else {
        return Err(diagnostics.halt(no_tasks(experiment.training.span)));
    };
    if tasks.is_empty() {
        return Err(diagnostics.halt(no_tasks(span)));
    }
    let windows = weigh(experiment, &mut tasks);
    let vocabularies = vocabularies.into_specs();
    Ok(TaskTable { tasks, vocabularies, windows })
}

fn no_tasks(span: Span) -> BuildError {
    BuildError::NoTasks {
        span,
        help: "a `tasks` block with `pairs`, whose corpus has text for at least one of them",
    }
}

/// A block with what it names.
struct Asked<'a> {
    experiment: &'a Experiment,
    block: &'a TaskBlock,
    corpus: &'a Corpus,
}

/// What came of some directions.
#[derive(Default)]
struct Expanded {
    rows: Vec<TaskRow>,
    /// By the expression that asked for them: directions without text.
    left_out: BTreeMap<Span, Vec<String>>,
    findings: Vec<Finding>,
}

/// The rows of a block, whose vocabularies are not known yet.
fn expand_block(
    asked: &Asked<'_>,
    sought: &Sought<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<TaskRow> {
    let directions: Vec<Direction<'_>> = asked.block.pairs.iter().enumerate().collect();
    let mut rows = Vec::with_capacity(directions.len());
    let mut left_out: BTreeMap<Span, Vec<String>> = BTreeMap::new();
    let stretches = stretch::each(&directions, STRETCH, |some| expand(asked, sought, some));
    for mut expanded in stretches {
        rows.append(&mut expanded.rows);
        expanded.findings.into_iter().for_each(|finding| diagnostics.take(finding));
        for (span, mut names) in expanded.left_out {
            left_out.entry(span).or_default().append(&mut names);
        }
    }
    for (span, names) in left_out {
        diagnostics.report(left_out_note(span, &names, &asked.corpus.name));
    }
    rows
}

/// The rows of some directions.
fn expand<'a>(
    &Asked { experiment, block, corpus }: &Asked<'a>,
    sought: &Sought<'a>,
    directions: &[Direction<'a>],
) -> Expanded {
    let mut expanded = Expanded::default();
    let (mut reader, mut transformed) = (sought.reader(), Transformed::new(experiment, block));
    for &(at, pair) in directions {
        match reader.training(corpus, block.is_mono(), (at, pair)) {
            Found::Files(train) => expanded.rows.push(TaskRow {
                name: format!("{}.{}-{}", block.name, pair.source, pair.target),
                kind: block.kind.value,
                source: pair.source.clone(),
                target: pair.target.clone(),
                factor: block.weight,
                share: 0,
                copies: 1,
                corpus: reader.with_extras(train, corpus, block.is_mono(), (at, pair)),
                transforms: transformed.of(pair),
                source_vocabulary: String::new(),
                target_vocabulary: String::new(),
                span: pair.span,
            }),
            Found::Missing(path) if pair.named => {
                let template = train_span(corpus, block.is_mono());
                reader.missing(template, pair, path);
            }
            Found::Missing(_) => {
                let name = format!("{} -> {}", pair.source, pair.target);
                expanded.left_out.entry(pair.span).or_default().push(name);
            }
            Found::Fault => {}
        }
    }
    expanded.findings = reader.diagnostics.into_findings();
    expanded
}

/// Where the template of training text was written.
fn train_span(corpus: &Corpus, is_mono: bool) -> Span {
    let span = if is_mono {
        corpus.mono.as_ref().map(|mono| mono.span)
    } else {
        corpus.train.as_ref().map(|train| train.span)
    };
    span.unwrap_or(corpus.span)
}

fn left_out_note(span: Span, names: &[String], corpus: &str) -> BuildError {
    let mut pairs =
        names.iter().take(NAMED_IN_NOTE).map(|name| format!("`{name}`")).collect::<Vec<_>>();
    if names.len() > NAMED_IN_NOTE {
        pairs.push(format!("and {} more", names.len() - NAMED_IN_NOTE));
    }
    BuildError::LeftOut {
        left_out: names.len(),
        pairs: pairs.join(", "),
        span,
        help: format!(
            "corpus `{corpus}` has no files for them; name a direction itself (`cs -> fr`) to make that an error"
        ),
    }
}

/// Task names are made from block and languages, and languages may hold hyphens: two directions may meet in one name.
/// Two blocks may also ask for the very same training; one block has every direction once.
fn report_duplicates(rows: &[TaskRow], several: bool, diagnostics: &mut Diagnostics) {
    // Tasks of the same direction.
    let mut alike: HashMap<(&str, &str), Vec<&TaskRow>> = HashMap::new();
    let mut before: Option<&TaskRow> = None;
    for row in rows {
        // In order of name: equal names are neighbours.
        let mut first = before.replace(row).filter(|other| other.name == row.name);
        if several {
            let known = alike.entry((&row.source, &row.target)).or_default();
            let same = || known.iter().rev().copied().find(|other| trains_the_same(other, row));
            first = first.or_else(same);
            known.push(row);
        }
        if let Some(first) = first {
            let (first, row) = if row.span < first.span { (row, first) } else { (first, row) };
            diagnostics.report(BuildError::DuplicateTask {
                name: row.name.clone(),
                other: first.name.clone(),
                span: row.span,
                first: first.span,
                help: "take the direction out of one of the two; `weight` makes a block's tasks more frequent",
            });
        }
    }
}

/// Whether two tasks of the same direction are equal in the rest of what trains.
fn trains_the_same(one: &TaskRow, other: &TaskRow) -> bool {
    one.corpus.train == other.corpus.train
        && one.transforms == other.transforms
        && one.source_vocabulary == other.source_vocabulary
        && one.target_vocabulary == other.target_vocabulary
}

/// Turns weights into shares, window by window.
fn weigh(experiment: &Experiment, tasks: &mut [TaskRow]) -> Vec<Window> {
    let sizes = tasks.iter().map(|row| Size {
        source: &row.source,
        target: &row.target,
        lines: row.corpus.train.lines,
        factor: row.factor,
    });
    let sizes: Vec<Size<'_>> = sizes.collect();
    let rule = &experiment.curriculum.value;
    let training = &experiment.training.value;
    let lines_per_step = f64::from(experiment.lane_count())
        * f64::from(training.accumulate)
        * f64::from(training.batch_tokens)
        / f64::from(rule.line_tokens);
    let windows = windows(&Run { rule, sizes: &sizes, steps: training.steps, lines_per_step });
    let lanes = experiment.lane_count();
    for (row, share) in tasks.iter_mut().zip(means(&windows, training.steps)) {
        row.share = share;
        // As many lanes as leave none of them more than the largest share that is not split.
        let copies = u32::try_from(share.div_ceil(rule.split)).unwrap_or(lanes);
        row.copies = copies.max(rule.team).min(lanes);
    }
    windows
}
