//! Codes of the stage `place`.

use super::{Example, Row};

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    Row {
        code: "mmc::place::memory",
        title: "more than a device can hold",
        meaning: "Parameters, gradients, the optimiser and the activations of a batch do not fit. The help names the largest.",
        wrong: "model { dim = 4096  heads = 8 }",
        right: "model { dim = 64  heads = 8 }",
        example: Example::Over,
    },
    Row {
        code: "mmc::place::too_many_lanes",
        title: "too many lanes",
        meaning: "A lane is a parallel stream of tasks; a device runs one or a few.",
        wrong: "training { lanes = 100000 }",
        right: "training { lanes = 4 }",
        example: Example::Over,
    },
];
