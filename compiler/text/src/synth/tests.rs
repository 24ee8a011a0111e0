//! The corpus as a whole: determinism, disjoint parts, families that can be found again.

use std::collections::BTreeSet;
use std::fs;

use sha2::{Digest, Sha256};

use super::language::{Language, languages};
use super::{SynthOptions, write};

fn small() -> SynthOptions {
    SynthOptions { train: 400, valid: 50, test: 50, ..SynthOptions::new(2, 2) }
}

fn read(folder: &std::path::Path, name: &str) -> Vec<String> {
    fs::read_to_string(folder.join(name)).unwrap().lines().map(str::to_owned).collect()
}

/// The bytes are part of the interface: published figures rest on them. The sum is of all files in the order of their names.
#[test]
fn the_same_options_give_the_same_bytes_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut hasher = Sha256::new();
    for path in write(&small(), folder.path()).unwrap().files {
        hasher.update(fs::read(path).unwrap());
    }
    let sum = hasher.finalize();
    assert_eq!(sum[..4], [0x32, 0x10, 0xc3, 0xfa]);
}

#[test]
fn parts_are_disjoint_and_parallel() {
    let folder = tempfile::tempdir().unwrap();
    write(&small(), folder.path()).unwrap();
    let all: Vec<String> = ["train.aa1", "valid.aa1", "test.aa1"]
        .iter()
        .flat_map(|name| read(folder.path(), name))
        .collect();
    assert_eq!(all.len(), 500);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 500, "no sentence twice");
    assert_eq!(read(folder.path(), "train.bb2").len(), 400);
    let words: Vec<usize> = all.iter().map(|line| line.split(' ').count()).collect();
    assert!(words.iter().all(|&count| (2..=20).contains(&count)));
}

#[test]
fn skewed_pairs_are_prefixes_of_the_largest() {
    let folder = tempfile::tempdir().unwrap();
    let options = SynthOptions { skew: 50, ..small() };
    let written = write(&options, folder.path()).unwrap();
    let lines: Vec<u64> = written.train.iter().map(|(_, _, lines)| *lines).collect();
    assert_eq!(lines, [400, 200, 100, 50, 50, 50]);
    let (large, half) =
        (read(folder.path(), "train.aa1-aa2.aa1"), read(folder.path(), "train.aa1-bb1.aa1"));
    assert_eq!(half, large[..200]);
    assert_eq!(read(folder.path(), "train.aa1-bb1.bb1").len(), 200);
}

#[test]
fn senseless_options_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for options in [
        SynthOptions { meanings: 3, ..small() },
        SynthOptions { skew: 0, ..small() },
        SynthOptions { relatedness: 101, ..small() },
        SynthOptions::new(1, 1),
        SynthOptions { meanings: 40, train: 100_000_000, ..SynthOptions::new(0, 0) },
    ] {
        assert!(write(&options, folder.path()).is_err());
    }
}

/// Levenshtein's distance over the longer length.
fn distance(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut row: Vec<u32> = (0..).take(b.len() + 1).collect();
    for (i, x) in (1..).zip(&a) {
        let mut diagonal = row[0];
        row[0] = i;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + u32::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    f64::from(row[b.len()]) / f64::from(u32::try_from(a.len().max(b.len())).unwrap())
}

fn apart(a: &Language, b: &Language) -> f64 {
    let pairs = a.nouns.iter().zip(&b.nouns);
    let sum: f64 = pairs.clone().map(|(x, y)| distance(x, y)).sum();
    sum / f64::from(u32::try_from(pairs.len()).unwrap())
}

/// The mean distance of words for the same meaning tells families apart, the more the higher the relatedness.
#[test]
fn families_can_be_found_in_the_words() {
    let mut within_before = 0.0;
    for relatedness in [90, 60, 30] {
        let options = SynthOptions { relatedness, ..SynthOptions::new(4, 3) };
        let languages = languages(&options);
        let (mut within, mut across) = (Vec::new(), Vec::new());
        for (at, a) in languages.iter().enumerate() {
            for b in &languages[at + 1..] {
                let distances = if a.code[..2] == b.code[..2] { &mut within } else { &mut across };
                distances.push(apart(a, b));
            }
        }
        let farthest = within.iter().copied().fold(0.0, f64::max);
        let nearest = across.iter().copied().fold(1.0, f64::min);
        assert!(relatedness < 60 || farthest < nearest, "{relatedness}: {farthest} {nearest}");
        let mean = within.iter().sum::<f64>() / f64::from(u32::try_from(within.len()).unwrap());
        assert!(mean > within_before, "{relatedness}: {mean}");
        within_before = mean;
    }
}

#[test]
fn a_language_has_no_two_words_alike_within_the_lexicon() {
    for language in languages(&SynthOptions { meanings: 2000, ..SynthOptions::new(3, 2) }) {
        let words: Vec<&String> =
            [&language.nouns, &language.verbs, &language.adjectives, &language.adverbs]
                .into_iter()
                .flatten()
                .collect();
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "{}", language.code);
    }
}
