//! `config_config`: languages, groups, corpora, tasks, curriculum and cluster of a meta-configuration.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::Span;

use super::adapters::Attached;
use super::blocks::{self, Block};
use super::reader::Reader;
use super::template::of_one_language;
use super::transforms::{self, Wanted};
use super::warning::ImportWarning;
use super::writer::quoted;
use super::{curriculum, keys, model, pairs, sharing};
use crate::yaml::{Id, Value};

/// Text of tasks from a language to itself.
struct Own {
    /// The corpus that they take.
    corpus: &'static str,
    /// Its block, unless it is that of the pairs.
    block: Option<String>,
    /// Fields of the block of the pairs.
    fields: Vec<(&'static str, String)>,
    span: Span,
}

/// Writes everything that `config_config` is about.
pub(super) fn write(reader: &mut Reader<'_>) {
    let Some(config) = reader.top("config_config") else { return };
    reader.open(config, &keys::META);
    let (sources, targets) = (reader.codes("src_vocab"), reader.codes("tgt_vocab"));
    let mut all = sources.clone();
    for (code, span) in &targets {
        all.entry(code.clone()).or_insert(*span);
    }
    blocks::languages(&all, reader);
    let codes: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    groups(config, &codes, reader);
    let own = reader.is_on(config, "autoencoder").then(|| own(config, reader)).flatten();
    corpora(config, own.as_ref(), reader);
    let kinds = wanted(config, own.is_some(), reader);
    transforms::tokenizer(&kinds.iter().collect::<Vec<_>>(), reader);
    tasks(config, (&sources, &targets), own.as_ref(), &kinds, reader);
    let encoder = (
        reader.words(config, "enc_sharing_groups"),
        reader.key_place(config, "enc_sharing_groups"),
    );
    let decoder = (
        reader.words(config, "dec_sharing_groups"),
        reader.key_place(config, "dec_sharing_groups"),
    );
    model::write(&encoder, &decoder, &Attached::ByPattern, reader);
    curriculum::of_options(config, reader);
    machine(config, reader);
}

/// Transforms of translation, then of tasks from a language to itself.
fn wanted(config: Id, has_own: bool, reader: &mut Reader<'_>) -> Vec<Wanted> {
    let keys = if has_own { &["transforms", "ae_transforms"][..] } else { &["transforms"] };
    let names: Vec<Vec<String>> = keys.iter().map(|key| reader.words(config, key)).collect();
    let prefixed = |names: &Vec<String>| names.iter().any(|name| name == "prefix");
    let from_source = names.iter().any(prefixed) && reader.is_on(config, "use_src_lang_token");
    let prefix = if from_source { "prefix(source, target)" } else { "prefix(target)" };
    let prefix = vec![prefix.to_owned()];
    let of = |(key, names): (&&str, Vec<String>)| Wanted {
        names,
        prefix: prefix.clone(),
        span: reader.key_place(config, key),
    };
    keys.iter().zip(names).map(of).collect()
}

/// Translation, and the tasks from a language to itself.
fn tasks(
    config: Id,
    (sources, targets): (&BTreeMap<String, Span>, &BTreeMap<String, Span>),
    own: Option<&Own>,
    kinds: &[Wanted],
    reader: &mut Reader<'_>,
) {
    let codes: BTreeSet<&str> = sources.keys().chain(targets.keys()).map(String::as_str).collect();
    let every = |source: &'_ String| {
        let source = source.clone();
        targets.keys().map(move |target| (source.clone(), target.clone()))
    };
    let directions: Vec<(String, String)> = sources.keys().flat_map(every).collect();
    let set = |is_own: bool| {
        let fitting = directions.iter().filter(|(source, target)| (source == target) == is_own);
        let pairs: BTreeSet<(&str, &str)> =
            fitting.map(|(source, target)| (source.as_str(), target.as_str())).collect();
        (!pairs.is_empty()).then(|| pairs::expression(&pairs, &codes))
    };
    if let (Some(transforms), Some(pairs)) = (kinds.first(), set(false)) {
        let block = Block { name: "translation", pairs, corpus: "text", transforms, weight: None };
        blocks::write(&block, reader);
    }
    if let (Some(own), Some(transforms), Some(pairs)) = (own, kinds.get(1), set(true)) {
        let weight = reader.number_of(config, "ae_weight");
        if weight.is_some() {
            reader.mended(config, "ae_weight", "MAMMOTH's flag has a default, which hides it");
        }
        let corpus = own.corpus;
        let block = Block { name: "autoencoding", pairs, corpus, transforms, weight };
        blocks::write(&block, reader);
    }
}

