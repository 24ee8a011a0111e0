//! A task of a finished configuration.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::Span;

use super::keys;
use super::reader::Reader;
use super::transforms::Wanted;
use super::warning::ImportWarning;
use super::writer::quoted;
use crate::yaml::Id;

/// A task.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) transforms: Wanted,
    /// Training text, then validation text: source, target.
    pub(super) train: [String; 2],
    pub(super) valid: Option<[String; 2]>,
    pub(super) encoder: Vec<String>,
    pub(super) decoder: Vec<String>,
    /// (Is it in the encoder, adapter) -> id.
    pub(super) adapters: BTreeMap<(bool, String), String>,
    pub(super) weight: f64,
    pub(super) introduced: f64,
    /// Of how many copies of a task it is one; 1: of none.
    pub(super) copies: u64,
    /// Which of them.
    pub(super) offset: u64,
    pub(super) span: Span,
}

impl Task {
    pub(super) fn is_own(&self) -> bool {
        self.source == self.target
    }
}

/// Reads tasks, and says that their places are not kept.
pub(super) fn all(
    tasks: Id,
    sources: &BTreeSet<String>,
    targets: &BTreeSet<String>,
    reader: &mut Reader<'_>,
) -> Vec<Task> {
    let entries = reader.map("tasks", tasks);
    let mut found = Vec::new();
    let mut places: Vec<(String, Span)> = Vec::new();
    for (key, id) in entries {
        reader.open(id, &keys::TASK);
        if let Some(place) = reader.given(id, "node_gpu") {
            places.push((reader.word(place), reader.tree.span(place)));
        }
        found.extend(one(key, id, (sources, targets), reader));
    }
    if let Some((was, span)) = places.first().cloned() {
        let (tasks, was) = match places.len() {
            1 => ("1 task".to_owned(), format!("which was `{was}`")),
            count => (format!("{count} tasks"), format!("the first of which was `{was}`")),
        };
        reader.notes.push(Box::new(ImportWarning::Placement { tasks, was, span }));
    }
    found
}

fn one(
    key: Id,
    id: Id,
    languages: (&BTreeSet<String>, &BTreeSet<String>),
    reader: &mut Reader<'_>,
) -> Option<Task> {
    let span = reader.tree.span(key);
    let (source, target) = direction(id, span, languages, reader)?;
    let transforms = transforms(id, span, (&source, &target), reader);
    let path = |key: &'static str, reader: &mut Reader<'_>| {
        let id = reader.given(id, key)?;
        reader.scalar(key, id)
    };
    let train = [path("path_src", reader), path("path_tgt", reader)];
    let valid = [path("path_valid_src", reader), path("path_valid_tgt", reader)];
    let [Some(train_source), Some(train_target)] = train else {
        reader.missing("path_src", span, "a task has `path_src` and `path_tgt`");
        return None;
    };
    let valid = match valid {
        [Some(source), Some(target)] => Some([source, target]),
        [None, None] => None,
        _ => {
            reader.missing("path_valid_src", span, "validation text has both sides, or none");
            None
        }
    };
    let texts = [
        ("path_src", Some([&train_source, &train_target])),
        ("path_valid_src", valid.as_ref().map(|[source, target]| [source, target])),
    ];
    for (key, text) in texts {
        let place = reader.given(id, key).map_or(span, |id| reader.tree.span(id));
        if let Some([source, target]) = text {
            reader.expect_no_table(source, target, place);
        }
    }
    let (copies, offset) = stride(id, reader);
    let weight = reader.number_of(id, "weight").unwrap_or(1.0);
    let introduced = reader.number_of(id, "introduce_at_training_step").unwrap_or(0.0);
    Some(Task {
        transforms,
        train: [train_source, train_target],
        valid,
        encoder: reader.words(id, "enc_sharing_group"),
        decoder: reader.words(id, "dec_sharing_group"),
        adapters: adapters(id, reader),
        weight,
        introduced,
        copies,
        offset,
        span,
        source,
        target,
    })
}

