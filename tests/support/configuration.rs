//! Configurations of MAMMOTH for tests: some keys in place of a whole one's, through its stages or imported, over a [`TestWorld`].

use mmc_core::diagnostics::{Diagnostics, Finding};
use mmc_core::world::{World as _, WorldError};
use mmc_mammoth::yaml::Tree;
use mmc_mammoth::{Files, Flags, Lines, Stage, Uncounted};
use mmc_syntax::{SourceId, SourceMap};

use super::world::TestWorld;

/// The file's name in findings.
const NAME: &str = "meta.yaml";

/// The section of options.
const OPTIONS: &str = "config_config";

/// What an example's comments `#@` say beside its files: `stage NAME`, `flags WORDS`, `copy_from YAML`, `without KEYS`.
struct Wanted<'e> {
    stage: Stage,
    flags: Flags,
    without: Vec<&'e str>,
}

/// The findings of a stage on a whole configuration with some keys of its own.
pub(crate) fn through_stages(
    world: &TestWorld,
    whole: &str,
    example: &str,
) -> (SourceMap, Vec<Finding>) {
    let wanted = wanted(example);
    let (sources, found) = read(&over(whole, example, &wanted.without));
    let findings = match found {
        (Some(tree), mut findings) => {
            let outcome = wanted.stage.run(tree, &sources, &wanted.flags, &Directory(world));
            findings.extend(outcome.findings);
            findings
        }
        (None, findings) => findings,
    };
    (sources, findings)
}

/// The findings of an import of it.
pub(crate) fn imported(whole: &str, example: &str) -> (SourceMap, Vec<Finding>) {
    let text = over(whole, example, &wanted(example).without);
    let mut sources = SourceMap::new();
    let source = sources.add(NAME, &text);
    let tree = Tree::read(source, &text).expect("an example of YAML").tree;
    let made = mmc_mammoth::import::import(&tree, source, &text);
    let mut sink = Diagnostics::default();
    made.faults.into_iter().for_each(|fault| sink.report(fault));
    made.notes.into_iter().for_each(|note| sink.take(note));
    (sources, sink.into_findings())
}

/// A configuration with its findings; no tree when it can't be read.
pub(crate) fn read(text: &str) -> (SourceMap, (Option<Tree>, Vec<Finding>)) {
    let (mut sources, mut sink) = (SourceMap::new(), Diagnostics::default());
    let source = sources.add(NAME, text);
    let tree = match Tree::read(source, text) {
        Ok(read) => {
            read.duplicates.into_iter().for_each(|twice| sink.report(twice));
            Some(read.tree)
        }
        Err(fault) => {
            sink.report(fault);
            None
        }
    };
    (sources, (tree, sink.into_findings()))
}

fn wanted(example: &str) -> Wanted<'_> {
    let mut wanted =
        Wanted { stage: Stage::ConfigAll, flags: Flags::default(), without: Vec::new() };
    for line in example.lines().filter_map(|line| line.strip_prefix("#@ ")) {
        match line.split_once(' ') {
            Some(("stage", name)) => wanted.stage = Stage::find(name).expect("a stage"),
            Some(("flags", words)) => flags(words, &mut wanted.flags),
            Some(("without", keys)) => wanted.without.extend(keys.split(' ')),
            Some(("copy_from", text)) => {
                let read = Tree::read(SourceId::default(), text).expect("an example of YAML");
                wanted.flags.copy_from = Some(read.tree);
            }
            _ => {}
        }
    }
    wanted
}

fn flags(words: &str, flags: &mut Flags) {
    let mut words = words.split(' ');
    while let Some(name) = words.next().and_then(|word| word.strip_prefix("--")) {
        if name == "bug-for-bug" {
            flags.bug_for_bug = true;
            continue;
        }
        let known = Stage::ALL.iter().flat_map(|stage| stage.flags());
        let name = known.into_iter().find(|known| *known == name).expect("a flag of some stage");
        let value = words.next().expect("a flag with a value");
        if let Ok(count) = value.parse()
            && name.starts_with("n_")
        {
            flags.counts.push((name, count));
        } else if let Ok(number) = value.parse() {
            match name {
                "time_budget_s" => flags.counts.push((name, 60)),
                _ => flags.numbers.push((name, number)),
            }
        } else {
            flags.texts.push((name, value.to_owned()));
        }
    }
}

/// The files of a world.
struct Directory<'w>(&'w TestWorld);

impl Files for Directory<'_> {
    fn exists(&self, path: &str) -> bool {
        !self.0.missing.contains(path)
    }

    fn text(&self, path: &str) -> Result<String, String> {
        self.0.source(path).map_err(|fault| fault.to_string())
    }

    fn lines(&self, paths: &[&str]) -> Vec<Result<Lines, Uncounted>> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let facts = self.0.corpora(&paths).into_iter();
        let lines = |(path, facts): (&String, Result<mmc_core::world::CorpusFacts, WorldError>)| {
            let is_open = self.0.open.contains(path);
            match facts {
                Ok(facts) => Ok(Lines { ends: facts.lines - u64::from(is_open), is_open }),
                Err(WorldError::Missing) => Err(Uncounted::Missing),
                Err(fault) => Err(Uncounted::Unreadable(fault.to_string())),
            }
        };
        paths.iter().zip(facts).map(lines).collect()
    }
}

/// An entry of a block mapping: its key, and all its lines.
struct Entry<'t> {
    key: &'t str,
    lines: Vec<&'t str>,
}

/// The entries that begin at a column.
fn entries<'t>(lines: impl Iterator<Item = &'t str>, column: usize) -> Vec<Entry<'t>> {
    let mut found: Vec<Entry<'_>> = Vec::new();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let at = line.len() - line.trim_start().len();
        match found.last_mut() {
            Some(entry) if at > column => entry.lines.push(line),
            _ => {
                let key = line.split(':').next().unwrap_or_default().trim();
                found.push(Entry { key, lines: vec![line] });
            }
        }
    }
    found
}

/// Entries in place of those with their keys, or behind them.
fn replace<'t>(entries: &mut Vec<Entry<'t>>, others: Vec<Entry<'t>>) {
    for other in others {
        match entries.iter_mut().find(|entry| entry.key == other.key) {
            Some(entry) => *entry = other,
            None => entries.push(other),
        }
    }
}

/// A whole configuration with the keys of an example in place of its own, and without some.
fn over(whole: &str, example: &str, without: &[&str]) -> String {
    let (mut all, mut own) = (entries(whole.lines(), 0), entries(example.lines(), 0));
    let options = all.iter_mut().find(|entry| entry.key == OPTIONS).expect("a whole one");
    let mut inside = entries(options.lines.iter().skip(1).copied(), 2);
    inside.retain(|entry| !without.contains(&entry.key));
    if let Some(at) = own.iter().position(|entry| entry.key == OPTIONS) {
        replace(&mut inside, entries(own.remove(at).lines.into_iter().skip(1), 2));
    }
    options.lines.truncate(1);
    options.lines.extend(inside.into_iter().flat_map(|entry| entry.lines));
    all.retain(|entry| !without.contains(&entry.key));
    replace(&mut all, own);
    all.into_iter().flat_map(|entry| entry.lines).fold(String::new(), |all, line| all + line + "\n")
}
