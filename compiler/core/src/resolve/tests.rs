//! What programs mean: values, defaults, selections, overriding, presets.

#![expect(
    clippy::float_cmp,
    reason = "values come out as the nearest floats to what was written, exactly"
)]

use std::collections::BTreeMap;

use mmc_plan::{Device, Optimizer, Precision, Schedule, Sharing, VocabularyKind};
use mmc_syntax::source::SourceMap;

use super::resolve;
use crate::cluster::TextProfile;
use crate::diagnostics::Diagnostics;
use crate::ir::experiment::{Experiment, PrefixToken, TransformWish, WeightRule};

/// The one rule of weights.
fn weight(experiment: &Experiment) -> WeightRule {
    let pieces = &experiment.curriculum.value.pieces;
    assert_eq!(pieces.len(), 1);
    pieces[0].rule.clone()
}
use crate::stdlib;
use crate::world::{CorpusFacts, TokenizerFacts, World, WorldError};

/// Sources only.
struct Sources(BTreeMap<String, String>);

impl World for Sources {
    fn source(&self, path: &str) -> Result<String, WorldError> {
        self.0.get(path).cloned().ok_or(WorldError::Missing)
    }

    fn corpora(&self, paths: &[String]) -> Vec<Result<CorpusFacts, WorldError>> {
        paths.iter().map(|_| Err(WorldError::Missing)).collect()
    }

    fn matching(&self, patterns: &[String]) -> Vec<Vec<String>> {
        patterns.iter().map(|_| Vec::new()).collect()
    }

    fn tokenizer(&self, _: &str, _: VocabularyKind) -> Result<TokenizerFacts, WorldError> {
        Err(WorldError::Missing)
    }

    fn profile(&self, path: &str) -> Result<TextProfile, WorldError> {
        self.source(path).map(|text| TextProfile::of_lines(text.lines()))
    }
}

/// Everything but tasks, languages in several families.
const FRAME: &str = r#"
experiment demo { }
languages cs, de, en, fr, pl
groups { slavic = [cs, pl]  west = [de, en, fr] }
corpus text { train = "train.{src_lang}" -> "train.{tgt_lang}" }
tokenizer pieces { kind = sentencepiece  model = "spm/{lang}.model" }
model { dim = 16  heads = 2  encoder = [FULL, 2 x GROUP]  decoder = [LANGUAGE] }
training { steps = 100  batch = 256 tokens  optimizer = adamw(lr = 1e-3)  schedule = constant }
cluster {
  ranks = 2
  cpu { memory = 1 GiB  fp32 = 10 GFLOP/s  fp64 = 5 GFLOP/s }
  links { intra = 5 GB/s  inter = 1 Gbit/s  latency = 50 us }
}
"#;

const TASKS: &str =
    "tasks translation { pairs = all <-> all  corpus = text  transforms = [pieces] }\n";

