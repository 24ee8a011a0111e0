//! Distances of languages, by features with gaps and by text, against numpy's and scikit-learn's.
//!
//! `tests/peer/language_distances.py` writes the fixture.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mmc_core::cluster::profile::Measure;
use mmc_core::cluster::{FeatureTable, TextProfile};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    features: Features,
    text: Text,
}

#[derive(Deserialize)]
struct Features {
    table: String,
    families: Vec<String>,
    /// Features of both, and the distance, of every pair in order.
    pairs: Vec<(u32, f64)>,
}

#[derive(Deserialize)]
struct Text {
    texts: Vec<Vec<String>>,
    letters: Vec<f64>,
    words: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("cluster/distances.json")).unwrap()
}

/// All pairs in the order of the fixture.
fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |i| (i + 1..count).map(move |j| (i, j)))
}

#[test]
fn features_with_gaps_are_drawn_towards_families() {
    let Features { table, families, pairs: expected } = fixture().features;
    let table = FeatureTable::read(&table).unwrap();
    let kept: Vec<usize> = (0..table.names.len()).collect();
    let families: Vec<Option<&str>> = families.iter().map(|path| Some(path.as_str())).collect();
    let (distances, support) = table.distances(&kept, &families).unwrap();
    assert!(support.contains(&0) && support.iter().any(|known| *known > 10), "{support:?}");
    for ((i, j), (support, (known, distance))) in
        pairs(kept.len()).zip(support.iter().zip(expected))
    {
        assert_eq!(*support, known, "{i} {j}");
        let found = distances.get(i, j);
        assert!((found - distance).abs() < 1e-12, "{i} {j}: {found}, not {distance}");
    }
}

#[test]
fn texts_are_compared_by_letters_and_by_words() {
    let Text { texts, letters, words } = fixture().text;
    let profiles: Vec<TextProfile> = texts.iter().map(TextProfile::of_lines).collect();
    for (measure, expected) in [(Measure::Letters, letters), (Measure::Words, words)] {
        for ((i, j), distance) in pairs(profiles.len()).zip(expected) {
            let found = profiles[i].distance(&profiles[j], measure);
            assert!(
                (found - distance).abs() < 1e-12,
                "{measure:?} {i} {j}: {found}, not {distance}"
            );
        }
    }
}
