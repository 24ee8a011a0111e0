//! Languages, corpora and tasks; of a finished configuration, what its tasks agree on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mmc_syntax::Span;

use super::reader::Reader;
use super::writer::quoted;
use super::{keys, model, template};
use crate::yaml::Id;

/// A `tasks` block.
pub(super) struct Block<'b> {
    pub(super) name: &'b str,
    pub(super) pairs: String,
    pub(super) corpus: &'b str,
    /// MAMMOTH's names.
    pub(super) transforms: Vec<String>,
    /// What `prefix` becomes.
    pub(super) prefix: &'b str,
    pub(super) weight: Option<f64>,
    pub(super) span: Span,
}

/// `languages de, en`.
pub(super) fn languages(codes: &BTreeMap<String, Span>, reader: &mut Reader<'_>) {
    for (at, (code, span)) in codes.iter().enumerate() {
        let before = if at == 0 { "languages " } else { ", " };
        reader.out.put(&format!("{before}{code}"), *span);
    }
    let end = codes.values().next().copied().unwrap_or_default();
    reader.out.put("\n", end);
}

/// `groups { north = [da, sv] }`.
pub(super) fn groups(found: &BTreeMap<String, Vec<String>>, span: Span, reader: &mut Reader<'_>) {
    if found.is_empty() {
        return;
    }
    reader.out.put("groups {\n", span);
    for (group, members) in found {
        reader.out.field(group, &format!("[{}]", members.join(", ")), span);
    }
    reader.out.put("}\n", span);
}

/// The tokenizer of all tasks.
pub(super) fn tokenizer(reader: &mut Reader<'_>) {
    let Some(id) = reader.top("src_subword_model") else { return words(reader) };
    let span = reader.tree.span(id);
    let path = reader.word(id).replace("{src_lang}", "{lang}");
    reader.out.put("tokenizer pieces {\n", span);
    reader.out.field("kind", "sentencepiece", span);
    reader.out.field("model", &quoted(&path), span);
    let nbest = reader.top_number("src_subword_nbest").unwrap_or(1.0);
    let alpha = reader.top_number("src_subword_alpha").unwrap_or(0.0);
    if !(0.0..=1.0).contains(&nbest) {
        let nbest = if nbest < 0.0 { "all".to_owned() } else { nbest.to_string() };
        let from = reader.place("src_subword_nbest");
        reader.out.put(&format!("  sampling {{ nbest = {nbest}  alpha = {alpha} }}\n"), from);
    }
    reader.out.put("}\n", span);
}

/// Words of vocabulary files, as MAMMOTH has them without a subword model.
fn words(reader: &mut Reader<'_>) {
    let span = reader.place("src_vocab");
    let entries = reader.top("src_vocab").map(|id| reader.map("src_vocab", id)).unwrap_or_default();
    let paths: Vec<(String, String)> =
        entries.into_iter().map(|(code, path)| (reader.word(code), reader.word(path))).collect();
    let rows = paths.iter().map(|(code, path)| (code.as_str(), code.as_str(), path.as_str()));
    let Some(template) = template::recover(rows) else {
        let help = "name the files of all languages alike: `vocab/{src_lang}.vocab`";
        reader.no_equal("vocabularies without a common template".to_owned(), span, help);
        return;
    };
    let template = template.replace("{src_lang}", "{lang}");
    reader.out.put("tokenizer pieces {\n", span);
    reader.out.field("kind", "words", span);
    reader.out.field("vocab", &quoted(&template), span);
    reader.out.put("}\n", span);
}

/// Writes a `tasks` block.
pub(super) fn block(block: &Block<'_>, reader: &mut Reader<'_>) {
    let span = block.span;
    reader.out.put(&format!("tasks {} {{\n", block.name), span);
    reader.out.field("pairs", &block.pairs, span);
    reader.out.field("corpus", block.corpus, span);
    let mut transforms: Vec<String> = Vec::new();
    for name in &block.transforms {
        transforms.extend(transform(name, block, reader));
    }
    if !transforms.iter().any(|word| word == "pieces") {
        transforms.insert(0, "pieces".to_owned());
    }
    reader.out.field("transforms", &format!("[{}]", transforms.join(", ")), span);
    if let Some(weight) = block.weight {
        reader.out.field("weight", &weight.to_string(), span);
    }
    reader.out.put("}\n", span);
}

