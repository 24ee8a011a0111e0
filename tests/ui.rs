//! The looks of diagnostics: every fixture under `tests/ui` is compiled and its findings compared with its notes and its
//! `.stderr` (`MMC_BLESS=1` rewrites that).
//!
//! A note `#~ CODE` stands in the lines below the one where the finding's first label begins; before any other line it is
//! about a finding without place. `#@ param NAME=VALUE`, `#@ missing FILE`, `#@ one_way FILE`, `#@ lines FILE COUNT`, `#@ not_utf8 FILE LINE`,
//! `#@ unknown FILE PIECES_OF_1000`, `#@ fault FILE WORD` and `#@ remark WORD FILE...` set the stage.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mmc_syntax::Span;

use crate::support::world::TestWorld;
use crate::support::{Outcome, compare, emitted, planned, rendered, resolved, root, staged};

/// (file, line from 1 or 0 for no place, code)
type Notes = Vec<(String, usize, String)>;

fn fixtures() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for stage in fs::read_dir(root().join("tests/ui")).expect("fixtures").flatten() {
        for file in fs::read_dir(stage.path()).into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|extension| extension == "mmc") {
                found.push(file.path());
            }
        }
    }
    found.sort();
    found
}

/// The name of a fixture's file as the compiler sees it: the working directory of all is its stage's folder.
fn entry(path: &Path) -> String {
    path.file_name().expect("a file").to_string_lossy().into_owned()
}

fn compiled(path: &Path, text: &str) -> Outcome {
    let mut world = TestWorld {
        folder: Some(path.parent().expect("in a folder").to_owned()),
        ..TestWorld::default()
    };
    let params = staged(&mut world, text);
    let stage = path.parent().and_then(Path::file_name);
    let is_resolved_alone = ["resolve", "syntax"].iter().any(|name| stage == Some(name.as_ref()));
    if stage == Some("emit".as_ref()) {
        return emitted(&world, &entry(path), &params).0;
    }
    let compiled = if is_resolved_alone { resolved } else { planned };
    compiled(&world, &entry(path), &params)
}

fn notes(name: &str, text: &str) -> Notes {
    let mut notes = Vec::new();
    let mut above = 0;
    for (number, line) in text.lines().enumerate() {
        if let Some(code) = line.trim_start().strip_prefix("#~ ") {
            notes.push((name.to_owned(), above, code.trim().to_owned()));
        } else if !line.starts_with("#@ ") {
            above = number + 1;
        }
    }
    notes
}

fn found(outcome: &Outcome, entry: &str) -> Notes {
    let place = |finding: &dyn miette::Diagnostic| {
        let label = finding.labels()?.next()?;
        let start = u32::try_from(label.offset()).ok()?;
        let span = Span::new(start, start);
        let (line, _) = outcome.sources.line_column(span)?;
        Some((outcome.sources.name(span)?.to_owned(), line))
    };
    let row = |finding: &mmc_core::diagnostics::Finding| {
        let (file, line) = place(&**finding).unwrap_or((entry.to_owned(), 0));
        (file, line, finding.code().map(|code| code.to_string()).unwrap_or_default())
    };
    let mut rows: Notes = outcome.findings.iter().map(row).collect();
    rows.sort();
    rows
}

/// The notes of a fixture and of the files beside it that it imports.
fn expected(path: &Path, text: &str) -> Notes {
    let mut all = notes(&entry(path), text);
    for line in text.lines().filter_map(|line| line.strip_prefix("import \"")) {
        let file = line.trim_end().trim_end_matches('"');
        if file == entry(path) {
            continue;
        }
        let imported =
            fs::read_to_string(path.parent().expect("in a folder").join(file)).unwrap_or_default();
        all.extend(notes(file, &imported));
    }
    all.sort();
    all
}

#[test]
fn fixtures_look_as_noted() {
    let mut faults = Vec::new();
    for path in fixtures() {
        let text = fs::read_to_string(&path).unwrap();
        let outcome = compiled(&path, &text);
        let (expected, found) = (expected(&path, &text), found(&outcome, &entry(&path)));
        let short = path.strip_prefix(root().join("tests/ui")).unwrap().display().to_string();
        if expected != found {
            faults.push(format!(
                "{short}: noted {expected:#?}, found {found:#?}\n{}",
                rendered(outcome)
            ));
            continue;
        }
        if short.ends_with("clean.mmc") && outcome.experiment.is_none() {
            faults.push(format!("{short}: resolves to nothing"));
        }
        if let Err(difference) = compare(&path.with_extension("stderr"), &rendered(outcome)) {
            faults.push(difference);
        }
    }
    assert!(faults.is_empty(), "{} fixtures:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn there_are_fixtures_for_every_code_of_the_resolver() {
    let mut noted: BTreeMap<String, usize> = BTreeMap::new();
    for path in fixtures() {
        let text = fs::read_to_string(&path).unwrap();
        for (_, _, code) in notes("", &text) {
            *noted.entry(code).or_default() += 1;
        }
    }
    let codes: BTreeSet<&str> = mmc_core::registry::rows().map(|row| row.code).collect();
    let unknown: Vec<&String> =
        noted.keys().filter(|code| !codes.contains(code.as_str())).collect();
    assert!(unknown.is_empty(), "codes that the registry does not have: {unknown:?}");
    let lacking: Vec<&&str> = codes
        .iter()
        .filter(|code| code.contains("::resolve::") && !noted.contains_key(**code))
        .collect();
    assert!(lacking.is_empty(), "codes without a fixture: {lacking:?}");
}

#[test]
fn every_stderr_has_its_fixture() {
    for stage in fs::read_dir(root().join("tests/ui")).expect("fixtures").flatten() {
        for file in fs::read_dir(stage.path()).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some_and(|extension| extension == "stderr") {
                assert!(path.with_extension("mmc").is_file(), "{} is an orphan", path.display());
            }
        }
    }
}