fn groups(config: Id, codes: &BTreeSet<&str>, reader: &mut Reader<'_>) {
    if let Some(path) = reader.given(config, "distance_matrix") {
        let span = reader.tree.span(path);
        let count = reader.number_of(config, "n_groups");
        let threshold = reader.number_of(config, "cutoff_threshold");
        let cut = match (count, threshold) {
            (Some(count), None) => format!("count = {count}"),
            (None, Some(threshold)) => format!("cutoff = {threshold}"),
            (None, None) | (Some(_), Some(_)) => {
                let help = "give the number of groups, or `cutoff_threshold` with `n_groups: null`";
                reader.missing("n_groups", span, help);
                return;
            }
        };
        let Some(path) = reader.scalar("distance_matrix", path) else { return };
        let path = quoted(&path);
        let text = format!("groups = cluster(distances = {path}, linkage = average, {cut})\n");
        reader.out.put(&text, span);
        return;
    }
    let Some(id) = reader.given(config, "groups") else { return };
    let mut group_of: BTreeMap<String, String> = BTreeMap::new();
    for (language, group) in reader.map("groups", id) {
        let (word, place) = (reader.code(language), reader.tree.span(language));
        let Some(group) = reader.scalar("groups", group) else { continue };
        if codes.contains(word.as_str()) {
            group_of.insert(word, group);
        } else {
            reader.idle(&word, place, "no vocabulary names this language");
        }
    }
    let span = reader.key_place(config, "groups");
    blocks::groups("", sharing::grouped(&group_of, codes), span, reader);
}

/// A path template with its place.
fn path(config: Id, key: &str, reader: &mut Reader<'_>) -> Option<(String, Span)> {
    let id = reader.given(config, key)?;
    Some((reader.scalar(key, id)?, reader.tree.span(id)))
}

/// The corpora: templates have the same variables in both languages.
fn corpora(config: Id, own: Option<&Own>, reader: &mut Reader<'_>) {
    let whole = reader.key_place(config, "src_path");
    reader.out.put("corpus text {\n", whole);
    match (path(config, "src_path", reader), path(config, "tgt_path", reader)) {
        (Some((source, span)), Some((target, _))) => {
            reader.expect_no_table(&source, &target, span);
            let pair = format!("{} -> {}", quoted(&source), quoted(&target));
            reader.out.field("train", &pair, span);
        }
        (None, _) => {
            reader.missing("src_path", whole, "for example `src_path: train.{src_lang}.gz`");
        }
        (_, None) => {
            reader.missing("tgt_path", whole, "for example `tgt_path: train.{tgt_lang}.gz`");
        }
    }
    match (path(config, "valid_src_path", reader), path(config, "valid_tgt_path", reader)) {
        (Some((source, span)), Some((target, _))) => {
            reader.expect_no_table(&source, &target, span);
            let pair = format!("{} -> {}", quoted(&source), quoted(&target));
            reader.out.field("valid", &pair, span);
        }
        (None, None) => {}
        (Some((_, span)), None) | (None, Some((_, span))) => {
            reader.missing("valid_src_path", span, "validation text has both sides, or none");
        }
    }
    for (field, value) in own.iter().flat_map(|own| &own.fields) {
        reader.out.field(field, value, own.map_or(whole, |own| own.span));
    }
    reader.out.put("}\n", whole);
    if let Some((block, span)) = own.and_then(|own| Some((own.block.as_ref()?, own.span))) {
        reader.out.put(block, span);
    }
}

