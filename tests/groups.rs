//! `mmc groups` on text whose families are known: they are found exactly, balanced or not, in whatever order languages are
//! declared; trees are drawn; the index carries what text is compared by.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

fn mmc(folder: &Path, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mmc"));
    command.args(arguments).current_dir(folder).env("XDG_CACHE_HOME", folder.join(".cache"));
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

const REST: &str = r#"
experiment kin { }
corpus text { train = "s/train.{src_lang}" -> "s/train.{tgt_lang}" }
tokenizer pieces { kind = huggingface  file = "s/{lang}.json"  train = bpe(pieces = 100) }
tasks t { pairs = all <-> all  corpus = text  transforms = [pieces] }
model { dim = 16  heads = 2  encoder = [FULL]  decoder = [FULL] }
training { steps = 10  batch = 256 tokens  optimizer = adamw(lr = 1e-3)  schedule = constant }
cluster { ranks = 1  cpu { memory = 1 GiB  fp32 = 1 GFLOP/s  fp64 = 1 GFLOP/s }  links { intra = 1 GB/s  inter = 1 GB/s  latency = 1 us } }
"#;

/// An experiment over four families of four languages, declared in some order, with one grouping.
fn experiment(folder: &Path, reversed: bool, groups: &str) {
    let mut languages: Vec<String> = ["aa", "bb", "cc", "dd"]
        .iter()
        .flat_map(|family| (1..=4).map(move |number| format!("{family}{number}")))
        .collect();
    if reversed {
        languages.reverse();
    }
    let text = format!("languages {}\ngroups = {groups}\n{REST}", languages.join(", "));
    fs::write(folder.join("kin.mmc"), text).unwrap();
}

/// Lines `group0  4  aa1 aa2 aa3 aa4` of the first grouping: members by group.
fn members(text: &str) -> BTreeMap<String, Vec<String>> {
    let rows = text.lines().skip(1).take_while(|line| line.starts_with("  "));
    rows.map(|line| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.skip(1).collect())
    })
    .collect()
}

fn families_are_the_groups(text: &str) {
    let groups = members(text);
    assert_eq!(groups.len(), 4, "{text}");
    for members in groups.values() {
        let family = |name: &String| name[..2].to_owned();
        assert_eq!(members.len(), 4, "{text}");
        assert!(
            members.iter().all(|name| Some(family(name)) == members.first().map(family)),
            "{text}"
        );
    }
}

#[test]
fn families_of_artificial_languages_are_found_from_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    mmc(folder, &["synth", "s", "--families", "4", "--languages", "4", "--train", "300"]);
    for way in [
        "count = 4",
        "linkage = complete, count = 4",
        "linkage = single, count = 4",
        "measure = words, count = 4",
        "balanced = size, count = 4",
    ] {
        let groups = format!("cluster(text = \"s/train.{{lang}}\", {way})");
        experiment(folder, false, &groups);
        let (found, faults) = mmc(folder, &["groups", "kin.mmc"]);
        assert!(faults.is_empty(), "{faults}");
        families_are_the_groups(&found);
        experiment(folder, true, &groups);
        assert_eq!(mmc(folder, &["groups", "kin.mmc"]).0, found, "another order of declaration");
    }
}

#[test]
fn balanced_groups_keep_their_bounds_and_the_index_suffices() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    mmc(folder, &["synth", "s", "--families", "4", "--languages", "4", "--train", "100"]);
    let text = "text = \"s/train.{lang}\"";
    for count in [3, 5, 7] {
        experiment(folder, false, &format!("cluster({text}, balanced = size, count = {count})"));
        let sizes: Vec<usize> =
            members(&mmc(folder, &["groups", "kin.mmc"]).0).values().map(Vec::len).collect();
        assert_eq!((sizes.len(), sizes.iter().sum()), (count, 16));
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
    }
    let tokens = "balanced = tokens, count = 4, sizes = \"s/train.{lang}\", max = 35k tokens";
    experiment(folder, false, &format!("cluster({text}, {tokens})"));
    let (found, faults) = mmc(folder, &["groups", "kin.mmc"]);
    assert!(faults.is_empty() && found.contains("balanced, weights"), "{found}{faults}");
    mmc(folder, &["tokenizer", "train", "kin.mmc"]);
    mmc(folder, &["index", "kin.mmc", "-o", "index.yaml"]);
    fs::rename(folder.join("s"), folder.join("gone")).unwrap();
    assert_eq!(mmc(folder, &["groups", "kin.mmc", "--index", "index.yaml"]).0, found);
}

#[test]
fn trees_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("d.csv"), "a,b,distance\nde,en,0.3\nde,fr,0.6\nen,fr,0.5\n").unwrap();
    let text =
        format!("languages de, en, fr\ngroups = cluster(distances = \"d.csv\", count = 2)\n{REST}");
    fs::write(folder.join("kin.mmc"), text).unwrap();
    let (drawing, faults) = mmc(folder, &["groups", "kin.mmc", "--format", "svg"]);
    assert!(faults.is_empty(), "{faults}");
    for part in ["<svg xmlns=", "de group0", "en group0", "fr group1", "stroke-dasharray", "</svg>"]
    {
        assert!(drawing.contains(part), "{part} in\n{drawing}");
    }
    assert_eq!(drawing.matches("<path").count(), 3, "two merges and a cut");
    let (found, faults) = mmc(folder, &["groups", "kin.mmc", "--grouping", "x"]);
    assert!(found.is_empty() && faults.contains("there are: groups"), "{faults}");
}
