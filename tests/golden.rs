//! Every example has its plan: `golden/<example>/plan.yaml`, made from the facts in `golden/<example>/index.yaml`
//! (`MMC_BLESS=1` rewrites both but the facts that are there).

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: the sentence is the failure's")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use miette::{GraphicalReportHandler, GraphicalTheme, Report};
use mmc_core::index::{CorpusIndex, Indexed, Recorder};
use mmc_core::world::World;
use mmc_core::{Compilation, Options, compile};

use crate::support::world::TestWorld;
use crate::support::{compare, root};

fn examples() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("examples"))
        .unwrap()
        .flatten()
        .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".mmc")?.to_owned()))
        .collect();
    names.sort();
    names
}

fn compiled(name: &str, world: &dyn World) -> Compilation {
    compile(
        &format!("examples/{name}.mmc"),
        &[],
        world,
        &Options { trace: true, ..Options::default() },
    )
}

fn blesses() -> bool {
    std::env::var_os("MMC_BLESS").is_some_and(|value| value == "1")
}

fn index(name: &str, folder: &Path, disk: &TestWorld) -> CorpusIndex {
    let path = folder.join("index.yaml");
    if !path.exists() && blesses() {
        let recorder = Recorder::new(disk);
        drop(compiled(name, &recorder));
        fs::create_dir_all(folder).unwrap();
        fs::write(&path, recorder.into_index().to_yaml()).unwrap();
    }
    CorpusIndex::from_yaml(&fs::read_to_string(&path).unwrap_or_default())
        .unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// Findings as text.
fn rendered(compilation: &mut Compilation) -> String {
    let handler =
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    let mut text = String::new();
    for finding in std::mem::take(&mut compilation.findings) {
        let report = Report::new_boxed(finding).with_source_code(compilation.sources.clone());
        handler.render_report(&mut text, report.as_ref()).unwrap();
    }
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn examples_have_the_plans_of_golden() {
    let disk = TestWorld { folder: Some(root()), ..TestWorld::default() };
    let mut faults = Vec::new();
    for name in examples() {
        let folder = root().join("golden").join(&name);
        let index = index(&name, &folder, &disk);
        let mut compilation = compiled(&name, &Indexed { sources: &disk, index: &index });
        let mut explained = String::new();
        for stage in compilation.stages.iter().filter(|stage| stage.name != "lower") {
            let _ = writeln!(explained, "## {}: {}\n{}", stage.name, stage.why, stage.text);
        }
        let findings = rendered(&mut compilation);
        let Some(plan) = compilation.plan else {
            faults.push(format!("{name} has no plan:\n{findings}"));
            continue;
        };
        let slurm = (mmc_core::emit::find("slurm").unwrap().run)(&plan).unwrap();
        let files = [
            ("plan.yaml", plan.to_yaml()),
            ("explain.txt", explained),
            ("findings.txt", findings),
            ("slurm.sh", slurm),
        ];
        for (file, text) in files {
            faults.extend(compare(&folder.join(file), &text).err());
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_golden_is_an_orphan() {
    let names: BTreeSet<String> = examples().into_iter().collect();
    for folder in fs::read_dir(root().join("golden")).unwrap().flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        assert!(!folder.path().is_dir() || names.contains(&name), "golden/{name} has no example");
    }
}