fn transform(name: &str, block: &Block<'_>, reader: &mut Reader<'_>) -> Option<String> {
    let mut number = |keys: &[&str], default: f64| {
        keys.iter().find_map(|key| reader.top_number(key)).unwrap_or(default)
    };
    Some(match name {
        "sentencepiece" => "pieces".to_owned(),
        "prefix" => block.prefix.to_owned(),
        "filtertoolong" => format!(
            "filter_too_long(src = {}, tgt = {})",
            number(&["src_seq_length", "src_seq_length_max"], 200.0),
            number(&["tgt_seq_length", "tgt_seq_length_max"], 200.0)
        ),
        "filterwordratio" => {
            format!("filter_word_ratio(most = {})", number(&["word_ratio_threshold"], 3.0))
        }
        "filterrepetitions" => format!(
            "filter_repetitions(most = {}, shortest = {}, longest = {})",
            number(&["rep_threshold"], 2.0),
            number(&["rep_min_len"], 3.0),
            number(&["rep_max_len"], 100.0)
        ),
        "filterterminalpunct" => {
            let least = number(&["punct_threshold"], -2.0);
            format!("filter_terminal_punctuation(least = {least})")
        }
        "filternonzeronumerals" => {
            format!("filter_numerals(least = {})", number(&["nonzero_threshold"], 0.5))
        }
        "switchout" => {
            format!("switchout(temperature = {})", number(&["switchout_temperature"], 1.0))
        }
        "tokendrop" => {
            format!("token_drop(temperature = {})", number(&["tokendrop_temperature"], 1.0))
        }
        "tokenmask" => {
            format!("token_mask(temperature = {})", number(&["tokenmask_temperature"], 1.0))
        }
        "denoising" => return Some(denoise(reader)),
        _ => {
            let help =
                "leave it out, or use `sentencepiece`, `prefix`, `denoising` and the filters";
            reader.no_equal(format!("the transform `{name}`"), block.span, help);
            return None;
        }
    })
}

fn denoise(reader: &mut Reader<'_>) -> String {
    let word = |reader: &Reader<'_>, key: &str, default: &str| {
        reader.top(key).map_or_else(|| default.to_owned(), |id| reader.word(id))
    };
    let objective = word(reader, "denoising_objective", "bart");
    let ratio = reader.top_number("mask_ratio").unwrap_or(0.0);
    let mask = match word(reader, "mask_length", "subword").as_str() {
        "span-poisson" => {
            format!("span_poisson({})", reader.top_number("poisson_lambda").unwrap_or(3.0))
        }
        other => other.to_owned(),
    };
    let replace = match reader.top_number("replace_length").unwrap_or(-1.0) {
        length if length < 0.0 => "each".to_owned(),
        length => length.to_string(),
    };
    let mut text =
        format!("denoise({objective}, ratio = {ratio}, mask = {mask}, replace = {replace}");
    for (key, name) in [
        ("random_ratio", "random"),
        ("insert_ratio", "insert"),
        ("rotate_ratio", "rotate"),
        ("permute_sent_ratio", "permute"),
    ] {
        if let Some(part) = reader.top_number(key).filter(|part| *part > 0.0) {
            let _ = write!(text, ", {name} = {part}");
        }
    }
    text.push(')');
    text
}

/// The machine; without GPUs, this one.
pub(super) fn cluster(nodes: f64, gpus: f64, span: Span, reader: &mut Reader<'_>) {
    let text = if gpus < 1.0 {
        "cluster = laptop(ranks = 1)\n".to_owned()
    } else {
        format!("cluster = puhti(nodes = {nodes}, gpus_per_node = {gpus})\n")
    };
    reader.out.put(&text, span);
}

/// A task of a finished configuration.
struct Task {
    source: String,
    target: String,
    transforms: Vec<String>,
    from_source: bool,
    paths: BTreeMap<&'static str, String>,
    encoder: Vec<String>,
    decoder: Vec<String>,
    weight: f64,
    introduced: f64,
    span: Span,
}

