//! What the world has said about corpus files: it is asked for all files of a block at once, and for each of them once. Paths go
//! by numbers, for both directions of a pair have the same.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash as _, Hasher};

use mmc_plan::Shared;

use super::error::BuildError;
use crate::diagnostics::Diagnostics;
use crate::world::{CorpusFacts, Remark, World, WorldError};

/// Files that a remark names before it counts the rest.
const NAMED_IN_REMARK: usize = 3;

/// Answers of a world.
#[derive(Default)]
pub(super) struct Known {
    /// Hash -> number; the next hashes are those of other paths with the same.
    numbers: HashMap<u64, usize, BuildHasherDefault<Given>>,
    /// By number.
    files: Vec<File>,
    /// Paths with the next numbers, for which the world was not asked yet.
    waiting: Vec<String>,
    patterns: HashMap<String, usize>,
    /// By number: the files that fit the pattern, and their numbers.
    matches: Vec<(Shared<Vec<String>>, Vec<usize>)>,
}

/// A path with its hash.
#[derive(Debug, Clone)]
pub(super) struct Path {
    hash: u64,
    pub(super) text: String,
}

impl Path {
    pub(super) fn new(text: String) -> Self {
        let mut hash = DefaultHasher::new();
        text.hash(&mut hash);
        Self { hash: hash.finish(), text }
    }
}

/// Takes numbers that are hashes already as they are.
#[derive(Default)]
struct Given(u64);

impl Hasher for Given {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let words =
            bytes.chunks(8).map(|word| word.iter().fold(0, |sum, b| sum << 8 | u64::from(*b)));
        self.0 = words.fold(self.0, |sum, word| sum ^ word);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A path, as the only file of a side, and what is known of it.
type File = (Shared<Vec<String>>, Result<CorpusFacts, WorldError>);

/// The number of a path or of a pattern.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    Path(usize),
    Pattern(usize),
}

impl Known {
    /// The number of a path.
    pub(super) fn path(&mut self, Path { mut hash, text }: Path) -> usize {
        let next = self.files.len() + self.waiting.len();
        while let Some(&number) = self.numbers.get(&hash) {
            if self.text(number) == text {
                return number;
            }
            hash = hash.wrapping_add(1);
        }
        self.numbers.insert(hash, next);
        self.waiting.push(text);
        next
    }

    /// The path of a number.
    fn text(&self, number: usize) -> &str {
        let asked = self.files.get(number).and_then(|(paths, _)| paths.first());
        let waiting = || self.waiting.get(number.checked_sub(self.files.len())?);
        asked.or_else(waiting).map_or("", String::as_str)
    }

    /// Numbers patterns that are new, in order, and asks for the files that fit them.
    pub(super) fn match_all(&mut self, world: &dyn World, patterns: Vec<String>) -> Vec<usize> {
        let mut new = Vec::new();
        let mut number = |pattern: String| {
            let next = self.patterns.len();
            *self.patterns.entry(pattern).or_insert_with_key(|pattern| {
                new.push(pattern.clone());
                next
            })
        };
        let numbers: Vec<usize> = patterns.into_iter().map(&mut number).collect();
        for files in world.matching(&new) {
            let of = files.iter().map(|path| self.path(Path::new(path.clone()))).collect();
            self.matches.push((files.into(), of));
        }
        numbers
    }

    /// Asks for all files that are not known yet.
    pub(super) fn ask(&mut self, world: &dyn World) {
        let paths = std::mem::take(&mut self.waiting);
        let facts = world.corpora(&paths);
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
}

/// Reports what was odd about a world's answers.
pub(super) fn report(world: &dyn World, diagnostics: &mut Diagnostics) {
    for remark in world.remarks() {
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

/// `` `a`, `b`, and 3 more ``.
fn listed(paths: &[String]) -> String {
    let mut shown: Vec<String> =
        paths.iter().take(NAMED_IN_REMARK).map(|path| format!("`{path}`")).collect();
    if paths.len() > NAMED_IN_REMARK {
        shown.push(format!("and {} more", paths.len() - NAMED_IN_REMARK));
    }
    shown.join(", ")
}
