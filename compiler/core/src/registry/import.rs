//! Codes of the stage `import`: MAMMOTH configurations that can't become experiments. Tests of `mmc-mammoth` hold them to what is
//! said here.

use super::{Example, Row};

const fn row(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    [wrong, right]: [&'static str; 2],
) -> Row {
    Row { code, title, meaning, wrong, right, example: Example::Told }
}

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    row(
        "mmc::import::missing_key",
        "a key that is needed",
        "A configuration names its languages by `src_vocab` and `tgt_vocab`, and its tasks by `config_config` or `tasks`; a task has a direction and two paths.",
        [
            "config_config: {src_path: 'train.{src_lang}'}",
            "config_config: {src_path: 'train.{src_lang}', tgt_path: 'train.{tgt_lang}'}",
        ],
    ),
    row(
        "mmc::import::no_equal",
        "something that experiments can't say",
        "MAMMOTH has it, an experiment has not: batches of so many sentences, some transforms and optimisers. The help line says what to take in its place.",
        ["batch_type: sents", "batch_type: tokens"],
    ),
    row(
        "mmc::import::unknown_key",
        "a key that nobody knows",
        "MAMMOTH ignores such a key without a word, so that a misspelt one has no effect.",
        ["lerning_rate: 0.001", "learning_rate: 0.001"],
    ),
    row(
        "mmc::import::wrong_value",
        "a value of the wrong kind",
        "The key needs another kind of value: a number, a mapping, or a name.",
        ["model_dim: wide", "model_dim: 512"],
    ),
];
