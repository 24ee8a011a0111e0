//! What README.md and docs/ show is so: every `console` block is run, and its output compared.
//!
//! The blocks of a page are run in order in one folder of its own, which has the repository's `examples/` and `golden/`.
//! ```` ```mmc demo.mmc ```` writes that file there. In a `console` block, lines that begin with `$ ` are run by `sh`, what
//! follows is what standard output and standard error say. In it `[..]` stands for anything within a line, and a line `...`
//! for any lines. A block `console worker` is run only where the worker is: in `MMC_WORKER` or `target/release`. Commands that
//! call `curl` are run only where it is.
//! `MMC_BLESS=1` writes the output of commands that say something else.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a page that can't be tried fails, or is skipped aloud"
)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::root;

/// A piece of a page, in order.
enum Piece {
    /// A line that stays as it is.
    Line(String),
    /// A file to be written.
    File { name: String, text: String },
    /// A command with its output.
    Command { line: String, output: Vec<String>, needs_worker: bool },
}

fn pieces(page: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut fence: Option<String> = None;
    for line in page.lines() {
        let opens = line.strip_prefix("```").filter(|_| fence.is_none());
        if line == "```" {
            fence = fence.is_none().then(String::new);
            found.push(Piece::Line(line.to_owned()));
        } else if let Some(word) = opens {
            fence = Some(word.to_owned());
            found.push(Piece::Line(line.to_owned()));
            if let Some(name) = word.strip_prefix("mmc ") {
                found.push(Piece::File { name: name.to_owned(), text: String::new() });
            }
        } else {
            inside(&mut found, fence.as_deref().unwrap_or_default(), line);
        }
    }
    found
}

fn inside(found: &mut Vec<Piece>, fence: &str, line: &str) {
    let console = fence == "console" || fence == "console worker";
    match (line.strip_prefix("$ "), found.last_mut()) {
        (Some(command), _) if console => found.push(Piece::Command {
            line: command.to_owned(),
            output: Vec::new(),
            needs_worker: fence == "console worker",
        }),
        (None, Some(Piece::Command { output, .. })) if console => output.push(line.to_owned()),
        (_, Some(Piece::File { text, .. })) if fence.starts_with("mmc ") => {
            text.push_str(line);
            text.push('\n');
        }
        _ => found.push(Piece::Line(line.to_owned())),
    }
}

/// Whether a line fits a pattern in which `[..]` stands for anything.
fn line_fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// Whether lines fit patterns, among which `...` stands for any lines.
fn fits(patterns: &[String], lines: &[&str]) -> bool {
    match (patterns.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((pattern, rest)), _) if pattern == "..." => {
            (0..=lines.len()).any(|from| fits(rest, lines.get(from..).unwrap_or_default()))
        }
        (None, Some(_)) | (Some(_), None) => false,
        (Some((pattern, rest)), Some((line, lines))) => {
            line_fits(pattern, line) && fits(rest, lines)
        }
    }
}

fn worker() -> Option<PathBuf> {
    let named = std::env::var_os("MMC_WORKER").filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(root().join("target/release/mmc-worker"))).filter(|path| path.is_file())
}

fn has_curl() -> bool {
    Command::new("curl").arg("--version").output().is_ok()
}

fn run(folder: &Path, line: &str) -> String {
    let mut path = OsString::from(Path::new(env!("CARGO_BIN_EXE_mmc")).parent().unwrap());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("exec 2>&1; {line}")).current_dir(folder);
    command.env("PATH", path).env("XDG_CACHE_HOME", folder.join(".cache"));
    for name in ["RANK", "WORLD_SIZE", "SLURM_PROCID", "MMC_BLESS"] {
        command.env_remove(name);
    }
    match worker() {
        Some(worker) => command.env("MMC_WORKER", worker.canonicalize().unwrap()),
        None => command.env_remove("MMC_WORKER"),
    };
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Adds a line.
fn add(text: &mut String, parts: &[&str]) {
    text.push_str(&parts.concat());
    text.push('\n');
}

/// Tries a page; gives its text as it should be, and what differed.
fn tried(name: &str, page: &str) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for part in ["examples", "golden"] {
        copy(&root().join(part), &folder.path().join(part));
    }
    let (mut text, mut faults) = (String::new(), Vec::new());
    for piece in pieces(page) {
        match piece {
            Piece::Line(line) => add(&mut text, &[&line]),
            Piece::File { name, text: content } => {
                fs::write(folder.path().join(name), &content).unwrap();
                text += &content;
            }
            Piece::Command { line, output, needs_worker } => {
                add(&mut text, &["$ ", &line]);
                let mut shown = output;
                if needs_worker && worker().is_none() {
                    eprintln!("{name}: skipped for want of a worker: {line}");
                } else if line.contains("curl ") && !has_curl() {
                    eprintln!("{name}: skipped for want of curl: {line}");
                } else {
                    let found = run(folder.path(), &line);
                    let lines: Vec<&str> = found.lines().collect();
                    if !fits(&shown, &lines) {
                        let expected = shown.join("\n");
                        faults.push(format!(
                            "{name}: $ {line}\n-- page\n{expected}\n-- run\n{found}"
                        ));
                        shown = lines.into_iter().map(str::to_owned).collect();
                    }
                }
                for line in shown {
                    add(&mut text, &[&line]);
                }
            }
        }
    }
    (text, faults)
}

#[test]
fn what_the_pages_show_is_what_the_commands_say() {
    let mut pages = vec![root().join("README.md")];
    for entry in fs::read_dir(root().join("docs")).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|suffix| suffix == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    let blesses = std::env::var_os("MMC_BLESS").is_some_and(|value| value == "1");
    let mut faults = Vec::new();
    for path in pages {
        let page = fs::read_to_string(&path).unwrap();
        if !page.contains("```console") {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (text, found) = tried(&name, &page);
        if blesses && !found.is_empty() {
            fs::write(&path, text).unwrap();
        } else {
            faults.extend(found);
        }
    }
    assert!(faults.is_empty(), "MMC_BLESS=1 rewrites the pages:\n{}", faults.join("\n\n"));
}

#[test]
fn wildcards_stand_for_what_they_say() {
    assert!(line_fits("a [..] c", "a b c"));
    assert!(line_fits("[..]", ""));
    assert!(line_fits("[..]x[..]y", "1x2y"));
    assert!(!line_fits("a [..] c", "a b d"));
    assert!(!line_fits("a", "ab"));
    let patterns = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<String>>();
    assert!(fits(&patterns("a|...|d"), &["a", "b", "c", "d"]));
    assert!(fits(&patterns("..."), &[]));
    assert!(!fits(&patterns("a|...|d"), &["a", "b", "c"]));
}
