//! What the world has said about corpus files: it is asked for all files of a block at once, and for each of them once. Paths go
//! by numbers, for both directions of a pair have the same.

use std::collections::HashMap;

use mmc_plan::Shared;

use super::error::BuildError;
use crate::diagnostics::Diagnostics;
use crate::world::{CorpusFacts, Remark, World, WorldError};

/// Files that a remark names before it counts the rest.
const NAMED_IN_REMARK: usize = 3;

/// Answers of a world.
pub(super) struct Known<'a> {
    world: &'a dyn World,
    numbers: HashMap<String, usize>,
    /// By number.
    files: Vec<File>,
    /// Paths with the next numbers, for which the world was not asked yet.
    waiting: Vec<String>,
    patterns: HashMap<String, usize>,
    /// By number: the files that fit the pattern, and their numbers.
    matches: Vec<(Shared<Vec<String>>, Vec<usize>)>,
}

/// A path, as the only file of a side, and what is known of it.
type File = (Shared<Vec<String>>, Result<CorpusFacts, WorldError>);

/// The number of a path or of a pattern.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    Path(usize),
    Pattern(usize),
}

impl<'a> Known<'a> {
    pub(super) fn new(world: &'a dyn World) -> Self {
        let (numbers, patterns) = (HashMap::new(), HashMap::new());
        Self {
            world,
            numbers,
            files: Vec::new(),
            waiting: Vec::new(),
            patterns,
            matches: Vec::new(),
        }
    }

    /// The number of a path.
    pub(super) fn path(&mut self, path: &str) -> usize {
        if let Some(&number) = self.numbers.get(path) {
            return number;
        }
        let number = self.files.len() + self.waiting.len();
        self.numbers.insert(path.to_owned(), number);
        self.waiting.push(path.to_owned());
        number
    }

    /// Numbers patterns that are new, in order, and asks for the files that fit them.
    pub(super) fn match_all(&mut self, patterns: Vec<String>) -> Vec<usize> {
        let mut new = Vec::new();
        let mut number = |pattern: String| {
            let next = self.patterns.len();
            *self.patterns.entry(pattern).or_insert_with_key(|pattern| {
                new.push(pattern.clone());
                next
            })
        };
        let numbers: Vec<usize> = patterns.into_iter().map(&mut number).collect();
        let world = self.world;
        for files in world.matching(&new) {
            let of = files.iter().map(|path| self.path(path)).collect();
            self.matches.push((files.into(), of));
        }
        numbers
    }

    /// Asks for all files that are not known yet.
    pub(super) fn ask(&mut self) {
        let paths = std::mem::take(&mut self.waiting);
        let facts = self.world.corpora(&paths);
        self.files.extend(paths.into_iter().map(|path| vec![path].into()).zip(facts));
    }

    /// The files that something asked for leads to, in order.
    pub(super) fn files(&self, asked: Asked) -> &Shared<Vec<String>> {
        match asked {
            Asked::Path(number) => &self.row(number).0,
            Asked::Pattern(number) => &self.matching(number).0,
        }
    }

    /// One of these files, and what is known of it.
    pub(super) fn file(
        &self,
        (asked, at): (Asked, usize),
    ) -> (&str, &Result<CorpusFacts, WorldError>) {
        let number = match asked {
            Asked::Path(number) => number,
            Asked::Pattern(number) => *self.matching(number).1.get(at).expect("files have numbers"),
        };
        let (path, facts) = self.row(number);
        (path.first().map_or("", String::as_str), facts)
    }

    fn row(&self, number: usize) -> &File {
        self.files.get(number).expect("files are asked for before they are used")
    }

    fn matching(&self, number: usize) -> &(Shared<Vec<String>>, Vec<usize>) {
        self.matches.get(number).expect("patterns get their files with their numbers")
    }

    /// Reports what was odd about the answers.
    pub(super) fn report(&self, diagnostics: &mut Diagnostics) {
        for remark in self.world.remarks() {
            diagnostics.report(match remark {
                Remark::StaleIndex { paths } => {
                    BuildError::StaleIndex { files: paths.len(), paths: listed(&paths) }
                }
                Remark::StaleCache { paths } => {
                    BuildError::StaleCache { files: paths.len(), paths: listed(&paths) }
                }
                Remark::CacheDamaged { path, reason } => BuildError::CacheDamaged { path, reason },
            });
        }
    }
}

/// `` `a`, `b`, and 3 more ``.
fn listed(paths: &[String]) -> String {
    let mut shown: Vec<String> =
        paths.iter().take(NAMED_IN_REMARK).map(|path| format!("`{path}`")).collect();
    if paths.len() > NAMED_IN_REMARK {
        shown.push(format!("and {} more", paths.len() - NAMED_IN_REMARK));
    }
    shown.join(", ")
}
