//! What is said of configurations that are wrong, with its line, and what is done with those that only MAMMOTH fails at.

#![expect(clippy::unwrap_used, reason = "tests: the sentence is the failure's")]

use mmc_mammoth::yaml::Tree;
use mmc_mammoth::{Files, Flags, Lines, Outcome, Stage, Uncounted};
use mmc_syntax::{SourceMap, Span};

const BASE: &str = "\
config_config:
  src_path: data/{src_lang}-{tgt_lang}.src
  tgt_path: data/{src_lang}-{tgt_lang}.tgt
  valid_src_path: valid/{src_lang}
  valid_tgt_path: valid/{tgt_lang}
  groups: {de: west, en: west}
  n_groups: 1
  enc_sharing_groups: [FULL]
  dec_sharing_groups: [TGT_LANGUAGE]
  transforms: [sentencepiece]
  n_nodes: 1
  n_gpus_per_node: 1
src_vocab: {de: v.de, en: v.en}
tgt_vocab: {de: v.de, en: v.en}
enc_layers: [6]
dec_layers: [6]
";

/// Files by name: those with `data` have ten lines.
struct Folder;

impl Files for Folder {
    fn exists(&self, path: &str) -> bool {
        path.starts_with("data/") || path == "valid/de"
    }

    fn text(&self, path: &str) -> Result<String, String> {
        match path {
            "good.csv" => Ok("lang,de,en,fr\nde,0,1,2\nen,1,0,2\nfr,2,2,0\n".to_owned()),
            "corpora_length_cache" => Ok("9\tdata/de-en.src\n".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }

    fn lines(&self, paths: &[&str]) -> Vec<Result<Lines, Uncounted>> {
        let lines = |path: &&str| match *path {
            path if path.contains("open") => Ok(Lines { ends: 9, is_open: true }),
            path if path.contains("empty") => Ok(Lines::default()),
            path if path.starts_with("data/") => Ok(Lines { ends: 10, is_open: false }),
            _ => Err(Uncounted::Missing),
        };
        paths.iter().map(lines).collect()
    }
}

fn run(text: &str, flags: &Flags) -> (SourceMap, Outcome) {
    let mut sources = SourceMap::new();
    let source = sources.add("a.yaml", text);
    let tree = Tree::read(source, text).unwrap().tree;
    let outcome = Stage::ConfigAll.run(tree, &sources, flags, &Folder);
    (sources, outcome)
}

/// `code line` of every finding.
fn said(text: &str, flags: &Flags) -> (Vec<String>, bool) {
    let (sources, outcome) = run(text, flags);
    let line = |finding: &dyn miette::Diagnostic| {
        let label = finding.labels()?.next()?;
        let start = u32::try_from(label.offset()).ok()?;
        sources.line_column(Span::new(start, start)).map(|(line, _)| line)
    };
    let row = |finding: &mmc_core::diagnostics::Finding| {
        let code = finding.code().map(|code| code.to_string()).unwrap_or_default();
        let code = code.trim_start_matches("mmc::mammoth::").to_owned();
        line(&**finding).map_or_else(|| code.clone(), |line| format!("{code} {line}"))
    };
    (outcome.findings.iter().map(row).collect(), outcome.text.is_some())
}

/// Replaced text, what is said, and whether there is a configuration all the same.
const CASES: &[(&str, &str, &str, bool)] = &[
    ("src_path: data", "src_pth: data", "missing_key 1", false),
    ("{src_lang}-{tgt_lang}.src", "{src}.src", "bad_template 2", false),
    ("data/{src_lang}-{tgt_lang}.src", "away/{src_lang}", "no_tasks 2", false),
    ("src_path: data/{src_lang}-{tgt_lang}.src", "src_path: 3", "wrong_type 2", false),
    ("{de: west, en: west}", "{de: west}", "no_group 6", false),
    ("{de: west, en: west}", "{de: en, en: west}", "shared_name 6", true),
    ("[FULL]", "[FUL]", "unknown_pattern 8", false),
    ("[FULL]", "[FULL, FULL]", "sharing_count 8", false),
    ("[FULL]", "FULL", "wrong_type 8", false),
    ("  n_groups: 1\n", "", "n_groups_missing 1", true),
    ("  groups: {de: west, en: west}\n", "", "no_groups 1", false),
    ("n_groups: 1", "n_groups: 1\n  distance_matrix: bad.csv", "bad_distances 8", false),
    ("n_groups: 1", "n_groups: 9\n  distance_matrix: good.csv", "cluster_count 1", false),
    (
        "n_groups: 1",
        "n_groups: 1\n  cutoff_threshold: 0.5\n  distance_matrix: good.csv",
        "cluster_choice 1",
        false,
    ),
    ("n_groups: 1", "n_groups: 2\n  distance_matrix: good.csv", "unused_languages 8", true),
    ("n_groups: 1", "n_groups: 1\n  temperature: 1e-1", "wrong_type 8", false),
    ("n_groups: 1", "n_groups: 1\n  temprature: 0.1", "unknown_option 8", true),
    ("n_groups: 1", "n_groups: 1\n  zero_shot: true", "no_effect 8", true),
    ("n_groups: 1", "n_groups: 1\n  use_src_lang_token: true", "no_prefix 8", false),
    ("n_groups: 1", "n_groups: 1\n  use_weight: 'false'", "wrong_type 8", false),
    ("n_groups: 1", "n_groups: 1\n  ae_weight: 0.5", "ae_weight 8", true),
    (
        "n_groups: 1",
        "n_groups: 1\n  autoencoder: true\n  ae_path: [data/a, data/b]",
        "several_mono_files 9",
        true,
    ),
    ("n_nodes: 1", "n_nodes: -1", "bad_count 11", false),
    ("  n_nodes: 1\n", "", "no_devices 1", false),
    ("n_gpus_per_node: 1", "n_gpus_per_node: 4", "more_gpus_than_tasks 1", true),
    (
        "src_vocab: {de: v.de, en: v.en}",
        "src_vocab: {de: v.de, no: v.en}",
        "unquoted_code 13",
        false,
    ),
    ("src_vocab: {de: v.de", "src_vocab: {zh-Hans: v.zh, de: v.de", "hyphen 13", false),
    ("data/{src_lang}-{tgt_lang}.src", "data/open.{src_lang}", "open_last_line 2", true),
    ("data/{src_lang}-{tgt_lang}.src", "data/empty", "no_lines 1", false),
    ("enc_layers: [6]", "enc_layers: 6", "wrong_type 15", false),
    (
        "enc_layers: [6]",
        "adapters: {encoder: {a: {ids: [x]}}}\nenc_layers: [6]",
        "unused_adapter 15",
        true,
    ),
    ("enc_layers: [6]", "tasks: {a-b: {src_tgt: a}}\nenc_layers: [6]", "bad_src_tgt 15", false),
];

#[test]
fn findings_have_codes_and_lines() {
    let mut wrong = Vec::new();
    for (from, to, expected, goes_on) in CASES {
        assert!(BASE.contains(from), "{from}");
        let (found, is_written) = said(&BASE.replacen(from, to, 1), &Flags::default());
        if !found.iter().any(|row| row == expected) || is_written != *goes_on {
            wrong
                .push(format!("{to}: expected {expected}, found {found:?}, written: {is_written}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_right_configuration_has_only_what_its_files_deserve() {
    let (found, is_written) = said(BASE, &Flags::default());
    assert_eq!(
        found,
        ["stale_cache 2", "half_validation 5"],
        "the folder's cache and validation set"
    );
    assert!(is_written);
}

#[test]
fn stale_counts_are_believed_only_where_that_is_wanted() {
    let weighted = BASE.replace("n_groups: 1", "n_groups: 1\n  use_weight: true");
    let weight = |bug_for_bug| {
        let (_, outcome) = run(&weighted, &Flags { bug_for_bug, ..Flags::default() });
        let text = outcome.text.unwrap();
        let line = text.lines().find(|line| line.contains("weight:")).unwrap().trim().to_owned();
        (line, outcome.additions.len())
    };
    assert_eq!(weight(false), ("weight: 0.5".to_owned(), 2));
    assert_eq!(weight(true), ("weight: 0.47368421052631576".to_owned(), 1));
}

#[test]
fn lists_that_are_used_twice_are_written_once() {
    let text = BASE
        .replace("enc_layers: [6]", "enc_layers: &l [6]")
        .replace("dec_layers: [6]", "dec_layers: *l");
    let (_, outcome) = run(&text, &Flags::default());
    let text = outcome.text.unwrap();
    assert!(text.contains("dec_layers: &id001\n- 6\nenc_layers: *id001\n"), "{text}");
    assert!(text.ends_with("\n\n"), "MAMMOTH ends its files with an empty line");
}
