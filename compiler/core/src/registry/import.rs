//! Codes of the stage `import`: MAMMOTH configurations that can't become experiments, or become others. Examples are lines of a
//! configuration in place of those of a whole one.

use super::{Example, Row};

const fn row(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    [wrong, right]: [&'static str; 2],
) -> Row {
    Row { code, title, meaning, wrong, right, example: Example::Imported }
}

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
        "mmc::import::assumed",
        "something that a configuration leaves open",
        "MAMMOTH would stop without it, or work it out from what it finds; the import takes what is likeliest, and says so.",
        [
            "transforms: [sentencepiece]",
            "transforms: [sentencepiece] ... src_subword_model: spm/{src_lang}.model",
        ],
    ),
    told(
        "mmc::import::left_out",
        "keys without influence",
        "Nothing that is trained depends on these keys, each of which is marked with its reason. No key of a configuration vanishes unsaid.",
        ["n_best: 5", "leave it out"],
    ),
    told(
        "mmc::import::machine",
        "a machine without a name",
        "A configuration counts GPUs and does not say of which kind. Estimates and placement depend on it, so a preset stands in its place.",
        ["n_gpus_per_node: 4", "cluster = mahti(nodes = 1), in the imported experiment"],
    ),
    row(
        "mmc::import::mended",
        "settings that do what they say",
        "MAMMOTH does something else with these settings than its documentation says; the experiment does what is written.",
        ["max_grad_norm: 1.0", "max_grad_norm: 0.0"],
    ),
    row(
        "mmc::import::missing_key",
        "a key that is needed",
        "A configuration names its languages by `src_vocab` and `tgt_vocab`, and its tasks by `config_config` or `tasks`; a task has a direction and two paths.",
        [
            "#@ without tgt_path\nconfig_config:\n  src_path: train.{src_lang}",
            "config_config:\n  src_path: train.{src_lang}\n  tgt_path: train.{tgt_lang}",
        ],
    ),
    row(
        "mmc::import::nearly",
        "something that is near what was written",
        "The experiment does nearly what the configuration says; the help line names the difference.",
        ["early_stopping: 5", "early_stopping: 5\nearly_stopping_criteria: [ppl]"],
    ),
    row(
        "mmc::import::no_equal",
        "something that experiments can't say",
        "MAMMOTH has it, an experiment has not: batches of so many sentences, some transforms and optimisers. The help line says what to take in its place.",
        ["batch_type: sents", "batch_type: tokens"],
    ),
    told(
        "mmc::import::placement",
        "places of tasks that are not kept",
        "Where a task runs is no part of an experiment: `mmc` places tasks itself, at every compilation, and the mathematics does not depend on it. The places of a finished configuration are not kept.",
        ["node_gpu: 0:1", "leave it out; `mmc place` shows where tasks go"],
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
