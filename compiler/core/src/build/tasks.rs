//! Task blocks -> task table: every direction with its files, its vocabularies and its share.
//!
//! All that is known of the outside comes through the [`World`]; a direction made by the algebra and without text is left
//! out with a note, one asked for by name is an error.

use std::collections::{BTreeMap, HashMap};

use mmc_plan::{CorpusFiles, ParallelFiles, Shared, TaskKind};
use mmc_syntax::source::Span;

use super::curriculum::{Run, means, windows};
use super::error::BuildError;
use super::known::Known;
use super::shares::Size;
use super::vocabularies::{Transformed, Vocabularies};
use crate::diagnostics::{Diagnostics, Halt};
use crate::directions::Directions;
use crate::ir::experiment::{At, Corpus, Experiment, Pair, TaskBlock, TemplatePair};
use crate::ir::task::{TaskRow, TaskTable, Window};
use crate::template::{TemplateFault, Templates, is_sharded};
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
        lists: HashMap::new(),
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
    for pair in &block.pairs {
        match reader.training(corpus, block.is_mono, pair) {
            Found::Files(train) => {
                let files = reader.with_extras(train, corpus, block.is_mono, pair);
                let (source_vocabulary, target_vocabulary) = vocabularies.sides(block, pair);
                let row = TaskRow {
                    name: format!("{}.{}-{}", block.name, pair.source, pair.target),
                    kind: if block.is_mono { TaskKind::Denoise } else { TaskKind::Translate },
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
                let template = train_span(corpus, block.is_mono);
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
    let sizes: Vec<Size> = rows
        .iter()
        .map(|(row, factor)| Size {
            source: row.source.clone(),
            target: row.target.clone(),
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

/// Finds the files of directions.
struct Reader<'a> {
    templates: &'a Templates,
    known: Known<'a>,
    directions: HashMap<&'a str, Directions<'a>>,
    /// Path or pattern -> its files: both directions of a pair read the same.
    lists: HashMap<String, Shared<Vec<String>>>,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Reader<'a> {
    /// Asks the world for all files of a block at once.
    fn ask(&mut self, corpus: &'a Corpus, block: &TaskBlock) {
        let (mut patterns, mut paths) = (Vec::new(), Vec::new());
        let mut wanted = |path: String, is_sharded: bool| {
            if is_sharded { patterns.push(path) } else { paths.push(path) }
        };
        if block.is_mono {
            let templates = corpus.mono.iter().chain(&corpus.mono_valid);
            for template in templates.flat_map(|templates| &templates.value) {
                let is_sharded = is_sharded(self.templates, template);
                for pair in &block.pairs {
                    if let Ok(path) = self.templates.language(template, &pair.source) {
                        wanted(path, is_sharded);
                    }
                }
            }
        } else {
            let sets = corpus.train.iter().chain(&corpus.valid).chain(&corpus.test);
            for template in sets.flat_map(|set| [&set.value.source, &set.value.target]) {
                for pair in &block.pairs {
                    if let Ok((path, is_sharded)) = self.fill(template, pair) {
                        wanted(path, is_sharded);
                    }
                }
            }
        }
        self.known.ask(patterns, paths);
    }

    /// The path of a direction, and whether it is a pattern of several.
    fn fill(&mut self, template: &'a str, pair: &Pair) -> Result<(String, bool), TemplateFault> {
        let templates = self.templates;
        let directions =
            self.directions.entry(template).or_insert_with(|| Directions::new(templates, template));
        Ok((directions.fill(&pair.source, &pair.target)?, directions.is_sharded))
    }

    /// The files of one side in order; none: the pattern, when nothing fits it.
    fn side(&mut self, template: &'a str, pair: &Pair) -> Result<Shared<Vec<String>>, String> {
        let (path, is_sharded) = match self.fill(template, pair) {
            Ok(filled) => filled,
            // The resolver rendered it for every language in use: not reached, but no reason to stop everything.
            Err(fault) => return Err(format!("{template} ({fault})")),
        };
        if let Some(known) = self.lists.get(&path) {
            return Ok(known.clone());
        }
        let files = if is_sharded { self.known.matching(&path) } else { vec![path.clone()] };
        if files.is_empty() {
            return Err(path);
        }
        Ok(self.lists.entry(path).or_insert(files.into()).clone())
    }

    fn files(&mut self, templates: &'a At<TemplatePair>, pair: &Pair) -> Found {
        let sides =
            (self.side(&templates.value.source, pair), self.side(&templates.value.target, pair));
        let (source, target) = match sides {
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
        for (source, target) in source.iter().zip(target.iter()) {
            match self.aligned(source, target, templates.span) {
                Ok(counted) => lines = lines.saturating_add(counted),
                Err(found) => return found,
            }
        }
        Found::Files(ParallelFiles { source, target, lines })
    }

    /// The training text of a direction.
    fn training(&mut self, corpus: &'a Corpus, is_mono: bool, pair: &Pair) -> Found {
        // The resolver lets no block name a corpus without the text that it takes.
        match (is_mono, &corpus.mono, &corpus.train) {
            (true, Some(mono), _) => self.monolingual(mono, &pair.source),
            (false, _, Some(train)) => self.files(train, pair),
            _ => Found::Fault,
        }
    }

    /// Training text with validation and test text.
    fn with_extras(
        &mut self,
        train: ParallelFiles,
        corpus: &'a Corpus,
        is_mono: bool,
        pair: &Pair,
    ) -> CorpusFiles {
        if is_mono {
            let valid = corpus.mono_valid.as_ref().and_then(|valid| {
                match self.monolingual(valid, &pair.source) {
                    Found::Files(files) => Some(files),
                    Found::Missing(_) | Found::Fault => None,
                }
            });
            return CorpusFiles { train, valid, test: None };
        }
        let valid = self.extra(corpus.valid.as_ref(), pair);
        let test = self.extra(corpus.test.as_ref(), pair);
        CorpusFiles { train, valid, test }
    }

    /// All files of a language that the templates lead to and that are there, as both sides.
    fn monolingual(&mut self, templates: &At<Vec<String>>, language: &str) -> Found {
        let (mut files, mut lines, mut missing) = (Vec::new(), 0_u64, None);
        for template in &templates.value {
            let paths = match self.templates.language(template, language) {
                Ok(path) if is_sharded(self.templates, template) => self.known.matching(&path),
                Ok(path) => vec![path],
                // The resolver rendered it for every language in use.
                Err(_) => Vec::new(),
            };
            for path in paths {
                match self.aligned(&path, &path, templates.span) {
                    Ok(counted) => {
                        lines = lines.saturating_add(counted);
                        files.push(path);
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
    fn lines(&mut self, path: &str, span: Span) -> Result<u64, Found> {
        let name = path.to_owned();
        let fault = match self.known.facts(path) {
            Ok(CorpusFacts { lines: 0, .. }) => {
                let help = "an empty file trains nothing: fill it or take the direction out";
                BuildError::CorpusEmpty { path: name, span, help }
            }
            Ok(facts) => {
                if let Some(line) = facts.not_utf8 {
                    self.diagnostics.report(BuildError::NotUtf8 { path: name, line, span });
                }
                return Ok(facts.lines);
            }
            Err(WorldError::Missing) => return Err(Found::Missing(name)),
            Err(WorldError::Unreadable(reason)) => {
                let help = "check the file's permissions and its disk";
                BuildError::Unreadable { path: name, reason, span, help }
            }
            Err(WorldError::Truncated { lines }) => {
                BuildError::Truncated { path: name, lines, span }
            }
            Err(WorldError::Damaged { lines, reason }) => {
                BuildError::Damaged { path: name, lines, reason, span }
            }
        };
        self.diagnostics.report(fault);
        Err(Found::Fault)
    }

    /// Lines of two files that belong together.
    fn aligned(&mut self, source: &str, target: &str, span: Span) -> Result<u64, Found> {
        let mut lines = [0; 2];
        for (path, lines) in [source, target].into_iter().zip(&mut lines) {
            *lines = self.lines(path, span)?;
        }
        let [source_lines, target_lines] = lines;
        if source_lines != target_lines {
            self.diagnostics.report(BuildError::LinesDiffer {
                source_path: source.to_owned(),
                source_lines,
                target_path: target.to_owned(),
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
        pair: &Pair,
    ) -> Option<ParallelFiles> {
        let templates = templates?;
        match self.files(templates, pair) {
            Found::Files(files) => Some(files),
            Found::Missing(path) => {
                if pair.named {
                    self.missing(templates.span, pair, path);
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
