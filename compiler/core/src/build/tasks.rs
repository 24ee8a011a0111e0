//! Task blocks -> task table: every direction with its files, its vocabularies and its share.
//!
//! All that is known of the outside comes through the [`World`]; a direction made by the algebra and without text is left
//! out with a note, one asked for by name is an error.

use std::collections::{BTreeMap, HashMap};

use mmc_plan::{CorpusFiles, ParallelFiles, Shared};
use mmc_syntax::source::Span;

use super::curriculum::{Run, means, windows};
use super::error::BuildError;
use super::known::{Asked, Known};
use super::scores;
use super::shares::Size;
use super::vocabularies::{Transformed, Vocabularies};
use crate::diagnostics::{Diagnostics, Halt};
use crate::directions::Directions;
use crate::ir::experiment::{At, Corpus, Experiment, Pair, TaskBlock, TemplatePair};
use crate::ir::task::{TaskRow, TaskTable, Window};
use crate::template::{Templates, is_sharded};
use crate::world::{CorpusFacts, World, WorldError};

/// Directions that a note names before it says `and so many more`.
const NAMED_IN_NOTE: usize = 8;

/// Makes the table of tasks.
pub fn expand_tasks(
    experiment: &Experiment,
    world: &dyn World,
    diagnostics: &mut Diagnostics,
) -> Result<TaskTable, Halt> {
    let templates = Templates::new(&experiment.languages);
    let mut reader = Reader {
        templates: &templates,
        known: Known::new(world),
        directions: HashMap::new(),
        asked: HashMap::new(),
        diagnostics,
    };
    let mut vocabularies = Vocabularies::new(experiment, &templates, world);
    let mut rows: Vec<(TaskRow, f64)> = Vec::new();
    for block in &experiment.task_blocks {
        expand_block(experiment, block, &mut reader, &mut vocabularies, &mut rows);
    }
    rows.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    reader.known.report(reader.diagnostics);
    vocabularies.report(diagnostics);
    scores::report(experiment, rows.iter().map(|(row, _)| row), &vocabularies, diagnostics);
    report_duplicates(&rows, experiment.task_blocks.len() > 1, diagnostics);
    diagnostics.checkpoint()?;
    let Some(span) = experiment.task_blocks.first().map(|block| block.span) else {
        return Err(diagnostics.halt(no_tasks(experiment.training.span)));
    };
    if rows.is_empty() {
        return Err(diagnostics.halt(no_tasks(span)));
    }
    let (tasks, windows) = weigh(experiment, rows);
    let vocabularies = vocabularies.into_specs();
    Ok(TaskTable { tasks, vocabularies, windows })
}

fn no_tasks(span: Span) -> BuildError {
    BuildError::NoTasks {
        span,
        help: "a `tasks` block with `pairs`, whose corpus has text for at least one of them",
    }
}