const PATHS: [&str; 4] = ["path_src", "path_tgt", "path_valid_src", "path_valid_tgt"];

fn task(key: Id, id: Id, reader: &mut Reader<'_>) -> Option<Task> {
    reader.check_keys(id, &[keys::TASK], "task: ");
    let span = reader.tree.span(key);
    let get = |reader: &Reader<'_>, key: &str| reader.tree.get(id, key).map(|id| reader.word(id));
    let list = |reader: &Reader<'_>, key: &str| -> Vec<String> {
        let items = reader.tree.get(id, key).map(|id| reader.items(id)).unwrap_or_default();
        items.into_iter().map(|id| reader.word(id)).collect()
    };
    let Some(direction) = get(reader, "src_tgt") else {
        reader.missing("src_tgt", span, "for example `src_tgt: de-en`");
        return None;
    };
    let sources = reader.top("src_vocab").map(|id| reader.map("src_vocab", id)).unwrap_or_default();
    let source = sources.into_iter().map(|(code, _)| reader.word(code)).find(|code| {
        direction.strip_prefix(code.as_str()).is_some_and(|rest| rest.starts_with('-'))
    });
    let source = source?;
    let target = direction.get(source.len() + 1..).unwrap_or_default().to_owned();
    let paths = PATHS.iter().filter_map(|key| Some((*key, get(reader, key)?))).collect();
    let value = |reader: &mut Reader<'_>, key: &str, default: f64| {
        reader
            .tree
            .get(id, key)
            .map_or(Some(default), |id| reader.number(key, id))
            .unwrap_or(default)
    };
    let weight = value(reader, "weight", 1.0);
    let introduced = value(reader, "introduce_at_training_step", 0.0);
    Some(Task {
        source,
        target,
        transforms: list(reader, "transforms"),
        from_source: get(reader, "src_prefix").is_some_and(|prefix| prefix.contains("<from_")),
        paths,
        encoder: list(reader, "enc_sharing_group"),
        decoder: list(reader, "dec_sharing_group"),
        weight,
        introduced,
        span,
    })
}

/// Writes everything that `tasks` is about.
pub(super) fn write(tasks: Id, reader: &mut Reader<'_>) {
    let span = reader.tree.span(tasks);
    let mut all = reader.codes("src_vocab");
    all.extend(reader.codes("tgt_vocab"));
    languages(&all, reader);
    let entries = reader.map("tasks", tasks);
    let found: Vec<Task> =
        entries.into_iter().filter_map(|(key, id)| task(key, id, reader)).collect();
    let groups_found = model::groups(&found.iter().map(sides).collect::<Vec<_>>());
    groups(&groups_found, span, reader);
    // Tasks that are treated alike are one block.
    let mut blocks: BTreeMap<(bool, Vec<String>, bool), Vec<&Task>> = BTreeMap::new();
    for task in &found {
        let key = (task.source == task.target, task.transforms.clone(), task.from_source);
        blocks.entry(key).or_default().push(task);
    }
    let blocks: Vec<Vec<&Task>> = blocks.into_values().flat_map(with_templates).collect();
    for (at, members) in blocks.iter().enumerate() {
        corpus(at, members, reader);
    }
    tokenizer(reader);
    let codes: Vec<String> = all.keys().cloned().collect();
    for (at, members) in blocks.iter().enumerate() {
        write_block(at, members, &codes, reader);
    }
    let rows: Vec<model::Sides<'_>> = found.iter().map(sides).collect();
    let (encoder, decoder) = model::patterns(&rows, span, reader);
    model::write(&(encoder, span), &(decoder, span), reader);
    curriculum(&found, span, reader);
    let number = |reader: &mut Reader<'_>, key: &str| reader.top_number(key);
    let nodes = number(reader, "n_nodes").unwrap_or(1.0).max(1.0);
    let world = number(reader, "world_size").unwrap_or(0.0);
    let from = reader.place("world_size");
    cluster(nodes, (world / nodes).floor(), from, reader);
}

fn sides(task: &Task) -> model::Sides<'_> {
    model::Sides {
        source: &task.source,
        target: &task.target,
        encoder: &task.encoder,
        decoder: &task.decoder,
        span: task.span,
    }
}

