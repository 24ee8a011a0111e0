//! SentencePiece models against the C++ library, line by line: ids and decoded text.
//!
//! `tests/peer/sentencepiece_models.py` writes a folder of models with the library's ids (`NAME.ids`) and texts (`NAME.dec`) of
//! `eval.txt`. A small one lies beside this file; `MMC_SENTENCEPIECE_PEER` names another.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and may say what it compared"
)]

use std::fs;
use std::path::{Path, PathBuf};

use mmc_plan::VocabularyKind;
use mmc_text::tokenizer::{Tokenizer, facts};

fn folders() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sentencepiece")];
    folders.extend(std::env::var_os("MMC_SENTENCEPIECE_PEER").map(PathBuf::from));
    folders
}

fn models(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder of fixtures");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|suffix| suffix == "model"));
    paths.sort();
    assert!(!paths.is_empty(), "no models in {}", folder.display());
    paths
}

#[test]
fn ids_and_texts_equal_the_library_s() {
    for folder in folders() {
        let text = fs::read_to_string(folder.join("eval.txt")).unwrap();
        for path in models(&folder) {
            let tokenizer = Tokenizer::load(VocabularyKind::Sentencepiece, &path).unwrap();
            let ids = fs::read_to_string(path.with_extension("ids")).unwrap();
            let decoded = fs::read_to_string(path.with_extension("dec")).unwrap();
            let (mut lines, mut wrong) = (0, Vec::new());
            for ((line, ids), decoded) in
                text.split('\n').zip(ids.split('\n')).zip(decoded.split('\n'))
            {
                let ids: Vec<u32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
                lines += 1;
                let ours = tokenizer.encode(line);
                if ours != ids {
                    wrong.push(format!("{line:?}\n   {ours:?}\n   {ids:?}"));
                } else if tokenizer.decode(&ids) != decoded {
                    wrong.push(format!("{:?}\n   {decoded:?}", tokenizer.decode(&ids)));
                }
            }
            let first = wrong.iter().take(4).cloned().collect::<Vec<_>>().join("\n");
            assert!(wrong.is_empty(), "{}: {} of {lines}\n{first}", path.display(), wrong.len());
            println!("{}: {lines} lines agree", path.display());
        }
    }
}

#[test]
fn damaged_models_are_refused_or_read_but_never_panic() {
    for path in models(&folders()[0]) {
        let whole = fs::read(&path).unwrap();
        let kind = VocabularyKind::Sentencepiece;
        assert_eq!(
            facts(&whole, kind).unwrap(),
            *Tokenizer::from_bytes(kind, &whole).unwrap().facts()
        );
        for cut in (0..whole.len()).step_by(whole.len() / 97 + 1) {
            let _ = Tokenizer::from_bytes(kind, &whole[..cut]);
            let mut changed = whole.clone();
            for at in (cut..whole.len()).step_by(1009) {
                changed[at] = changed[at].wrapping_add(111);
            }
            if let Ok(tokenizer) = Tokenizer::from_bytes(kind, &changed) {
                let ids = tokenizer.encode("a Straße über the ½ of 東京 <s> x");
                let _ = tokenizer.decode(&ids);
            }
        }
    }
}
