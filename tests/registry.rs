//! The registry of codes: its examples do what it says, and `docs/diagnostics.md` is made from it.

use std::fs;

use mmc_core::registry::{self, Example, Row};

use crate::support::configuration::{imported, read, through_stages};
use crate::support::world::TestWorld;
use crate::support::{Outcome, compare, emitted, planned, rendered, resolved, root, staged};

/// The fewest distinct faults of which the page shows what is printed.
const LEAST_PRINTED: usize = 150;

/// What is said of an example: by the resolver alone, by all stages of the compiler, or by what reads MAMMOTH's configurations.
fn outcome(code: &str, example: &str, kind: Example) -> Outcome {
    let folder = root().join("tests/ui");
    let early = ["mmc::syntax::", "mmc::resolve::"].iter().any(|stage| code.starts_with(stage));
    let text = match kind {
        Example::Over => format!("import \"whole.mmc\"\n{example}\n"),
        Example::Bare => format!("import \"frame.mmc\"\n{example}\n"),
        Example::Emitted => format!("import \"mammoth.mmc\"\n{example}\n"),
        Example::Alone | Example::Told | Example::Stages | Example::Imported | Example::Yaml => {
            example.to_owned()
        }
    };
    let mut world = TestWorld::with_main(&folder, &text);
    let params = staged(&mut world, &text);
    let whole = || fs::read_to_string(folder.join("whole.yaml")).expect("a whole configuration");
    let (sources, findings) = match kind {
        Example::Stages => through_stages(&world, &whole(), example),
        Example::Imported => imported(&whole(), example),
        Example::Yaml => {
            let (sources, (_, findings)) = read(example);
            (sources, findings)
        }
        Example::Emitted => return emitted(&world, "main.mmc", &params).0,
        Example::Over | Example::Bare | Example::Alone | Example::Told => {
            let compiled = if early { resolved } else { planned };
            return compiled(&world, "main.mmc", &params);
        }
    };
    Outcome { experiment: None, plan: None, findings, sources }
}

fn codes(code: &str, example: &str, kind: Example) -> Vec<String> {
    let outcome = outcome(code, example, kind);
    outcome
        .findings
        .iter()
        .filter_map(|finding| finding.code().map(|code| code.to_string()))
        .collect()
}

/// The first finding of the row's code that its wrong example yields, as it is printed.
fn printed(row: &Row) -> Option<String> {
    if row.example == Example::Told {
        return None;
    }
    let mut found = outcome(row.code, row.wrong, row.example);
    found
        .findings
        .retain(|finding| finding.code().is_some_and(|code| code.to_string() == row.code));
    found.findings.truncate(1);
    Some(rendered(found))
}

#[test]
fn wrong_examples_yield_their_code_and_right_ones_are_clean() {
    let mut faults = Vec::new();
    for row in registry::rows().filter(|row| row.example != Example::Told) {
        let wrong = codes(row.code, row.wrong, row.example);
        if !wrong.iter().any(|code| code == row.code) {
            faults.push(format!("{}: the wrong example yields {wrong:?}", row.code));
        }
        let mut right = codes(row.code, row.right, row.example);
        if row.example == Example::Imported {
            // An import always has something to say.
            right.retain(|code| code == row.code);
        }
        if !right.is_empty() {
            faults.push(format!("{}: the right example yields {right:?}", row.code));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_documentation_is_that_of_the_registry() {
    let page = registry::markdown(printed);
    compare(&root().join("docs/diagnostics.md"), &page).unwrap();
    let shown = page.matches("\nPrinted:\n").count();
    assert!(shown >= LEAST_PRINTED, "{shown}");
}

#[test]
fn snippets_of_the_language_page_are_clean() {
    let page = fs::read_to_string(root().join("docs/language.md")).unwrap();
    for (fence, least, kind) in
        [("```mmc\n", 5, Example::Over), ("```mmc alone\n", 1, Example::Alone)]
    {
        let snippets: Vec<&str> =
            page.split(fence).skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(snippets.len() >= least, "the page has snippets");
        for snippet in snippets {
            let found = codes("mmc::resolve::", snippet, kind);
            assert!(found.is_empty(), "{found:?} in\n{snippet}");
        }
    }
}

#[test]
fn the_language_page_names_every_field_that_can_be_misspelt() {
    let page = fs::read_to_string(root().join("docs/language.md")).unwrap();
    for block in ["model", "training", "cluster", "curriculum", "placement", "experiment"] {
        let text = format!("import \"whole.mmc\"\n{block} {{ xxxxxxxx = 1 }}\n");
        let world = TestWorld::with_main(&root().join("tests/ui"), &text);
        let outcome = resolved(&world, "main.mmc", &[]);
        let help = outcome.findings.first().and_then(|finding| finding.help()).unwrap().to_string();
        for field in
            help.split('`').skip(1).step_by(2).filter(|field| *field != "name" && *field != "kind")
        {
            assert!(
                page.contains(&format!("`{field}")) || page.contains(&format!(" {field}")),
                "{block}: {field}"
            );
        }
    }
}
