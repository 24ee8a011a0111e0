//! Codes of the stage `emit`.

use super::{Example, Row};

const fn row(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    [wrong, right]: [&'static str; 2],
) -> Row {
    Row { code, title, meaning, wrong, right, example: Example::Emitted }
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
        "mmc::emit::decided_key",
        "a key for MAMMOTH that the experiment decides",
        "The `mammoth` block holds what only MAMMOTH reads. What the experiment says of training, model and tasks is written from there.",
        [
            "mammoth { learning_rate = 1e-3 }",
            "training { optimizer = adamw(lr = 1e-3, eps = 1e-9) }",
        ],
    ),
    row(
        "mmc::emit::defect",
        "a fault of MAMMOTH that changes what is trained",
        "A warning: the configuration says what the experiment says, and MAMMOTH 0.2.1 does something else with it. `docs/mammoth.md` has the list.",
        ["training { clip = module(1.0) }", "training { clip = none }"],
    ),
    row(
        "mmc::emit::left_out",
        "something that MAMMOTH's configuration has no place for",
        "A warning: what is trained stays the same, or nearly. Test text, coupled lanes, the size of the pool that is shuffled.",
        ["training { shuffle = 5k sentences }", "training { shuffle = 10k sentences }"],
    ),
    row(
        "mmc::emit::merged_modules",
        "two modules that MAMMOTH would take for one",
        "MAMMOTH tells the modules of a stack apart by one word: a language, a group or `full`. Two groupings with a group of the same name, in one stack, give the same word.",
        [
            "groups branch { slavic = [de, en, cs]  romance = [fr] }\nmodel {\n  encoder = [GROUP]\n  for cs <-> de { encoder = [GROUP(branch)] }\n}\nlint { allow = [mmc::lint::group_name_twice] }",
            "groups branch { other = [de, en, cs]  latin = [fr] }\nmodel {\n  encoder = [GROUP]\n  for cs <-> de { encoder = [GROUP(branch)] }\n}",
        ],
    ),
    row(
        "mmc::emit::no_equal",
        "a construct that MAMMOTH has not",
        "The configuration would mean something else, so none is written. The help line says what MAMMOTH has in its place; `import std.models.mammoth` sets what its networks are.",
        [
            "training { schedule = cosine(warmup = 10)  clock = updates }",
            "training { schedule = linear(warmup = 10)  clock = updates }",
        ],
    ),
    told(
        "mmc::emit::no_vocabulary",
        "no list of pieces for MAMMOTH",
        "MAMMOTH reads a `.vocab` file for each language beside SentencePiece's `.model`. Where the model's name does not end so, the `mammoth` block names the files.",
        [
            "tokenizer pieces { kind = sentencepiece  model = \"spm/{lang}\" }",
            "mammoth { src_vocab = \"spm/{lang}.vocab\" }",
        ],
    ),
    row(
        "mmc::emit::shares_move",
        "shares that MAMMOTH's GPUs can't keep",
        "A warning. Lanes hold parts of tasks, so that every task has the share that is asked for. MAMMOTH puts a task on one GPU, which draws among its own tasks by weight. `split` makes strided copies; on one GPU all shares are kept.",
        [
            "cluster { gpus_per_node = 2 }\ncurriculum { weight = table({ cs -> all = 9.0, (all - cs) -> all = 1.0 }) }",
            "cluster { gpus_per_node = 1 }\ncurriculum { weight = table({ cs -> all = 9.0, (all - cs) -> all = 1.0 }) }",
        ],
    ),
    told(
        "mmc::emit::slurm_key",
        "an unknown setting of the batch script",
        "The plan's `slurm` settings have a key that the script does not know.",
        ["slurm: {partitoin: small}", "slurm: {partition: small}"],
    ),
    told(
        "mmc::emit::slurm_value",
        "a setting that can not stand in a batch script",
        "Values stand on one line of a shell script.",
        ["slurm { partition = \"small; rm\" }", "slurm { partition = \"small\" }"],
    ),
    told(
        "mmc::emit::template",
        "a broken template",
        "A fault of `mmc`: please report it.",
        ["", ""],
    ),
    row(
        "mmc::emit::two_settings",
        "one option of MAMMOTH, and two values",
        "Tasks of MAMMOTH have their own lists of transforms, and the options of each transform once for all.",
        [
            "corpus other { train = \"more.{src_lang}\" -> \"more.{tgt_lang}\" }\ntasks more { pairs = cs -> de  corpus = other  transforms = [pieces, filter_too_long(90, 90)] }\ntasks yet_more { pairs = de -> cs  corpus = other  transforms = [pieces, filter_too_long(80, 90)] }",
            "corpus other { train = \"more.{src_lang}\" -> \"more.{tgt_lang}\" }\ntasks more { pairs = cs -> de  corpus = other  transforms = [pieces, filter_too_long(90, 90)] }\ntasks yet_more { pairs = de -> cs  corpus = other  transforms = [pieces, filter_too_long(90, 90)] }",
        ],
    ),
    row(
        "mmc::emit::unknown_key",
        "a key that MAMMOTH does not know",
        "MAMMOTH ignores such a key without a word, so that a misspelt one has no effect.",
        ["mammoth { report_evry = 100 }", "mammoth { report_every = 100 }"],
    ),
    row(
        "mmc::emit::wrong_value",
        "a value of the wrong kind for MAMMOTH",
        "`src_vocab` and `tgt_vocab` are a template with `{lang}` or a file for each language; `groups` renames groups; `x_transformers_opts` is a block.",
        ["mammoth { src_vocab = 7 }", "mammoth { src_vocab = \"vocab/{lang}.vocab\" }"],
    ),
];