/// Adds the rows of one block.
fn expand_block<'a>(
    experiment: &'a Experiment,
    block: &'a TaskBlock,
    reader: &mut Reader<'a>,
    vocabularies: &mut Vocabularies<'_>,
    rows: &mut Vec<(TaskRow, f64)>,
) {
    let Some(corpus) = experiment.corpora.get(block.corpus.value) else { return };
    let mut left_out: BTreeMap<Span, Vec<String>> = BTreeMap::new();
    reader.ask(corpus, block);
    let mut transformed = Transformed::new(experiment, block);
    for (at, pair) in block.pairs.iter().enumerate() {
        match reader.training(corpus, block.is_mono(), (at, pair)) {
            Found::Files(train) => {
                let files = reader.with_extras(train, corpus, block.is_mono(), (at, pair));
                let (source_vocabulary, target_vocabulary) = vocabularies.sides(block, pair);
                let row = TaskRow {
                    name: format!("{}.{}-{}", block.name, pair.source, pair.target),
                    kind: block.kind.value,
                    source: pair.source.clone(),
                    target: pair.target.clone(),
                    share: 0,
                    copies: 1,
                    corpus: files,
                    transforms: transformed.of(pair),
                    source_vocabulary,
                    target_vocabulary,
                    span: pair.span,
                };
                rows.push((row, block.weight));
            }
            Found::Missing(path) if pair.named => {
                let template = train_span(corpus, block.is_mono());
                reader.missing(template, pair, path);
            }
            Found::Missing(_) => {
                let name = format!("{} -> {}", pair.source, pair.target);
                left_out.entry(pair.span).or_default().push(name);
            }
            Found::Fault => {}
        }
    }
    for (span, names) in left_out {
        reader.diagnostics.report(left_out_note(span, &names, &corpus.name));
    }
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
fn report_duplicates(rows: &[(TaskRow, f64)], several: bool, diagnostics: &mut Diagnostics) {
    // Tasks of the same direction.
    let mut alike: HashMap<(&str, &str), Vec<&TaskRow>> = HashMap::new();
    let mut before: Option<&TaskRow> = None;
    for (row, _) in rows {
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
fn weigh(experiment: &Experiment, rows: Vec<(TaskRow, f64)>) -> (Vec<TaskRow>, Vec<Window>) {
    let sizes: Vec<Size<'_>> = rows
        .iter()
        .map(|(row, factor)| Size {
            source: &row.source,
            target: &row.target,
            lines: row.corpus.train.lines,
            factor: *factor,
        })
        .collect();
    let rule = &experiment.curriculum.value;
    let training = &experiment.training.value;
    let lines_per_step = f64::from(experiment.lane_count())
        * f64::from(training.accumulate)
        * f64::from(training.batch_tokens)
        / f64::from(rule.line_tokens);
    let windows = windows(&Run { rule, sizes: &sizes, steps: training.steps, lines_per_step });
    let means = means(&windows, training.steps);
    let mut tasks: Vec<TaskRow> = rows.into_iter().map(|(row, _)| row).collect();
    let lanes = experiment.lane_count();
    for (row, share) in tasks.iter_mut().zip(means) {
        row.share = share;
        // As many lanes as leave none of them more than the largest share that is not split.
        let copies = u32::try_from(share.div_ceil(rule.split)).unwrap_or(lanes);
        row.copies = copies.max(rule.team).min(lanes);
    }
    (tasks, windows)
}

/// What was found for a direction.
enum Found {
    /// Files with as many lines on both sides.
    Files(ParallelFiles),
    /// This path is not there.
    Missing(String),
    /// Something is wrong with them, and it was reported.
    Fault,
}

/// A direction by its place in its block.
type Direction<'p> = (usize, &'p Pair);

/// Finds the files of directions.
struct Reader<'a> {
    templates: &'a Templates,
    known: Known<'a>,
    directions: HashMap<&'a str, Directions<'a>>,
    /// Template -> what it leads to, for every direction (every source language of monolingual text) of the block; none where
    /// it can't be filled.
    asked: HashMap<&'a str, Vec<Option<Asked>>>,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Reader<'a> {
    /// Asks the world for all files of a block at once.
    fn ask(&mut self, corpus: &'a Corpus, block: &TaskBlock) {
        let wanted: Vec<&'a str> = if block.is_mono() {
            let templates = corpus.mono.iter().chain(&corpus.mono_valid);
            templates.flat_map(|templates| &templates.value).map(String::as_str).collect()
        } else {
            let sets = corpus.train.iter().chain(&corpus.valid).chain(&corpus.test);
            sets.flat_map(|set| [set.value.source.as_str(), &set.value.target]).collect()
        };
        let (patterns, paths): (Vec<&str>, Vec<&str>) =
            wanted.into_iter().partition(|template| is_sharded(self.templates, template));
        for template in patterns {
            let filled: Vec<Option<String>> =
                block.pairs.iter().map(|pair| self.fill(template, pair, block.is_mono())).collect();
            let numbers = self.known.match_all(filled.iter().flatten().cloned().collect());
            let mut numbers = numbers.into_iter().map(Asked::Pattern);
            let asked = filled.iter().map(|path| path.as_ref().and_then(|_| numbers.next()));
            self.asked.insert(template, asked.collect());
        }
        let mut asked = vec![Vec::with_capacity(block.pairs.len()); paths.len()];
        // Direction by direction: paths come in about the order of their names.
        for pair in &block.pairs {
            for (template, asked) in paths.iter().zip(&mut asked) {
                let path = self.fill(template, pair, block.is_mono());
                asked.push(path.map(|path| Asked::Path(self.known.path(&path))));
            }
        }
        self.asked.extend(paths.into_iter().zip(asked));
        self.known.ask();
    }

    /// The path or pattern of a direction.
    fn fill(&mut self, template: &'a str, pair: &Pair, is_mono: bool) -> Option<String> {
        let templates = self.templates;
        if is_mono {
            return templates.language(template, &pair.source).ok();
        }
        let directions =
            self.directions.entry(template).or_insert_with(|| Directions::new(templates, template));
        directions.fill(&pair.source, &pair.target).ok()
    }

    /// What a template leads to for a direction of the block.
    fn asked(&self, template: &str, at: usize) -> Option<Asked> {
        *self.asked.get(template)?.get(at)?
    }

    /// The files of one side in order; none: the path, when nothing is there.
    fn side(
        &mut self,
        template: &'a str,
        (at, pair): Direction<'_>,
    ) -> Result<(Asked, Shared<Vec<String>>), String> {
        let side = self.asked(template, at).map(|asked| (asked, self.known.files(asked).clone()));
        side.filter(|(_, files)| !files.is_empty()).ok_or_else(|| {
            // The resolver rendered it for every language in use.
            self.fill(template, pair, false).unwrap_or_else(|| template.to_owned())
        })
    }

    fn files(&mut self, templates: &'a At<TemplatePair>, direction: Direction<'_>) -> Found {
        let pair = direction.1;
        let sides = (
            self.side(&templates.value.source, direction),
            self.side(&templates.value.target, direction),
        );
        let ((of_source, source), (of_target, target)) = match sides {
            (Ok(source), Ok(target)) => (source, target),
            (Err(path), _) | (_, Err(path)) => return Found::Missing(path),
        };
        if source.len() != target.len() {
            self.diagnostics.report(BuildError::ShardsDiffer {
                pair: format!("{} -> {}", pair.source, pair.target),
                source_files: source.len(),
                target_files: target.len(),
                span: templates.span,
                help: "shard i of one side must be the translation of shard i of the other",
            });
            return Found::Fault;
        }
        let mut lines = 0_u64;
        for place in 0..source.len() {
            match self.aligned([of_source, of_target].map(|of| (of, place)), templates.span) {
                Ok(counted) => lines = lines.saturating_add(counted),
                Err(found) => return found,
            }
        }
        Found::Files(ParallelFiles { source, target, lines })
    }

    /// The training text of a direction.
    fn training(&mut self, corpus: &'a Corpus, is_mono: bool, direction: Direction<'_>) -> Found {
        // The resolver lets no block name a corpus without the text that it takes.
        match (is_mono, &corpus.mono, &corpus.train) {
            (true, Some(mono), _) => self.monolingual(mono, direction.0),
            (false, _, Some(train)) => self.files(train, direction),
            _ => Found::Fault,
        }
    }

    /// Training text with validation and test text.
    fn with_extras(
        &mut self,
        train: ParallelFiles,
        corpus: &'a Corpus,
        is_mono: bool,
        direction: Direction<'_>,
    ) -> CorpusFiles {
        if is_mono {
            let valid = corpus.mono_valid.as_ref().and_then(|valid| {
                match self.monolingual(valid, direction.0) {
                    Found::Files(files) => Some(files),
                    Found::Missing(_) | Found::Fault => None,
                }
            });
            return CorpusFiles { train, valid, test: None };
        }
        let valid = self.extra(corpus.valid.as_ref(), direction);
        let test = self.extra(corpus.test.as_ref(), direction);
        CorpusFiles { train, valid, test }
    }

    /// All files of a language that the templates lead to and that are there, as both sides.
    fn monolingual(&mut self, templates: &At<Vec<String>>, at: usize) -> Found {
        let (mut files, mut lines, mut missing) = (Vec::new(), 0_u64, None);
        for template in &templates.value {
            // The resolver rendered it for every language in use.
            let Some(asked) = self.asked(template, at) else { continue };
            let paths = self.known.files(asked).clone();
            for (place, path) in paths.iter().enumerate() {
                match self.aligned([(asked, place); 2], templates.span) {
                    Ok(counted) => {
                        lines = lines.saturating_add(counted);
                        files.push(path.clone());
                    }
                    Err(Found::Missing(path)) => missing = missing.or(Some(path)),
                    Err(found) => return found,
                }
            }
        }
        if files.is_empty() {
            let pattern = || templates.value.first().cloned().unwrap_or_default();
            return Found::Missing(missing.unwrap_or_else(pattern));
        }
        let files = Shared::from(files);
        Found::Files(ParallelFiles { source: files.clone(), target: files, lines })
    }

    /// Lines of one file; what is wrong with it is reported.
    fn lines(&mut self, file: (Asked, usize), span: Span) -> Result<u64, Found> {
        let (path, facts) = self.known.file(file);
        let fault = match facts {
            Ok(CorpusFacts { lines: 0, .. }) => {
                let help = "an empty file trains nothing: fill it or take the direction out";
                BuildError::CorpusEmpty { path: path.to_owned(), span, help }
            }
            Ok(CorpusFacts { lines, not_utf8: None, .. }) => return Ok(*lines),
            Ok(CorpusFacts { lines: all, not_utf8: Some(line), .. }) => {
                let (path, line, all) = (path.to_owned(), *line, *all);
                self.diagnostics.report(BuildError::NotUtf8 { path, line, span });
                return Ok(all);
            }
            Err(WorldError::Missing) => return Err(Found::Missing(path.to_owned())),
            Err(WorldError::Unreadable(reason)) => {
                let help = "check the file's permissions and its disk";
                let (path, reason) = (path.to_owned(), reason.clone());
                BuildError::Unreadable { path, reason, span, help }
            }
            Err(WorldError::Truncated { lines }) => {
                BuildError::Truncated { path: path.to_owned(), lines: *lines, span }
            }
            Err(WorldError::Damaged { lines, reason }) => {
                let (path, reason) = (path.to_owned(), reason.clone());
                BuildError::Damaged { path, lines: *lines, reason, span }
            }
        };
        self.diagnostics.report(fault);
        Err(Found::Fault)
    }

    /// Lines of two files that belong together, each by what led to it and its place there.
    fn aligned(&mut self, files: [(Asked, usize); 2], span: Span) -> Result<u64, Found> {
        let mut lines = [0; 2];
        for (file, lines) in files.into_iter().zip(&mut lines) {
            *lines = self.lines(file, span)?;
        }
        let [source_lines, target_lines] = lines;
        if source_lines != target_lines {
            let [source_path, target_path] = files.map(|file| self.known.file(file).0.to_owned());
            self.diagnostics.report(BuildError::LinesDiffer {
                source_path,
                source_lines,
                target_path,
                target_lines,
                span,
                help: "line i of one side must be the translation of line i of the other",
            });
            return Err(Found::Fault);
        }
        Ok(source_lines)
    }

    /// Validation or test text: missing text is an error only for a direction asked for by name.
    fn extra(
        &mut self,
        templates: Option<&'a At<TemplatePair>>,
        direction: Direction<'_>,
    ) -> Option<ParallelFiles> {
        let templates = templates?;
        match self.files(templates, direction) {
            Found::Files(files) => Some(files),
            Found::Missing(path) => {
                if direction.1.named {
                    self.missing(templates.span, direction.1, path);
                }
                None
            }
            Found::Fault => None,
        }
    }

    fn missing(&mut self, template: Span, pair: &Pair, path: String) {
        self.diagnostics.report(BuildError::CorpusMissing {
            pair: format!("{} -> {}", pair.source, pair.target),
            path,
            span: pair.span,
            template,
            help: "put the file there, correct the template, or take the direction out of `pairs`"
                .to_owned(),
        });
    }
}
