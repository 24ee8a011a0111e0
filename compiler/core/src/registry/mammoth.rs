//! Codes of the stage `mammoth`: configurations of MAMMOTH. Tests of `mmc mammoth` hold them to what is said here.

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
        "mmc::mammoth::ae_weight",
        "an `ae_weight` that MAMMOTH does not read",
        "The flag of the same name has a default of 1.0, which hides the option from MAMMOTH unless the flag is zero. Here the option counts; `--bug-for-bug` takes 1.0.",
        [
            "ae_weight: 0.25   # and MAMMOTH weighs by 1.0",
            "mmc mammoth corpora_schedule --ae_weight 0.25 ...",
        ],
    ),
    row(
        "mmc::mammoth::bad_count",
        "a number of devices below one",
        "Nodes, GPUs and slots are whole numbers from 1.",
        ["n_nodes: -1", "n_nodes: 1"],
    ),
    row(
        "mmc::mammoth::bad_distances",
        "a distance file that can't be used",
        "It is missing, isn't a square of numbers with the same languages in both directions, or lacks a language of the tasks.",
        ["lang,de,en\nen,0,1\nde,1,0", "lang,de,en\nde,0,1\nen,1,0"],
    ),
    row(
        "mmc::mammoth::bad_src_tgt",
        "a `src_tgt` that isn't two codes",
        "`src_tgt` names source and target with one hyphen between them.",
        ["src_tgt: de", "src_tgt: de-en"],
    ),
    row(
        "mmc::mammoth::bad_template",
        "a path template that can't be filled",
        "Templates know `{src_lang}`, `{tgt_lang}`, `{lang_a}`, `{lang_b}`, `{side_a}`, `{side_b}`, `{lang_pair}` and `{sorted_pair}`; those of vocabularies `{src_lang}` or `{tgt_lang}`.",
        ["src_path: train.{source}", "src_path: train.{src_lang}"],
    ),
    row(
        "mmc::mammoth::cluster_choice",
        "both or none of `n_groups` and `cutoff_threshold`",
        "Clusters are cut into a number of groups or at a distance.",
        ["n_groups: 3\ncutoff_threshold: 0.4", "n_groups: null\ncutoff_threshold: 0.4"],
    ),
    row(
        "mmc::mammoth::cluster_count",
        "more groups than languages",
        "Only languages that tasks use are put into groups, and there are at least two.",
        ["n_groups: 9   # for 4 languages", "n_groups: 3"],
    ),
    row(
        "mmc::mammoth::code_not_text",
        "a code without quotes that is no text",
        "Said with `--bug-for-bug`, where MAMMOTH fails; without it the code is taken as it is written.",
        ["src_vocab:\n  no: no.vocab", "src_vocab:\n  'no': no.vocab"],
    ),
    row(
        "mmc::mammoth::curriculum_moved",
        "starting steps that were moved",
        "MAMMOTH does not start a GPU none of whose tasks begins at step 0, so tasks are moved ahead: all of them when too few begin at once, then those of each GPU.",
        [
            "four GPUs, and one task that starts at step 0",
            "four GPUs, and four tasks that start at step 0",
        ],
    ),
    row(
        "mmc::mammoth::hack_token",
        "a token for the wrong language",
        "The fully shared decoder needs a token that selects the target language; MAMMOTH writes the source language there.",
        ["src_prefix: <to_de>   # for de-en", "src_prefix: <to_en>"],
    ),
    row(
        "mmc::mammoth::half_validation",
        "validation text on one side",
        "MAMMOTH looks only for the source side when it decides whether a task is validated.",
        ["valid.de without valid.en", "both files, or none"],
    ),
    row(
        "mmc::mammoth::hyphen",
        "a language code with a hyphen",
        "MAMMOTH splits `de-en` at its hyphen, in training too.",
        ["src_vocab:\n  zh-Hans: zh.vocab", "src_vocab:\n  zh_Hans: zh.vocab"],
    ),
    row(
        "mmc::mammoth::missing_key",
        "a key that a stage needs",
        "The label shows the section, the help what to write. A stage that reads what another writes says which.",
        [
            "config_config: {}   # for complete_language_pairs",
            "config_config:\n  src_path: train.{src_lang}",
        ],
    ),
    row(
        "mmc::mammoth::more_gpus_than_tasks",
        "fewer tasks than GPUs",
        "A GPU without a task is an error when MAMMOTH starts, and its own tool fails before. As many GPUs are used as can have a task.",
        ["n_gpus_per_node: 4   # for two tasks", "n_gpus_per_node: 2"],
    ),
    row(
        "mmc::mammoth::n_groups_missing",
        "`n_groups` is missing where it isn't needed",
        "MAMMOTH reads it before it looks whether anything is clustered, and fails.",
        ["groups: {de: a, en: b}", "groups: {de: a, en: b}\nn_groups: 2"],
    ),
    row(
        "mmc::mammoth::no_assignment",
        "tasks that can't be assigned",
        "No assignment keeps to the slots.",
        ["n_slots_per_gpu: 1   # for twenty tasks", "n_slots_per_gpu: 5"],
    ),
    row(
        "mmc::mammoth::no_devices",
        "neither nodes nor slots",
        "The number of GPUs follows from `n_nodes`, or from `n_slots_per_gpu` and the number of tasks.",
        ["n_gpus_per_node: 4", "n_gpus_per_node: 4\nn_nodes: 1"],
    ),
    row(
        "mmc::mammoth::no_effect",
        "an option without effect",
        "MAMMOTH accepts it and does nothing with it, and so does `mmc`, aloud.",
        ["zero_shot: true", "leave it out"],
    ),
    row(
        "mmc::mammoth::no_group",
        "a language in no group",
        "Sharing patterns and the assignment to GPUs need the group of every language that a task uses.",
        ["groups: {de: a}   # and a task de-en", "groups: {de: a, en: b}"],
    ),
    row(
        "mmc::mammoth::no_groups",
        "neither groups nor distances",
        "Groups are given as `groups`, or made from a distance file.",
        ["n_groups: 2", "n_groups: 2\ndistance_matrix: distances.csv"],
    ),
    row(
        "mmc::mammoth::no_lines",
        "corpora that are all empty",
        "Shares are parts of all lines.",
        ["train.de with no line", "train.de with lines"],
    ),
    row(
        "mmc::mammoth::no_prefix",
        "a source token without the transform `prefix`",
        "`use_src_lang_token` writes `<from_SOURCE>` into the prefix, so every task needs the transform.",
        [
            "use_src_lang_token: true\ntransforms: [sentencepiece]",
            "use_src_lang_token: true\ntransforms: [sentencepiece, prefix]",
        ],
    ),
    row(
        "mmc::mammoth::no_tasks",
        "no task at all",
        "For no pair of languages both training files are there. Paths are relative to the working directory.",
        ["src_path: dta/train.{src_lang}", "src_path: data/train.{src_lang}"],
    ),
    row(
        "mmc::mammoth::no_time_budget",
        "a time limit that isn't needed",
        "The search for an assignment counts steps, so that its answer is the same everywhere.",
        ["--time_budget_s 60", "leave it out"],
    ),
    row(
        "mmc::mammoth::no_transforms",
        "no transforms where one is put before the last",
        "Said with `--bug-for-bug`, where MAMMOTH fails.",
        ["transforms: []", "transforms: [sentencepiece]"],
    ),
    row(
        "mmc::mammoth::open_last_line",
        "a last line without newline",
        "It is a line, and training reads it, but MAMMOTH counts newline characters.",
        ["a file that ends in the middle of a line", "a file that ends with a newline"],
    ),
    row(
        "mmc::mammoth::pairs_without_files",
        "pairs without files",
        "A pair whose source or target file is missing gets no task.",
        ["data/de-en/train.src without train.tgt", "both files"],
    ),
    row(
        "mmc::mammoth::pieces_together",
        "more pieces of a pair than GPUs",
        "Pieces of a split pair are kept on different GPUs as long as there are enough.",
        ["split_large_language_pairs: 0.001   # on two GPUs", "split_large_language_pairs: 0.2"],
    ),
    row(
        "mmc::mammoth::ready_index",
        "what MAMMOTH fails at with few tasks",
        "Said with `--bug-for-bug`: its adjustment of starting steps reads one place too far.",
        ["n_gpus_per_node: 4   # for two tasks", "n_gpus_per_node: 2"],
    ),
    row(
        "mmc::mammoth::several_mono_files",
        "several files for one language",
        "Every template of `ae_path` whose file is there replaces the one before, so the last one counts, in MAMMOTH too.",
        ["ae_path: [mono/{src_lang}, more/{src_lang}]", "ae_path: mono/{src_lang}"],
    ),
    row(
        "mmc::mammoth::shared_name",
        "a group that is called as a language",
        "Modules are named by language or group. A name that is both may join what was meant apart.",
        ["groups: {de: en, nl: en, en: other}", "groups: {de: west, nl: west, en: other}"],
    ),
    row(
        "mmc::mammoth::sharing_count",
        "patterns and stacks that don't match",
        "Each entry of `enc_layers` or `dec_layers` is a stack and has one pattern.",
        [
            "enc_layers: [3, 3]\nenc_sharing_groups: [FULL]",
            "enc_layers: [3, 3]\nenc_sharing_groups: [LANGUAGE, FULL]",
        ],
    ),
    row(
        "mmc::mammoth::shell",
        "a path that a shell would not take as one word",
        "Said with `--bug-for-bug`: MAMMOTH gives the paths of `.gz` files to a shell unquoted. `mmc` runs no shell.",
        ["src_path: data/$1.gz", "src_path: data/1.gz"],
    ),
    row(
        "mmc::mammoth::stale_cache",
        "line counts that are no longer true",
        "MAMMOTH keeps counts in `corpora_length_cache` in the working directory and never looks at the files again.",
        [
            "a corpus that was made anew beside an old corpora_length_cache",
            "no corpora_length_cache",
        ],
    ),
    row(
        "mmc::mammoth::tasks_differ",
        "configurations with other tasks",
        "An assignment is copied task by task.",
        ["--copy_from with other languages", "--copy_from with the same tasks"],
    ),
    row(
        "mmc::mammoth::too_few_slots",
        "more tasks than slots",
        "All tasks need a slot on a GPU.",
        [
            "n_nodes: 1\nn_gpus_per_node: 2\nn_slots_per_gpu: 1   # for six tasks",
            "n_nodes: 1\nn_gpus_per_node: 2\nn_slots_per_gpu: 3",
        ],
    ),
    row(
        "mmc::mammoth::unchecked_cache",
        "line counts of files that aren't here",
        "Where corpora are missing, counts of `corpora_length_cache` are believed.",
        ["corpora on another machine", "corpora here"],
    ),
    row(
        "mmc::mammoth::uncountable",
        "a corpus that can't be counted",
        "It is missing, unreadable, or damaged.",
        ["path_src: absent.gz", "path_src: train.gz"],
    ),
    row(
        "mmc::mammoth::unknown_option",
        "an option that nothing reads",
        "MAMMOTH ignores keys that it doesn't know.",
        ["temprature: 0.5", "temperature: 0.5"],
    ),
    row(
        "mmc::mammoth::unknown_pattern",
        "a sharing pattern that does not exist",
        "Patterns are `LANGUAGE`, `GROUP`, `FULL`, and the first two with `SRC_` or `TGT_`.",
        ["enc_sharing_groups: [SRC_FULL]", "enc_sharing_groups: [FULL]"],
    ),
    row(
        "mmc::mammoth::unquoted_code",
        "a code without quotes that YAML takes for something else",
        "`no`, `on`, `off` and `yes` are booleans in YAML 1.1, `010` is eight. The code is taken as it is written.",
        ["src_vocab:\n  no: no.vocab", "src_vocab:\n  'no': no.vocab"],
    ),
    row(
        "mmc::mammoth::unused_adapter",
        "an adapter that no task uses",
        "Tasks get adapters whose `ids` is a pattern; a list of ids stays as it is.",
        ["ids: [x, y]", "ids: LANGUAGE"],
    ),
    row(
        "mmc::mammoth::unused_languages",
        "languages of the distance file that no task uses",
        "They are left out before languages are put into groups, so that they take no group.",
        ["a distance file of 100 languages for tasks of 4", "nothing to do"],
    ),
    row(
        "mmc::mammoth::wrong_type",
        "a value of another kind",
        "The label says what is needed. A number such as `1e-4` is a text in YAML 1.1 and needs a dot: `1.0e-4`.",
        ["temperature: 1e-1", "temperature: 0.1"],
    ),
    row(
        "mmc::mammoth::zero_flag",
        "a flag of zero",
        "MAMMOTH takes a flag of zero for none and reads the option. Here it counts.",
        ["--temperature 0", "temperature: 0.0   # in the configuration"],
    ),
];
