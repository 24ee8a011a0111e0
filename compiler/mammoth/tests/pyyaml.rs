//! What PyYAML reads and writes: documents made by `tests/peer/pyyaml_documents.py`, in the fixture or in the file that
//! `MMC_PYYAML_DOCUMENTS` names.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its fixture; the sentence is the failure's"
)]

use std::path::PathBuf;

use mmc_mammoth::yaml::Tree;
use mmc_syntax::SourceId;

#[test]
fn documents_are_read_and_written_as_by_pyyaml() {
    let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pyyaml.json");
    let path = std::env::var_os("MMC_PYYAML_DOCUMENTS").map_or(fixture, PathBuf::from);
    let cases: Vec<(String, String)> =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut faults = Vec::new();
    for (text, expected) in &cases {
        match Tree::read(SourceId::default(), text) {
            Ok(read) => {
                let written = read.tree.write();
                if written != *expected {
                    faults.push(format!("read\n{text}\nwritten\n{written}\nexpected\n{expected}"));
                }
            }
            Err(fault) => faults.push(format!("read\n{text}\n{fault:?}")),
        }
    }
    assert!(cases.len() >= 250, "{} documents", cases.len());
    let shown = &faults[..faults.len().min(3)];
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), shown.join("\n====\n"));
}
