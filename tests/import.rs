//! `mmc import` over MAMMOTH's real inputs and outputs, in `../shared/peer/mammoth_cases`: every one becomes an experiment that
//! compiles, or is refused with the right code; and no key of any vanishes unsaid.

#![expect(clippy::print_stderr, reason = "a case that can't be tried is skipped aloud")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use mmc_core::cluster::TextProfile;
use mmc_core::diagnostics::Finding;
use mmc_core::world::{CorpusFacts, TokenizerFacts, World, WorldError};
use mmc_core::{Options, compile};
use mmc_mammoth::import::{Imported, import};
use mmc_mammoth::yaml::{Id, Tree, Value};
use mmc_plan::VocabularyKind;
use mmc_syntax::{SourceId, SourceMap};

use crate::support::root;

/// Configurations that do not become a plan, with the codes that say why; `""`: in their import.
const REFUSED: &[(&str, &[&str])] = &[
    // The case has sides of different lengths and a validation text with one side.
    (
        "p02_directional_missing_pairs/expected.yaml",
        &["mmc::corpus::lines_differ", "mmc::corpus::missing"],
    ),
    ("p02_directional_missing_pairs/meta.yaml", &["mmc::corpus::lines_differ"]),
    // A corpus without lines, and a task that starts at the last step.
    ("p13_curriculum_dominant_pair/meta.yaml", &["mmc::corpus::empty"]),
    ("p13_curriculum_dominant_pair/expected.yaml", &["mmc::resolve::conflict"]),
    // One language `all` that every task has.
    ("p23_extra_cpu_then_fully_shared/expected.yaml", &["mmc::import::wrong_value"]),
    // Nothing but the places of tasks.
    (
        "p24_extra_copy_gpu_assignment/other.yaml",
        &["mmc::import::missing_key", "mmc::import::no_equal", "mmc::import::wrong_value"],
    ),
    // A code that is a number.
    ("p25_odd_codes/expected.yaml", &["mmc::import::wrong_value"]),
    ("p25_odd_codes/meta.yaml", &["mmc::import::wrong_value"]),
];

/// The folder of a case, in which every tokenizer is.
pub(crate) struct Folder<'a> {
    pub(crate) path: &'a Path,
    pub(crate) experiment: &'a str,
}

impl World for Folder<'_> {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        if path == "main.mmc" {
            return Ok(self.experiment.to_owned());
        }
        fs::read_to_string(self.path.join(path)).map_err(|_| WorldError::Missing)
    }

    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>> {
        let facts = |path: &String| {
            let path = self.path.join(path);
            let bytes = fs::metadata(&path).map_err(|_| WorldError::Missing)?.len();
            let counted = mmc_text::count::count(&path);
            let count = counted.map_err(|fault| WorldError::Unreadable(fault.to_string()))?;
            Ok(CorpusFacts { bytes, lines: count.lines, not_utf8: count.not_utf8 })
        };
        paths.iter().map(facts).collect()
    }

    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>> {
        patterns.iter().map(|_| Vec::new()).collect()
    }

    fn tokenizer(&self, _: &str, _: VocabularyKind) -> Result<TokenizerFacts, WorldError> {
        let sha256 = "0".repeat(64);
        Ok(TokenizerFacts {
            pieces: 100,
            sha256,
            unk: Some(0),
            bos: Some(1),
            eos: Some(2),
            pad: None,
            one_way: false,
        })
    }

    fn profile(&self, _: &str) -> Result<TextProfile, WorldError> {
        Err(WorldError::Missing)
    }
}

/// Cases with their configurations: the template, and what MAMMOTH made of it.
pub(crate) fn configurations() -> Vec<(String, PathBuf)> {
    let folder = root().join("../shared/peer/mammoth_cases");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return Vec::new();
    }
    let mut found = Vec::new();
    for case in fs::read_dir(folder).expect("a folder").flatten() {
        let name = case.file_name().to_string_lossy().into_owned();
        for file in fs::read_dir(case.path()).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some_and(|suffix| suffix == "yaml") {
                found.push((format!("{name}/{}", file.file_name().to_string_lossy()), path));
            }
        }
    }
    found.sort();
    found
}

fn imported(yaml: &str) -> Imported {
    let mut sources = SourceMap::new();
    let source = sources.add("a.yaml", yaml);
    let tree = Tree::read(source, yaml).expect("it is YAML").tree;
    import(&tree, source, yaml)
}

