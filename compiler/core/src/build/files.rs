//! Path templates of a block -> the files of its directions: the world is asked for all of them at once, then each direction reads what
//! was found.

use std::collections::HashMap;

use mmc_plan::{BadLines, CorpusFiles, ParallelFiles, Shared, stretch};
use mmc_syntax::source::Span;

use super::error::BuildError;
use super::known::{self, Asked, Known, Path};
use super::tasks::STRETCH;
use crate::diagnostics::Diagnostics;
use crate::directions::Directions;
use crate::ir::experiment::{At, Corpus, Monolingual, Pair, TaskBlock, TemplatePair};
use crate::template::{Templates, is_sharded};
use crate::world::{CorpusFacts, World, WorldError};

/// What was found for a direction.
pub(super) enum Found {
    /// Files with as many lines on both sides, or with both sides.
    Files(ParallelFiles),
    /// This path is not there.
    Missing(String),
    /// Something is wrong with them, and it was reported.
    Fault,
}

/// A direction by its place in its block.
pub(super) type Direction<'p> = (usize, &'p Pair);

/// The files of all blocks: what their templates lead to, and what is known of it.
pub(super) struct Sought<'a> {
    templates: &'a Templates,
    known: Known,
    /// Template -> what it leads to, for every direction (every source language of monolingual text) of the block; none where
    /// it can't be filled.
    asked: HashMap<&'a str, Vec<Option<Asked>>>,
    /// What the block's corpus does with bad lines.
    bad_lines: BadLines,
}

impl<'a> Sought<'a> {
    pub(super) fn new(templates: &'a Templates) -> Self {
        let (known, asked) = (Known::default(), HashMap::new());
        Self { templates, known, asked, bad_lines: BadLines::Skip }
    }

    /// Asks the world for all files of a block at once.
    pub(super) fn ask(&mut self, world: &dyn World, corpus: &'a Corpus, block: &TaskBlock) {
        self.bad_lines = corpus.bad_lines;
        let wanted: Vec<&'a str> = if block.is_mono() {
            let texts = corpus.mono.iter().chain(&corpus.mono_valid);
            texts.flat_map(|text| &text.value.templates).map(String::as_str).collect()
        } else {
            let sets = corpus.train.iter().chain(&corpus.valid).chain(&corpus.test);
            sets.flat_map(|set| set.value.all()).collect()
        };
        let (patterns, paths): (Vec<&str>, Vec<&str>) =
            wanted.into_iter().partition(|template| is_sharded(self.templates, template));
        let filled = self.fill(&patterns, block);
        for (at, template) in patterns.iter().enumerate() {
            let of =
                || filled.iter().flat_map(|row| row.chunks(patterns.len())).map(|row| row.get(at));
            let of = || of().map(|path| path.and_then(Option::as_ref));
            let all = of().flatten().map(|path| path.text.clone()).collect();
            let mut numbers = self.known.match_all(world, all).into_iter().map(Asked::Pattern);
            let asked = of().map(|path| path.and_then(|_| numbers.next())).collect();
            self.asked.insert(template, asked);
        }
        let filled = self.fill(&paths, block);
        let mut asked = vec![Vec::with_capacity(block.pairs.len()); paths.len()];
        // Direction by direction: paths come in about the order of their names.
        for (at, path) in filled.into_iter().flatten().enumerate() {
            let path = path.map(|path| Asked::Path(self.known.path(path)));
            if let Some(asked) = asked.get_mut(at % paths.len()) {
                asked.push(path);
            }
        }
        self.asked.extend(paths.into_iter().zip(asked));
        self.known.ask(world);
    }

    /// The paths or patterns of a block's directions, of each in the order of the templates, stretch by stretch.
    fn fill(&self, templates: &[&'a str], block: &TaskBlock) -> Vec<Vec<Option<Path>>> {
        stretch::each(&block.pairs, STRETCH, |pairs| {
            let mut reader = self.reader();
            let mut filled = Vec::with_capacity(pairs.len() * templates.len());
            for pair in pairs {
                let mut path =
                    |template| reader.fill(template, pair, block.is_mono()).map(Path::new);
                filled.extend(templates.iter().map(|template| path(template)));
            }
            filled
        })
    }

    /// Reads what was found.
    pub(super) fn reader(&self) -> Reader<'_, 'a> {
        let (directions, diagnostics) = (HashMap::new(), Diagnostics::default());
        Reader { sought: self, directions, diagnostics }
    }

    /// Reports what was odd about the world's answers.
    pub(super) fn report(world: &dyn World, diagnostics: &mut Diagnostics) {
        known::report(world, diagnostics);
    }
}

