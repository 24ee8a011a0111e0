//! Codes of the stage `emit`.

use super::{Example, Row};

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    Row {
        code: "mmc::emit::slurm_key",
        title: "an unknown setting of the batch script",
        meaning: "The plan's `slurm` settings have a key that the script does not know.",
        wrong: "slurm: {partitoin: small}",
        right: "slurm: {partition: small}",
        example: Example::Told,
    },
    Row {
        code: "mmc::emit::slurm_value",
        title: "a setting that can not stand in a batch script",
        meaning: "Values stand on one line of a shell script.",
        wrong: "slurm { partition = \"small; rm\" }",
        right: "slurm { partition = \"small\" }",
        example: Example::Told,
    },
    Row {
        code: "mmc::emit::template",
        title: "a broken template",
        meaning: "A fault of `mmc`: please report it.",
        wrong: "",
        right: "",
        example: Example::Told,
    },
];
