//! Codes of the stage `corpus`.

use super::{Example, Row};

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    Row {
        code: "mmc::corpus::duplicate_task",
        title: "two tasks that are the same",
        meaning: "Two `tasks` blocks ask for the same direction with the same text, transforms and vocabularies, or two directions meet in one name. One of them must go; `weight` makes tasks more frequent.",
        wrong: "tasks again { pairs = cs -> de  corpus = text  transforms = [pieces, prefix(target)] }",
        right: "tasks again { pairs = cs -> de  corpus = text  transforms = [pieces] }",
        example: Example::Over,
    },
    Row {
        code: "mmc::corpus::empty",
        title: "a corpus file without lines",
        meaning: "An empty file trains nothing.",
        wrong: "languages pl\n#@ lines train.pl 0",
        right: "languages pl",
        example: Example::Over,
    },
    Row {
        code: "mmc::corpus::left_out",
        title: "directions left out for want of text",
        meaning: "A note: directions made by the pair algebra, whose files are not there. A direction asked for by its own name is an error instead.",
        wrong: "languages pl\n#@ missing train.pl",
        right: "languages pl",
        example: Example::Over,
    },
    Row {
        code: "mmc::corpus::lines_differ",
        title: "two sides with different numbers of lines",
        meaning: "Line i of one side must be the translation of line i of the other.",
        wrong: "languages pl\n#@ lines train.pl 999",
        right: "languages pl\n#@ lines train.pl 1000",
        example: Example::Over,
    },
    Row {
        code: "mmc::corpus::missing",
        title: "no text for a direction asked for by name",
        meaning: "The template of the corpus, filled for this direction, leads to a file that is not there.",
        wrong: "tasks translation { pairs = cs -> fr + de <-> en  corpus = text  transforms = [pieces, prefix(target)] }\n#@ missing train.cs",
        right: "tasks translation { pairs = all <-> all  corpus = text  transforms = [pieces, prefix(target)] }",
        example: Example::Bare,
    },
    Row {
        code: "mmc::corpus::no_tasks",
        title: "nothing to train",
        meaning: "No direction is left: there is no text for any of them.",
        wrong: "tasks translation { pairs = all -> en  corpus = text  transforms = [pieces, prefix(target)] }\n#@ missing train.en",
        right: "tasks translation { pairs = all <-> all  corpus = text  transforms = [pieces, prefix(target)] }",
        example: Example::Bare,
    },
    Row {
        code: "mmc::corpus::shards_differ",
        title: "two sides with different numbers of files",
        meaning: "File i of one side belongs to file i of the other; `{shard}` found more on one side.",
        wrong: "train = \"{shard}.{src_lang}\" -> \"{shard}.{tgt_lang}\"      # 0.de 1.de, 0.en",
        right: "0.de 1.de, 0.en 1.en",
        example: Example::Told,
    },
    Row {
        code: "mmc::corpus::unreadable",
        title: "a corpus file that can not be read",
        meaning: "The file is there, but its content is not: broken compression, no permission.",
        wrong: "train.de.gz is cut off",
        right: "train.de.gz can be unpacked",
        example: Example::Told,
    },
];
