//! Trees and labels against scikit-learn's, ties and all.
//!
//! `tests/peer/agglomerative_labels.py` writes the fixture; `MMC_AGGLOMERATIVE_PEER` names a larger one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use mmc_core::cluster::{Cut, Distances, Linkage, Tree, agglomerate};
use serde::Deserialize;

#[derive(Deserialize)]
struct Matrix {
    n: usize,
    upper: Vec<String>,
    trees: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    linkage: String,
    children: Vec<[usize; 2]>,
    heights: Vec<String>,
    cuts: Vec<ExpectedCut>,
}

#[derive(Deserialize)]
struct ExpectedCut {
    count: Option<usize>,
    height: Option<String>,
    labels: Vec<usize>,
}

fn linkage(word: &str) -> Linkage {
    match word {
        "average" => Linkage::Average,
        "single" => Linkage::Single,
        "complete" => Linkage::Complete,
        other => panic!("{other}"),
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

fn fixture() -> Vec<Matrix> {
    let named = std::env::var_os("MMC_AGGLOMERATIVE_PEER").map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/agglomerative.json")
    });
    let file = std::fs::File::open(&path).unwrap();
    serde_json::from_reader(std::io::BufReader::new(file)).unwrap()
}

fn check(tree: &Tree, expected: &Expected, of: &str) -> usize {
    let children: Vec<[usize; 2]> =
        tree.merges.iter().map(|merge| [merge.left, merge.right]).collect();
    assert_eq!(children, expected.children, "{of}");
    let heights: Vec<u64> = tree.merges.iter().map(|merge| merge.height.to_bits()).collect();
    let bits = expected.heights.iter().map(|height| number(height).to_bits());
    assert_eq!(heights, bits.collect::<Vec<_>>(), "{of}");
    for cut in &expected.cuts {
        let place = cut.count.map(Cut::Count);
        let height = cut.height.as_deref().map(|height| Cut::Height(number(height)));
        let place = place.or(height).unwrap();
        assert_eq!(tree.labels(place), cut.labels, "{of} {place:?}");
    }
    expected.cuts.len()
}

#[test]
fn trees_and_labels_are_those_of_scikit_learn() {
    let mut cuts = 0;
    for (at, matrix) in fixture().iter().enumerate() {
        let mut upper = matrix.upper.iter();
        let distances = Distances::new(matrix.n, |_, _| number(upper.next().unwrap()));
        for expected in &matrix.trees {
            let tree = agglomerate(&distances, linkage(&expected.linkage));
            cuts += check(&tree, expected, &format!("matrix {at}, {}", expected.linkage));
        }
    }
    assert!(cuts > 1_000, "only {cuts} cuts compared");
}
