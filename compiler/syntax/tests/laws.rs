//! Laws of parsing and layout, on random texts and on broken ones.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mmc_syntax::{SourceMap, dump::dump, format, parse, parse_partial, print};
use proptest::prelude::*;

/// What must hold for any text; whether it parsed.
fn laws(text: &str) -> bool {
    let source = SourceMap::new().add("test.mmc", text);
    let tree = match parse(source, text) {
        Ok(tree) => tree,
        Err(faults) => {
            assert!(!faults.is_empty(), "an error says why: {text:?}");
            for span in faults.iter().filter_map(mmc_syntax::SyntaxError::span) {
                let (start, end) = (span.start as usize, span.end as usize);
                assert!(text.get(start..end).is_some(), "{span:?} within {text:?}");
            }
            assert!(parse_partial(source, text).file.items.len() <= text.len());
            return false;
        }
    };
    let once = format(text).unwrap();
    let formatted =
        parse(source, &once).unwrap_or_else(|faults| panic!("{text:?}\n{once}\n{faults:?}"));
    assert_eq!(dump(&tree), dump(&formatted), "{text:?}\n{once}");
    assert_eq!(once, format(&once).unwrap(), "formatting twice: {text:?}");
    if !text.contains('"') {
        assert_eq!(text.matches('#').count(), once.matches('#').count(), "{text:?}\n{once}");
    }
    let printed = print(&tree);
    let reread =
        parse(source, &printed).unwrap_or_else(|faults| panic!("{text:?}\n{printed}\n{faults:?}"));
    assert_eq!(dump(&tree), dump(&reread), "printed: {text:?}\n{printed}");
    true
}

#[test]
fn a_carriage_return_alone_is_white_space_within_a_line() {
    assert!(laws("k { a in zh-Hans\rhere\n b = (x) }"));
    assert!(laws("steps = 50k\rlanes = 8\r\nbatch = 512 tokens\r\n"));
}

fn leaf() -> impl Strategy<Value = Vec<String>> {
    prop::sample::select(vec![
        "512",
        "3e-4",
        "50k",
        "5%",
        "4096 tokens",
        "200 Gbit/s",
        "80GiB",
        "\"runs/{experiment}\"",
        "\"a\\n\\\"\\\\\\u{7}é\"",
        "cs",
        "zh-Hans",
        "GROUP",
        "std.typology",
        "mmc::lint::x",
        "every 1k steps",
        "per task",
        "x",
        "a_rather_long_name_for_one_thing",
        "[]",
        "{}",
        "f()",
        "encoder[1]",
        "0..3",
        "-1",
        "- -2",
        "tasks",
        "in",
        "with",
    ])
    .prop_map(|token| vec![token.to_owned()])
}

/// Tokens; what must stay on one line is one token.
fn expr() -> BoxedStrategy<Vec<String>> {
    leaf()
        .prop_recursive(4, 40, 5, |inner| {
            let list = prop::collection::vec(inner.clone(), 1..5);
            let operator = prop::sample::select(vec!["+", "-", "&", "*", "/", "->", "<->", " x "]);
            prop_oneof![
                (list.clone(), any::<bool>())
                    .prop_map(|(items, comma)| enclosed("[", items, comma, "]")),
                list.clone().prop_map(|items| enclosed("(", items, false, ")")),
                (list, any::<bool>()).prop_map(|(mut items, named)| {
                    if named {
                        items.iter_mut().take(1).for_each(|item| {
                            item.splice(0..0, ["top".to_owned(), "=".to_owned()]);
                        });
                    }
                    enclosed("moe(", items, named, ")")
                }),
                prop::collection::vec((inner.clone(), inner.clone()), 1..4).prop_map(|pairs| {
                    let pair = |(key, value)| {
                        [enclosed("(", vec![key], false, ")"), vec!["=".into()], value].concat()
                    };
                    enclosed("{", pairs.into_iter().map(pair).collect(), true, "}")
                }),
                (inner.clone(), operator, inner.clone()).prop_map(|(left, op, right)| [
                    left,
                    vec![op.to_owned()],
                    right
                ]
                .concat()),
                (inner.clone(), inner.clone()).prop_map(|(base, value)| {
                    [
                        base,
                        vec![" where ".into(), "family".into(), "=".into()],
                        enclosed("(", vec![value], false, ")"),
                    ]
                    .concat()
                }),
                inner
                    .prop_map(|base| [base, vec![" with ".into(), "moe(top = 1)".into()]].concat()),
            ]
        })
        .boxed()
}

fn enclosed(open: &str, items: Vec<Vec<String>>, comma: bool, close: &str) -> Vec<String> {
    let count = items.len();
    let mut tokens = vec![open.to_owned()];
    for (number, item) in items.into_iter().enumerate() {
        tokens.extend(item);
        if comma || number + 1 < count {
            tokens.push(",".into());
        }
    }
    tokens.push(close.to_owned());
    tokens
}

