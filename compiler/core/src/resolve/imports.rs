//! The files of a program: reads the entry file and all that it imports, each once, and tells who imports whom.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::ast::{EntryKind, File, ImportPath};
use mmc_syntax::source::{SourceMap, Span};

use super::error::ResolveError;
use super::values::dotted;
use crate::diagnostics::{Diagnostics, Halt};
use crate::world::World;
use crate::{stdlib, suggest};

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Its syntax.
    pub(crate) tree: File,
    /// Where imports are looked for: the path as joined, or the name of a stdlib file.
    key: String,
}

/// Who imports whom, directly or not. Files are numbered in the order in which they are met, importing before imported.
#[derive(Debug, Default)]
pub(crate) struct ImportGraph {
    reached: Vec<BTreeSet<usize>>,
}

impl ImportGraph {
    /// Whether one file imports another, directly or not.
    pub(crate) fn reaches(&self, from: usize, to: usize) -> bool {
        self.reached.get(from).is_some_and(|reached| reached.contains(&to))
    }

    fn of(edges: &[(usize, usize)], files: usize) -> Self {
        let mut reached = vec![BTreeSet::new(); files];
        for (start, set) in reached.iter_mut().enumerate() {
            let mut open = vec![start];
            while let Some(at) = open.pop() {
                let next = edges.iter().filter(|(from, _)| *from == at).map(|(_, to)| *to);
                open.extend(next.filter(|to| set.insert(*to)));
            }
        }
        Self { reached }
    }
}

/// Reads the entry file and everything that it imports. All files are tried, so that all their faults are reported.
pub(crate) fn load(
    entry: &str,
    world: &dyn World,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Result<(Vec<Loaded>, ImportGraph), Halt> {
    let text = match world.source(entry) {
        Ok(text) => text,
        Err(why) => {
            let help = "give the path of a `.mmc` file".to_owned();
            let (path, why) = (entry.to_owned(), why.to_string());
            return Err(diagnostics.halt(ResolveError::EntryMissing { path, why, help }));
        }
    };
    let mut loader = Loader {
        world,
        sources,
        diagnostics,
        files: Vec::new(),
        numbers: BTreeMap::new(),
        edges: Vec::new(),
        open: Vec::new(),
    };
    loader.file(join("", entry), entry, &text);
    loader.diagnostics.checkpoint()?;
    let graph = ImportGraph::of(&loader.edges, loader.files.len());
    let files = loader.files.into_iter().flatten().collect();
    Ok((files, graph))
}

struct Loader<'l> {
    world: &'l dyn World,
    sources: &'l mut SourceMap,
    diagnostics: &'l mut Diagnostics,
    /// Nothing for a file with faults of syntax.
    files: Vec<Option<Loaded>>,
    numbers: BTreeMap<String, usize>,
    edges: Vec<(usize, usize)>,
    /// Files whose imports are being read.
    open: Vec<usize>,
}

impl Loader<'_> {
    fn file(&mut self, key: String, shown: &str, text: &str) -> usize {
        let number = self.files.len();
        self.numbers.insert(key.clone(), number);
        self.files.push(None);
        let source = self.sources.add(shown, text);
        let tree = match mmc_syntax::parse(source, text) {
            Ok(tree) => tree,
            Err(faults) => {
                for fault in faults {
                    self.diagnostics.report(fault);
                }
                return number;
            }
        };
        let imports: Vec<(ImportPath, Span)> = tree
            .items
            .iter()
            .filter_map(|entry| match &entry.kind {
                EntryKind::Import(path) => Some((path.clone(), entry.span)),
                _ => None,
            })
            .collect();
        if let Some(slot) = self.files.get_mut(number) {
            *slot = Some(Loaded { tree, key });
        }
        self.open.push(number);
        for (path, span) in imports {
            if let Some(to) = self.import(number, &path, span) {
                self.edges.push((number, to));
            }
        }
        self.open.pop();
        number
    }

    /// The number of the imported file, if it could be found.
    fn import(&mut self, from: usize, path: &ImportPath, entry: Span) -> Option<usize> {
        let importer = self.key(from).to_owned();
        let (key, shown, span) = match path {
            ImportPath::File(path, span) => {
                let key = join(&importer, path);
                (key.clone(), key, *span)
            }
            ImportPath::Std(names) => {
                let words = dotted(names);
                let words = words.strip_prefix("std.").unwrap_or(&words);
                let file = format!("<stdlib/{}.mmc>", words.replace('.', "/"));
                let first = names.first().map_or(entry, |name| name.span);
                (file.clone(), file, names.last().map_or(entry, |last| first.to(last.span)))
            }
        };
        if let Some(number) = self.numbers.get(&key).copied() {
            if self.open.contains(&number) {
                self.circle(number, &shown, span);
                return None;
            }
            return Some(number);
        }
        let text = match path {
            ImportPath::Std(_) => {
                stdlib::file(&key).map(str::to_owned).ok_or_else(|| "no such file".to_owned())
            }
            ImportPath::File(..) => self.world.source(&key).map_err(|why| why.to_string()),
        };
        match text {
            Ok(text) => Some(self.file(key, &shown, &text)),
            Err(why) => {
                self.missing(path, shown, why, span);
                None
            }
        }
    }

    fn key(&self, number: usize) -> &str {
        self.files.get(number).and_then(Option::as_ref).map_or("", |loaded| loaded.key.as_str())
    }

    fn circle(&mut self, number: usize, shown: &str, span: Span) {
        let from = self.open.iter().position(|open| *open == number).unwrap_or_default();
        let names: Vec<String> =
            self.open.iter().skip(from).map(|open| format!("`{}`", self.key(*open))).collect();
        let circle = format!("{} -> `{shown}`", names.join(" -> "));
        let help = "move what both need into a third file".to_owned();
        self.diagnostics.report(ResolveError::ImportCycle { circle, span, help });
    }

    fn missing(&mut self, path: &ImportPath, shown: String, why: String, span: Span) {
        let (path, help) = match path {
            ImportPath::File(..) => {
                (shown, "paths are relative to the folder of the importing file".to_owned())
            }
            ImportPath::Std(names) => {
                let modules: Vec<String> = stdlib::modules().collect();
                let word = dotted(names);
                let help = suggest::nearest(&word, modules.iter().map(String::as_str)).map_or_else(
                    || format!("the library has {}", modules.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                (word, help)
            }
        };
        self.diagnostics.report(ResolveError::ImportMissing { path, why, span, help });
    }
}

/// `path` as seen from the folder of `importer`, with `.` and `..` resolved by name.
fn join(importer: &str, path: &str) -> String {
    let folder = importer.rfind('/').map_or("", |at| importer.get(..=at).unwrap_or_default());
    let joined = if path.starts_with('/') { path.to_owned() } else { format!("{folder}{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    let root = if joined.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_relative_to_the_importing_file() {
        assert_eq!(join("a/b.mmc", "c.mmc"), "a/c.mmc");
        assert_eq!(join("a/b.mmc", "../c.mmc"), "c.mmc");
        assert_eq!(join("b.mmc", "../x/./c.mmc"), "../x/c.mmc");
        assert_eq!(join("/r/b.mmc", "x/../c.mmc"), "/r/c.mmc");
        assert_eq!(join("b.mmc", "/abs/c.mmc"), "/abs/c.mmc");
    }

    #[test]
    fn reaching_is_transitive() {
        let graph = ImportGraph::of(&[(0, 1), (1, 2)], 3);
        assert!(graph.reaches(0, 2));
        assert!(!graph.reaches(2, 0));
    }
}
