//! Places of what is read, and faults of what can't be.

#![expect(clippy::unwrap_used, reason = "tests: the sentence is the failure's")]

use std::fmt::Write as _;

use miette::Diagnostic as _;
use mmc_mammoth::yaml::{Read, Tree, Value, YamlError};
use mmc_syntax::{SourceMap, Span};

fn read(text: &str) -> (SourceMap, Result<Read, YamlError>) {
    let mut sources = SourceMap::new();
    sources.add("before.yaml", "a: b\n");
    let source = sources.add("a.yaml", text);
    let read = Tree::read(source, text);
    (sources, read)
}

/// `CODE line:column` of the fault.
fn fault(text: &str) -> String {
    let (sources, read) = read(text);
    let fault = read.unwrap_err();
    let label = fault.labels().and_then(|mut labels| labels.next());
    let place = label.and_then(|label| {
        let start = u32::try_from(label.offset()).ok()?;
        sources.line_column(Span::new(start, start + u32::try_from(label.len()).ok()?))
    });
    let (line, column) = place.unwrap_or_default();
    let code = fault.code().map(|code| code.to_string()).unwrap_or_default();
    format!("{} {line}:{column}", code.trim_start_matches("mmc::yaml::"))
}

#[test]
fn keys_and_values_have_their_places() {
    let text =
        "# größe\nä: &x\n  - 'größe'  # note\n  - {b: no, c: [1, 2]}\nd: >\n  x\n  y\ne: *x\n";
    let (sources, read) = read(text);
    let tree = read.unwrap().tree;
    let at = |span: Span| (sources.line_column(span).unwrap(), sources.text(span).unwrap());
    let root = tree.root();
    let (key, list) = tree.entry(root, "ä").unwrap();
    assert_eq!(at(tree.span(key)), ((2, 1), "ä"));
    assert_eq!(at(tree.span(tree.items(list)[0])), ((3, 5), "'größe'"));
    let map = tree.items(list)[1];
    assert_eq!(at(tree.span(map)).0, (4, 5));
    let no = tree.get(map, "b").unwrap();
    assert_eq!((tree.value(no), at(tree.span(no))), (&Value::Bool(false), ((4, 9), "no")));
    assert_eq!(at(tree.span(tree.get(map, "c").unwrap())), ((4, 16), "[1, 2]"));
    assert_eq!(tree.get(root, "e"), Some(list), "an alias is what it names");
    assert_eq!(tree.text(tree.get(root, "d").unwrap()), Some("x y\n"));
}

#[test]
fn faults_have_lines_and_columns() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        ("a: [1, 2\nb: 3\n", "malformed 2:2"),
        ("a: b: c\n", "malformed 1:5"),
        ("a:\n\t- b\n", "malformed 2:2"),
        ("a: 'b\n", "malformed 2:1"),
        ("a: *b\n", "malformed 1:4"),
        ("a: @b\n", "malformed 1:4"),
        ("a: \u{7}\n", "control_character 1:4"),
        ("a: \u{2028}b\n", "control_character 1:4"),
        ("a: &a [*a]\n", "recursive 1:8"),
        ("a: !!python/name:os.system x\n", "unknown_tag 1:28"),
        ("a: !!set {b}\n", "unknown_tag 1:10"),
        ("a: 2001-02-30\n", "bad_value 1:4"),
        ("a: !!int b\n", "bad_value 1:10"),
        ("a: 0x_\n", "bad_value 1:4"),
        ("{a: b}: c\n", "bad_key 1:1"),
        ("a: {b}: c\n", "malformed 1:7"),
        ("a:\n  <<: 3\n", "bad_merge 2:7"),
        ("a:\n  <<: [{}, x]\n", "bad_merge 2:12"),
        ("a: b\n---\nc: d\n", "several_documents 2:1"),
    ] {
        let found = fault(text);
        if found != expected {
            wrong.push(format!("{text:?}: {found}, expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn depth_and_aliases_are_bounded() {
    let flow = "[".repeat(100_000);
    assert!(fault(&flow).starts_with("too_deep 1:"), "{}", fault(&flow));
    let block: String = (0..3000).map(|depth| " ".repeat(depth) + "a:\n").collect();
    assert!(fault(&block).starts_with("too_deep "), "{}", fault(&block));
    let dashes = "- ".repeat(10_000);
    assert!(fault(&dashes).starts_with("too_deep 1:"), "{}", fault(&dashes));
    let fine = "[".repeat(100) + &"]".repeat(100);
    assert!(read(&fine).1.is_ok());
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let uses = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{uses}]").unwrap();
    }
    assert_eq!(fault(&bomb), "alias_bomb 8:30");
}

#[test]
fn equal_keys_are_one_and_said() {
    let (sources, read) = read("a: 1\nb: 2\na: 3\n1: x\ntrue: y\n");
    let read = read.unwrap();
    let root = read.tree.root();
    assert_eq!(read.tree.get(root, "a").map(|id| read.tree.value(id).clone()), Some(Value::Int(3)));
    let lines: Vec<_> =
        read.duplicates.iter().map(|twice| sources.line_column(twice.span).unwrap().0).collect();
    assert_eq!(lines, [3, 5]);
    let (_, merged) = self::read("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\n");
    let merged = merged.unwrap();
    assert!(merged.duplicates.is_empty(), "a key over a merged one is meant");
}

#[test]
fn an_empty_file_is_nothing() {
    for text in ["", "# only a note\n", "\u{feff}", "---\n", "...\n"] {
        let (_, read) = read(text);
        let tree = read.unwrap().tree;
        assert_eq!(tree.value(tree.root()), &Value::Null, "{text:?}");
    }
}
