//! The canonical layout: what it looks like, and that it changes nothing.

use mmc_syntax::format;

#[test]
fn entries_of_one_line_stay_there() {
    insta::assert_snapshot!(format(concat!(
        "experiment m{seed=3435 output=\"runs\"}\n\n\n\nmodel {\n\n  dim=width   heads   = 8\n",
        "  adapter langs { in = encoder[1]\n }\n  ffn = 2048 }\nlanguages  cs ,de\ngroups  t=cluster( count=3 )\n",
        "empty {\n\n}\n",
    )).unwrap(), @r#"
    experiment m { seed = 3435  output = "runs" }

    model {
      dim = width  heads = 8
      adapter langs {
        in = encoder[1]
      }
      ffn = 2048
    }
    languages cs, de
    groups t = cluster(count = 3)
    empty {}
    "#);
}

#[test]
fn comments_stay_where_they_are() {
    insta::assert_snapshot!(format(concat!(
        "# first\n\n\n# second\n## doc\ntasks t{ # behind\n# own\n\n  a = 1 # one\n  b = [ # open\n 1, # a\n # b\n 2 # c\n",
        " # d\n ]\n  c = # e\n 3\n d = a + # f\n b\n d = a # g\n -> b\n\n# last\n}\nempty {\n# alone\n}\n\n# end\n",
    )).unwrap(), @r#"
    # first

    # second
    ## doc
    tasks t {  # behind
      # own

      a = 1  # one
      b = [  # open
        1,  # a
        # b
        2,  # c
        # d
      ]
      c =  # e
        3
      d = a  # f
        + b
      d = a ->  # g
        b

      # last
    }
    empty {
      # alone
    }

    # end
    "#);
}

#[test]
fn long_lines_break() {
    let long = "experimentally_long_name";
    let text = format!(
        "languages {codes}\na = [{long}, {long}, {long}, {long}, {long}]\npairs = {sum}\nt = f({long}, {long}, x = [{long}], {long}(1), {long})\nm = {{ a = {long}, b = {long}, c = {long}, d = {long} }}\nx = 1  y = {long} z = {long} u = {long} w = {long}\n",
        codes = ["zh-Hans"; 20].join(", "),
        sum = ["abcdef <-> ghijkl"; 8].join(" + "),
    );
    insta::assert_snapshot!(format(&text).unwrap(), @r#"
    languages zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans,
      zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans, zh-Hans
    a = [
      experimentally_long_name,
      experimentally_long_name,
      experimentally_long_name,
      experimentally_long_name,
      experimentally_long_name,
    ]
    pairs = abcdef <-> ghijkl
      + abcdef <-> ghijkl
      + abcdef <-> ghijkl
      + abcdef <-> ghijkl
      + abcdef <-> ghijkl
      + abcdef <-> ghijkl
      + abcdef <-> ghijkl
      + abcdef <-> ghijkl
    t = f(
      experimentally_long_name,
      experimentally_long_name,
      x = [experimentally_long_name],
      experimentally_long_name(1),
      experimentally_long_name,
    )
    m = {
      a = experimentally_long_name,
      b = experimentally_long_name,
      c = experimentally_long_name,
      d = experimentally_long_name,
    }
    x = 1  y = experimentally_long_name  z = experimentally_long_name  u = experimentally_long_name
    w = experimentally_long_name
    "#);
}