/// The text of tasks from a language to itself; none: there can be no such task.
fn own(config: Id, reader: &mut Reader<'_>) -> Option<Own> {
    let validates = reader.is_on(config, "autoencoder_validation");
    let given = reader.given(config, "ae_path").filter(|id| match reader.tree.value(*id) {
        Value::List(items) => !items.is_empty(),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Time(_)
        | Value::Text(_)
        | Value::Map(_) => true,
    });
    let Some(id) = given else { return Some(own_of_pairs(config, validates, reader)) };
    let span = reader.tree.span(id);
    let items = reader.items(id);
    let mut mono = Vec::new();
    for item in items {
        let template = reader.scalar("ae_path", item)?;
        reader.expect_no_table(&template, &template, span);
        if !template.is_empty() {
            mono.push(quoted(&of_one_language(&template)));
        }
    }
    if mono.is_empty() {
        reader.idle("ae_path", span, "there is no file without a name, so no such task either");
        return None;
    }
    if mono.len() > 1 {
        reader.notes.push(Box::new(ImportWarning::Nearly {
            what: "a list of `ae_path`".to_owned(),
            instead: "all of its files that are there".to_owned(),
            span,
            help: "MAMMOTH takes the last of them alone: where several are there, leave the others out".to_owned(),
        }));
    }
    let mut fields = vec![("mono", format!("[{}]", mono.join(", ")))];
    if validates {
        let source = path(config, "valid_src_path", reader).map(|(path, _)| of_one_language(&path));
        let target = path(config, "valid_tgt_path", reader).map(|(path, _)| of_one_language(&path));
        if source == target {
            if let Some(template) = source {
                let span = reader.key_place(config, "valid_src_path");
                reader.expect_no_table(&template, &template, span);
                fields.push(("mono_valid", quoted(&template)));
            }
        } else {
            let span = reader.key_place(config, "autoencoder_validation");
            let what = "validation text of which a language has two".to_owned();
            let help =
                "`autoencoder_validation: false`, or the same file on both sides of a language";
            reader.no_equal(what, span, help);
        }
    }
    Some(Own { corpus: "text.mono", block: None, fields, span })
}

/// Without `ae_path`, the files of pairs.
fn own_of_pairs(config: Id, validates: bool, reader: &mut Reader<'_>) -> Own {
    let span = reader.key_place(config, "autoencoder");
    let has_valid = reader.given(config, "valid_src_path").is_some();
    if validates || !has_valid {
        return Own { corpus: "text", block: None, fields: Vec::new(), span };
    }
    let mut train = |key: &str| path(config, key, reader).map(|(path, _)| quoted(&path));
    let block = match (train("src_path"), train("tgt_path")) {
        (Some(source), Some(target)) => {
            Some(format!("corpus text2 {{\n  train = {source} -> {target}\n}}\n"))
        }
        _ => None,
    };
    Own { corpus: "text2", block, fields: Vec::new(), span }
}

/// Nodes and GPUs.
fn machine(config: Id, reader: &mut Reader<'_>) {
    let span = reader.key_place(config, "n_gpus_per_node");
    let gpus = reader.number_of(config, "n_gpus_per_node");
    let nodes = reader.number_of(config, "n_nodes");
    if nodes.is_none() && gpus.is_some_and(|gpus| gpus >= 1.0) {
        reader.notes.push(Box::new(ImportWarning::Assumed {
            what: "`n_nodes`".to_owned(),
            instead: "one node".to_owned(),
            span,
            help: "MAMMOTH counts tasks and slots; here any number of tasks fits on any machine: `n_nodes: 2`".to_owned(),
        }));
    }
    blocks::cluster(nodes.unwrap_or(1.0), gpus.unwrap_or(1.0), span, reader);
}
