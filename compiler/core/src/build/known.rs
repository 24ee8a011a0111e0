//! What the world has said about corpus files: it is asked for all files of a block at once, and for each of them once.

use std::collections::{HashMap, HashSet};

use super::error::BuildError;
use crate::diagnostics::Diagnostics;
use crate::world::{CorpusFacts, Remark, World, WorldError};

/// Files that a remark names before it counts the rest.
const NAMED_IN_REMARK: usize = 3;

/// Answers of a world.
pub(super) struct Known<'a> {
    world: &'a dyn World,
    facts: HashMap<String, Result<CorpusFacts, WorldError>>,
    shards: HashMap<String, Vec<String>>,
}

impl<'a> Known<'a> {
    pub(super) fn new(world: &'a dyn World) -> Self {
        Self { world, facts: HashMap::new(), shards: HashMap::new() }
    }

    /// Asks for the files that fit patterns, and for what is known of them and of other files.
    pub(super) fn ask(&mut self, patterns: Vec<String>, mut paths: Vec<String>) {
        let patterns = new(patterns, &self.shards);
        let shards = self.world.matching(&patterns);
        paths.extend(shards.iter().flatten().cloned());
        self.shards.extend(patterns.into_iter().zip(shards));
        let paths = new(paths, &self.facts);
        let facts = self.world.corpora(&paths);
        self.facts.extend(paths.into_iter().zip(facts));
    }

    /// What is known of a file that was asked for.
    pub(super) fn facts(&self, path: &str) -> Result<CorpusFacts, WorldError> {
        self.facts.get(path).cloned().unwrap_or(Err(WorldError::Missing))
    }

    /// The files that fit a pattern that was asked for.
    pub(super) fn matching(&self, pattern: &str) -> Vec<String> {
        self.shards.get(pattern).cloned().unwrap_or_default()
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

/// Those that are not known, each where it comes first.
fn new<T>(paths: Vec<String>, known: &HashMap<String, T>) -> Vec<String> {
    let mut seen: HashSet<&str> = HashSet::with_capacity(paths.len() / 2);
    let is_new: Vec<bool> =
        paths.iter().map(|path| !known.contains_key(path) && seen.insert(path)).collect();
    paths.into_iter().zip(is_new).filter(|(_, is_new)| *is_new).map(|(path, _)| path).collect()
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
