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
        wrong: "train.de is empty",
        right: "train.de has as many lines as train.en",
        example: Example::Told,
    },
    Row {
        code: "mmc::corpus::left_out",
        title: "directions left out for want of text",
        meaning: "A note: directions made by the pair algebra, whose files are not there. A direction asked for by its own name is an error instead.",
        wrong: "pairs = all <-> all           # and train.fr is missing",
        right: "pairs = (cs + de + en) <-> (cs + de + en)",
        example: Example::Told,
    },
    Row {
        code: "mmc::corpus::lines_differ",
        title: "two sides with different numbers of lines",
        meaning: "Line i of one side must be the translation of line i of the other.",
        wrong: "train.de has 1000 lines, train.en 999",
        right: "both have 1000 lines",
        example: Example::Told,
    },
    Row {
        code: "mmc::corpus::missing",
        title: "no text for a direction asked for by name",
        meaning: "The template of the corpus, filled for this direction, leads to a file that is not there.",
        wrong: "pairs = cs -> fr              # and train.cs is missing",
        right: "pairs = cs -> fr              # and both files are there",
        example: Example::Told,
    },
    Row {
        code: "mmc::corpus::no_tasks",
        title: "nothing to train",
        meaning: "No direction is left: there is no text for any of them.",
        wrong: "no file of any direction is there",
        right: "at least one direction has both its files",
        example: Example::Told,
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
