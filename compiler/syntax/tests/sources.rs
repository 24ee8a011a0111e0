//! The map of sources: places, and reports over several files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, Report};
use mmc_syntax::{SourceMap, Span, SyntaxError, parse};

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("`width` has two values")]
struct TwoFiles {
    #[label("given here")]
    here: Span,
    #[label("declared here")]
    there: Span,
}

fn rendered(map: SourceMap, fault: impl Diagnostic + Send + Sync + 'static) -> String {
    let report = Report::new(fault).with_source_code(map);
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(80)
        .render_report(&mut out, report.as_ref())
        .unwrap();
    out
}

#[test]
fn places_are_local_to_their_file() {
    let mut map = SourceMap::new();
    let first = map.add("a.mmc", "let é = 1\n");
    let empty = map.add("empty.mmc", "");
    let second = map.add("b.mmc", "x\n  y = 2");
    assert_eq!((first.start(), empty.start(), second.start()), (0, 12, 13));
    let y = Span::new(second.start() + 4, second.start() + 5);
    assert_eq!(
        (map.name(y), map.text(y), map.line_column(y)),
        (Some("b.mmc"), Some("y"), Some((2, 3)))
    );
    let end = Span::new(11, 11);
    assert_eq!((map.name(end), map.line_column(end)), (Some("a.mmc"), Some((2, 1))));
    assert_eq!(map.name(Span::new(empty.start(), empty.start())), Some("empty.mmc"));
    assert_eq!(map.name(Span::new(3, 15)), None, "no span lies in two files");
    assert_eq!(map.name(Span::new(23, 99)), None, "no span lies behind all files");
}

#[test]
fn one_report_labels_two_files() {
    let mut map = SourceMap::new();
    let first = map.add("main.mmc", "import \"common.mmc\"\n\nmodel {\n  dim = width\n}\n");
    let second = map.add("common.mmc", "# shared\nlet width = 512\n");
    let here = Span::new(first.start() + 37, first.start() + 42);
    let there = Span::new(second.start() + 13, second.start() + 18);
    insta::assert_snapshot!(rendered(map, TwoFiles { here, there }), @r#"
     × `width` has two values
      ╭─[main.mmc:4:9]
    3 │ model {
    4 │   dim = width
      ·         ──┬──
      ·           ╰── given here
    5 │ }
      ╰────
      ╭─[common.mmc:2:5]
    1 │ # shared
    2 │ let width = 512
      ·     ──┬──
      ·       ╰── declared here
      ╰────
    "#);
}

#[test]
fn a_report_of_syntax() {
    let mut map = SourceMap::new();
    map.add("other.mmc", "let a = 1\n");
    let text = "model {\n  adapter a {\n    kind = x\n}\n\ntasks t { pairs = all }\n";
    let source = map.add("main.mmc", text);
    let mut faults = parse(source, text).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    insta::assert_snapshot!(rendered(map, faults.remove(0)), @r#"
    mmc::syntax::unclosed

      × `{` is never closed
       ╭─[main.mmc:2:13]
     1 │ model {
     2 │   adapter a {
       ·             ┬
       ·             ╰── opened here
     3 │     kind = x
     4 │ }
       ·  ▲
       ·  ╰── `}` is missing before this
     5 │ 
       ╰────
      help: write `}` where it ends
    "#);
}

#[test]
fn too_large_files_are_refused() {
    let text = " ".repeat(mmc_syntax::source::LONGEST_TEXT + 1);
    let mut map = SourceMap::new();
    let source = map.add("large.mmc", &text);
    let faults = parse(source, &text).unwrap_err();
    assert!(matches!(faults.as_slice(), [SyntaxError::TooLarge { .. }]), "{faults:?}");
    assert_eq!(map.add("next.mmc", "").start(), 1);
}
