//! Codes of the stage `place`.

use super::{Example, Row};

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    Row {
        code: "mmc::place::infeasible",
        title: "wishes that no placement keeps",
        meaning: "Every device takes the same part of all batches, and pins and tasks apart must find room in it. The labels are the fewest wishes that can't be kept together; a search that counts its steps may also have found no way where there is one.",
        wrong: "placement { pin = { all -> en = (node 0, rank 0) }  apart = [all -> en] }",
        right: "placement { pin = { cs -> en = (node 0, rank 0) }  apart = [cs -> en + de -> en] }",
        example: Example::Over,
    },
    Row {
        code: "mmc::place::memory",
        title: "more than a device can hold",
        meaning: "Parameters, gradients, the optimiser and the activations of a batch do not fit. The help names the largest.",
        wrong: "model { dim = 4096  heads = 8 }",
        right: "model { dim = 64  heads = 8 }",
        example: Example::Over,
    },
    Row {
        code: "mmc::place::no_task",
        title: "a wish about no task",
        meaning: "`pin` and `apart` are about tasks: directions that some `tasks` block selects and that have text. `copies` are those of tasks that the curriculum splits.",
        wrong: "placement { pin = { de -> de = node 0 } }",
        right: "placement { pin = { de -> en = node 0 } }",
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
