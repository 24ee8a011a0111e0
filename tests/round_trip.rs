//! `mmc import` and `mmc emit mammoth` are inverse: a finished configuration comes back as it was but for the places of its tasks,
//! and an experiment with the same mathematics.

#![expect(clippy::panic, reason = "the message tells what became of a configuration")]

use std::collections::BTreeMap;
use std::fs;

use mmc_core::index::{CorpusIndex, Indexed};
use mmc_core::world::World;
use mmc_core::{Options, compile};
use mmc_mammoth::import::import;
use mmc_mammoth::yaml::{Id, Tree, Value};
use mmc_plan::Plan;
use mmc_plan::diff::PlanDiff;
use mmc_syntax::{SourceId, SourceMap};

use crate::import::{Folder, configurations};
use crate::support::world::TestWorld;
use crate::support::{emitted, rendered, root};

/// What MAMMOTH takes when a key is not given, and `mmc emit mammoth` writes in full.
const DEFAULTS: &[&str] = &[
    "adam_beta1",
    "adam_beta2",
    "decay_method",
    "decay_steps",
    "denoising_objective",
    "keep_checkpoint",
    "label_smoothing",
    "learning_rate_decay",
    "mask_length",
    "mask_ratio",
    "max_grad_norm",
    "model_type",
    "normalization",
    "replace_length",
    "save_checkpoint_steps",
    "src_seq_length",
    "src_subword_model",
    "start_decay_steps",
    "tgt_seq_length",
    "tgt_subword_model",
    "train_steps",
    "valid_steps",
    "weight_decay",
    "x_transformers_opts.attn_flash",
    "x_transformers_opts.heads",
];

/// What is lost because no task has it: a language, an adapter and its ids.
const UNUSED: &[&str] = &[
    "src_vocab.sv",
    "tgt_vocab.sv",
    "adapters.encoder.m_list.",
    "adapters.encoder.enc_top.ids[",
    "adapters.encoder.enc_bottom.ids[",
    "adapters.decoder.dec_a.ids[",
];

/// Configurations that become no plan; why is told by the test of the import.
const REFUSED: &[&str] = &["p02", "p13", "p23", "p25"];

/// The experiment of a configuration; none: it is refused.
fn experiment(yaml: &str) -> Option<String> {
    let mut sources = SourceMap::new();
    let source = sources.add("a.yaml", yaml);
    let tree = Tree::read(source, yaml).expect("it is YAML").tree;
    let found = import(&tree, source, yaml);
    // The texts of the cases are of a few lines.
    let allowed = "lint { allow = [mmc::lint::corpus_worn_out] }\n";
    found.faults.is_empty().then(|| found.text + allowed)
}

/// Values by path, places of tasks left out.
fn facts(yaml: &str) -> BTreeMap<String, String> {
    let tree = Tree::read(SourceId::default(), yaml).expect("it is YAML").tree;
    let mut found = BTreeMap::new();
    collect(&tree, tree.root(), String::new(), &mut found);
    found.retain(|path, _| !path.ends_with(".node_gpu"));
    found
}

fn collect(tree: &Tree, id: Id, path: String, found: &mut BTreeMap<String, String>) {
    match tree.value(id) {
        Value::Map(entries) => {
            for (key, value) in entries {
                let key = tree.text(*key).unwrap_or("?");
                let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                collect(tree, *value, path, found);
            }
        }
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                collect(tree, *item, format!("{path}[{at}]"), found);
            }
        }
        // `1` and `1.0` are the same weight.
        Value::Float(number) if number.fract() == 0.0 => {
            found.insert(path, format!("Int({number})"));
        }
        scalar @ (Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Time(_)) => {
            found.insert(path, format!("{scalar:?}"));
        }
    }
}

/// `-` what is lost, `+` what is new, `~` what is another.
fn differences(before: &str, after: &str) -> Vec<String> {
    let (before, after) = (facts(before), facts(after));
    let mut found = Vec::new();
    for (path, value) in &before {
        match after.get(path) {
            None if UNUSED.iter().any(|unused| path.starts_with(unused)) => {}
            None => found.push(format!("-{path} = {value}")),
            Some(other) if other != value => found.push(format!("~{path} = {value}, then {other}")),
            Some(_) => {}
        }
    }
    for (path, value) in &after {
        if !before.contains_key(path) && !DEFAULTS.contains(&path.as_str()) {
            found.push(format!("+{path} = {value}"));
        }
    }
    found
}

#[test]
fn finished_configurations_come_back() {
    let mut faults = Vec::new();
    for (name, path) in configurations() {
        if !name.ends_with("/expected.yaml") || REFUSED.iter().any(|case| name.starts_with(case)) {
            continue;
        }
        let yaml = fs::read_to_string(&path).expect("a file");
        let text = experiment(&yaml).unwrap_or_else(|| panic!("{name} is refused"));
        let world = Folder { path: path.parent().expect("a case"), experiment: &text };
        let (outcome, again) = emitted(&world, "main.mmc", &[]);
        let Some(again) = again else {
            faults.push(format!("{name}: nothing is emitted\n{}", rendered(outcome)));
            continue;
        };
        for difference in differences(&yaml, &again) {
            faults.push(format!("{name}: {difference}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The plan of an experiment.
fn plan(world: &dyn World, entry: &str) -> Plan {
    let made = compile(entry, &[], world, &Options::default());
    made.plan.unwrap_or_else(|| panic!("{entry}: {:?}", made.findings))
}

#[test]
fn experiments_come_back_with_the_same_mathematics() {
    for name in ["mammoth-multi30k", "mammoth-opus"] {
        let folder = root().join("golden").join(name);
        let index = fs::read_to_string(folder.join("index.yaml")).expect("an index");
        let index = CorpusIndex::from_yaml(&index).expect("an index");
        let example =
            fs::read_to_string(root().join(format!("examples/{name}.mmc"))).expect("an example");
        // Names are part of the mathematics: random numbers are drawn by them. These are those of the import.
        let example = [
            ("pieces", "files"),
            ("spm {", "pieces {"),
            ("[spm,", "[pieces,"),
            ("tasks auto ", "tasks autoencoding "),
        ]
        .iter()
        .fold(example, |text, (from, to)| text.replace(from, to));
        let source = TestWorld::with_main(&root(), &example);
        let first = plan(&Indexed { sources: &source, index: &index }, "main.mmc");
        let yaml = fs::read_to_string(folder.join("mammoth.yaml")).expect("a configuration");
        let text = experiment(&yaml).expect("an experiment");
        let main = TestWorld::with_main(&root(), &text);
        let world = Indexed { sources: &main, index: &index };
        let (outcome, again) = emitted(&world, "main.mmc", &[]);
        let again = again.unwrap_or_else(|| panic!("{name}: {}", rendered(outcome)));
        let found = differences(&yaml, &again);
        assert_eq!(found, Vec::<String>::new(), "{name}");
        // The other one's files of a language to itself have two templates, so that its tasks are two blocks of other names.
        if name == "mammoth-multi30k" {
            let found = PlanDiff::new(&first, &plan(&world, "main.mmc"));
            assert!(found.same_mathematics, "{name}: {}", found.to_text());
        }
    }
}
