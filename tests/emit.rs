//! `mmc emit mammoth`: MAMMOTH's own templates, written as examples, give the same configurations.
//!
//! `golden/<example>/mammoth.yaml` is what each gives (`MMC_BLESS=1` rewrites it). With a checkout of MAMMOTH in
//! `MAMMOTH_CHECKOUT` it is compared with what MAMMOTH's stages make of the template itself for the same corpora, and with the
//! configurations that MAMMOTH ships.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: the sentence is the failure's; what can't be tried is skipped aloud"
)]

use std::fs;
use std::path::PathBuf;

use mmc_core::index::{CorpusIndex, Indexed};
use mmc_core::world::World as _;
use mmc_mammoth::yaml::Tree;
use mmc_mammoth::{Files, Flags, Lines, Stage, Uncounted};
use mmc_syntax::SourceMap;

use crate::support::world::TestWorld;
use crate::support::{compare, emitted, rendered, root};

/// Examples with the templates that they say again, and the configuration that MAMMOTH ships if its corpora are those.
const TEMPLATES: [(&str, &str, Option<&str>); 3] = [
    ("mammoth-multi30k", "multi30k", Some("multi30k")),
    ("mammoth-opus", "config_config", None),
    ("mammoth-synthdata", "synthdata", Some("synthdata")),
];

fn index(name: &str) -> CorpusIndex {
    let path = root().join("golden").join(name).join("index.yaml");
    CorpusIndex::from_yaml(&fs::read_to_string(&path).unwrap())
        .unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

fn configuration(name: &str) -> String {
    let disk = TestWorld { folder: Some(root()), ..TestWorld::default() };
    let index = index(name);
    let world = Indexed { sources: &disk, index: &index };
    let (outcome, text) = emitted(&world, &format!("examples/{name}.mmc"), &[]);
    text.unwrap_or_else(|| panic!("{}", rendered(outcome)))
}

#[test]
fn examples_emit_the_golden_configurations() {
    let faults: Vec<String> = TEMPLATES
        .iter()
        .filter_map(|(name, _, _)| {
            let path = root().join("golden").join(name).join("mammoth.yaml");
            compare(&path, &configuration(name)).err()
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The files of an index.
struct Counted<'i>(Indexed<'i>);

impl Files for Counted<'_> {
    fn exists(&self, path: &str) -> bool {
        self.0.corpora(&[path.to_owned()]).iter().all(Result::is_ok)
    }

    fn text(&self, path: &str) -> Result<String, String> {
        Err(format!("{path} is not there"))
    }

    fn lines(&self, paths: &[&str]) -> Vec<Result<Lines, Uncounted>> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let facts = self.0.corpora(&paths).into_iter();
        let ends = |lines| Lines { ends: lines, is_open: false };
        facts
            .map(|facts| facts.map(|facts| ends(facts.lines)).map_err(|_| Uncounted::Missing))
            .collect()
    }
}

fn checkout() -> Option<PathBuf> {
    let folder = std::env::var_os("MAMMOTH_CHECKOUT").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: MAMMOTH_CHECKOUT names no checkout of MAMMOTH");
    }
    folder
}

/// Lines that are neither blank nor a comment.
fn code(text: &str) -> usize {
    let is_code = |line: &&str| !matches!(line.trim_start().chars().next(), None | Some('#'));
    text.lines().filter(is_code).count()
}

/// What `config_all` makes of a template.
fn config_all(template: &str, name: &str) -> String {
    let disk = TestWorld::default();
    let index = index(name);
    let files = Counted(Indexed { sources: &disk, index: &index });
    let mut sources = SourceMap::new();
    let source = sources.add("template.yaml", template);
    let tree = Tree::read(source, template).unwrap().tree;
    let outcome = Stage::ConfigAll.run(tree, &sources, &Flags::default(), &files);
    outcome.text.unwrap_or_else(|| panic!("{name}: {:?}", outcome.findings))
}

#[test]
fn templates_of_mammoth_give_what_the_examples_give() {
    let Some(folder) = checkout() else { return };
    for (name, template, shipped) in TEMPLATES {
        let read = |path: String| fs::read_to_string(folder.join("examples").join(path)).unwrap();
        let ours = configuration(name);
        let template = read(format!("{template}.template.yaml"));
        assert_eq!(config_all(&template, name), ours, "{name}");
        if let Some(shipped) = shipped {
            assert_eq!(read(format!("config_config_output/{shipped}.yaml")), ours, "{name}");
        }
        let example =
            fs::read_to_string(root().join("examples").join(format!("{name}.mmc"))).unwrap();
        let (short, long) = (code(&example), code(&template));
        assert!(short * 4 <= long, "{name}: {short} lines for {long}");
    }
}