/// The languages of `src_tgt`, of which either may have hyphens.
fn direction(
    id: Id,
    span: Span,
    (sources, targets): (&BTreeSet<String>, &BTreeSet<String>),
    reader: &mut Reader<'_>,
) -> Option<(String, String)> {
    let Some(value) = reader.given(id, "src_tgt") else {
        reader.missing("src_tgt", span, "for example `src_tgt: de-en`");
        return None;
    };
    let direction = reader.scalar("src_tgt", value)?;
    let halves = direction.match_indices('-').filter_map(|(at, _)| {
        let (source, target) = (direction.get(..at)?, direction.get(at + 1..)?);
        (sources.contains(source) && targets.contains(target))
            .then(|| (source.to_owned(), target.to_owned()))
    });
    let found = halves.into_iter().next();
    if found.is_none() {
        reader.wrong("src_tgt", "a language of `src_vocab`, `-`, one of `tgt_vocab`", value);
    }
    found
}

/// The task's transforms, else those at the top; and what its prefix says.
fn transforms(
    id: Id,
    span: Span,
    (source, target): (&str, &str),
    reader: &mut Reader<'_>,
) -> Wanted {
    let place = reader.tree.entry(id, "transforms").map_or(span, |(key, _)| reader.tree.span(key));
    let names = if reader.given(id, "transforms").is_some() {
        reader.words(id, "transforms")
    } else {
        reader.words(reader.tree.root(), "transforms")
    };
    let mut wanted = Wanted { names, prefix: Vec::new(), span: place };
    if !wanted.names.iter().any(|name| name == "prefix") {
        return wanted;
    }
    for (key, side) in [("src_prefix", ""), ("tgt_prefix", ", in = decoder")] {
        let Some(value) = reader.given(id, key) else {
            if key == "src_prefix" {
                reader.missing(key, span, "for the transform `prefix`: `src_prefix: <to_de>`");
            }
            continue;
        };
        let tokens = tokens(&reader.word(value), source, target);
        if tokens.is_empty() {
            continue;
        }
        wanted.prefix.push(format!("prefix({}{side})", tokens.join(", ")));
        if key == "tgt_prefix" && !reader.mended.iter().any(|(known, _)| known == key) {
            reader.mended(id, key, "MAMMOTH scores these tokens, and translates without them");
        }
    }
    wanted
}

/// The words of a prefix by what they tell.
fn tokens(prefix: &str, source: &str, target: &str) -> Vec<String> {
    let (from, to) = (format!("<from_{source}>"), format!("<to_{target}>"));
    let told = |word: &str| match word {
        word if word == from => "source".to_owned(),
        word if word == to => "target".to_owned(),
        other => quoted(other),
    };
    prefix.split_whitespace().map(told).collect()
}

/// Copies that share a text, and which of them this is.
fn stride(id: Id, reader: &mut Reader<'_>) -> (u64, u64) {
    let mut number = |key: &str| {
        let value = reader.given(id, key)?;
        let number = reader.tree.int(value).and_then(|number| u64::try_from(number).ok());
        if number.is_none() {
            reader.wrong(key, "a whole number", value);
        }
        number.map(|number| (number, reader.tree.span(value)))
    };
    match (number("stride"), number("offset")) {
        (None, None) => (1, 0),
        (Some((copies, _)), Some((offset, _))) if offset < copies => (copies, offset),
        (Some((_, span)), _) | (None, Some((_, span))) => {
            let help = "`stride` and `offset` go together, and `offset` is the smaller";
            reader.no_equal("such a part of a text".to_owned(), span, help);
            (1, 0)
        }
    }
}

/// `adapters: {encoder: [[name, id]], decoder: []}`.
fn adapters(id: Id, reader: &mut Reader<'_>) -> BTreeMap<(bool, String), String> {
    let mut found = BTreeMap::new();
    let Some(map) = reader.given(id, "adapters") else { return found };
    for (side, list) in reader.map("adapters", map) {
        let is_encoder = match reader.word(side).as_str() {
            "encoder" => true,
            "decoder" => false,
            _ => {
                reader.wrong("adapters", "`encoder` or `decoder`", side);
                continue;
            }
        };
        for pair in reader.items(list) {
            let items = reader.items(pair);
            let words: Vec<String> =
                items.into_iter().filter_map(|id| reader.scalar("adapters", id)).collect();
            if let [name, id] = words.as_slice() {
                found.insert((is_encoder, name.clone()), id.clone());
            } else {
                reader.wrong("adapters", "pairs `[name, id]`", pair);
            }
        }
    }
    found
}
