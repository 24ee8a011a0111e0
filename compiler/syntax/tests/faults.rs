//! Faulty texts and what is said of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mmc_syntax::{SourceMap, parse, parse_partial};

/// One line a fault: place, message.
fn faults(text: &str) -> String {
    let mut map = SourceMap::new();
    map.add("other.mmc", "let a = 1\n");
    let source = map.add("test.mmc", text);
    let found = parse(source, text).err().unwrap_or_default();
    let line = |fault: &mmc_syntax::SyntaxError| {
        let span = fault.span().unwrap();
        let (line, column) = map.line_column(span).unwrap();
        format!("{line}:{column} {:?} {fault}\n", map.text(span).unwrap())
    };
    found.iter().map(line).collect()
}

#[test]
fn expectations_are_in_the_users_words() {
    for (text, expected) in [
        ("training { lanes 8 }", "1:18 \"8\" expected `=` or `{`, found `8`"),
        ("dim =\nheads = 8", "2:1 \"heads\" expected a value, found `heads`"),
        ("dim =\nadapter a { }", "2:1 \"adapter\" expected a value, found `adapter`"),
        ("pairs = all <-> ,", "1:17 \",\" expected a value, found `,`"),
        ("a = [1, 2\nb = 3", "1:5 \"[\" `[` is never closed"),
        (
            "a = temperature (0.5)",
            "1:17 \"(\" expected the next entry (`key = value` or `keyword { ... }`), found `(`",
        ),
        ("a = { b = 1 c = 2 }", "1:13 \"c\" expected `,` or a closing bracket, found `c`"),
        ("a = f(1 2)", "1:9 \"2\" expected `,` or `)`, found `2`"),
        (
            "model { a = 1, b = 2 }",
            "1:14 \",\" expected the next entry (`key = value` or `keyword { ... }`) or `}`, found `,`",
        ),
        (
            "import 3",
            "1:8 \"3\" expected a path in quotes or a dotted name (`std.clusters.lumi_g`), found `3`",
        ),
        ("param a float", "1:9 \"float\" expected `:` and a type, found `float`"),
        ("tasks { a", "1:7 \"{\" `{` is never closed"),
        (
            "3 = a",
            "1:1 \"3\" expected the next entry (`key = value` or `keyword { ... }`), found `3`",
        ),
        ("languages", "1:10 \"\" expected a language code, found the end of the file"),
        (
            "languages cs,\nlanguage de { }",
            "2:1 \"language\" expected another item, found `language`",
        ),
        ("a = ()", "1:6 \")\" expected a value, found `)`"),
    ] {
        assert_eq!(faults(text).trim_end(), expected, "{text}");
    }
}

#[test]
fn characters_have_their_own_faults() {
    for (text, expected) in [
        ("a = 1;", "1:6 \";\" `;` has no meaning here"),
        ("a = 1.", "1:5 \"1.\" `1.` is not a number"),
        ("a = 1.2.3", "1:5 \"1.2.3\" `1.2.3` is not a number"),
        ("a = 1__0", "1:5 \"1__0\" `1__0` is not a number"),
        ("a = \"b", "1:5 \"\\\"b\" text without a closing quote"),
        ("a = \"\\q\"", "1:6 \"\\\\q\" `\\q` is not an escape"),
        ("a = \"\\u{d800}\"", "1:6 \"\\\\u\" `\\u` is not an escape"),
        ("a = (1]", "1:5 \"(\" `(` is never closed"),
        ("a = [(1]", "1:6 \"(\" `(` is never closed"),
    ] {
        assert_eq!(faults(text).trim_end(), expected, "{text}");
    }
}

#[test]
fn all_faults_of_a_file_are_reported() {
    let text = concat!(
        "let a = ;\nmodel {\n  dim 3\n}\nlet b = 2\ntasks t { x = [1, }\nlet c = \"x\nlet d = \"\\q\"\n",
        "let e = 1.\nlet f = 3 }\n",
    );
    insta::assert_snapshot!(faults(text), @r#"
    1:9 ";" `;` has no meaning here
    3:7 "3" expected `=` or `{`, found `3`
    6:15 "[" `[` is never closed
    7:9 "\"x" text without a closing quote
    8:10 "\\q" `\q` is not an escape
    9:9 "1." `1.` is not a number
    10:11 "}" `}` closes nothing
    "#);
    let mut map = SourceMap::new();
    let source = map.add("test.mmc", text);
    assert_eq!(mmc_syntax::dump::dump(&parse_partial(source, text).file), "let b = 2\n");
}

#[test]
fn an_open_brace_costs_one_block() {
    let text = "model {\n  dim = 3\n\ntasks t {\n  pairs = all\n}\nlet b 2\nlet c = 3\n";
    insta::assert_snapshot!(faults(text), @r#"
    1:7 "{" `{` is never closed
    7:7 "2" expected `=` or `{`, found `2`
    "#);
    let mut map = SourceMap::new();
    let source = map.add("test.mmc", text);
    let tree = parse_partial(source, text).file;
    assert_eq!(mmc_syntax::dump::dump(&tree), "block tasks t\n  set pairs = all\nlet c = 3\n");
}
