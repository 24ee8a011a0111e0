//! Codes of the stage `resolve`.

use super::{Example, Row};

const fn over(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    [wrong, right]: [&'static str; 2],
) -> Row {
    Row { code, title, meaning, wrong, right, example: Example::Over }
}

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    over(
        "mmc::resolve::ambiguous",
        "a word with several meanings",
        "Two groupings have a group of this name, or it is the name of a group and of a family or script, with different members. Say which: `grouping.group`, `family.germanic`, `script.Latn`.",
        [
            "groups typology { germanic = [de]  other = [cs, en, fr] }\ntasks more { pairs = germanic -> fr  corpus = text  transforms = [pieces] }",
            "groups typology { germanic = [de]  other = [cs, en, fr] }\ntasks more { pairs = typology.germanic -> fr  corpus = text  transforms = [pieces] }",
        ],
    ),
    over(
        "mmc::resolve::arithmetic",
        "arithmetic without a meaning",
        "`+` and `-` need equal units, one side of `*` is a plain number, `/` takes a plain number or the same unit; results are finite.",
        [
            "let batch = 4096 tokens + 3 steps\ntraining { batch = batch }",
            "let batch = 4096 tokens * 2\ntraining { batch = batch }",
        ],
    ),
    Row {
        code: "mmc::resolve::bad_param",
        title: "a `-p` value of another type",
        meaning: "The value given on the command line does not fit the type that the file declares for the param.",
        wrong: "param temperature: float = 0.5\n#@ param temperature=warm",
        right: "param temperature: float = 0.5\n#@ param temperature=1.0",
        example: Example::Over,
    },
    over(
        "mmc::resolve::conflict",
        "two settings that exclude each other",
        "Each is fine alone. Both places are shown; change one.",
        ["model { dim = 100  heads = 8 }", "model { dim = 96  heads = 8 }"],
    ),
    over(
        "mmc::resolve::cyclic_value",
        "a value defined by itself",
        "Values of `let` may use each other in any order, but not in a circle.",
        ["let a = b * 2\nlet b = a / 2", "let a = b * 2\nlet b = 256"],
    ),
    over(
        "mmc::resolve::distance_table",
        "a table that can't be read",
        "A file of distances is a square (`lang,de,en`, then a row `de,0,0.3` a language in the same order) or a list (`a,b,distance`, then a row a pair); distances are finite, not negative, and the same in both directions. A file of features has a row of numbers a language; empty cells are unknown.",
        [
            "groups near = cluster(distances = \"crooked.csv\", count = 2)",
            "groups near = cluster(distances = \"distances.csv\", count = 2)",
        ],
    ),
    over(
        "mmc::resolve::duplicate",
        "declared or set twice",
        "A name is declared once over all files, a field is set once. Only a file that imports the other may set a field again: it overrides.",
        ["training { clip = 1.0 }\ntraining { clip = 2.0 }", "training { clip = 1.0 }"],
    ),
    over(
        "mmc::resolve::empty_selection",
        "a selection of nothing",
        "The pair algebra selects no direction here, so what is said about it would have no effect.",
        [
            "tasks more { pairs = germanic -> fr - all -> fr  corpus = text  transforms = [pieces] }",
            "tasks more { pairs = germanic -> fr  corpus = text  transforms = [pieces] }",
        ],
    ),
    Row {
        code: "mmc::resolve::entry_missing",
        title: "the file can't be read",
        meaning: "The file named on the command line does not exist or can't be read.",
        wrong: "mmc check multi3k.mmc",
        right: "mmc check multi30k.mmc",
        example: Example::Told,
    },
    Row {
        code: "mmc::resolve::import_cycle",
        title: "files that import each other in a circle",
        meaning: "An import must not lead back to the importing file. Move what both need into a third file.",
        wrong: "import \"here.mmc\"        # in here.mmc",
        right: "import \"shared.mmc\"      # in here.mmc",
        example: Example::Told,
    },
    over(
        "mmc::resolve::import_missing",
        "an import that can't be found",
        "Paths are relative to the folder of the importing file; the library's files are imported by name.",
        ["import std.clusters.lumi_q", "import std.clusters.lumi_g"],
    ),
    Row {
        code: "mmc::resolve::missing_block",
        title: "a part of the experiment is missing",
        meaning: "Every experiment has `experiment`, `languages`, `tasks`, `model`, `training` and `cluster`, in its file or an imported one.",
        wrong: "languages cs, de\nexperiment first { seed = 1 }",
        right: "experiment first { seed = 1 }\nlanguages cs, de\n...",
        example: Example::Told,
    },
    over(
        "mmc::resolve::missing_field",
        "a needed field or argument is missing",
        "There is no default that would fit every experiment. The help line shows an example.",
        [
            "training { optimizer = adamw(weight_decay = 0.1) }",
            "training { optimizer = adamw(lr = 3e-4, weight_decay = 0.1) }",
        ],
    ),
    Row {
        code: "mmc::resolve::missing_param",
        title: "a param without value",
        meaning: "A param without default must be given on the command line.",
        wrong: "param temperature: float",
        right: "param temperature: float\n#@ param temperature=1.0",
        example: Example::Over,
    },
    over(
        "mmc::resolve::missing_unit",
        "a number without its unit",
        "Where several units are thinkable a bare number is not understood.",
        ["training { batch = 4096 }", "training { batch = 4096 tokens }"],
    ),
    over(
        "mmc::resolve::no_attribute",
        "a language without an attribute",
        "Groups are made by an attribute that a language lacks. The registry knows family and script of some 700 languages; give the others theirs.",
        [
            "languages xx\ngroups stock = by(family)",
            "languages xx\nlanguage xx { family = \"artificial/first\" }\ngroups stock = by(family)",
        ],
    ),
    over(
        "mmc::resolve::not_built",
        "a construct without meaning yet",
        "The language has this construct, but this version of `mmc` can't run it. Leave it out; nothing is ignored silently.",
        ["phase pretrain { steps = 5 }", "training { steps = 5 }"],
    ),
    over(
        "mmc::resolve::out_of_range",
        "a number out of range",
        "The value has the right unit but not a value that can work. The help line tells the range.",
        ["model { dropout = 1.5 }", "model { dropout = 0.15 }"],
    ),
    over(
        "mmc::resolve::reserved",
        "a name that means something else",
        "`all`, `each` and `self` are words of the pair algebra; languages, groups and values need names of their own.",
        ["languages all", "languages pl"],
    ),
    Row {
        code: "mmc::resolve::sample",
        title: "text that languages can't be compared by",
        meaning: "The template of `text` or `sizes` must give a file with text for every declared language.",
        wrong: "groups near = cluster(text = \"{lang}.txt\", count = 2)\n#@ missing cs.txt",
        right: "groups near = cluster(text = \"{lang}.txt\", count = 2)",
        example: Example::Over,
    },
    over(
        "mmc::resolve::table_incomplete",
        "a weight table with gaps",
        "Every direction of the tasks needs a weight. Sets of directions may be used as keys.",
        [
            "curriculum { weight = table({ cs -> de = 0.3 }) }",
            "curriculum { weight = table({ cs -> de = 0.3, all <-> all - cs -> de = 1.0 }) }",
        ],
    ),
    over(
        "mmc::resolve::template",
        "a faulty template",
        "Templates are text with variables in braces. Corpora have `src_lang`, `tgt_lang`, `lang_pair`, `lang_a`, `lang_b`, `side_a`, `side_b`, `sorted_pair` and `shard`; tokenizers have `lang`. Filters map codes: `{lang|iso3}`.",
        [
            "corpus other { train = \"train.{source}\" -> \"train.{tgt_lang}\" }",
            "corpus other { train = \"train.{src_lang}\" -> \"train.{tgt_lang}\" }",
        ],
    ),
    over(
        "mmc::resolve::tokenizer_count",
        "no tokenizer, or several",
        "The transforms of a task name exactly one tokenizer.",
        [
            "tasks more { pairs = cs -> de  corpus = text  transforms = [prefix(target)] }",
            "tasks more { pairs = cs -> de  corpus = text  transforms = [pieces, prefix(target)] }",
        ],
    ),
    over(
        "mmc::resolve::unbalanced",
        "clusters that can't be balanced",
        "No clusters of so many languages, or tokens, hold all languages. Raise `max` or `count`.",
        [
            "groups even = cluster(distances = family, balanced = size, count = 2, max = 1)",
            "groups even = cluster(distances = family, balanced = size, count = 2, max = 3)",
        ],
    ),
    over(
        "mmc::resolve::ungrouped",
        "a language without group",
        "A module is shared by groups, and a language that uses it is in none of them.",
        [
            "groups writing { latin = [cs, de] }\nmodel { encoder = [GROUP(writing)] }",
            "groups writing { latin = [cs, de, en, fr] }\nmodel { encoder = [GROUP(writing)] }",
        ],
    ),
    over(
        "mmc::resolve::unknown_field",
        "an unknown field",
        "The block, or the call, has no field or argument of this name.",
        ["model { dorpout = 0.1 }", "model { dropout = 0.1 }"],
    ),
    over(
        "mmc::resolve::unknown_language",
        "an undeclared language",
        "Languages are declared with `languages` or `language` before groups can list them; the order in the file does not matter.",
        ["groups typology { germanic = [de, nl] }", "groups typology { germanic = [de, en] }"],
    ),
    over(
        "mmc::resolve::unknown_name",
        "an unknown name",
        "Nothing of this kind is declared or built in. The help line names the nearest candidate.",
        ["model { activation = rleu }", "model { activation = relu }"],
    ),
    Row {
        code: "mmc::resolve::unknown_param",
        title: "a `-p` for no param",
        meaning: "Every `-p name=value` must have its `param name` in the files.",
        wrong: "param temperature: float = 0.5\n#@ param temprature=1.0",
        right: "param temperature: float = 0.5\n#@ param temperature=1.0",
        example: Example::Over,
    },
    over(
        "mmc::resolve::unmeasured",
        "a language that a table lacks",
        "Every declared language needs its row in the table of distances or features, by its code in the experiment.",
        [
            "languages nl\ngroups near = cluster(distances = \"distances.csv\", count = 2)",
            "groups near = cluster(distances = \"distances.csv\", count = 2)",
        ],
    ),
    over(
        "mmc::resolve::unrelated",
        "two languages of which nothing in common is known",
        "No feature is known of both, and one of them has no family. A distance would be a guess.",
        [
            "language en { family = \"\" }\ngroups near = cluster(features = \"features.csv\", count = 2)",
            "groups near = cluster(features = \"features.csv\", count = 2)",
        ],
    ),
    over(
        "mmc::resolve::wrong_set",
        "languages where directions are needed, or the other way round",
        "Arrows make directions of languages; `+`, `-` and `&` join sets of one kind.",
        [
            "tasks more { pairs = germanic + romance  corpus = text  transforms = [pieces] }",
            "tasks more { pairs = germanic <-> romance  corpus = text  transforms = [pieces] }",
        ],
    ),
    over(
        "mmc::resolve::wrong_type",
        "a value of the wrong kind",
        "A number, text in quotes, a word, a list or a block is needed; the message says which.",
        ["model { dim = \"wide\" }", "model { dim = 16 }"],
    ),
    over(
        "mmc::resolve::wrong_unit",
        "a unit that does not fit",
        "The field measures something else. The help line lists the units that fit.",
        ["training { batch = 64 sentences }", "training { batch = 4096 tokens }"],
    ),
];
