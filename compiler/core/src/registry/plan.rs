//! Codes of the plan's own checks: files that are no plans, and plans that break a rule.

use super::{Example, Row};

const fn told(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    [wrong, right]: [&'static str; 2],
) -> Row {
    Row { code, title, meaning, wrong, right, example: Example::Told }
}

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    told(
        "mmc::plan::broken",
        "a plan that breaks a rule",
        "The facts of a plan do not fit each other: it was edited by hand, or the compiler has a fault. The message names the rule and the place; docs/plan-format.md lists the rules. Make the plan again from its source.",
        [
            "lanes:\n- tasks:\n    t.de-en: {parts: 999999, lines: [0, 1000000]}",
            "lanes:\n- tasks:\n    t.de-en: {parts: 1000000, lines: [0, 1000000]}",
        ],
    ),
    told(
        "mmc::plan::malformed",
        "a text that is no plan",
        "The text is no YAML, or a field is unknown, missing, repeated or of the wrong type. The message gives line and column. Fields are listed in docs/plan-format.md.",
        ["experiment:\n  sead: 1", "experiment:\n  seed: 1"],
    ),
    told(
        "mmc::plan::replay",
        "ranks that would not meet",
        "Played step by step, the plan's ranks would wait for each other, bring different buckets to a collective, or end a step without the whole gradient of a module they hold. Make the plan again from its source.",
        [
            "communicators:\n- name: world\n  ranks: [0]       # rank 1 holds the modules too",
            "communicators:\n- name: world\n  ranks: [0, 1]",
        ],
    ),
    told(
        "mmc::plan::too_large",
        "a file too large for a plan",
        "Plans of more than 1 GiB are not read. Is it the right file?",
        ["mmc diff old.yaml corpus.txt", "mmc diff old.yaml new.yaml"],
    ),
    told(
        "mmc::plan::unreadable",
        "a plan that can't be read",
        "The file does not exist, may not be read, or is not UTF-8. The message gives the system's reason.",
        ["mmc diff absent.yaml new.yaml", "mmc diff old.yaml new.yaml"],
    ),
    told(
        "mmc::plan::version",
        "a plan of another format",
        "A program reads plans of one version of the format. Make the plan again from its source, or use the program that wrote it.",
        ["format: 2", "format: 1"],
    ),
];