fn try_with(
    main: &str,
    others: &[(&str, &str)],
    params: &[(&str, &str)],
) -> Result<Experiment, Vec<String>> {
    let mut sources = BTreeMap::from([("main.mmc".to_owned(), main.to_owned())]);
    sources.extend(others.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    let params: Vec<(String, String)> =
        params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut diagnostics = Diagnostics::default();
    resolve("main.mmc", &params, &Sources(sources), &mut SourceMap::default(), &mut diagnostics)
        .map_err(|_| diagnostics.into_findings().iter().map(ToString::to_string).collect())
}

/// A program over the frame.
fn over(text: &str) -> Experiment {
    let main = format!("import \"frame.mmc\"\n{text}");
    try_with(&main, &[("frame.mmc", FRAME)], &[]).unwrap()
}

fn pairs(selection: &str) -> String {
    let text = format!("tasks t {{ pairs = {selection}  corpus = text  transforms = [pieces] }}");
    let experiment = over(&text);
    let block = experiment.task_blocks.first().unwrap();
    let shown = block.pairs.iter().map(|pair| {
        format!("{}{}{}", pair.source, if pair.named { "=" } else { "-" }, pair.target)
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_algebra_selects_sorted_directions_without_self() {
    assert_eq!(pairs("slavic -> en"), "cs-en pl-en");
    assert_eq!(pairs("slavic <-> slavic"), "cs-pl pl-cs");
    assert_eq!(pairs("cs -> fr"), "cs=fr", "asked for by its full name");
    assert_eq!(pairs("de <-> en"), "de=en en=de");
    assert_eq!(pairs("(slavic + fr) -> en"), "cs-en fr-en pl-en");
    assert_eq!(pairs("[cs, de] -> en - cs -> en"), "de-en");
    assert_eq!(pairs("all -> en & slavic -> all"), "cs-en pl-en");
    assert_eq!(pairs("slavic -> en + cs -> en"), "cs=en pl-en", "named once is named");
    assert_eq!(pairs("english -> polish"), "en-pl", "languages by their English names");
    assert_eq!(pairs("romance -> germanic"), "fr-de fr-en", "families of the library");
    assert_eq!(pairs("groups.slavic -> fr"), "cs-fr pl-fr", "a group of a grouping");
}

#[test]
fn a_let_may_stand_for_a_set_or_a_stack_of_values() {
    let experiment = over(
        "let some = slavic + de\nlet width = half * 2\nlet half = 32\n\
         tasks t { pairs = some -> en  corpus = text  transforms = [pieces] }\nmodel { dim = width }",
    );
    assert_eq!(experiment.task_blocks[0].pairs.len(), 3);
    assert_eq!(experiment.model.dim, 64);
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let experiment = over(TASKS);
    assert_eq!((experiment.spec.seed, experiment.spec.output.as_str()), (1, "runs/demo"));
    assert_eq!(experiment.model.ffn, 64);
    assert_eq!(experiment.model.embeddings.source, Sharing::SourceLanguage);
    assert!(experiment.model.embeddings.tie_output);
    assert_eq!(experiment.model.encoder[1].sharing, Sharing::SourceGroup("groups".into()));
    assert_eq!(experiment.model.encoder[0].layers, 1);
    assert_eq!(experiment.model_spans.encoder.len(), 2);
    assert_eq!(weight(&experiment), WeightRule::Temperature(1.0));
    let training = &experiment.training.value;
    assert_eq!((training.accumulate, training.shuffle, training.clip), (1, 10_000, None));
    assert_eq!(training.precision, Precision::Fp32);
    assert_eq!(training.schedule, Schedule::Constant);
    let Optimizer::Adamw { lr, beta1, beta2, eps, weight_decay } = training.optimizer else {
        panic!("{:?}", training.optimizer)
    };
    assert_eq!([lr, beta1, beta2, eps, weight_decay], [1e-3, 0.9, 0.98, 1e-9, 0.01]);
    assert!(experiment.lanes.is_none());
}

#[test]
fn units_come_out_in_their_own_measure() {
    let experiment =
        over(&format!("{TASKS} training {{ precision = fp64  batch = 4k tokens  clip = 50% }}"));
    let cluster = &experiment.cluster.value;
    assert_eq!((cluster.device, cluster.device_memory), (Device::Cpu, 1 << 30));
    assert_eq!(cluster.device_flops, 5e9, "at the precision of the training");
    assert_eq!((cluster.links.intra, cluster.links.inter), (5e9, 125e6));
    assert_eq!(cluster.links.latency, 50e-6);
    assert_eq!(experiment.training.value.batch_tokens, 4_000);
    assert_eq!(experiment.training.value.clip, Some(0.5));
}

#[test]
fn an_importing_file_overrides_and_order_does_not_matter() {
    let first = over(&format!("training {{ steps = 7 }}\n{TASKS}"));
    assert_eq!((first.training.value.steps, first.training.value.batch_tokens), (7, 256));
    let main = format!("training {{ steps = 7 }}\n{TASKS}import \"frame.mmc\"");
    let mut lines: Vec<&str> = FRAME.trim().split('\n').collect();
    let cluster = lines.split_off(7);
    lines.reverse();
    let shuffled = format!("{}\n{}", cluster.join("\n"), lines.join("\n"));
    let second = try_with(&main, &[("frame.mmc", &shuffled)], &[]).unwrap();
    assert_eq!(without_places(&first), without_places(&second));
}

/// The experiment as text, spans left out.
fn without_places(experiment: &Experiment) -> String {
    let text = format!("{experiment:?}");
    let mut pieces = text.split("Span {");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |sum, piece| sum + piece.split_once('}').map_or("", |(_, rest)| rest))
}

#[test]
fn params_are_given_or_defaulted() {
    let main = format!(
        "param t: float = 0.5\nparam d: int = 1k\nimport \"frame.mmc\"\n{TASKS}\
         curriculum {{ weight = temperature(t) }}\nmodel {{ ffn = d }}"
    );
    let frame = [("frame.mmc", FRAME)];
    let default = try_with(&main, &frame, &[]).unwrap();
    assert_eq!(weight(&default), WeightRule::Temperature(0.5));
    assert_eq!(default.model.ffn, 1_000);
    let given = try_with(&main, &frame, &[("t", "0.1"), ("d", "2k"), ("t", "1")]).unwrap();
    assert_eq!(weight(&given), WeightRule::Temperature(1.0), "the last one wins");
    assert_eq!(given.model.ffn, 2_000);
    for bad in ["", "-", "x", "1 tokens", "nan", "inf", "1e999"] {
        assert!(try_with(&main, &frame, &[("t", bad)]).is_err(), "{bad}");
    }
}

#[test]
fn transforms_keep_their_order_and_the_tokenizer_its_place() {
    let experiment = over(
        "tasks t { pairs = cs -> de  corpus = text  weight = 2\n\
         transforms = [pieces, filter_too_long(tgt = 5, src = 4), prefix(source, target)] }",
    );
    let block = &experiment.task_blocks[0];
    let wishes: Vec<TransformWish> =
        block.transforms.iter().map(|wish| wish.value.clone()).collect();
    let filter = TransformWish::Plain(mmc_plan::Transform::FilterTooLong { source: 4, target: 5 });
    let tokens = vec![PrefixToken::Source, PrefixToken::Target];
    let prefix = TransformWish::Prefix { tokens, side: None };
    assert_eq!(wishes, [TransformWish::Tokenize, filter, prefix]);
    assert_eq!((block.tokenizer.value, block.corpus.value), (0, 0));
    assert_eq!(block.weight, 2.0);
}

#[test]
fn overrides_hold_for_directions_in_use() {
    let experiment = over(
        "tasks t { pairs = all <-> en  corpus = text  transforms = [pieces] }\n\
         model { for slavic -> all { encoder = [6 x FULL] } }",
    );
    let [row] = experiment.model.overrides.as_slice() else { unreachable!("one override") };
    assert_eq!(row.pairs, [["cs", "en"], ["pl", "en"]].map(|pair| pair.map(str::to_owned)));
    assert!(row.decoder.is_none());
}

#[test]
fn every_preset_of_the_library_makes_a_cluster() {
    for module in stdlib::modules().filter(|module| module.starts_with("std.clusters.")) {
        let name = module.rsplit('.').next().unwrap_or_default();
        let call = format!(
            "import {module}\ncluster = {name}(nodes = 2, slurm = {{ account = \"project\", time = 25 h }})\n{TASKS}"
        );
        let cluster = over(&call).cluster.value;
        assert_eq!((cluster.name.as_str(), cluster.nodes), (name, 2));
        assert_eq!(cluster.slurm.get("time").map(String::as_str), Some("1-01:00:00"));
        assert_eq!(
            cluster.slurm.contains_key("partition"),
            name != "laptop",
            "the preset's fields stay"
        );
        assert!(
            cluster.links.intra >= cluster.links.inter / f64::from(cluster.devices_per_node),
            "{name}"
        );
    }
    let lumi =
        over(&format!("import std.clusters.lumi_g\ncluster = lumi_g\n{TASKS}")).cluster.value;
    assert_eq!((lumi.devices_per_node, lumi.device_memory), (8, 64 << 30));
    assert_eq!(lumi.slurm.get("env.NCCL_SOCKET_IFNAME").map(String::as_str), Some("hsn"));
}

#[test]
fn a_table_may_use_sets() {
    let experiment = over(
        "tasks t { pairs = all -> en  corpus = text  transforms = [pieces] }\n\
         curriculum { weight = table({ slavic -> all = 1, (all - slavic) -> en = 0.5 }) }",
    );
    let WeightRule::Table(table) = weight(&experiment) else { unreachable!("a table") };
    assert_eq!(table.len(), 4);
    assert_eq!(table.get(&("cs".to_owned(), "en".to_owned())), Some(&1.0));
    assert_eq!(table.get(&("fr".to_owned(), "en".to_owned())), Some(&0.5));
}

#[test]
fn languages_know_their_codes() {
    let experiment = over(&format!(
        "language nb {{ aliases = {{ opus = \"no\" }} }}\ngroups norse {{ north = [nb] }}\n{TASKS}model {{ encoder = [FULL] }}"
    ));
    let nb = experiment.languages.iter().find(|language| language.code == "nb").unwrap();
    let alias = |scheme| nb.aliases.get(scheme).map(String::as_str);
    assert_eq!(
        (alias("opus"), alias("flores"), alias("iso3")),
        (Some("no"), Some("nob_Latn"), Some("nob"))
    );
    assert_eq!(nb.attributes.get("script").map(String::as_str), Some("Latn"));
}

#[test]
fn documentation_of_the_experiment_is_kept() {
    let main = format!(
        "import \"frame.mmc\"\n## First.\n## Second.\nexperiment other {{ seed = 18446744073709551615 }}\n{TASKS}"
    );
    let experiment = try_with(&main, &[("frame.mmc", FRAME)], &[]).unwrap();
    assert_eq!(experiment.spec.name, "other");
    assert_eq!(experiment.spec.about, ["First.", "Second."]);
    assert_eq!(experiment.spec.seed, u64::MAX, "seeds are exact");
}

/// A program that uses about everything.
const RICH: &str = include_str!("../../../../tests/ui/resolve/clean.mmc");
const WHOLE: &str = include_str!("../../../../tests/ui/whole.mmc");
const AROUND: &str = include_str!("../../../../tests/ui/frame.mmc");

#[test]
fn no_mutation_of_a_program_panics_or_fails_without_a_reason() {
    let rich = RICH.replace("../whole.mmc", "whole.mmc");
    let rich: Vec<&str> = rich.split_inclusive([' ', '\n', '(', ')', ',']).collect();
    let around: Vec<&str> = AROUND.split_inclusive([' ', '\n', '(', ')', ',']).collect();
    let mut state = 1_u64;
    let mut draw = |below: usize| {
        // Knuth's MMIX generator: any fixed sequence will do.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut resolved = 0;
    for round in 0..300 {
        let (mut main, mut frame) = (rich.clone(), around.clone());
        let mutated = if round % 2 == 0 { &mut main } else { &mut frame };
        for _ in 0..=draw(3) {
            let (at, other) = (draw(mutated.len()), draw(mutated.len()));
            let word = mutated[other];
            match draw(4) {
                0 => drop(mutated.remove(at)),
                1 => mutated.insert(at, word),
                2 => mutated.swap(at, other),
                _ => mutated[at] = word,
            }
        }
        let others = [("whole.mmc", WHOLE), ("frame.mmc", &frame.concat())];
        match try_with(&main.concat(), &others, &[]) {
            Ok(_) => resolved += 1,
            Err(findings) => {
                assert!(!findings.is_empty(), "{}{}", main.concat(), frame.concat());
                let lost = findings.iter().any(|finding| finding.contains("no reason was found"));
                assert!(!lost, "{}{}", main.concat(), frame.concat());
            }
        }
    }
    assert!(resolved > 10, "some mutations are harmless: {resolved}");
}
