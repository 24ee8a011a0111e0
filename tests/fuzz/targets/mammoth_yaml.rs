//! Any text is read as YAML or refused with a place inside it; what is read is written and read again as itself, and goes through
//! every stage of MAMMOTH's configuration compiler without panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mmc_mammoth::yaml::Tree;
use mmc_mammoth::{Files, Flags, Lines, Stage, Uncounted};
use mmc_syntax::SourceMap;

/// A folder in which almost everything is there.
struct Anything;

impl Files for Anything {
    fn exists(&self, path: &str) -> bool {
        !path.ends_with('x')
    }

    fn text(&self, path: &str) -> Result<String, String> {
        match path {
            "corpora_length_cache" => Ok("7\tcached\n".to_owned()),
            _ => Ok("lang,de,en\nde,0,1\nen,1,0\n".to_owned()),
        }
    }

    fn lines(&self, paths: &[&str]) -> Vec<Result<Lines, Uncounted>> {
        let lines = |path: &&str| match path.len() % 7 {
            0 => Err(Uncounted::Missing),
            1 => Ok(Lines { ends: 0, is_open: true }),
            ends => Ok(Lines { ends: ends as u64, is_open: false }),
        };
        paths.iter().map(lines).collect()
    }
}

fuzz_target!(|text: &str| {
    let mut sources = SourceMap::new();
    let source = sources.add("a.yaml", text);
    let read = match Tree::read(source, text) {
        Ok(read) => read,
        Err(fault) => {
            let labels = miette::Diagnostic::labels(&fault).into_iter().flatten();
            for label in labels {
                assert!(text.get(label.offset()..label.offset() + label.len()).is_some(), "{fault:?}");
            }
            return;
        }
    };
    let written = read.tree.write();
    if let Ok(again) = Tree::read(source, &written) {
        assert_eq!(written, again.tree.write(), "there is one text of a tree");
    }
    for bug_for_bug in [false, true] {
        for stage in Stage::ALL {
            let texts = if *stage == Stage::ExtraFullySharedHack {
                vec![("joint_vocab", "joint".to_owned())]
            } else {
                Vec::new()
            };
            let copy_from =
                (*stage == Stage::ExtraCopyGpuAssignment).then(|| read.tree.clone());
            let flags = Flags { texts, copy_from, bug_for_bug, ..Flags::default() };
            drop(stage.run(read.tree.clone(), &sources, &flags, &Anything));
        }
    }
});
