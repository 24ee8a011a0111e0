//! What of a configuration no part of the import has read: unknown keys, keys without influence, keys without an equal.

use std::collections::BTreeMap;

use miette::LabeledSpan;
use mmc_core::suggest;

use super::error::ImportError;
use super::kept;
use super::keys::{Section, Unread};
use super::reader::Reader;
use super::warning::ImportWarning;
use crate::yaml::Id;

/// Keys whose names are told in full.
const NAMED: usize = 3;

/// Reports them.
pub(super) fn report(reader: &mut Reader<'_>) {
    let opened = std::mem::take(&mut reader.opened);
    // The same key of many tasks is one.
    let mut unread: BTreeMap<(&str, String), (Id, Id, &Section, usize)> = BTreeMap::new();
    for (map, section) in opened {
        for (key, value) in reader.tree.entries(map) {
            if !reader.used.borrow().contains(key) {
                let name = reader.word(*key);
                let first = (*key, *value, section, 0);
                unread.entry((section.place, name)).or_insert(first).3 += 1;
            }
        }
    }
    for ((place, name), (key, value, section, count)) in unread {
        let span = reader.tree.span(key);
        let also = if count > 1 { format!(", {count} times") } else { String::new() };
        // What the block for MAMMOTH can hold is kept there, and needs no word.
        let is_known = section.read.contains(&name.as_str())
            || section
                .unread
                .iter()
                .any(|(known, fate)| *known == name && matches!(fate, Unread::Idle(_)));
        if is_known && kept::keep(place, &name, value, reader) {
            continue;
        }
        let fate = section.unread.iter().find(|(known, _)| *known == name).map(|(_, fate)| *fate);
        match fate {
            Some(Unread::Idle(reason)) => reader.idle(&name, span, &format!("{reason}{also}")),
            Some(Unread::NoEqual(_)) if !reader.tree.value(value).is_truthy() => {
                reader.idle(&name, span, &format!("it is off{also}"));
            }
            Some(Unread::NoEqual(help)) => {
                reader.no_equal(format!("`{place}{name}`"), span, help);
            }
            None if section.read.contains(&name.as_str()) => {
                reader.idle(&name, span, &format!("nothing here asks for it{also}"));
            }
            None => unknown(format!("{place}{name}"), &name, key, section, reader),
        }
    }
    let idle = std::mem::take(&mut reader.idle);
    if let Some((keys, pronoun, places)) = summed(idle) {
        reader.notes.push(Box::new(ImportWarning::LeftOut { keys, pronoun, places }));
    }
    let mended = std::mem::take(&mut reader.mended);
    if let Some((keys, pronoun, places)) = summed(mended) {
        reader.notes.push(Box::new(ImportWarning::Mended { keys, pronoun, places }));
    }
}

fn unknown(key: String, word: &str, id: Id, section: &Section, reader: &mut Reader<'_>) {
    let all = section.read.iter().copied().chain(section.unread.iter().map(|(known, _)| *known));
    let help = suggest::help(word, all, "delete it, or correct its name");
    let span = reader.tree.span(id);
    reader.faults.push(ImportError::UnknownKey { key, span, help });
}

/// "`a`, `b` and 5 more are", in order of place.
fn summed(
    mut keys: Vec<(String, LabeledSpan)>,
) -> Option<(String, &'static str, Vec<LabeledSpan>)> {
    keys.sort_by_key(|(_, place)| place.offset());
    let names: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
    let text = match names.as_slice() {
        [] => return None,
        [one] => format!("`{one}` is"),
        few if few.len() <= NAMED + 1 => format!("{} are", suggest::listed(few, "and")),
        many => {
            let (first, more) = many.split_at(NAMED);
            let first: Vec<String> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} and {} more are", first.join(", "), more.len())
        }
    };
    let pronoun = if names.len() == 1 { "it" } else { "them" };
    Some((text, pronoun, keys.into_iter().map(|(_, place)| place).collect()))
}

#[cfg(test)]
mod tests {
    use mmc_syntax::Span;

    use super::super::reader::label;
    use super::summed;

    #[test]
    fn few_keys_are_named_and_more_counted() {
        let of = |names: &[&str]| {
            let keys = names
                .iter()
                .zip(0..)
                .map(|(name, at)| ((*name).to_owned(), label(Span::new(at, at), "why")));
            summed(keys.collect()).map(|(text, pronoun, _)| (text, pronoun))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["a"]), Some(("`a` is".to_owned(), "it")));
        assert_eq!(of(&["a", "b"]), Some(("`a` and `b` are".to_owned(), "them")));
        let five = of(&["a", "b", "c", "d", "e"]);
        assert_eq!(five, Some(("`a`, `b`, `c` and 2 more are".to_owned(), "them")));
    }
}
