//! Codes of the stage `lint`.

use super::{Example, Row};

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    Row {
        code: "mmc::lint::corpus_repeated",
        title: "text read too often",
        meaning: "Predicted from lines, 25 tokens a line: some text is read more than a hundred times. It is learnt by heart then.",
        wrong: "training { steps = 1M  batch = 4096 tokens }",
        right: "training { steps = 100 }",
        example: Example::Over,
    },
    Row {
        code: "mmc::lint::idle_rank",
        title: "a device without work",
        meaning: "There are more devices than lanes.",
        wrong: "training { lanes = 1 }",
        right: "training { lanes = 2 }",
        example: Example::Over,
    },
    Row {
        code: "mmc::lint::single_task_module",
        title: "a shared module with one user",
        meaning: "A module shared by language or group is used by one task alone: nothing is transferred through it.",
        wrong: "tasks translation { pairs = cs -> de + en -> fr }\nmodel { encoder = [SRC_LANGUAGE, FULL] }",
        right: "tasks translation { pairs = all <-> all }\nmodel { encoder = [SRC_LANGUAGE, FULL] }",
        example: Example::Told,
    },
    Row {
        code: "mmc::lint::unsampled_task",
        title: "a task that may never run",
        meaning: "Its share of the batches is less than one in the whole training.",
        wrong: "curriculum { weight = table({ cs -> de = 1e-6, all -> all = 1 }) }",
        right: "curriculum { weight = uniform }",
        example: Example::Told,
    },
    Row {
        code: "mmc::lint::unused_corpus",
        title: "a corpus that nobody reads",
        meaning: "No `tasks` block names it.",
        wrong: "corpus other { train = \"more.{src_lang}\" -> \"more.{tgt_lang}\" }",
        right: "tasks more { pairs = cs -> de  corpus = other  transforms = [pieces] }\ncorpus other { train = \"more.{src_lang}\" -> \"more.{tgt_lang}\" }",
        example: Example::Over,
    },
    Row {
        code: "mmc::lint::unused_group",
        title: "a group without tasks",
        meaning: "None of its languages is in any task.",
        wrong: "tasks translation { pairs = de <-> en }",
        right: "tasks translation { pairs = all <-> all }",
        example: Example::Told,
    },
    Row {
        code: "mmc::lint::unused_tokenizer",
        title: "a tokenizer that nobody uses",
        meaning: "No `tasks` block has it among its transforms.",
        wrong: "tokenizer other { kind = sentencepiece  model = \"x/{lang}.model\" }",
        right: "tokenizer other { kind = sentencepiece  model = \"x/{lang}.model\" }\ntasks more { pairs = cs -> de  corpus = text  transforms = [other] }\nmodel { embeddings { source = TASK  target = TASK } }",
        example: Example::Told,
    },
    Row {
        code: "mmc::lint::warmup_longer_than_training",
        title: "a warm-up that never ends",
        meaning: "The learning rate does not reach its peak before training ends.",
        wrong: "training { schedule = inverse_sqrt(warmup = 100) }",
        right: "training { schedule = inverse_sqrt(warmup = 10) }",
        example: Example::Over,
    },
    Row {
        code: "mmc::lint::zero_shot_unconnected",
        title: "directions that were never trained",
        meaning: "A note: their modules exist, so `mmc translate` will translate them, but they never worked together in training.",
        wrong: "tasks translation { pairs = all <-> all - cs -> fr }",
        right: "tasks translation { pairs = all <-> all }",
        example: Example::Told,
    },
];
