//! Codes of the stage `yaml`: configurations of MAMMOTH that can't be read. What can't be shown is held to what is said here by tests
//! of `mmc-mammoth`.

use super::{Example, Row};

const fn row(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    [wrong, right]: [&'static str; 2],
) -> Row {
    Row { code, title, meaning, wrong, right, example: Example::Yaml }
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
        "mmc::yaml::alias_bomb",
        "aliases that stand for too much",
        "Each alias stands for a whole node, so aliases of aliases grow without bound; no configuration needs that.",
        [
            "\
a: &a [x, x, x, x, x, x, x, x, x, x]\n\
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n\
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n\
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n\
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n\
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n\
g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]\n\
h: &h [*g, *g, *g, *g, *g, *g, *g, *g, *g, *g]",
            "a: [x, x]",
        ],
    ),
    row(
        "mmc::yaml::bad_key",
        "a list or a mapping as a key",
        "Keys are texts or numbers. A value in braces at the start of a line is read as a mapping; quotes make it a text.",
        ["{lang}: vocab", "\"{lang}\": vocab"],
    ),
    row(
        "mmc::yaml::bad_merge",
        "a merge of something that is no mapping",
        "`<<` takes over the entries of a mapping, or of a list of mappings, that an alias names.",
        ["a: {<<: 3}", "b: &b {x: 1}\na: {<<: *b}"],
    ),
    row(
        "mmc::yaml::bad_value",
        "a value that looks like a number or a date and is none",
        "YAML 1.1 takes what looks like a date or a number for one. Where a text is meant, quotes say so.",
        ["name: 2001-02-30", "name: '2001-02-30'"],
    ),
    told(
        "mmc::yaml::control_character",
        "a character that YAML does not allow",
        "Control characters are no YAML; the line breaks U+0085, U+2028 and U+2029 are refused because YAML 1.1 and 1.2 read them differently. \
         In double quotes each can be written as an escape.",
        ["a bell in the file", "name: \"\\a\""],
    ),
    row(
        "mmc::yaml::duplicate_key",
        "a key given twice",
        "PyYAML silently takes the last one, and so does `mmc`, with a warning.",
        ["seed: 1\nseed: 2", "seed: 2"],
    ),
    row(
        "mmc::yaml::malformed",
        "a text that is not YAML",
        "The label is where the reader could not go on; the cause is often on the line above.",
        ["src_path: data: x", "src_path: 'data: x'"],
    ),
    row(
        "mmc::yaml::recursive",
        "a node that contains itself",
        "An alias names a node that is complete before it.",
        ["a: &a [*a]", "a: &a [x]\nb: *a"],
    ),
    row(
        "mmc::yaml::several_documents",
        "more than one document",
        "A configuration is one document; `---` begins another.",
        ["a: 1\n---\na: 2", "a: 1"],
    ),
    told(
        "mmc::yaml::too_deep",
        "too many things inside each other",
        "Nesting is bounded, so that no file can exhaust the reader.",
        ["[[[[...]]]]", "[[1, 2], [3]]"],
    ),
    told(
        "mmc::yaml::too_large",
        "a file beyond the bound",
        "A file of more than 64 MiB is not read as a configuration.",
        ["--in_config train.de", "--in_config meta.yaml"],
    ),
    row(
        "mmc::yaml::unknown_tag",
        "a tag without a meaning here",
        "Only the tags of plain data are read: `!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!timestamp`, `!!seq`, `!!map`. \
         Tags that make Python objects are refused, as by `safe_load`.",
        ["a: !!python/name:os.system x", "a: x"],
    ),
];