fn entries() -> BoxedStrategy<Vec<String>> {
    let word = prop::sample::select(vec![
        "dim", "steps", "for_", "in", "zh-Hans", "groups", "tasks", "x", "k",
    ]);
    let setting = (word.clone(), any::<bool>(), expr()).prop_map(|(key, label, value)| {
        let key = if label { format!("{key} label") } else { key.to_owned() };
        [vec![key, "=".into()], value].concat()
    });
    let simple = prop::sample::select(vec![
        vec!["import \"a/b.mmc\""],
        vec!["import std.clusters.lumi_g"],
        vec!["param t", ":", "float", "=", "0.5"],
        vec!["param u", ":", "int"],
        vec!["languages cs", ",", "de", ",", "no"],
    ])
    .prop_map(|tokens| tokens.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let choice = (word.clone(), expr())
        .prop_map(|(name, values)| [vec![format!("{name} in ")], values].concat());
    let entry = prop_oneof![4 => setting, 1 => simple, 1 => choice];
    let many = prop::collection::vec(entry, 0..5).prop_map(|entries| entries.concat());
    many.prop_recursive(3, 60, 4, move |inner| {
        let head = prop_oneof![
            word.clone().prop_map(|word| vec![word.to_owned()]),
            word.clone().prop_map(|word| vec![format!("{word} name")]),
            expr().prop_map(|pairs| [vec!["for ".to_owned()], pairs].concat()),
        ];
        let block = (head, inner.clone())
            .prop_map(|(head, body)| [head, vec!["{".into()], body, vec!["}".into()]].concat());
        (inner, block).prop_map(|(before, block)| [before, block].concat())
    })
    .boxed()
}

/// Tokens with white space and comments between them.
fn text() -> impl Strategy<Value = String> {
    let gaps = prop::sample::select(vec![
        " ",
        " ",
        " ",
        "  ",
        "\n",
        "\n",
        "\n  ",
        "\n\n\n",
        " # c\n",
        "\n# own\n",
        "\n\n  ## doc\n\n",
        "\r\n",
        "\t",
        " ### ruler\n",
    ]);
    (entries(), prop::collection::vec(gaps, 1..40)).prop_map(|(tokens, gaps)| {
        let pairs = tokens.iter().zip(gaps.iter().cycle());
        pairs.flat_map(|(token, gap)| [token.as_str(), gap]).collect()
    })
}

/// A place of a text and what to do there.
fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, String)>> {
    let pieces = prop::sample::select(vec![
        "",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "\"",
        "\\",
        "=",
        ",",
        "-",
        "->",
        "..",
        ".",
        "#",
        "##",
        "\n",
        "x ",
        "for ",
        " tasks ",
        "1",
        "1.",
        "\u{e9}",
        "\u{0}",
        "\u{2028}",
        "%",
        "::",
        " with ",
        " in ",
        "\\u{110000}",
        "\u{feff}",
    ]);
    let one = (any::<prop::sample::Index>(), 0..6_usize, pieces.prop_map(str::to_owned));
    prop::collection::vec(one, 1..4)
}

fn damaged(text: &str, damage: &[(prop::sample::Index, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (place, removed, inserted) in damage {
        let at = place.index(chars.len() + 1);
        let end = (at + removed).min(chars.len());
        chars.splice(at..end, inserted.chars());
    }
    chars.into_iter().collect()
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn layout_changes_nothing(text in text()) {
        laws(&text);
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn broken_texts_are_refused_in_order(text in text(), damage in damage()) {
        laws(&damaged(&text, &damage));
    }

    #[test]
    fn any_characters_are_answered(text in "\\PC{0,60}|[a-c ={}()\\[\\]#\"\n,.0-9x<>&*/+-]{0,80}") {
        laws(&text);
    }
}

#[test]
fn random_texts_mostly_parse() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut parsed = 0;
    for _ in 0..200 {
        let tree = text().new_tree(&mut runner).unwrap();
        parsed += usize::from(laws(&proptest::strategy::ValueTree::current(&tree)));
    }
    assert!(parsed > 100, "the generator is worth its name: {parsed} of 200 parse");
}

#[test]
fn depth_is_bounded() {
    for (open, close) in [("[", "]"), ("(", ")"), ("f(", ")"), ("{ a = ", " }"), ("a[", "]")] {
        for depth in [60, 1_000, 100_000] {
            let text = format!("v = {}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(laws(&text), depth == 60, "{open} {depth}");
        }
    }
    for chain in ["1 + ", "- ", "every ", "a -> ", "1..", "6 x ", "a with "] {
        for depth in [100, 300, 10_000] {
            let text = format!("v = {}b", chain.repeat(depth));
            let parsed = laws(&text);
            assert!(depth == 100 || !parsed, "{chain} {depth}");
        }
    }
    assert!(laws(&format!("{}{}", "a {".repeat(60), "}".repeat(60))));
    assert!(!laws(&format!("{}{}", "a {".repeat(100_000), "}".repeat(100_000))));
    assert!(!laws(&"a {\n".repeat(10_000)));
    assert!(!laws(&"a = [\n".repeat(10_000)));
    assert!(!laws(&"}\n".repeat(10_000)));
}
