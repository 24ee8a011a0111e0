//! `config_config`: languages, groups, corpus, tasks, curriculum and cluster of a meta-configuration.

use std::collections::BTreeMap;

use mmc_syntax::Span;

use super::reader::{Reader, named};
use super::tasks::{self, Block};
use super::writer::quoted;
use super::{keys, model};
use crate::yaml::{Id, Value};

/// Writes everything that `config_config` is about.
pub(super) fn write(config: Id, reader: &mut Reader<'_>) {
    reader.check_keys(config, &[keys::META], "config_config: ");
    let (sources, targets) = (reader.codes("src_vocab"), reader.codes("tgt_vocab"));
    let mut all = sources.clone();
    all.extend(targets.clone());
    tasks::languages(&all, reader);
    groups(config, reader);
    corpus(config, reader);
    tasks::tokenizer(reader);
    blocks(config, &sources, &targets, reader);
    let patterns =
        |reader: &Reader<'_>, key: &str| (names(config, key, reader), place(config, key, reader));
    let encoder = patterns(reader, "enc_sharing_groups");
    let decoder = patterns(reader, "dec_sharing_groups");
    model::write(&encoder, &decoder, reader);
    curriculum(config, reader);
    let count = |reader: &mut Reader<'_>, key: &str| {
        let id = reader.tree.get(config, key);
        let id = id.filter(|id| *reader.tree.value(*id) != Value::Null)?;
        reader.number(key, id)
    };
    let (nodes, gpus) = (count(reader, "n_nodes"), count(reader, "n_gpus_per_node"));
    let from = place(config, "n_gpus_per_node", reader);
    tasks::cluster(nodes.unwrap_or(1.0), gpus.unwrap_or(1.0), from, reader);
}

/// The place of a key, or of all.
fn place(config: Id, key: &str, reader: &Reader<'_>) -> Span {
    let entry = reader.tree.entry(config, key);
    entry.map_or(reader.tree.span(config), |(key, _)| reader.tree.span(key))
}

/// The words of a list.
fn names(config: Id, key: &str, reader: &Reader<'_>) -> Vec<String> {
    let items = reader.tree.get(config, key).map(|id| reader.items(id)).unwrap_or_default();
    items.into_iter().map(|id| reader.word(id)).collect()
}

/// Translation, and the tasks from a language to itself.
fn blocks(
    config: Id,
    sources: &BTreeMap<String, Span>,
    targets: &BTreeMap<String, Span>,
    reader: &mut Reader<'_>,
) {
    let pairs = if sources.keys().eq(targets.keys()) {
        "all <-> all".to_owned()
    } else {
        let list =
            |codes: &BTreeMap<String, Span>| codes.keys().cloned().collect::<Vec<_>>().join(", ");
        format!("[{}] -> [{}]", list(sources), list(targets))
    };
    let from_source = reader.is_on(config, "use_src_lang_token");
    let prefix = if from_source { "prefix(source, target)" } else { "prefix(target)" };
    let has_self = reader.is_on(config, "autoencoder");
    let block = Block {
        name: "translation",
        pairs,
        corpus: "text",
        transforms: names(config, "transforms", reader),
        prefix,
        weight: None,
        span: place(config, "transforms", reader),
    };
    if !(has_self && block.transforms.is_empty()) {
        tasks::block(&block, reader);
    }
    if has_self {
        let weight = reader.tree.get(config, "ae_weight");
        let weight = weight.and_then(|id| reader.number("ae_weight", id));
        let path = reader.tree.get(config, "ae_path");
        let has_text = path.is_some_and(|id| *reader.tree.value(id) != Value::Null);
        let block = Block {
            name: "autoencoding",
            pairs: "each -> self".to_owned(),
            corpus: if has_text { "text.mono" } else { "text" },
            transforms: names(config, "ae_transforms", reader),
            prefix,
            weight,
            span: place(config, "ae_transforms", reader),
        };
        tasks::block(&block, reader);
    }
}

