//! `adapter` blocks: what is declared at the top, and which tasks have it.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::Span;

use super::keys;
use super::reader::{Reader, named};
use super::sharing::{Column, Groupings, pattern};
use super::task::Task;
use crate::yaml::Id;

/// Which tasks have an adapter.
#[derive(Debug)]
pub(super) enum Attached {
    /// Its `ids` say it, which are a pattern.
    ByPattern,
    /// (Is it in the encoder, name) -> the pattern that gives the ids of the tasks.
    Found(BTreeMap<(bool, String), Users>),
}

/// The tasks that have an adapter.
#[derive(Debug, Clone)]
pub(super) struct Users {
    /// The pattern that gives their ids, if one does.
    pattern: Option<String>,
    /// Their ids.
    ids: BTreeSet<String>,
}

/// The patterns of the adapters of tasks; reports those of some tasks alone.
pub(super) fn attached(
    tasks: &[Task],
    groupings: &mut Groupings,
    reader: &mut Reader<'_>,
) -> BTreeMap<(bool, String), Users> {
    let mut found = BTreeMap::new();
    for key in tasks.iter().flat_map(|task| task.adapters.keys()) {
        if found.contains_key(key) {
            continue;
        }
        let rows = tasks.iter().filter_map(|task| {
            Some((task.source.as_str(), task.target.as_str(), task.adapters.get(key)?.as_str()))
        });
        let column = Column { rows: rows.collect() };
        let without = tasks.iter().find(|task| !task.adapters.contains_key(key));
        let pattern = if let Some(task) = without {
            let what = format!("the adapter `{}` of some tasks alone", key.1);
            reader.no_equal(what, task.span, "give it to all tasks, or to none");
            None
        } else {
            let pattern = pattern(&column, groupings);
            if pattern.is_none() {
                let span = tasks.first().map(|task| task.span).unwrap_or_default();
                let what = format!("the sharing of the adapter `{}`", key.1);
                reader.no_equal(what, span, "its ids follow from no pattern");
            }
            pattern
        };
        let ids = column.rows.iter().map(|(_, _, id)| (*id).to_owned()).collect();
        found.insert(key.clone(), Users { pattern, ids });
    }
    found
}

/// Writes all adapters.
pub(super) fn write(attached: &Attached, reader: &mut Reader<'_>) {
    let Some(all) = reader.top("adapters") else { return };
    for (side, adapters) in reader.map("adapters", all) {
        let is_encoder = match reader.word(side).as_str() {
            "encoder" => true,
            "decoder" => false,
            _ => {
                reader.wrong("adapters", "`encoder` or `decoder`", side);
                continue;
            }
        };
        for (name, adapter) in reader.map("adapters", adapters) {
            one(is_encoder, name, adapter, attached, reader);
        }
    }
}

fn one(is_encoder: bool, name: Id, adapter: Id, attached: &Attached, reader: &mut Reader<'_>) {
    let (span, word) = (reader.tree.span(name), reader.word(name));
    let users = match attached {
        Attached::ByPattern => by_pattern(adapter, reader),
        Attached::Found(found) => found.get(&(is_encoder, word.clone())).cloned(),
    };
    let Some(Users { pattern, ids }) = users else {
        reader.idle(&word, span, "no task has this adapter");
        return;
    };
    reader.open(adapter, &keys::ADAPTER);
    check_ids(adapter, span, &ids, reader);
    if let (Some(sharing), Some(text)) = (pattern, described(is_encoder, adapter, span, reader)) {
        let name = named(&word);
        let text = format!("  adapter {name} {{ {text}  sharing = {sharing} }}\n");
        reader.out.put(&text, span);
    }
}

/// `ids` that are a pattern; no task has any others.
fn by_pattern(adapter: Id, reader: &Reader<'_>) -> Option<Users> {
    let ids = reader.tree.get(adapter, "ids")?;
    let pattern = reader.tree.text(ids)?;
    matches!(pattern, "LANGUAGE" | "GROUP" | "FULL").then(|| Users {
        pattern: Some(pattern.to_owned()),
        ids: BTreeSet::from([pattern.to_owned()]),
    })
}

/// The ids of an adapter are those of its tasks, and perhaps others.
fn check_ids(adapter: Id, span: Span, used: &BTreeSet<String>, reader: &mut Reader<'_>) {
    let listed = reader.words(adapter, "ids");
    if let Some(id) = used.iter().find(|id| !listed.contains(id)) {
        let place =
            reader.tree.entry(adapter, "ids").map_or(span, |(key, _)| reader.tree.span(key));
        reader.no_equal(format!("an adapter `{id}` that `ids` does not list"), place, "add it");
    }
    let place = reader.key_place(adapter, "ids");
    for id in listed.iter().filter(|id| !used.contains(*id)) {
        reader.idle(id, place, "an id that no task has");
    }
}

/// Where an adapter is, and what.
fn described(is_encoder: bool, adapter: Id, span: Span, reader: &mut Reader<'_>) -> Option<String> {
    let side = if is_encoder { "encoder" } else { "decoder" };
    let stack = reader.number_of(adapter, "layer_stack_index").unwrap_or(0.0);
    let hidden = reader.number_of(adapter, "hidden_dim").unwrap_or(8.0);
    let kinds = [("lora", "lora(rank = "), ("ff", "ff(hidden = ")];
    let kind = reader.choice(adapter, "adapter_type", "`lora` or `ff`", &kinds);
    let Some(kind) = kind else {
        if reader.tree.get(adapter, "adapter_type").is_none() {
            reader.missing("adapter_type", span, "MAMMOTH has `lora` and `ff`");
        }
        return None;
    };
    let mut layers = Vec::new();
    let items = reader.given(adapter, "layers").map(|id| reader.items(id)).unwrap_or_default();
    for id in items {
        layers.push(reader.number("layers", id)?.to_string());
    }
    let layers = if layers.is_empty() {
        String::new()
    } else {
        format!("  layers = [{}]", layers.join(", "))
    };
    Some(format!("in = {side}[{stack}]{layers}  kind = {kind}{hidden})"))
}
