//! Texts and their trees, without places.

use mmc_syntax::{SourceMap, dump::dump, parse};

fn tree(text: &str) -> String {
    let source = SourceMap::new().add("test.mmc", text);
    match parse(source, text) {
        Ok(file) => dump(&file),
        Err(faults) => format!("{faults:?}"),
    }
}

/// The tree of `v = TEXT`, without `set v = `.
fn value(text: &str) -> String {
    tree(&format!("v = {text}")).trim_end().trim_start_matches("set v = ").to_owned()
}

#[test]
fn numbers_and_units() {
    for (text, expected) in [
        ("512", "512"),
        ("3e-4", "3e-4"),
        ("1_000", "1_000"),
        ("50k", "50k"),
        ("5%", "5%"),
        ("4096 tokens", "4096|tokens"),
        ("10k steps", "10k|steps"),
        ("200 Gbit/s", "200|Gbit/s"),
        ("80GiB", "80|GiB"),
        ("4096 tonnes", "4096|tonnes"),
        ("-1.5 s", "(neg 1.5|s)"),
        ("0..3", "(.. 0 3)"),
        ("1 .. 3 steps", "(.. 1 3|steps)"),
        ("-1..-3", "(.. (neg 1) (neg 3))"),
        ("2 * 3 steps + 1 step", "(+ (* 2 3|steps) 1|step)"),
        ("6 x FULL", "(x 6 FULL)"),
        ("6x FULL", "(x 6 FULL)"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn operators_bind_as_documented() {
    for (text, expected) in [
        ("all <-> all - cs -> fr", "(- (<-> all all) (-> cs fr))"),
        ("(germanic + romance) -> en", "(-> (group (+ germanic romance)) en)"),
        ("A + B - C & D", "(& (- (+ A B) C) D)"),
        ("a + b * c", "(+ a (* b c))"),
        ("each -> self", "(-> each self)"),
        ("zh-Hans -> never-before", "(-> zh-Hans never-before)"),
        ("a - b", "(- a b)"),
        ("a-b", "a-b"),
        ("3-1", "(- 3 1)"),
        ("every 1k steps", "(every: 1k|steps)"),
        ("other task + b", "(+ (other: task) b)"),
        ("per GROUP(typology)", "(per: (call GROUP typology))"),
        ("per LANGUAGE where family = mayan", "(where (per: LANGUAGE) family mayan)"),
        ("[6 x FULL with moe(top = 1)]", "[(with (x 6 FULL) (call moe top=1))]"),
        ("(node 0, gpu 1)", "(tuple (node: 0) (gpu: 1))"),
        ("{ cs -> en = (node 0, gpu 1), a = 2 }", "{(-> cs en)=(tuple (node: 0) (gpu: 1)) a=2}"),
        ("neurons(ffn.fc1, per = task)", "(call neurons ffn.fc1 per=task)"),
        ("encoder[1]", "(index encoder 1)"),
        ("[mmc::lint::idle_device]", "[mmc::lint::idle_device]"),
        ("x + 3 x x", "(+ x (x 3 x))"),
        (r#""a\n\"\\\u{41}" -> "b""#, r#"(-> "a\n\"\\A" "b")"#),
        ("f(a, [b, c,], ) ", "(call f a [b c])"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn entries_end_by_themselves() {
    insta::assert_snapshot!(tree(concat!(
        "experiment m { seed = 3435  output = \"runs/{experiment}\" }\n",
        "training { steps = 50k  lanes = 8  batch = 4096 tokens  accumulate = 4\n",
        "  validate  = every 1k steps  checkpoint { every = 10k steps  keep = 3 }  stop_early { on = loss } }\n",
        "sweep { temperature in [0.0, 0.5]  seed in 1..3 size in [1] }\n",
        "model { kind = none adapter langs { in = encoder[1]  rank = 8 in = 3 } for eus -> all { d = 1 } }\n",
        "let a = 3 let b = c let d = 4 languages cs, zh-Hans language nb { }\n",
        "groups typology = cluster(count = 8) groups { g = [de] }\n",
    )), @r#"
    block experiment m
      set seed = 3435
      set output = "runs/{experiment}"
    block training
      set steps = 50k
      set lanes = 8
      set batch = 4096|tokens
      set accumulate = 4
      set validate = (every: 1k|steps)
      block checkpoint
        set every = 10k|steps
        set keep = 3
      block stop_early
        set on = loss
    block sweep
      choice temperature in [0.0 0.5]
      choice seed in (.. 1 3)
      choice size in [1]
    block model
      set kind = none
      block adapter langs
        set in = (index encoder 1)
        set rank = 8
        set in = 3
      block for (-> eus all)
        set d = 1
    let a = 3
    let b = c
    let d = 4
    languages cs zh-Hans
    block language nb
    set groups typology = (call cluster count=8)
    block groups
      set g = [de]
    "#);
}

#[test]
fn documentation_belongs_to_the_entry_behind_it() {
    insta::assert_snapshot!(tree(concat!(
        "# no doc\n## Two\n## lines.\ntasks t { ## not of b\n  ## of a\n  # between\n  ##  more of a\n  a = 1 b = 2\n",
        "  ### ruler\n  c = 1 }\n## nobody's\n",
    )), @r#"
    doc "Two"
    doc "lines."
    block tasks t
      doc "of a"
      doc " more of a"
      set a = 1
      set b = 2
      set c = 1
    "#);
}

#[test]
fn imports_and_params() {
    insta::assert_snapshot!(
        tree("import std.clusters.lumi_g import \"a/b.mmc\"\nparam t: float = 0.5 param u: int\nlet w = 512"),
        @r#"
    import std.clusters.lumi_g
    import "a/b.mmc"
    param t: float = 0.5
    param u: int
    let w = 512
    "#
    );
}
