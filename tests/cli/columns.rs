//! Texts that are files with both sides in columns: from the experiment to the plan, and through the commands that read them.

use std::fs;
use std::path::Path;

use mmc_core::index::CorpusIndex;
use mmc_plan::{ParallelFiles, Plan};

use super::run;
use crate::support::world::TestWorld;
use crate::support::{planned, root};

#[test]
fn one_file_serves_both_directions() {
    let text = r#"
import "whole.mmc"
corpus pasted {
  train = "{sorted_pair}.{shard}.tsv.gz"
  valid = "valid.{lang_pair}.txt"
  test = "test.{src_lang}" -> "test.{tgt_lang}"
  columns = sorted_pair(4, 2)
}
tasks more { pairs = cs <-> de  corpus = pasted  transforms = [pieces, prefix(target)] }
"#;
    let world = TestWorld::with_main(&root().join("tests/ui"), text);
    let plan = planned(&world, "main.mmc", &[]).plan.unwrap();
    let files = |names: &[&str], columns, lines| {
        let source: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        ParallelFiles { source: source.clone().into(), target: source.into(), columns, lines }
    };
    for (task, pair, columns) in
        [("more.cs-de", "cs-de", Some([4, 2])), ("more.de-cs", "de-cs", Some([2, 4]))]
    {
        let corpus = &plan.tasks[task].corpus;
        let shards = ["cs-de.0.tsv.gz", "cs-de.1.tsv.gz"];
        assert_eq!(corpus.train, files(&shards, columns, 2_000), "{task}");
        let valid = files(&[&format!("valid.{pair}.txt")], columns, 1_000);
        assert_eq!(corpus.valid, Some(valid), "{task}");
        assert_eq!(corpus.test.as_ref().unwrap().columns, None);
    }
    assert!(plan.to_yaml().contains("        columns: [2, 4]\n        lines: 2000\n"));
    assert_eq!(Plan::from_yaml(&plan.to_yaml()).unwrap(), plan);
}

#[test]
fn monolingual_text_may_be_a_column() {
    let text = r#"
import "whole.mmc"
corpus news { mono = column(["{lang}-sentences.txt", "more.{lang}.tsv"], 2)  mono_valid = "held.{lang}" }
tasks own {
  pairs = cs -> cs
  corpus = news.mono
  transforms = [pieces, prefix(target), denoise(bart, ratio = 0.3)]
}
"#;
    let world = TestWorld::with_main(&root().join("tests/ui"), text);
    let plan = planned(&world, "main.mmc", &[]).plan.unwrap();
    let corpus = &plan.tasks["own.cs-cs"].corpus;
    assert_eq!(*corpus.train.source, ["cs-sentences.txt", "more.cs.tsv"]);
    assert_eq!((&corpus.train.target, corpus.train.columns), (&corpus.train.source, Some([2, 2])));
    assert_eq!(corpus.valid.as_ref().unwrap().columns, None);
}

/// The experiment of two artificial languages, with its files, or with the one that they were pasted to.
fn experiment(name: &str, corpus: &str) -> String {
    format!(
        "import std.clusters.laptop
experiment {name} {{ seed = 1 }}
languages aa1, aa2
corpus text {{ {corpus} }}
tokenizer pieces {{ kind = huggingface  file = \"{name}.{{lang}}.json\"  train = bpe(pieces = 150) }}
tasks translation {{ pairs = all <-> all  corpus = text  transforms = [pieces, prefix(target)] }}
model {{ dim = 32  heads = 2  encoder = [FULL]  decoder = [FULL] }}
training {{ steps = 20  batch = 256 tokens  optimizer = adamw(lr = 2e-3)  schedule = constant }}
cluster = laptop(ranks = 1)
"
    )
}

fn paste(folder: &Path, part: &str) {
    let sides = ["aa1", "aa2"]
        .map(|language| fs::read_to_string(folder.join(format!("corpus/{part}.{language}"))));
    let [first, second] = sides.map(Result::unwrap);
    let lines = first.lines().zip(second.lines());
    let rows: Vec<String> =
        lines.map(|(first, second)| format!("{first}\t{second}\t1\n")).collect();
    fs::write(folder.join(format!("corpus/{part}.aa1-aa2.tsv")), rows.concat()).unwrap();
}

#[test]
fn tokenizers_and_indices_of_columns_are_those_of_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let fine = |arguments: &[&str]| {
        let (status, out, err) = run(folder, arguments);
        assert_eq!(status, 0, "{arguments:?}: {err}");
        (out, err)
    };
    fine(&["synth", "corpus", "--families", "aa=aa1,aa2", "--train", "300", "--valid", "20"]);
    let aligned = "train = \"corpus/train.{src_lang}\" -> \"corpus/train.{tgt_lang}\"
        valid = \"corpus/valid.{src_lang}\" -> \"corpus/valid.{tgt_lang}\"";
    let pasted =
        "train = \"corpus/train.{sorted_pair}.tsv\"  valid = \"corpus/valid.{sorted_pair}.tsv\"
        columns = sorted_pair";
    paste(folder, "train");
    paste(folder, "valid");
    let mut indices = Vec::new();
    for (name, corpus) in [("aligned", aligned), ("pasted", pasted)] {
        let program = format!("{name}.mmc");
        fs::write(folder.join(&program), experiment(name, corpus)).unwrap();
        fine(&["tokenizer", "train", &program]);
        indices.push(CorpusIndex::from_yaml(&fine(&["index", &program]).0).unwrap());
    }
    for language in ["aa1", "aa2"] {
        let [one, other] = ["aligned", "pasted"]
            .map(|name| fs::read(folder.join(format!("{name}.{language}.json"))).unwrap());
        assert!(one == other, "{language}");
    }
    let lines = |index: &CorpusIndex| index.corpora.values().map(|facts| facts.lines).sum::<u64>();
    assert_eq!((lines(&indices[0]), lines(&indices[1])), (640, 320));
    let samples = |index: &CorpusIndex| {
        index.samples.values().flat_map(|of| of.values().copied()).collect::<Vec<_>>()
    };
    assert_eq!(samples(&indices[0]), samples(&indices[1]));
    assert_eq!(samples(&indices[0]).len(), 2);
}