fn groups(config: Id, reader: &mut Reader<'_>) {
    let matrix = reader.tree.get(config, "distance_matrix");
    if let Some(path) = matrix.filter(|id| *reader.tree.value(*id) != Value::Null) {
        let span = reader.tree.span(path);
        let count = reader.tree.get(config, "n_groups").and_then(|id| reader.tree.int(id));
        let threshold = reader.tree.get(config, "cutoff_threshold");
        let threshold = threshold.and_then(|id| reader.number("cutoff_threshold", id));
        let cut = count.map_or_else(
            || format!("cutoff = {}", threshold.unwrap_or(0.5)),
            |count| format!("count = {count}"),
        );
        let path = quoted(&reader.word(path));
        let text = format!("groups = cluster(distances = {path}, linkage = average, {cut})\n");
        reader.out.put(&text, span);
        return;
    }
    let Some(id) = reader.tree.get(config, "groups") else { return };
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (language, group) in reader.map("groups", id) {
        found.entry(named(&reader.word(group))).or_default().push(reader.word(language));
    }
    tasks::groups(&found, reader.tree.span(id), reader);
}

/// The templates, which have the same variables in both languages.
fn corpus(config: Id, reader: &mut Reader<'_>) {
    let whole = reader.tree.span(config);
    let text = |reader: &Reader<'_>, key: &str| {
        let id = reader.tree.get(config, key)?;
        Some((quoted(reader.tree.text(id)?), reader.tree.span(id)))
    };
    reader.out.put("corpus text {\n", whole);
    match (text(reader, "src_path"), text(reader, "tgt_path")) {
        (Some((source, span)), Some((target, _))) => {
            reader.out.field("train", &format!("{source} -> {target}"), span);
        }
        (None, _) => {
            reader.missing("src_path", whole, "for example `src_path: train.{src_lang}.gz`");
        }
        (_, None) => {
            reader.missing("tgt_path", whole, "for example `tgt_path: train.{tgt_lang}.gz`");
        }
    }
    if let (Some((source, span)), Some((target, _))) =
        (text(reader, "valid_src_path"), text(reader, "valid_tgt_path"))
    {
        reader.out.field("valid", &format!("{source} -> {target}"), span);
    }
    let mono =
        reader.tree.get(config, "ae_path").map(|id| (reader.items(id), reader.tree.span(id)));
    if let Some((items, span)) = mono.filter(|(items, _)| !items.is_empty()) {
        let one = |id: &Id| {
            let template = reader.word(*id);
            let template = template.replace("{src_lang}", "{lang}").replace("{tgt_lang}", "{lang}");
            quoted(&template)
        };
        let list: Vec<String> = items.iter().map(one).collect();
        reader.out.field("mono", &format!("[{}]", list.join(", ")), span);
    }
    reader.out.put("}\n", whole);
}

fn curriculum(config: Id, reader: &mut Reader<'_>) {
    let span = reader.tree.span(config);
    let temperature = reader.tree.get(config, "temperature");
    let temperature = temperature.and_then(|id| reader.number("temperature", id)).unwrap_or(1.0);
    let introduces = reader.is_on(config, "use_introduce_at_training_step");
    let weight = if reader.is_on(config, "use_weight") || introduces {
        format!("temperature({temperature})")
    } else {
        "uniform".to_owned()
    };
    reader.out.put("curriculum {\n", span);
    reader.out.field("weight", &weight, span);
    if introduces {
        reader.out.field("introduce", "by_weight", span);
    }
    let split = reader.tree.get(config, "split_large_language_pairs");
    if let Some(id) = split.filter(|id| reader.tree.value(*id).is_truthy())
        && let Some(share) = reader.number("split_large_language_pairs", id)
    {
        let span = reader.tree.span(id);
        reader.out.field("split", &format!("above({share})"), span);
    }
    reader.out.put("}\n", span);
}
