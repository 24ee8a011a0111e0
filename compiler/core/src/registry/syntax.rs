//! Codes of the stage `syntax`.

use super::{Example, Row};

const fn row(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    [wrong, right]: [&'static str; 2],
) -> Row {
    Row { code, title, meaning, wrong, right, example: Example::Over }
}

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    row(
        "mmc::syntax::bad_escape",
        "an escape that texts don't have",
        "Texts know `\\\"`, `\\\\`, `\\n`, `\\t` and `\\u{...}`; a backslash itself is written twice.",
        [
            r#"experiment demo { output = "runs\demo" }"#,
            r#"experiment demo { output = "runs/demo" }"#,
        ],
    ),
    row(
        "mmc::syntax::bad_number",
        "a number that can't be read",
        "Numbers look like `512`, `0.1`, `3e-4`, `1_000`, `50k`, `5%`; units are words after them.",
        ["training { steps = 1.5.0 }", "training { steps = 1.5k }"],
    ),
    Row {
        code: "mmc::syntax::too_deep",
        title: "too many things inside each other",
        meaning: "Nesting is bounded, so that no file can exhaust the compiler. Name a part with `let`.",
        wrong: "let a = ((((...))))",
        right: "let part = (1 + 2)\nlet a = part * 3",
        example: Example::Told,
    },
    Row {
        code: "mmc::syntax::too_large",
        title: "a file beyond the bound",
        meaning: "Experiments are small; corpora are named by path, never written into them.",
        wrong: "a file of 100 MB",
        right: "corpus text { train = \"train.{src_lang}\" -> \"train.{tgt_lang}\" }",
        example: Example::Told,
    },
    row(
        "mmc::syntax::unclosed",
        "a bracket that is never closed",
        "Every `{`, `[` and `(` has its partner behind it.",
        ["model { encoder = [FULL }", "model { encoder = [FULL] }"],
    ),
    row(
        "mmc::syntax::unclosed_text",
        "a text without its second quote",
        "A text ends on the line on which it begins.",
        ["experiment demo { output = \"runs }", "experiment demo { output = \"runs\" }"],
    ),
    row(
        "mmc::syntax::unexpected",
        "something stands where something else must",
        "The message says what may stand here.",
        ["training { steps 50k }", "training { steps = 50k }"],
    ),
    row(
        "mmc::syntax::unknown_character",
        "a character that the language doesn't have",
        "Outside of texts and comments the language has letters, digits and a few signs.",
        ["training { steps = 50k; }", "training { steps = 50k }"],
    ),
    row(
        "mmc::syntax::unopened",
        "a bracket that closes nothing",
        "Every `}`, `]` and `)` has its partner before it.",
        ["model { encoder = FULL] }", "model { encoder = [FULL] }"],
    ),
];
