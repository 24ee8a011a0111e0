//! The registry of codes: its examples do what it says, and `docs/diagnostics.md` is made from it.

use std::fs;

use mmc_core::registry::{self, Example};

use crate::support::world::TestWorld;
use crate::support::{compare, planned, resolved, root};

/// Codes of what the compiler says of an example: the resolver alone, or all stages.
fn codes(code: &str, example: &str, kind: Example) -> Vec<String> {
    let early = ["mmc::syntax::", "mmc::resolve::"].iter().any(|stage| code.starts_with(stage));
    let text = match kind {
        Example::Over => format!("import \"whole.mmc\"\n{example}\n"),
        Example::Alone | Example::Told => example.to_owned(),
    };
    let world = TestWorld::with_main(&root().join("tests/ui"), &text);
    let compiled = if early { resolved } else { planned };
    let outcome = compiled(&world, "main.mmc", &[]);
    outcome
        .findings
        .iter()
        .filter_map(|finding| finding.code().map(|code| code.to_string()))
        .collect()
}

#[test]
fn wrong_examples_yield_their_code_and_right_ones_are_clean() {
    let mut faults = Vec::new();
    for row in registry::rows().filter(|row| row.example != Example::Told) {
        let wrong = codes(row.code, row.wrong, row.example);
        if !wrong.iter().any(|code| code == row.code) {
            faults.push(format!("{}: the wrong example yields {wrong:?}", row.code));
        }
        let right = codes(row.code, row.right, row.example);
        if !right.is_empty() {
            faults.push(format!("{}: the right example yields {right:?}", row.code));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_documentation_is_that_of_the_registry() {
    compare(&root().join("docs/diagnostics.md"), &registry::markdown()).unwrap();
}

#[test]
fn snippets_of_the_language_page_are_clean() {
    let page = fs::read_to_string(root().join("docs/language.md")).unwrap();
    let snippets: Vec<&str> =
        page.split("```mmc\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(snippets.len() > 5, "the page has snippets");
    for snippet in snippets {
        let found = codes("mmc::resolve::", snippet, Example::Over);
        assert!(found.is_empty(), "{found:?} in\n{snippet}");
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
