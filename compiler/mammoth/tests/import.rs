//! Configurations become experiments, and what can't is said with its place.

use miette::Diagnostic as _;
use mmc_mammoth::import::{Imported, import};
use mmc_mammoth::yaml::Tree;
use mmc_syntax::SourceMap;

fn imported(yaml: &str) -> (Imported, SourceMap) {
    let mut sources = SourceMap::new();
    let source = sources.add("a.yaml", yaml);
    let tree = Tree::read(source, yaml).expect("it is YAML").tree;
    (import(&tree, source, yaml), sources)
}

/// `line:column code` of every fault.
fn faults(yaml: &str) -> Vec<String> {
    let (imported, sources) = imported(yaml);
    let place = |fault: &mmc_mammoth::import::ImportError| {
        let label = fault.labels().into_iter().flatten().next().expect("a place");
        let at = u32::try_from(label.offset()).expect("a small file");
        let (line, column) =
            sources.line_column(mmc_syntax::Span::new(at, at)).expect("it is in the file");
        format!("{line}:{column} {}", fault.code().expect("a code"))
    };
    imported.faults.iter().map(place).collect()
}

const META: &str = "\
config_config:
  src_path: 'opus/{sorted_pair}/train.{src_lang}'
  tgt_path: 'opus/{sorted_pair}/train.{tgt_lang}'
  ae_path: ['mono/{src_lang}']
  autoencoder: true
  use_weight: true
  temperature: 0.5
  transforms: [sentencepiece, prefix, filtertoolong]
  ae_transforms: [sentencepiece, denoising]
  groups: {de: ger, nl: ger, fi: fin+ugr}
  enc_sharing_groups: [GROUP, FULL]
  dec_sharing_groups: [LANGUAGE]
  n_gpus_per_node: 4
src_vocab: {de: v.de, nl: v.nl, fi: v.fi}
tgt_vocab: {de: v.de, nl: v.nl, fi: v.fi}
src_subword_model: spm/{src_lang}.model
src_subword_nbest: 5
model_dim: 512
enc_layers: [3, 3]
dec_layers: [2]
adapters:
  encoder:
    low: {adapter_type: lora, layer_stack_index: 0, layers: [0, 1], hidden_dim: 8, ids: LANGUAGE}
save_model: models/opus
batch_type: tokens
batch_size: 4096
mask_ratio: 0.2
mask_length: span-poisson
replace_length: 1
optim: adamw
learning_rate: 1e-4
decay_method: linear_warmup
x_transformers_opts: {heads: 16, rotary_pos_emb: true, tie_embedding: true}
";

