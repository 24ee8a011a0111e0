//! The `mammoth` block: what only MAMMOTH reads, kept for `mmc emit mammoth`.

use std::collections::BTreeMap;

use mmc_syntax::Span;

use super::reader::Reader;
use super::writer::quoted;
use crate::emit::kept;
use crate::yaml::{Id, Value};

/// Parts of the block beside plain keys.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Groups by the names that they have here.
    pub(super) groups: BTreeMap<String, String>,
    /// Templates or files of vocabularies, as they are written.
    pub(super) vocabularies: Vec<(&'static str, String)>,
    /// Keys and values at the top, with their places.
    top: Vec<(String, String, Span)>,
    /// The same of `x_transformers_opts`.
    network: Vec<(String, String, Span)>,
}

/// Keeps a key without influence; false: the block can't hold it.
pub(super) fn keep(place: &str, key: &str, value: Id, reader: &mut Reader<'_>) -> bool {
    let is_network = place.starts_with("x_transformers_opts");
    if !(place.is_empty() && kept::is_free(key) || is_network && kept::is_free_of_network(key)) {
        return false;
    }
    let Some(text) = written(value, reader) else { return false };
    let span = reader.tree.span(value);
    let list = if is_network { &mut reader.kept.network } else { &mut reader.kept.top };
    list.push((key.to_owned(), text, span));
    true
}

/// A value as an experiment has it.
fn written(id: Id, reader: &Reader<'_>) -> Option<String> {
    Some(match reader.tree.value(id) {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) if value.is_finite() => format!("{value:?}"),
        Value::Text(text) => quoted(text),
        Value::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(|id| written(*id, reader)).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Null | Value::Float(_) | Value::Time(_) | Value::Map(_) => return None,
    })
}

/// Writes the block.
pub(super) fn write(reader: &mut Reader<'_>) {
    let Kept { groups, vocabularies, top, network } = std::mem::take(&mut reader.kept);
    if groups.is_empty() && vocabularies.is_empty() && top.is_empty() && network.is_empty() {
        return;
    }
    let span = reader.start();
    reader.out.put("mammoth {\n", span);
    if !groups.is_empty() {
        let names = groups.iter().map(|(name, other)| format!("{name} = {}", quoted(other)));
        let names = names.collect::<Vec<_>>().join("  ");
        reader.out.put(&format!("  groups {{ {names} }}\n"), span);
    }
    for (key, value) in vocabularies {
        let from = reader.place(key);
        reader.out.field(key, &value, from);
    }
    for (key, value, span) in top {
        reader.out.field(&key, &value, span);
    }
    if let Some((_, _, first)) = network.first() {
        let fields = network.iter().map(|(key, value, _)| format!("{key} = {value}"));
        let fields = fields.collect::<Vec<_>>().join("  ");
        reader.out.put(&format!("  x_transformers_opts {{ {fields} }}\n"), *first);
    }
    reader.out.put("}\n", span);
}
