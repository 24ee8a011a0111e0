//! Codes of the stage `mammoth`: configurations of MAMMOTH. Examples are lines of a configuration in place of those of a whole one; `#@` says
//! the stage, flags, files, and keys that are left out.

use super::{Example, Row};

const fn row(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    [wrong, right]: [&'static str; 2],
) -> Row {
    Row { code, title, meaning, wrong, right, example: Example::Stages }
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
    row(
        "mmc::mammoth::ae_weight",
        "an `ae_weight` that MAMMOTH does not read",
        "The flag of the same name has a default of 1.0, which hides the option from MAMMOTH unless the flag is zero. Here the option counts; `--bug-for-bug` takes 1.0.",
        [
            "config_config:\n  autoencoder: true\n  use_weight: true\n  ae_weight: 0.25",
            "#@ flags --ae_weight 0.25\nconfig_config:\n  autoencoder: true\n  use_weight: true",
        ],
    ),
    row(
        "mmc::mammoth::bad_count",
        "a number of devices below one",
        "Nodes, GPUs and slots are whole numbers from 1.",
        ["config_config:\n  n_nodes: -1", "config_config:\n  n_nodes: 1"],
    ),
    row(
        "mmc::mammoth::bad_distances",
        "a distance file that can't be used",
        "It is missing, isn't a square of numbers with the same languages in both directions, or lacks a language of the tasks.",
        [
            "#@ without groups\n#@ text distances.csv lang,de,en,fr / en,0,1,2 / de,1,0,2 / fr,2,2,0\nconfig_config:\n  distance_matrix: distances.csv",
            "#@ without groups\n#@ text distances.csv lang,de,en,fr / de,0,1,2 / en,1,0,2 / fr,2,2,0\nconfig_config:\n  distance_matrix: distances.csv",
        ],
    ),
    row(
        "mmc::mammoth::bad_src_tgt",
        "a `src_tgt` that isn't two codes",
        "`src_tgt` names source and target with one hyphen between them.",
        [
            "#@ stage sharing_groups\ntasks:\n  de-en: {src_tgt: de}",
            "#@ stage sharing_groups\ntasks:\n  de-en: {src_tgt: de-en}",
        ],
    ),
    row(
        "mmc::mammoth::bad_template",
        "a path template that can't be filled",
        "Templates know `{src_lang}`, `{tgt_lang}`, `{lang_a}`, `{lang_b}`, `{side_a}`, `{side_b}`, `{lang_pair}` and `{sorted_pair}`; those of vocabularies `{src_lang}` or `{tgt_lang}`.",
        [
            "config_config:\n  src_path: train.{source}",
            "config_config:\n  src_path: train.{src_lang}",
        ],
    ),
    row(
        "mmc::mammoth::cluster_choice",
        "both or none of `n_groups` and `cutoff_threshold`",
        "Clusters are cut into a number of groups or at a distance.",
        [
            "#@ without groups\n#@ text distances.csv lang,de,en,fr / de,0,1,2 / en,1,0,2 / fr,2,2,0\nconfig_config:\n  distance_matrix: distances.csv\n  n_groups: 2\n  cutoff_threshold: 0.4",
            "#@ without groups\n#@ text distances.csv lang,de,en,fr / de,0,1,2 / en,1,0,2 / fr,2,2,0\nconfig_config:\n  distance_matrix: distances.csv\n  n_groups: null\n  cutoff_threshold: 0.4",
        ],
    ),
    row(
        "mmc::mammoth::cluster_count",
        "more groups than languages",
        "Only languages that tasks use are put into groups, and there are at least two.",
        [
            "#@ without groups\n#@ text distances.csv lang,de,en,fr / de,0,1,2 / en,1,0,2 / fr,2,2,0\nconfig_config:\n  distance_matrix: distances.csv\n  n_groups: 9",
            "#@ without groups\n#@ text distances.csv lang,de,en,fr / de,0,1,2 / en,1,0,2 / fr,2,2,0\nconfig_config:\n  distance_matrix: distances.csv\n  n_groups: 2",
        ],
    ),
    row(
        "mmc::mammoth::code_not_text",
        "a code without quotes that is no text",
        "Said with `--bug-for-bug`, where MAMMOTH fails; without it the code is taken as it is written.",
        [
            "#@ flags --bug-for-bug\nsrc_vocab: {de: vocab/de, no: vocab/no}",
            "#@ flags --bug-for-bug\nsrc_vocab: {de: vocab/de, 'no': vocab/no}\nconfig_config:\n  groups: {de: west, en: west, fr: romance, 'no': west}",
        ],
    ),
    row(
        "mmc::mammoth::curriculum_moved",
        "starting steps that were moved",
        "MAMMOTH does not start a GPU none of whose tasks begins at step 0, so tasks are moved ahead: all of them when too few begin at once, then those of each GPU.",
        [
            "#@ lines train.de 9000\nconfig_config:\n  use_introduce_at_training_step: true\n  temperature: 0.5\n  n_gpus_per_node: 4",
            "config_config:\n  use_introduce_at_training_step: false",
        ],
    ),
    row(
        "mmc::mammoth::hack_token",
        "a token for the wrong language",
        "The fully shared decoder needs a token that selects the target language; MAMMOTH writes the source language there.",
        [
            "#@ stage extra_fully_shared_hack\n#@ flags --joint_vocab vocab/all\ntasks:\n  de-en: {src_tgt: de-en, transforms: [sentencepiece]}",
            "#@ stage extra_fully_shared_hack\n#@ flags --joint_vocab vocab/all\ntasks:\n  de-en: {src_tgt: de-en, transforms: [sentencepiece, prefix], src_prefix: <to_en>}",
        ],
    ),
    row(
        "mmc::mammoth::half_validation",
        "validation text on one side",
        "MAMMOTH looks only for the source side when it decides whether a task is validated.",
        [
            "#@ missing valid.en\nconfig_config:\n  valid_tgt_path: valid.{tgt_lang}",
            "config_config:\n  valid_tgt_path: valid.{tgt_lang}",
        ],
    ),
    row(
        "mmc::mammoth::hyphen",
        "a language code with a hyphen",
        "MAMMOTH splits `de-en` at its hyphen, in training too.",
        ["src_vocab: {de: vocab/de, zh-Hans: vocab/zh}", "src_vocab: {de: vocab/de, en: vocab/en}"],
    ),
    row(
        "mmc::mammoth::missing_key",
        "a key that a stage needs",
        "The label shows the section, the help what to write. A stage that reads what another writes says which.",
        [
            "#@ without src_path\nconfig_config:\n  tgt_path: train.{tgt_lang}",
            "config_config:\n  src_path: train.{src_lang}\n  tgt_path: train.{tgt_lang}",
        ],
    ),
    row(
        "mmc::mammoth::more_gpus_than_tasks",
        "fewer tasks than GPUs",
        "A GPU without a task is an error when MAMMOTH starts, and its own tool fails before. As many GPUs are used as can have a task.",
        ["config_config:\n  n_gpus_per_node: 16", "config_config:\n  n_gpus_per_node: 2"],
    ),
    row(
        "mmc::mammoth::n_groups_missing",
        "`n_groups` is missing where it isn't needed",
        "MAMMOTH reads it before it looks whether anything is clustered, and fails.",
        [
            "#@ without n_groups\nconfig_config:\n  groups: {de: west, en: west, fr: romance}",
            "config_config:\n  groups: {de: west, en: west, fr: romance}\n  n_groups: 2",
        ],
    ),
    told(
        "mmc::mammoth::no_assignment",
        "tasks that can't be assigned",
        "No assignment keeps to the slots.",
        ["n_slots_per_gpu: 1   # for twenty tasks", "n_slots_per_gpu: 5"],
    ),
    row(
        "mmc::mammoth::no_devices",
        "neither nodes nor slots",
        "The number of GPUs follows from `n_nodes`, or from `n_slots_per_gpu` and the number of tasks.",
        [
            "#@ without n_nodes\nconfig_config:\n  n_gpus_per_node: 2",
            "config_config:\n  n_gpus_per_node: 2\n  n_nodes: 1",
        ],
    ),
    row(
        "mmc::mammoth::no_effect",
        "an option without effect",
        "MAMMOTH accepts it and does nothing with it, and so does `mmc`, aloud.",
        ["config_config:\n  zero_shot: true", "config_config:\n  zero_shot: false"],
    ),
    row(
        "mmc::mammoth::no_group",
        "a language in no group",
        "Sharing patterns and the assignment to GPUs need the group of every language that a task uses.",
        [
            "config_config:\n  groups: {de: west, en: west}",
            "config_config:\n  groups: {de: west, en: west, fr: romance}",
        ],
    ),
    row(
        "mmc::mammoth::no_groups",
        "neither groups nor distances",
        "Groups are given as `groups`, or made from a distance file.",
        [
            "#@ without groups\nconfig_config:\n  n_groups: 2",
            "config_config:\n  groups: {de: west, en: west, fr: romance}\n  n_groups: 2",
        ],
    ),
    row(
        "mmc::mammoth::no_lines",
        "corpora that are all empty",
        "Shares are parts of all lines.",
        [
            "#@ lines train.de 0\n#@ lines train.en 0\n#@ lines train.fr 0\nconfig_config:\n  use_weight: true",
            "config_config:\n  use_weight: true",
        ],
    ),
    row(
        "mmc::mammoth::no_prefix",
        "a source token without the transform `prefix`",
        "`use_src_lang_token` writes `<from_SOURCE>` into the prefix, so every task needs the transform.",
        [
            "config_config:\n  use_src_lang_token: true\n  transforms: [sentencepiece]",
            "config_config:\n  use_src_lang_token: true\n  transforms: [sentencepiece, prefix]",
        ],
    ),
    row(
        "mmc::mammoth::no_tasks",
        "no task at all",
        "For no pair of languages both training files are there. Paths are relative to the working directory.",
        [
            "#@ missing dta/train.de\n#@ missing dta/train.en\n#@ missing dta/train.fr\nconfig_config:\n  src_path: dta/train.{src_lang}",
            "config_config:\n  src_path: data/train.{src_lang}",
        ],
    ),
    row(
        "mmc::mammoth::no_time_budget",
        "a time limit that isn't needed",
        "The search for an assignment counts steps, so that its answer is the same everywhere.",
        ["#@ flags --time_budget_s 60", "#@ flags --n_nodes 1"],
    ),
    row(
        "mmc::mammoth::no_transforms",
        "no transforms where one is put before the last",
        "Said with `--bug-for-bug`, where MAMMOTH fails.",
        [
            "#@ stage extra_fully_shared_hack\n#@ flags --joint_vocab vocab/all --bug-for-bug\ntasks:\n  de-en: {src_tgt: de-en, transforms: []}",
            "#@ stage extra_fully_shared_hack\n#@ flags --joint_vocab vocab/all --bug-for-bug\ntasks:\n  de-en: {src_tgt: de-en, transforms: [prefix]}",
        ],
    ),
    row(
        "mmc::mammoth::open_last_line",
        "a last line without newline",
        "It is a line, and training reads it, but MAMMOTH counts newline characters.",
        [
            "#@ open train.de\nconfig_config:\n  use_weight: true",
            "config_config:\n  use_weight: true",
        ],
    ),
    row(
        "mmc::mammoth::pairs_without_files",
        "pairs without files",
        "A pair whose source or target file is missing gets no task.",
        [
            "#@ missing train.fr\nconfig_config:\n  src_path: train.{src_lang}",
            "config_config:\n  src_path: train.{src_lang}",
        ],
    ),
    row(
        "mmc::mammoth::pieces_together",
        "more pieces of a pair than GPUs",
        "Pieces of a split pair are kept on different GPUs as long as there are enough.",
        [
            "config_config:\n  use_weight: true\n  split_large_language_pairs: 0.001",
            "config_config:\n  use_weight: true\n  split_large_language_pairs: 0.5",
        ],
    ),
    told(
        "mmc::mammoth::ready_index",
        "what MAMMOTH fails at with few tasks",
        "Said with `--bug-for-bug`: its adjustment of starting steps reads one place too far.",
        ["n_gpus_per_node: 4   # for two tasks", "n_gpus_per_node: 2"],
    ),
    row(
        "mmc::mammoth::several_mono_files",
        "several files for one language",
        "Every template of `ae_path` whose file is there replaces the one before, so the last one counts, in MAMMOTH too.",
        [
            "config_config:\n  autoencoder: true\n  ae_path: ['mono.{src_lang}', 'more.{src_lang}']",
            "config_config:\n  autoencoder: true\n  ae_path: mono.{src_lang}",
        ],
    ),
    row(
        "mmc::mammoth::shared_name",
        "a group that is called as a language",
        "Modules are named by language or group. A name that is both may join what was meant apart.",
        [
            "config_config:\n  groups: {de: en, en: other, fr: en}",
            "config_config:\n  groups: {de: west, en: other, fr: west}",
        ],
    ),
    row(
        "mmc::mammoth::sharing_count",
        "patterns and stacks that don't match",
        "Each entry of `enc_layers` or `dec_layers` is a stack and has one pattern.",
        [
            "enc_layers: [3, 3]",
            "enc_layers: [3, 3]\nconfig_config:\n  enc_sharing_groups: [LANGUAGE, FULL]",
        ],
    ),
    row(
        "mmc::mammoth::shell",
        "a path that a shell would not take as one word",
        "Said with `--bug-for-bug`: MAMMOTH gives the paths of `.gz` files to a shell unquoted. `mmc` runs no shell.",
        [
            "#@ flags --bug-for-bug\nconfig_config:\n  use_weight: true\n  src_path: $HOME/{src_lang}.gz",
            "#@ flags --bug-for-bug\nconfig_config:\n  use_weight: true\n  src_path: home/{src_lang}.gz",
        ],
    ),
    row(
        "mmc::mammoth::stale_cache",
        "line counts that are no longer true",
        "MAMMOTH keeps counts in `corpora_length_cache` in the working directory and never looks at the files again.",
        [
            "#@ text corpora_length_cache 900\ttrain.de\nconfig_config:\n  use_weight: true",
            "#@ text corpora_length_cache 1000\ttrain.de\nconfig_config:\n  use_weight: true",
        ],
    ),
    row(
        "mmc::mammoth::tasks_differ",
        "configurations with other tasks",
        "An assignment is copied task by task.",
        [
            "#@ stage extra_copy_gpu_assignment\n#@ copy_from {tasks: {de-fr: {node_gpu: 0:0}}, n_nodes: 1, gpu_ranks: [0], world_size: 1}\ntasks:\n  de-en: {src_tgt: de-en}",
            "#@ stage extra_copy_gpu_assignment\n#@ copy_from {tasks: {de-en: {node_gpu: 0:0}}, n_nodes: 1, gpu_ranks: [0], world_size: 1}\ntasks:\n  de-en: {src_tgt: de-en}",
        ],
    ),
    row(
        "mmc::mammoth::too_few_slots",
        "more tasks than slots",
        "All tasks need a slot on a GPU.",
        ["config_config:\n  n_slots_per_gpu: 1", "config_config:\n  n_slots_per_gpu: 3"],
    ),
    row(
        "mmc::mammoth::unchecked_cache",
        "line counts of files that aren't here",
        "Where corpora are missing, counts of `corpora_length_cache` are believed.",
        [
            "#@ stage corpora_schedule\n#@ missing train.de\n#@ text corpora_length_cache 1000\ttrain.de\ntasks:\n  de-en: {src_tgt: de-en, path_src: train.de, path_tgt: train.en}",
            "#@ stage corpora_schedule\n#@ text corpora_length_cache 1000\ttrain.de\ntasks:\n  de-en: {src_tgt: de-en, path_src: train.de, path_tgt: train.en}",
        ],
    ),
    row(
        "mmc::mammoth::uncountable",
        "a corpus that can't be counted",
        "It is missing, unreadable, or damaged.",
        [
            "#@ fault train.de truncated\nconfig_config:\n  use_weight: true",
            "config_config:\n  use_weight: true",
        ],
    ),
    row(
        "mmc::mammoth::unknown_option",
        "an option that nothing reads",
        "MAMMOTH ignores keys that it doesn't know.",
        ["config_config:\n  temprature: 0.5", "config_config:\n  temperature: 0.5"],
    ),
    row(
        "mmc::mammoth::unknown_pattern",
        "a sharing pattern that does not exist",
        "Patterns are `LANGUAGE`, `GROUP`, `FULL`, and the first two with `SRC_` or `TGT_`.",
        [
            "config_config:\n  enc_sharing_groups: [SRC_FULL]",
            "config_config:\n  enc_sharing_groups: [FULL]",
        ],
    ),
    row(
        "mmc::mammoth::unquoted_code",
        "a code without quotes that YAML takes for something else",
        "`no`, `on`, `off` and `yes` are booleans in YAML 1.1, `010` is eight. The code is taken as it is written.",
        [
            "src_vocab: {de: vocab/de, no: vocab/no}\nconfig_config:\n  groups: {de: west, en: west, fr: romance, 'no': west}",
            "src_vocab: {de: vocab/de, 'no': vocab/no}\nconfig_config:\n  groups: {de: west, en: west, fr: romance, 'no': west}",
        ],
    ),
    row(
        "mmc::mammoth::unused_adapter",
        "an adapter that no task uses",
        "Tasks get adapters whose `ids` is a pattern; a list of ids stays as it is.",
        [
            "adapters:\n  encoder:\n    a: {adapter_type: ff, layer_stack_index: 0, layers: [0], hidden_dim: 8, ids: [x]}",
            "adapters:\n  encoder:\n    a: {adapter_type: ff, layer_stack_index: 0, layers: [0], hidden_dim: 8, ids: LANGUAGE}",
        ],
    ),
    row(
        "mmc::mammoth::unused_languages",
        "languages of the distance file that no task uses",
        "They are left out before languages are put into groups, so that they take no group.",
        [
            "#@ without groups\n#@ text distances.csv lang,de,en,fr,it / de,0,1,2,2 / en,1,0,2,2 / fr,2,2,0,1 / it,2,2,1,0\nconfig_config:\n  distance_matrix: distances.csv",
            "#@ without groups\n#@ text distances.csv lang,de,en,fr / de,0,1,2 / en,1,0,2 / fr,2,2,0\nconfig_config:\n  distance_matrix: distances.csv",
        ],
    ),
    row(
        "mmc::mammoth::wrong_type",
        "a value of another kind",
        "The label says what is needed. A number such as `1e-4` is a text in YAML 1.1 and needs a dot: `1.0e-4`.",
        ["config_config:\n  temperature: 1e-1", "config_config:\n  temperature: 0.1"],
    ),
    row(
        "mmc::mammoth::zero_flag",
        "a flag of zero",
        "MAMMOTH takes a flag of zero for none and reads the option. Here it counts.",
        [
            "#@ flags --temperature 0\nconfig_config:\n  temperature: 0.5",
            "#@ flags --temperature 1\nconfig_config:\n  temperature: 0.5",
        ],
    ),
];