#[test]
fn a_meta_configuration_becomes_an_experiment() {
    let (imported, _) = imported(META);
    assert_eq!(imported.faults, []);
    let text = mmc_syntax::format(&imported.text).expect("an experiment is written");
    for part in [
        "import std.models.mammoth\n",
        "groups {\n  fin_ugr = [fi]\n  ger = [de, nl]\n}\n",
        "pairs = all <-> all\n",
        "pairs = each -> self\n",
        "  train = \"opus/{sorted_pair}/train.{src_lang}\" -> \"opus/{sorted_pair}/train.{tgt_lang}\"\n",
        "  mono = [\"mono/{lang}\"]\n",
        "  model = \"spm/{lang}.model\"\n",
        "  transforms = [pieces, prefix(target), filter_too_long(src = 200, tgt = 200)]\n",
        "  corpus = text.mono\n",
        "denoise(bart, ratio = 0.2, mask = span_poisson(3), replace = 1)",
        "  positions = rotary(dims = 32)\n",
        "  encoder = [3 x GROUP, 3 x FULL]\n",
        "adapter low { in = encoder[0]  layers = [0, 1]  kind = lora(rank = 8)  sharing = LANGUAGE }",
        "  weight = temperature(0.5)\n",
        "  optimizer = adamw(lr = 0.0001, ",
        "  schedule = linear(warmup = 4000)\n",
        "cluster = lumi_g(nodes = 1, gpus_per_node = 4)\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn a_finished_configuration_gives_back_templates_and_patterns() {
    let task = |source: &str, target: &str| {
        format!(
            "  {source}-{target}:\n    src_tgt: {source}-{target}\n    path_src: d/train.{source}.gz\n    path_tgt: d/train.{target}.gz\n    transforms: [filtertoolong]\n    enc_sharing_group: [{source}, full]\n    dec_sharing_group: [{target}]\n"
        )
    };
    let tasks: String = [("de", "en"), ("en", "de")].iter().map(|(a, b)| task(a, b)).collect();
    let yaml = format!(
        "tasks:\n{tasks}src_vocab: {{de: v/de, en: v/en}}\ntgt_vocab: {{de: v/de, en: v/en}}\nmodel_dim: 64\nenc_layers: [1, 2]\ndec_layers: [3]\nbatch_type: tokens\n"
    );
    let (imported, _) = imported(&yaml);
    assert_eq!(imported.faults, []);
    for part in [
        "train = \"d/train.{src_lang}.gz\" -> \"d/train.{tgt_lang}.gz\"\n",
        "pairs = all <-> all\n",
        "vocab = \"v/{lang}\"\n",
        "encoder = [1 x SRC_LANGUAGE, 2 x FULL]\n",
        "decoder = [3 x TGT_LANGUAGE]\n",
        "weight = uniform\n",
        "cluster = laptop(ranks = 1)\n",
    ] {
        assert!(imported.text.contains(part), "{part}\nis not in\n{}", imported.text);
    }
}

/// A finished configuration of tasks `de-en src_tgt ...` with lines of their own.
fn finished(tasks: &[(&str, &str)], top: &str) -> String {
    let task = |(name, more): &(&str, &str)| {
        let pair = name.split('_').next().unwrap_or_default();
        let (source, target) = pair.split_once('-').expect("a pair");
        format!(
            "  {name}:\n    src_tgt: {pair}\n    path_src: d/train.{source}\n    path_tgt: d/train.{target}\n    transforms: []\n    enc_sharing_group: [full]\n    dec_sharing_group: [{target}]\n{more}"
        )
    };
    let tasks: String = tasks.iter().map(task).collect();
    format!(
        "tasks:\n{tasks}src_vocab: {{de: v/de, en: v/en, fi: v/fi}}\ntgt_vocab: {{de: v/de, en: v/en, fi: v/fi}}\nmodel_dim: 64\nenc_layers: [1]\ndec_layers: [1]\nbatch_type: tokens\nn_nodes: 1\nworld_size: 2\n{top}"
    )
}

fn codes_of(notes: &[mmc_core::diagnostics::Finding]) -> Vec<String> {
    let code = |note: &mmc_core::diagnostics::Finding| note.code().expect("a code").to_string();
    notes.iter().map(code).collect()
}

#[test]
fn places_are_told_and_copies_become_a_split() {
    let part = |offset: u32, weight: &str| {
        format!(
            "    stride: 2\n    offset: {offset}\n    weight: {weight}\n    node_gpu: '0:{offset}'\n"
        )
    };
    let (first, second) = (part(0, "0.3"), part(1, "0.3"));
    let whole = "    weight: 0.2\n    node_gpu: '0:1'\n";
    let split = [("de-en_split0", first.as_str()), ("de-en_split1", second.as_str())];
    let tasks = [split[0], split[1], ("en-de", whole), ("fi-en", whole)];
    let (found, _) = imported(&finished(&tasks, ""));
    assert_eq!(found.faults, []);
    assert_eq!(codes_of(&found.notes), ["mmc::import::placement", "mmc::import::machine"]);
    let said = found.notes.first().expect("a note").to_string();
    assert!(said.contains("of 4 tasks") && said.contains("`0:0`"), "{said}");
    for part in
        ["    de -> en = 0.6,\n", "  split = above(0.3)\n", "pairs = de <-> en + fi -> en\n"]
    {
        assert!(found.text.contains(part), "{part}\nis not in\n{}", found.text);
    }
    let (found, _) = imported(&finished(&split, ""));
    assert!(found.text.contains("  split = into(2)\n"), "{}", found.text);
    let alone = faults(&finished(&[split[0], ("en-de", whole)], ""));
    assert_eq!(alone, ["2:3 mmc::import::no_equal"]);
    let uneven = part(1, "0.5");
    let uneven = [split[0], ("de-en_split1", uneven.as_str())];
    assert_eq!(faults(&finished(&uneven, "")), ["2:3 mmc::import::no_equal"]);
}

#[test]
fn keys_without_influence_are_kept_for_mammoth_or_told_with_their_reasons() {
    let top = "report_every: 100\nwarmup_steps: 10\ndropout: 0.1\naverage_decay: 0\nn_best: 5\nkeep_checkpoint: -1\n";
    let (found, _) = imported(&finished(&[("de-en", ""), ("en-de", "")], top));
    assert_eq!(found.faults, []);
    let kept = "mammoth {\n  dropout = 0.1\n  report_every = 100\n  warmup_steps = 10\n}\n";
    assert!(found.text.contains(kept), "{}", found.text);
    let note = found.notes.iter().find(|note| note.to_string().contains("left out"));
    let note = note.expect("a note");
    assert!(
        note.to_string().starts_with("`average_decay`, `n_best` and `keep_checkpoint` are"),
        "{note}"
    );
    let reasons: Vec<String> = note
        .labels()
        .into_iter()
        .flatten()
        .filter_map(|label| label.label().map(str::to_owned))
        .collect();
    assert_eq!(reasons[0], "it is off");
    assert_eq!(reasons[1], "`mmc translate` has options of its own");
}

#[test]
fn files_without_a_common_template_are_corpora_of_their_own() {
    let own = |name: &str| format!("    path_valid_src: v/{name}\n    path_valid_tgt: v/{name}\n");
    let (first, second) = (own("x"), own("x"));
    let tasks =
        [("de-en", ""), ("en-de", ""), ("de-de", first.as_str()), ("en-en", second.as_str())];
    let yaml = finished(&tasks, "").replacen("d/train.de", "e/de", 1);
    let (found, _) = imported(&yaml);
    assert_eq!(found.faults, []);
    for part in [
        "corpus text {\n  train = \"e/{src_lang}\" -> \"d/train.{tgt_lang}\"\n  mono = \"d/train.{lang}\"\n  mono_valid = \"v/x\"\n}\n",
        "corpus text2 {\n  train = \"d/train.{src_lang}\" -> \"d/train.{tgt_lang}\"\n}\n",
        "tasks translation2 {\n  pairs = en -> de\n  corpus = text2\n",
        "tasks autoencoding {\n  pairs = [de, en] -> self\n  corpus = text.mono\n",
    ] {
        assert!(found.text.contains(part), "{part}\nis not in\n{}", found.text);
    }
}

/// MAMMOTH would learn to copy both columns, and an experiment reads no lines of `.tsv` whole.
#[test]
fn whole_lines_of_columns_are_refused() {
    let paired = |path: &str| {
        let sides =
            ["{src_lang}", "{tgt_lang}"].map(|side| format!("opus/{{sorted_pair}}/train.{side}"));
        sides.iter().fold(META.to_owned(), |yaml, side| yaml.replacen(side, path, 1))
    };
    assert_eq!(faults(&paired("{sorted_pair}.tsv.gz")), ["2:13 mmc::import::no_equal"]);
    assert_eq!(faults(&paired("{sorted_pair}.txt")), [] as [&str; 0]);
    let own = META.replacen("mono/{src_lang}", "mono/{src_lang}.tsv", 1);
    assert_eq!(faults(&own), ["4:12 mmc::import::no_equal"]);
    let valid = "    path_valid_src: v/x.tsv\n    path_valid_tgt: v/x.tsv\n";
    let tasks = finished(&[("de-en", valid), ("en-de", "")], "");
    assert_eq!(faults(&tasks), ["9:21 mmc::import::no_equal"]);
    let tasks = finished(&[("de-en", ""), ("en-de", "")], "").replace("d/train.de", "x.tsv");
    let both = tasks.replace("d/train.en", "x.tsv");
    assert_eq!(faults(&tasks), [] as [&str; 0]);
    assert_eq!(faults(&both), ["4:15 mmc::import::no_equal", "11:15 mmc::import::no_equal"]);
}

#[test]
fn faults_have_codes_and_places() {
    let spoilt = |from: &str, to: &str| faults(&META.replacen(from, to, 1));
    assert_eq!(spoilt("optim: adamw", "optimm: adamw"), ["30:1 mmc::import::unknown_key"]);
    let heads = spoilt("heads: 16", "hesds: 16");
    assert_eq!(heads, ["33:23 mmc::import::unknown_key"]);
    let norm = spoilt("heads: 16", "sandwich_norm: true");
    assert_eq!(norm, ["33:23 mmc::import::no_equal"]);
    let decay = spoilt("optim: adamw", "optim: adamw\naverage_decay: 0.1");
    assert_eq!(decay, ["31:1 mmc::import::no_equal"]);
    assert_eq!(spoilt("model_dim: 512", "model_dim: wide"), ["18:12 mmc::import::wrong_value"]);
    assert_eq!(spoilt("batch_type: tokens", "batch_type: sents"), ["26:1 mmc::import::no_equal"]);
    let filtered = |name: &str, option: &str| {
        let yaml = META.replacen("filtertoolong]", &format!("{name}]"), 1);
        faults(&yaml.replacen("optim: adamw", &format!("{option}\noptim: adamw"), 1))
    };
    let zero = filtered("switchout", "switchout_temperature: 0");
    assert_eq!(zero, ["30:24 mmc::import::wrong_value"]);
    let zero = filtered("filterrepetitions", "rep_threshold: 0");
    assert_eq!(zero, ["30:16 mmc::import::no_equal"]);
    let missing = spoilt("  src_path: 'opus/{sorted_pair}/train.{src_lang}'\n", "");
    assert_eq!(missing, ["2:3 mmc::import::missing_key"]);
    assert!(faults("a: 1\n").contains(&"1:1 mmc::import::unknown_key".to_owned()));
    assert_eq!(faults("- a\n"), ["1:1 mmc::import::missing_key"]);
}

#[test]
fn every_part_knows_where_it_comes_from() {
    let (imported, sources) = imported(META);
    let at = imported.text.find("temperature(0.5)").expect("the weight is written");
    let span = imported.origins.of(u32::try_from(at).expect("a small file")).expect("an origin");
    assert_eq!(sources.line_column(span).map(|(line, _)| line), Some(6));
    let at = imported.text.find("16").expect("the heads are written");
    let span = imported.origins.of(u32::try_from(at).expect("a small file")).expect("an origin");
    assert_eq!(sources.text(span), Some("16"));
}
