//! Any text parses or is refused with places inside it; a text that parses is laid out without loss, once and for all.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mmc_syntax::{SourceId, SyntaxError, dump::dump, format, parse, parse_partial, print};

fuzz_target!(|text: &str| {
    let source = SourceId::default();
    let tree = match parse(source, text) {
        Ok(tree) => tree,
        Err(faults) => {
            assert!(!faults.is_empty());
            for span in faults.iter().filter_map(SyntaxError::span) {
                assert!(text.get(span.start as usize..span.end as usize).is_some(), "{span:?}");
            }
            drop(parse_partial(source, text));
            return;
        }
    };
    let once = format(text).expect("a text that parses is laid out");
    let again = parse(source, &once).expect("a laid out text parses");
    assert_eq!(dump(&tree), dump(&again), "the layout changes nothing");
    assert_eq!(once, format(&once).expect("a laid out text is laid out"), "once and for all");
    let printed = parse(source, &print(&tree)).expect("a printed tree parses");
    assert_eq!(dump(&tree), dump(&printed), "printing changes nothing");
});
