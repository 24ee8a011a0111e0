//! A difference for people: grouped by thing and kind of change, many alike counted.

use std::fmt::Write;

use crate::diff::{Change, PlanDiff, Subject, What};

/// So many changes of one kind are written out; the rest is counted.
const SHOWN: usize = 20;

impl PlanDiff {
    /// For people. One line for equal plans; else whether the mathematics is the same, what changed in it, and what else.
    pub fn to_text(&self) -> String {
        if self.changes.is_empty() {
            return "equal plans\n".to_owned();
        }
        let mut text = String::from(if self.same_mathematics {
            "same mathematics\n"
        } else {
            "different mathematics\n"
        });
        for mathematics in [true, false] {
            let changes: Vec<&Change> = self
                .changes
                .iter()
                .filter(|change| change.mathematics == mathematics && !is_digest(change))
                .collect();
            if changes.is_empty() {
                continue;
            }
            let title = if mathematics { "mathematics" } else { "outside the mathematics" };
            line(&mut text, format_args!("\n{title}"));
            write_subjects(&mut text, &changes);
        }
        text
    }
}

/// The digest is told by the first line, unless it alone differs.
fn is_digest(change: &Change) -> bool {
    change.subject == Subject::Plan && matches!(change.what, What::Changed { field: "digest", .. })
}

fn write_subjects(text: &mut String, changes: &[&Change]) {
    let mut subjects: Vec<Subject> = changes.iter().map(|change| change.subject).collect();
    subjects.sort_unstable();
    subjects.dedup();
    for subject in subjects {
        let of: Vec<&&Change> = changes.iter().filter(|change| change.subject == subject).collect();
        line(text, format_args!("  {}", title(subject)));
        let mut kinds: Vec<String> = Vec::new();
        for change in &of {
            let kind = kind(change);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        for wanted in kinds {
            let alike: Vec<_> = of.iter().filter(|change| kind(change) == wanted).collect();
            for change in alike.iter().take(SHOWN) {
                line(text, format_args!("    {}", words(change)));
            }
            if let Some(more) = alike.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                line(text, format_args!("    ... and {more} more: {wanted}"));
            }
        }
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{words}");
}

/// What alike changes have in common.
fn kind(change: &Change) -> String {
    match &change.what {
        What::Added { .. } => "added".to_owned(),
        What::Removed { .. } => "removed".to_owned(),
        What::Changed { field, .. } | What::Members { field, .. } => format!("`{field}` changed"),
    }
}

/// One change on one line.
fn words(change: &Change) -> String {
    let name = &change.name;
    let place = |field: &str| {
        if name.is_empty() { field.to_owned() } else { format!("{name}: {field}") }
    };
    match &change.what {
        What::Added { facts } => format!("+ {name}: {facts}"),
        What::Removed { facts } => format!("- {name}: {facts}"),
        What::Changed { field, before, after } => {
            let (mut first, mut second) = (before.to_string(), after.to_string());
            if first == second {
                (first, second) = (before.exact(), after.exact());
            }
            format!("~ {} {first} -> {second}", place(field))
        }
        What::Members { field, added, removed } => {
            let signed = |sign: char, names: &[String]| -> Vec<String> {
                let more = names.len().saturating_sub(SHOWN);
                let mut words: Vec<String> =
                    names.iter().take(SHOWN).map(|name| format!("{sign}{name}")).collect();
                if more > 0 {
                    words.push(format!("{sign}{more} more"));
                }
                words
            };
            let all = [signed('+', added), signed('-', removed)].concat();
            format!("~ {} {}", place(field), all.join(" "))
        }
    }
}

fn title(subject: Subject) -> &'static str {
    match subject {
        Subject::Plan => "plan",
        Subject::Experiment => "experiment",
        Subject::Language => "languages",
        Subject::Vocabulary => "vocabularies",
        Subject::Model => "model",
        Subject::Adapter => "adapters",
        Subject::Module => "modules",
        Subject::Task => "tasks",
        Subject::Training => "training",
        Subject::Curriculum => "curriculum",
        Subject::Lane => "lanes",
        Subject::Cluster => "cluster",
        Subject::Placement => "placement",
        Subject::Rank => "ranks",
        Subject::Communicator => "communicators",
        Subject::Totals => "totals",
        Subject::Run => "run",
    }
}