/// Finds the files of directions, each by its own.
pub(super) struct Reader<'s, 'a> {
    sought: &'s Sought<'a>,
    directions: HashMap<&'a str, Directions<'a>>,
    /// What is wrong with them.
    pub(super) diagnostics: Diagnostics,
}

impl<'a> Reader<'_, 'a> {
    /// The path or pattern of a direction.
    fn fill(&mut self, template: &'a str, pair: &Pair, is_mono: bool) -> Option<String> {
        let templates = self.sought.templates;
        if is_mono {
            return templates.language(template, &pair.source).ok();
        }
        let directions =
            self.directions.entry(template).or_insert_with(|| Directions::new(templates, template));
        directions.fill(&pair.source, &pair.target).ok()
    }

    /// What a template leads to for a direction of the block.
    fn asked(&self, template: &str, at: usize) -> Option<Asked> {
        *self.sought.asked.get(template)?.get(at)?
    }

    /// The files of one side in order; none: the path, when nothing is there.
    fn side(
        &mut self,
        template: &'a str,
        (at, pair): Direction<'_>,
    ) -> Result<(Asked, Shared<Vec<String>>), String> {
        let side =
            self.asked(template, at).map(|asked| (asked, self.sought.known.files(asked).clone()));
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
        let columns = templates.value.columns.map(|columns| columns.of(&pair.source, &pair.target));
        Found::Files(ParallelFiles { source, target, columns, lines })
    }

    /// The training text of a direction.
    pub(super) fn training(
        &mut self,
        corpus: &'a Corpus,
        is_mono: bool,
        direction: Direction<'_>,
    ) -> Found {
        // The resolver lets no block name a corpus without the text that it takes.
        match (is_mono, &corpus.mono, &corpus.train) {
            (true, Some(mono), _) => self.monolingual(mono, direction.0),
            (false, _, Some(train)) => self.files(train, direction),
            _ => Found::Fault,
        }
    }

    /// Training text with validation and test text.
    pub(super) fn with_extras(
        &mut self,
        train: ParallelFiles,
        corpus: &'a Corpus,
        is_mono: bool,
        direction: Direction<'_>,
    ) -> CorpusFiles {
        let bad_lines = corpus.bad_lines;
        if is_mono {
            let valid = corpus.mono_valid.as_ref().and_then(|valid| {
                match self.monolingual(valid, direction.0) {
                    Found::Files(files) => Some(files),
                    Found::Missing(_) | Found::Fault => None,
                }
            });
            return CorpusFiles { train, valid, test: None, bad_lines };
        }
        let valid = self.extra(corpus.valid.as_ref(), direction);
        let test = self.extra(corpus.test.as_ref(), direction);
        CorpusFiles { train, valid, test, bad_lines }
    }

    /// All files of a language that the templates lead to and that are there, as both sides.
    fn monolingual(&mut self, text: &At<Monolingual>, at: usize) -> Found {
        let Monolingual { templates, column } = &text.value;
        let (mut files, mut lines, mut missing) = (Vec::new(), 0_u64, None);
        for template in templates {
            // The resolver rendered it for every language in use.
            let Some(asked) = self.asked(template, at) else { continue };
            let paths = self.sought.known.files(asked).clone();
            for (place, path) in paths.iter().enumerate() {
                match self.aligned([(asked, place); 2], text.span) {
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
            let pattern = || templates.first().cloned().unwrap_or_default();
            return Found::Missing(missing.unwrap_or_else(pattern));
        }
        let (files, columns) = (Shared::from(files), column.map(|column| [column; 2]));
        Found::Files(ParallelFiles { source: files.clone(), target: files, columns, lines })
    }

    /// Lines of one file; what is wrong with it is reported.
    fn lines(&mut self, file: (Asked, usize), span: Span) -> Result<u64, Found> {
        let (path, facts) = self.sought.known.file(file);
        let fault = match facts {
            Ok(CorpusFacts { lines: 0, .. }) => {
                let help = "an empty file trains nothing: fill it or take the direction out";
                BuildError::CorpusEmpty { path: path.to_owned(), span, help }
            }
            Ok(CorpusFacts { lines, not_utf8: None, .. }) => return Ok(*lines),
            Ok(CorpusFacts { lines: all, not_utf8: Some(line), .. }) => {
                let (path, line, all) = (path.to_owned(), *line, *all);
                if self.sought.bad_lines.are_skipped() {
                    self.diagnostics.report(BuildError::NotUtf8 { path, line, span });
                    return Ok(all);
                }
                BuildError::BadLine { path, line, span }
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
            let [source_path, target_path] =
                files.map(|file| self.sought.known.file(file).0.to_owned());
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

    pub(super) fn missing(&mut self, template: Span, pair: &Pair, path: String) {
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
