//! Shared by the tests.

pub(crate) mod configuration;
pub(crate) mod world;

use std::fs;
use std::path::{Path, PathBuf};

use miette::{GraphicalReportHandler, GraphicalTheme, Report};
use mmc_core::diagnostics::{Diagnostics, Finding};
use mmc_core::ir::experiment::Experiment;
use mmc_core::resolve::resolve;
use mmc_core::world::{Remark, World, WorldError};
use mmc_core::{Compilation, Options, compile};
use mmc_plan::Plan;
use mmc_syntax::SourceMap;
use world::TestWorld;

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares with a file, or rewrites it under `MMC_BLESS=1`. The message says what differs.
pub(crate) fn compare(path: &Path, found: &str) -> Result<(), String> {
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    if std::env::var_os("MMC_BLESS").is_some_and(|value| value == "1") {
        return fs::write(path, found).map_err(|why| format!("{}: {why}", path.display()));
    }
    let difference = similar::TextDiff::from_lines(expected.as_str(), found);
    let text = difference.unified_diff().header("expected", "found").to_string();
    Err(format!("{} differs (MMC_BLESS=1 rewrites it):\n{text}", path.display()))
}

/// What the compiler says of `main.mmc`.
pub(crate) struct Outcome {
    pub(crate) experiment: Option<Experiment>,
    pub(crate) plan: Option<Plan>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) sources: SourceMap,
}

/// Resolves `entry` of a world.
pub(crate) fn resolved(world: &TestWorld, entry: &str, params: &[(String, String)]) -> Outcome {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let experiment = resolve(entry, params, world, &mut sources, &mut diagnostics).ok();
    Outcome { experiment, plan: None, findings: diagnostics.into_findings(), sources }
}

/// Compiles `entry` of a world.
pub(crate) fn planned(world: &TestWorld, entry: &str, params: &[(String, String)]) -> Outcome {
    let Compilation { plan, findings, sources, .. } =
        compile(entry, params, world, &Options::default());
    Outcome { experiment: None, plan, findings, sources }
}

/// Compiles `entry` of a world and writes MAMMOTH's configuration; its findings join the others.
pub(crate) fn emitted(
    world: &dyn World,
    entry: &str,
    params: &[(String, String)],
) -> (Outcome, Option<String>) {
    let mut compiled = compile(entry, params, world, &Options::default());
    let mut text = None;
    if let (Some(experiment), Some(plan)) = (&compiled.experiment, &compiled.plan) {
        let made = mmc_mammoth::emit::emit(experiment, plan, &compiled.sources);
        compiled.findings.extend(made.findings);
        text = made.text;
    }
    let Compilation { plan, experiment, findings, sources, .. } = compiled;
    (Outcome { experiment, plan, findings, sources }, text)
}

/// Sets the stage that the comments `#@` of a source tell: `param NAME=VALUE` (given back), `missing FILE`, `lines FILE COUNT`,
/// `unknown FILE PIECES`, `open FILE` (its last line has no end), `text FILE LINE / LINE`; of those of configurations see
/// [`configuration`].
pub(crate) fn staged(world: &mut TestWorld, text: &str) -> Vec<(String, String)> {
    let mut params = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("#@ ")) {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["param", given] => {
                let (name, value) = given.split_once('=').expect("NAME=VALUE");
                params.push((name.to_owned(), value.to_owned()));
            }
            ["missing", file] => drop(world.missing.insert((*file).to_owned())),
            ["one_way", file] => drop(world.one_way.insert((*file).to_owned())),
            ["not_utf8", file, line] => {
                world.not_utf8.insert((*file).to_owned(), line.parse().expect("a line"));
            }
            ["unknown", file, pieces] => {
                world.unknown.insert((*file).to_owned(), pieces.parse().expect("a count"));
            }
            ["fault", file, fault] => {
                world.faults.insert((*file).to_owned(), corpus_fault(fault));
            }
            ["open", file] => drop(world.open.insert((*file).to_owned())),
            ["text", file, ..] => {
                let text = line.splitn(3, ' ').nth(2).expect("a text").replace(" / ", "\n");
                world.sources.insert((*file).to_owned(), text + "\n");
            }
            ["stage" | "flags" | "copy_from" | "without", ..] => {}
            ["remark", remark, files @ ..] => world.remarks.push(corpus_remark(remark, files)),
            ["lines", file, count] => {
                world.lines.insert((*file).to_owned(), count.parse().expect("a count"));
            }
            other => assert!(other.is_empty(), "`#@ {line}`"),
        }
    }
    params
}

/// Findings as a terminal without colour shows them.
pub(crate) fn rendered(outcome: Outcome) -> String {
    let handler =
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    let sources: SourceMap = outcome.sources;
    let mut text = String::new();
    for finding in outcome.findings {
        let report = Report::new_boxed(finding).with_source_code(sources.clone());
        handler.render_report(&mut text, report.as_ref()).expect("text takes all");
        text.push('\n');
    }
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The word of a `#@ fault` as the world tells it.
fn corpus_fault(word: &str) -> WorldError {
    match word {
        "unreadable" => WorldError::Unreadable("Permission denied (os error 13)".to_owned()),
        "truncated" => WorldError::Truncated { lines: 812 },
        "damaged" => {
            WorldError::Damaged { lines: 0, reason: "Unknown frame descriptor".to_owned() }
        }
        _ => WorldError::Unreadable(format!("there is no fault `{word}`")),
    }
}

/// The words of a `#@ remark` as the world tells it.
fn corpus_remark(word: &str, files: &[&str]) -> Remark {
    let paths = files.iter().map(|file| (*file).to_owned()).collect();
    match word {
        "stale_index" => Remark::StaleIndex { paths },
        "stale_cache" => Remark::StaleCache { paths },
        "cache_damaged" => Remark::CacheDamaged {
            path: files.join(" "),
            reason: "EOF while parsing a string at line 1 column 4096".to_owned(),
        },
        _ => Remark::CacheDamaged { path: word.to_owned(), reason: "no such remark".to_owned() },
    }
}
