//! The registry of codes: its examples do what it says, and `docs/diagnostics.md` is made from it.

use mmc_core::registry::{self, Example};

use crate::support::world::TestWorld;
use crate::support::{compare, resolved, root};

/// Codes of what the compiler says of an example.
fn codes(example: &str, kind: Example) -> Vec<String> {
    let text = match kind {
        Example::Over => format!("import \"whole.mmc\"\n{example}\n"),
        Example::Alone | Example::Told => example.to_owned(),
    };
    let world = TestWorld::with_main(&root().join("tests/ui"), &text);
    let outcome = resolved(&world, "main.mmc", &[]);
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
        let wrong = codes(row.wrong, row.example);
        if !wrong.iter().any(|code| code == row.code) {
            faults.push(format!("{}: the wrong example yields {wrong:?}", row.code));
        }
        let right = codes(row.right, row.example);
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
