//! All diagnostic codes with what they mean and an example of each: what `mmc explain` says and `docs/diagnostics.md` holds.

mod cli;
mod corpus;
mod emit;
mod import;
mod lint;
mod mammoth;
mod model;
mod place;
mod plan;
mod resolve;
mod syntax;
mod text;
mod tokenizer;
mod yaml;

use std::fmt::Write as _;

/// How the examples of a row are to be read, so that tests can run them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// Entries of a file that imports a complete experiment, whose fields they override.
    Over,
    /// The same over an experiment that lacks tasks.
    Bare,
    /// A whole file.
    Alone,
    /// Entries over an experiment that MAMMOTH can say too, written as its configuration.
    Emitted,
    /// Keys of a MAMMOTH configuration, in place of those of a whole one, which goes through `mmc mammoth config_all`.
    Stages,
    /// The same, imported.
    Imported,
    /// A whole file of YAML.
    Yaml,
    /// A command or a situation; not run.
    Told,
}

/// A diagnostic code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// `mmc::<stage>::<fault>`.
    pub code: &'static str,
    /// The fault in a few words.
    pub title: &'static str,
    /// What it means and what to do.
    pub meaning: &'static str,
    /// What yields it.
    pub wrong: &'static str,
    /// What is right instead.
    pub right: &'static str,
    /// How `wrong` and `right` are to be read.
    pub example: Example,
}

/// The rows of all stages, in the order of the stages.
const STAGES: &[(&str, &[Row])] = &[
    ("syntax", syntax::ROWS),
    ("resolve", resolve::ROWS),
    ("corpus", corpus::ROWS),
    ("tokenizer", tokenizer::ROWS),
    ("model", model::ROWS),
    ("place", place::ROWS),
    ("plan", plan::ROWS),
    ("lint", lint::ROWS),
    ("emit", emit::ROWS),
    ("text", text::ROWS),
    ("yaml", yaml::ROWS),
    ("import", import::ROWS),
    ("mammoth", mammoth::ROWS),
    ("cli", cli::CLI),
    ("run", cli::RUN),
];

/// All rows, stage by stage, in order of code within one.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    STAGES.iter().flat_map(|(_, rows)| rows.iter())
}

/// The row of a code.
pub fn find(code: &str) -> Option<&'static Row> {
    rows().find(|row| row.code == code)
}

/// The codes of lints: those whose level can be set.
pub fn lints() -> impl Iterator<Item = &'static str> {
    rows().map(|row| row.code).filter(|code| code.starts_with("mmc::lint::"))
}

/// The registry as a page of documentation; `printed` knows what wrong examples print, of those that are run.
pub fn markdown(printed: impl Fn(&Row) -> Option<String>) -> String {
    let mut page = String::from(
        "# Diagnostics\n\nEvery message of `mmc` has a code; `mmc explain CODE` says what stands here. What is printed is what a test got: \
         there the wrong example yields its code, and the right one nothing.\n\
         Most examples are fragments over an experiment with the languages `cs`, `de`, `en` and `fr`, text of 1000 lines in `train.LANG` and a \
         tokenizer; a comment `#@` sets the stage: a file that is missing, the lines of a file, a `-p` of the command line. Those of MAMMOTH's \
         configurations are lines in place of a whole one's; there `#@` also says a stage, flags, and keys that are left out.\n",
    );
    for (stage, rows) in STAGES {
        let _ = write!(page, "\n## Stage `{stage}`\n");
        for row in *rows {
            let _ = write!(
                page,
                "\n### `{}`\n\n{}. {}\n\nWrong:\n\n```text\n{}\n```\n",
                row.code,
                capitalised(row.title),
                row.meaning,
                row.wrong.trim_matches('\n'),
            );
            if let Some(printed) = printed(row) {
                let _ =
                    write!(page, "\nPrinted:\n\n```text\n{}\n```\n", printed.trim_matches('\n'));
            }
            let _ = write!(page, "\nRight:\n\n```text\n{}\n```\n", row.right.trim_matches('\n'));
        }
    }
    page
}

/// A row as `mmc explain` prints it.
pub fn explain(row: &Row) -> String {
    let indented = |text: &str| -> String {
        text.trim_matches('\n').lines().fold(String::new(), |sum, line| sum + "    " + line + "\n")
    };
    format!(
        "{}: {}\n\n{}\n\nWrong:\n\n{}\nRight:\n\n{}",
        row.code,
        row.title,
        row.meaning,
        indented(row.wrong),
        indented(row.right)
    )
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_named_after_their_stage() {
        let mut seen = BTreeSet::new();
        for (stage, rows) in STAGES {
            for row in *rows {
                assert!(seen.insert(row.code), "{} is there twice", row.code);
                assert!(row.code.starts_with(&format!("mmc::{stage}::")), "{}", row.code);
            }
            assert!(rows.is_sorted_by_key(|row| row.code), "stage {stage} is not in order of code");
        }
    }

    #[test]
    fn a_row_can_be_found_and_explained() {
        let row = find("mmc::resolve::missing_unit").unwrap();
        assert!(explain(row).contains("batch = 4096 tokens"));
        assert!(find("mmc::resolve::nothing").is_none());
    }
}