fn errors<'f>(found: impl Iterator<Item = &'f (dyn Diagnostic + 'f)>) -> Vec<String> {
    let is_error = |finding: &&(dyn Diagnostic + 'f)| {
        finding.severity().is_none_or(|level| level == miette::Severity::Error)
    };
    let code = |finding: &(dyn Diagnostic + 'f)| finding.code().map(|code| code.to_string());
    let mut codes: Vec<String> = found.filter(is_error).filter_map(code).collect();
    codes.sort();
    codes.dedup();
    codes
}

/// The codes of the errors of a configuration.
fn refusals(path: &Path) -> Vec<String> {
    let yaml = fs::read_to_string(path).expect("a file");
    let found = imported(&yaml);
    if !found.faults.is_empty() {
        return errors(found.faults.iter().map(|fault| fault as &dyn Diagnostic));
    }
    let folder = path.parent().expect("a case");
    // The texts of the cases are of a few lines.
    let experiment = format!("{}lint {{ allow = [mmc::lint::corpus_worn_out] }}\n", found.text);
    let world = Folder { path: folder, experiment: &experiment };
    let compilation = compile("main.mmc", &[], &world, &Options::default());
    let findings: &[Finding] = &compilation.findings;
    let codes = errors(findings.iter().map(|finding| finding.as_ref() as &dyn Diagnostic));
    assert_eq!(compilation.plan.is_some(), codes.is_empty(), "{}", path.display());
    codes
}

#[test]
fn real_configurations_become_plans() {
    let mut faults = Vec::new();
    let all = configurations();
    for (name, path) in &all {
        let expected = REFUSED.iter().find(|(refused, _)| refused == name).map(|(_, codes)| *codes);
        let found = refusals(path);
        if found != expected.unwrap_or_default() {
            faults.push(format!("{name}: {found:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(all.is_empty() || all.len() > 50, "{} configurations", all.len());
}

/// What is said and written of a configuration, without places.
fn outcome(tree: &Tree) -> Vec<String> {
    let yaml = tree.write();
    let Imported { text, faults, notes, .. } = imported(&yaml);
    let mut said = vec![text];
    let faults = faults.iter().map(|fault| fault as &dyn Diagnostic);
    for finding in faults.chain(notes.iter().map(|note| note.as_ref() as &dyn Diagnostic)) {
        said.push(finding.to_string());
        let labels = finding.labels().into_iter().flatten();
        said.extend(labels.filter_map(|label| label.label().map(str::to_owned)));
    }
    said
}

/// An entry of a mapping.
struct Entry {
    map: Id,
    key: String,
    place: String,
}

/// Every entry of every mapping, but for those in a mapping that is left out as a whole (`told`: where labels begin). Tasks
/// and languages are many and alike: the first and the last of them.
fn entries(tree: &Tree, map: Id, path: &str, told: &BTreeSet<usize>, found: &mut Vec<Entry>) {
    let all = tree.entries(map);
    for (at, (id, value)) in all.iter().enumerate() {
        let Some(key) = tree.text(*id) else { continue };
        let is_alike =
            ["tasks.", "src_vocab.", "tgt_vocab.", "config_config.groups."].contains(&path);
        if is_alike && at > 0 && at + 1 < all.len() {
            continue;
        }
        let place = format!("{path}{key}");
        found.push(Entry { map, key: key.to_owned(), place: place.clone() });
        let is_told = told.contains(&(tree.span(*id).start as usize));
        if matches!(tree.value(*value), Value::Map(_)) && !is_told {
            entries(tree, *value, &format!("{place}."), told, found);
        }
    }
}

/// Where labels of keys that are left out begin.
fn left_out(yaml: &str) -> BTreeSet<usize> {
    let found = imported(yaml);
    let is_left_out = |note: &&Finding| {
        note.code().is_some_and(|code| code.to_string() == "mmc::import::left_out")
    };
    let notes = found.notes.iter().filter(is_left_out);
    notes.flat_map(|note| note.labels().into_iter().flatten().map(|label| label.offset())).collect()
}

/// Another value of the same kind.
fn altered(tree: &mut Tree, id: Id) {
    let value = match tree.value(id).clone() {
        Value::Null => Value::Text("x".into()),
        Value::Bool(value) => Value::Bool(!value),
        Value::Int(value) => Value::Int(value + 1),
        Value::Float(value) => Value::Float(value + 1.0),
        Value::Text(text) => Value::Text(format!("{text}x").into()),
        Value::List(mut items) => {
            items.push(tree.add_text("x"));
            Value::List(items)
        }
        Value::Map(mut entries) => {
            entries.push((tree.add_text("x"), tree.add_text("x")));
            Value::Map(entries)
        }
        other @ Value::Time(_) => other,
    };
    tree.replace(id, value);
}

/// Without any one of its keys, or with another value of it, a configuration is another experiment, or something else is said.
fn assert_nothing_vanishes(name: &str, yaml: &str) -> usize {
    let read = |yaml: &str| Tree::read(SourceId::default(), yaml).expect("it is YAML").tree;
    let written = read(yaml).write();
    let (tree, mut keys) = (read(&written), Vec::new());
    entries(&tree, tree.root(), "", &left_out(&written), &mut keys);
    let whole = outcome(&tree);
    for Entry { map, key, place } in &keys {
        let mut without = tree.clone();
        without.remove(*map, key);
        let mut other = tree.clone();
        let value = other.get(*map, key).expect("an entry");
        altered(&mut other, value);
        let is_seen = outcome(&without) != whole || outcome(&other) != whole;
        assert!(is_seen, "{name}: nothing depends on `{place}`, and nothing is said of it");
    }
    keys.len()
}

#[test]
fn no_key_of_real_configurations_vanishes() {
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for (name, path) in configurations() {
        let yaml = fs::read_to_string(&path).expect("a file");
        // Cases differ in their text; the same configuration twice tells nothing.
        if seen.insert(yaml.clone()) {
            count += assert_nothing_vanishes(&name, &yaml);
        }
    }
    assert!(seen.is_empty() || count > 1_000, "{count} keys");
}

#[test]
fn no_key_of_a_configuration_with_everything_vanishes() {
    for file in ["meta.yaml", "finished.yaml"] {
        let path = root().join("compiler/mammoth/tests/fixtures").join(file);
        let yaml = fs::read_to_string(&path).expect("a fixture");
        assert!(imported(&yaml).faults.is_empty(), "{file}: {:?}", imported(&yaml).faults);
        assert!(assert_nothing_vanishes(file, &yaml) > 60, "{file}");
    }
}

/// A folder with a configuration of lists of words and all that it names.
fn of_words(change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = place.path().join(name);
        fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let finished = fs::read_to_string(root().join("compiler/mammoth/tests/fixtures/words.yaml"));
    write("config.yaml", &change(&finished.expect("a fixture")));
    for language in ["de", "en"] {
        write(&format!("vocab/{language}"), "<unk>\t7\nja\t3\nno\t2\n");
        write(&format!("text/train.{language}"), &"ja no\n".repeat(500));
    }
    place
}

/// What `mmc` prints in a folder.
fn mmc(place: &Path, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mmc"));
    command.args(arguments).current_dir(place);
    let output = command.env("XDG_CACHE_HOME", place.join(".cache")).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Numbers that mean something else to MAMMOTH, there and back.
#[test]
fn options_of_transforms_come_back_as_they_were() {
    const OPTIONS: &str = "rep_max_len: 50\nrep_min_len: 2\nrep_threshold: 3\nswitchout_temperature: 0.5\ntokendrop_temperature: 3.0\ntokenmask_temperature: 0.7\n";
    const WRITTEN: [&str; 4] = [
        "filter_repetitions(most = 5, shortest = 2, longest = 51)",
        "switchout(temperature = 2)",
        "token_drop(temperature = 0.3333333333333333)",
        "token_mask(temperature = 1.4285714285714286)",
    ];
    let place = of_words(|finished| {
        let names = "[filterrepetitions, switchout, tokendrop, tokenmask]";
        finished.replace("[filtertoolong]", names) + OPTIONS
    });
    let written = mmc(place.path(), &["import", "config.yaml"]);
    for part in WRITTEN {
        assert!(written.contains(part), "{part}\nis not in\n{written}");
    }
    let emitted = mmc(place.path(), &["emit", "mammoth", "config.yaml"]);
    for line in OPTIONS.lines() {
        assert!(emitted.lines().any(|found| found == line), "{line}\nis not in\n{emitted}");
    }
}

#[test]
fn lists_of_words_go_from_a_configuration_to_a_plan() {
    let place = of_words(str::to_owned);
    let mmc = |arguments: &[&str]| mmc(place.path(), arguments);
    let direct = mmc(&["plan", "config.yaml"]);
    assert!(direct.contains("kind: words") && direct.contains("pieces: 3"), "{direct}");
    mmc(&["index", "config.yaml", "-o", "index.yaml"]);
    mmc(&["import", "config.yaml", "-o", "main.mmc"]);
    fs::remove_dir_all(place.path().join("vocab")).expect("a folder");
    fs::remove_dir_all(place.path().join("text")).expect("a folder");
    mmc(&["check", "main.mmc", "--index", "index.yaml"]);
    assert_eq!(mmc(&["plan", "main.mmc", "--index", "index.yaml"]), direct);
}
