//! Any configuration becomes an experiment or is refused with places inside it; what is written of it parses, and goes through all
//! stages of the compiler without panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use miette::Diagnostic;
use mmc_core::cluster::TextProfile;
use mmc_core::world::{CorpusFacts, TokenizerFacts, World, WorldError};
use mmc_core::{Options, compile};
use mmc_mammoth::import::{Imported, import};
use mmc_mammoth::yaml::Tree;
use mmc_plan::VocabularyKind;
use mmc_syntax::SourceMap;

/// Lines of an experiment beyond which it is not compiled: time, not truth.
const MOST_LINES: usize = 400;

/// A folder in which almost everything is there.
struct Anything {
    experiment: String,
}

impl World for Anything {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        match path {
            "main.mmc" => Ok(self.experiment.clone()),
            _ => Ok("lang,de,en\nde,0,1\nen,1,0\n".to_owned()),
        }
    }

    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>> {
        let facts = |path: &String| match path.len() % 9 {
            0 => Err(WorldError::Missing),
            lines => Ok(CorpusFacts { bytes: 100, lines: 7 * lines as u64, not_utf8: None }),
        };
        paths.iter().map(facts).collect()
    }

    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>> {
        patterns.iter().map(|pattern| vec![pattern.replace('*', "0")]).collect()
    }

    fn tokenizer(&self, _: &str, _: VocabularyKind) -> Result<TokenizerFacts, WorldError> {
        let sha256 = "0".repeat(64);
        let (unk, eos) = (Some(0), Some(1));
        Ok(TokenizerFacts { pieces: 50, sha256, unk, bos: None, eos, pad: None, one_way: false })
    }

    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        Ok(TextProfile::of_lines([path]))
    }
}

fn check_places(finding: &dyn Diagnostic, text: &str) {
    let labels: Vec<_> = finding.labels().into_iter().flatten().collect();
    assert!(!labels.is_empty(), "{finding} has no place");
    for label in labels {
        let place = label.offset()..label.offset() + label.len();
        assert!(text.get(place).is_some(), "{finding}: {label:?}");
    }
}

fuzz_target!(|text: &str| {
    let mut sources = SourceMap::new();
    let source = sources.add("a.yaml", text);
    let Ok(read) = Tree::read(source, text) else { return };
    let Imported { text: experiment, faults, notes, .. } = import(&read.tree, source, text);
    faults.iter().for_each(|fault| check_places(fault, text));
    notes.iter().for_each(|note| check_places(note.as_ref(), text));
    if !faults.is_empty() {
        return;
    }
    if let Err(fault) = mmc_syntax::format(&experiment) {
        panic!("{fault:?} in\n{experiment}");
    }
    if experiment.lines().count() <= MOST_LINES {
        drop(compile("main.mmc", &[], &Anything { experiment }, &Options::default()));
    }
});