/// Tasks whose paths have common templates stay together; otherwise each is a block of its own.
fn with_templates(members: Vec<&Task>) -> Vec<Vec<&Task>> {
    let agree = PATHS[..2].iter().all(|key| common(key, &members).is_some());
    if agree { vec![members] } else { members.into_iter().map(|task| vec![task]).collect() }
}

fn common(key: &str, members: &[&Task]) -> Option<String> {
    let rows = members.iter().filter_map(|task| {
        Some((task.source.as_str(), task.target.as_str(), task.paths.get(key)?.as_str()))
    });
    template::recover(rows)
}

fn numbered(name: &str, at: usize) -> String {
    if at == 0 { name.to_owned() } else { format!("{name}{}", at + 1) }
}

fn corpus(at: usize, members: &[&Task], reader: &mut Reader<'_>) {
    let Some(first) = members.first() else { return };
    let span = first.span;
    reader.out.put(&format!("corpus {} {{\n", numbered("text", at)), span);
    let paths = |key: &str| common(key, members).map(|text| quoted(&text));
    match (paths("path_src"), paths("path_tgt")) {
        (Some(source), Some(target)) => {
            reader.out.field("train", &format!("{source} -> {target}"), span);
        }
        _ => reader.missing("path_src", span, "a task has `path_src` and `path_tgt`"),
    }
    if let (Some(source), Some(target)) = (paths("path_valid_src"), paths("path_valid_tgt")) {
        reader.out.field("valid", &format!("{source} -> {target}"), span);
    }
    reader.out.put("}\n", span);
}

fn write_block(at: usize, members: &[&Task], codes: &[String], reader: &mut Reader<'_>) {
    let Some(first) = members.first() else { return };
    let name = if first.source == first.target { "autoencoding" } else { "translation" };
    let corpus = numbered("text", at);
    let found = Block {
        name: &numbered(name, at),
        pairs: pairs(members, codes),
        corpus: &corpus,
        transforms: first.transforms.clone(),
        prefix: if first.from_source { "prefix(source, target)" } else { "prefix(target)" },
        weight: None,
        span: first.span,
    };
    block(&found, reader);
}

/// `all <-> all`, `each -> self`, or source by source.
fn pairs(members: &[&Task], codes: &[String]) -> String {
    let mut by_source: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for task in members {
        by_source.entry(&task.source).or_default().insert(&task.target);
    }
    let to_itself = members.iter().all(|task| task.source == task.target);
    if to_itself && by_source.len() == codes.len() {
        return "each -> self".to_owned();
    }
    let full = by_source.len() == codes.len()
        && by_source.values().all(|targets| targets.len() + 1 == codes.len());
    if full && !to_itself {
        return "all <-> all".to_owned();
    }
    let row = |(source, targets): (&&str, &BTreeSet<&str>)| {
        let targets: Vec<&str> = targets.iter().copied().collect();
        match targets.as_slice() {
            [one] => format!("{source} -> {one}"),
            more => format!("{source} -> [{}]", more.join(", ")),
        }
    };
    by_source.iter().map(row).collect::<Vec<_>>().join(" + ")
}

fn curriculum(tasks: &[Task], span: Span, reader: &mut Reader<'_>) {
    let equal = tasks.windows(2).all(|two| match two {
        [a, b] => a.weight.to_bits() == b.weight.to_bits(),
        _ => true,
    });
    reader.out.put("curriculum {\n", span);
    if equal {
        reader.out.field("weight", "uniform", span);
    } else {
        reader.out.put("  weight = table({\n", span);
        for task in tasks {
            let row = format!("    {} -> {} = {},\n", task.source, task.target, task.weight);
            reader.out.put(&row, task.span);
        }
        reader.out.put("  })\n", span);
    }
    let late: Vec<&Task> = tasks.iter().filter(|task| task.introduced > 0.0).collect();
    if !late.is_empty() {
        reader.out.put("  introduce = {\n", span);
        for task in late {
            let (source, target, step) = (&task.source, &task.target, task.introduced);
            reader.out.put(&format!("    {source} -> {target} = at({step} steps),\n"), task.span);
        }
        reader.out.put("  }\n", span);
    }
    reader.out.put("}\n", span);
}
