//! Every piece of the language that the repository shows parses, and is laid out without loss.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use mmc_syntax::{SourceMap, dump::dump, format, parse};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[expect(clippy::disallowed_methods, reason = "the test reads the repository")]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn check(name: &str, text: &str) {
    let mut map = SourceMap::new();
    let source = map.add(name, text);
    let tree = parse(source, text).unwrap_or_else(|faults| {
        let places: Vec<_> = faults
            .iter()
            .map(|f| (f.to_string(), f.span().and_then(|s| map.line_column(s))))
            .collect();
        panic!("{name}: {places:?}\n{text}")
    });
    let once = format(text).unwrap();
    assert_eq!(once, format(&once).unwrap(), "{name}");
    assert_eq!(dump(&tree), dump(&parse(source, &once).unwrap()), "{name}");
}

/// The blocks of a Markdown text that are fenced with this word.
fn blocks(markdown: &str, word: &str) -> Vec<String> {
    let fence = format!("```{word}");
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in markdown.lines() {
        match &mut open {
            Some(_) if line.trim() == "```" => found.extend(open.take()),
            Some(block) => block.extend([line, "\n"]),
            None if line.trim() == fence || line.trim().starts_with(&format!("{fence} ")) => {
                open = Some(String::new());
            }
            None => {}
        }
    }
    found
}

fn mmc_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(mmc_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "mmc") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn examples_of_the_documents() {
    for name in ["docs/language.md", "README.md"] {
        let path = root().join(name);
        if path.exists() {
            for (number, block) in blocks(&read(&path), "mmc").iter().enumerate() {
                check(&format!("{name}, block {}", number + 1), block);
            }
        }
    }
    assert!(blocks(&read(&root().join("docs/language.md")), "mmc").len() > 5);
}

#[test]
fn examples_and_library() {
    for folder in ["examples", "stdlib"] {
        for path in mmc_files(&root().join(folder)) {
            check(&path.display().to_string(), &read(&path));
        }
    }
}

#[test]
fn the_design_if_it_is_there() {
    let path = root().join("../shared/design/language.md");
    if !path.exists() {
        return;
    }
    let text = read(&path).replace(" ... }", " }");
    let found = blocks(&text, "");
    assert!(found.len() >= 2, "the design has examples");
    for (number, block) in found.iter().enumerate() {
        check(&format!("design, block {}", number + 1), block);
    }
}
