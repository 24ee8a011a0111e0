//! The house checks itself: layout, boundaries and habits that a machine can keep (docs/style.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MOST_LINES: usize = 600;
const MOST_EXAMPLE_LINES: usize = 60;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file under a folder of the repository, as paths relative to the root, ordered.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.is_file() {
                let relative = path.strip_prefix(root()).expect("below the root");
                found.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn rust_files() -> Vec<String> {
    let mut all = Vec::new();
    for folder in ["compiler", "runtime", "tests"] {
        all.extend(files(folder).into_iter().filter(|path| is_rust(path)));
    }
    all
}

fn assert_none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

#[test]
fn every_rust_file_says_what_it_is_and_is_short() {
    let mut faults = Vec::new();
    for path in rust_files() {
        let text = read(&path);
        if !text.starts_with("//!") && !text.starts_with("#![") {
            faults.push(format!("{path}: does not start with `//!`"));
        }
        let lines = text.lines().count();
        if lines > MOST_LINES {
            faults.push(format!("{path}: {lines} lines, at most {MOST_LINES}"));
        }
    }
    assert_none(&faults, "every file holds one idea and says which");
}

#[test]
fn unsafe_code_lives_in_one_file() {
    let word = concat!("un", "safe ");
    let faults: Vec<String> = rust_files()
        .into_iter()
        .filter(|path| path != "runtime/src/ffi.rs" && !path.starts_with("runtime/src/ffi/"))
        .filter(|path| {
            read(path).lines().any(|line| {
                line.trim_start().starts_with(word) || line.contains(&format!("= {word}"))
            })
        })
        .collect();
    assert_none(&faults, "only runtime/src/ffi.rs may be unsafe");
}

/// The mmc crates that a manifest's `[dependencies]` names.
fn edges(manifest: &str) -> BTreeSet<String> {
    let text = read(manifest);
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside
            && let Some(name) = line.split(['.', ' ', '=']).next()
            && (name.starts_with("mmc-") || matches!(name, "tch" | "torch-sys"))
        {
            found.insert(name.to_owned());
        }
    }
    found
}

#[test]
fn crates_depend_as_drawn() {
    let drawn: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("compiler/syntax/Cargo.toml", &[][..]),
        ("compiler/plan/Cargo.toml", &[][..]),
        ("compiler/text/Cargo.toml", &["mmc-plan"][..]),
        ("compiler/place/Cargo.toml", &[][..]),
        ("compiler/core/Cargo.toml", &["mmc-place", "mmc-plan", "mmc-syntax"][..]),
        ("compiler/mammoth/Cargo.toml", &["mmc-core", "mmc-place", "mmc-plan", "mmc-syntax"][..]),
        (
            "compiler/cli/Cargo.toml",
            &["mmc-core", "mmc-mammoth", "mmc-place", "mmc-plan", "mmc-syntax", "mmc-text"][..],
        ),
        ("compiler/xtask/Cargo.toml", &[][..]),
        ("runtime/Cargo.toml", &["mmc-plan", "mmc-text", "tch"][..]),
    ]);
    for (manifest, expected) in drawn {
        let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(edges(manifest), expected, "{manifest}: edges differ from docs/architecture.md");
    }
}

#[test]
fn rooms_of_the_core_do_not_know_each_other() {
    let rooms = ["resolve", "build", "passes", "place", "lower", "lint", "emit"];
    let mut faults = Vec::new();
    for room in rooms {
        for path in files(&format!("compiler/core/src/{room}")) {
            let text = read(&path);
            for other in rooms.iter().filter(|&&other| other != room) {
                if text.lines().any(|line| {
                    !line.trim_start().starts_with("//")
                        && line.contains(&format!("crate::{other}::"))
                }) {
                    faults.push(format!("{path}: uses `crate::{other}`"));
                }
            }
        }
    }
    let below = ["ir", "cluster"].map(|folder| files(&format!("compiler/core/src/{folder}")));
    for path in below.into_iter().flatten() {
        let text = read(&path);
        for room in rooms {
            if text.contains(&format!("crate::{room}::")) {
                faults.push(format!("{path}: uses `crate::{room}`"));
            }
        }
    }
    assert_none(&faults, "only lib.rs knows all rooms");
}

/// Diagnostic codes that the sources define: `code(mmc::stage::fault)` and lint codes in `LINTS`.
fn defined_codes() -> BTreeMap<String, Vec<String>> {
    let mut codes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files("compiler").into_iter().filter(|path| is_rust(path)) {
        let text = read(&path);
        for piece in text.split("code(mmc::").skip(1) {
            let code: String = piece
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == ':')
                .collect();
            codes.entry(format!("mmc::{code}")).or_default().push(path.clone());
        }
    }
    codes
}

#[test]
fn every_diagnostic_code_is_documented() {
    let documented = read("docs/diagnostics.md");
    let faults: Vec<String> = defined_codes()
        .into_iter()
        .filter(|(code, _)| !documented.contains(&format!("`{code}`")))
        .map(|(code, paths)| format!("{code} ({})", paths.join(", ")))
        .collect();
    assert_none(&faults, "codes missing from docs/diagnostics.md");
}

#[test]
fn every_example_has_a_golden_and_no_golden_is_orphaned() {
    let examples: BTreeSet<String> = files("examples")
        .into_iter()
        .filter_map(|path| Some(path.strip_prefix("examples/")?.strip_suffix(".mmc")?.to_owned()))
        .filter(|name| !name.contains('/'))
        .collect();
    let goldens: BTreeSet<String> = files("golden")
        .into_iter()
        .filter_map(|path| Some(path.strip_prefix("golden/")?.split_once('/')?.0.to_owned()))
        .collect();
    assert!(!examples.is_empty(), "there are examples");
    assert_eq!(examples, goldens, "examples (left) and golden folders (right)");
    for name in examples {
        let lines = read(&format!("examples/{name}.mmc")).lines().count();
        assert!(lines <= MOST_EXAMPLE_LINES, "examples/{name}.mmc: {lines} lines");
    }
}

#[test]
fn every_grammar_rule_is_explained() {
    let grammar = read("grammar/mmc.pest");
    let mut faults = Vec::new();
    let mut before = "";
    for line in grammar.lines() {
        let rule = line.split_once(" = ").map(|(name, _)| name);
        if let Some(name) = rule
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !before.trim_start().starts_with("///")
        {
            faults.push(name.to_owned());
        }
        before = line;
    }
    assert!(!grammar.is_empty(), "grammar/mmc.pest exists");
    assert_none(&faults, "rules without `///`");
}

#[test]
fn names_say_something() {
    let banned = [
        "Manager", "Helper", "Utils", "Util", "Handler", "Info", "Base", "Common", "Misc", "Stuff",
    ];
    let mut faults = Vec::new();
    for path in rust_files() {
        for line in read(&path).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let named = words.windows(2).find_map(|pair| match pair {
                ["struct" | "enum" | "trait" | "type", name] => Some(*name),
                _ => None,
            });
            let Some(name) = named else { continue };
            let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or(name);
            if banned.iter().any(|word| name.ends_with(word) || name.starts_with(word)) {
                faults.push(format!("{path}: {name}"));
            }
        }
    }
    assert_none(&faults, "words that say nothing");
}

#[test]
fn the_repository_names_no_machine_and_no_registry() {
    let words = [
        concat!("pypi", ".org"),
        concat!("files.python", "hosted"),
        concat!("crates", ".io/api"),
        concat!("/work", "/shared"),
        concat!("/work", "/main"),
        concat!("/ro", "ot/"),
    ];
    let mut faults = Vec::new();
    let mut all: Vec<String> = vec!["README.md".into(), "Cargo.toml".into(), ".ci/run".into()];
    for folder in
        ["compiler", "runtime", "grammar", "stdlib", "examples", "tests", "docs", "golden"]
    {
        all.extend(files(folder));
    }
    for path in all {
        let text = read(&path);
        for word in words.iter().filter(|word| text.contains(*word)) {
            faults.push(format!("{path}: {word}"));
        }
    }
    assert_none(&faults, "hosts and paths that belong to one machine");
}

#[test]
fn every_test_file_is_used() {
    let main = read("tests/main.rs") + &read("tests/runtime.rs");
    let mut faults = Vec::new();
    for path in files("tests") {
        let parts: Vec<&str> = path.split('/').collect();
        if let ["tests", name] = parts.as_slice()
            && let Some(module) = name.strip_suffix(".rs")
            && !["main", "runtime"].contains(&module)
            && !main.contains(&format!("mod {module};"))
        {
            faults.push(path.clone());
        }
    }
    assert_none(&faults, "test files that no binary names");
}
