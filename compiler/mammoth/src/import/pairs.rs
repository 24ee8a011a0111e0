//! Directions as a person would write them: `all <-> all`, `en <-> all`, `[de, en] -> fi`, or source by source.

use std::collections::{BTreeMap, BTreeSet};

/// An expression for directions, none of which occurs twice; `codes` are all languages.
pub(super) fn expression(pairs: &BTreeSet<(&str, &str)>, codes: &BTreeSet<&str>) -> String {
    let own: BTreeSet<&str> = pairs
        .iter()
        .filter(|(source, target)| source == target)
        .map(|(source, _)| *source)
        .collect();
    let others: BTreeSet<(&str, &str)> =
        pairs.iter().filter(|(source, target)| source != target).copied().collect();
    let mut parts = Vec::new();
    if !others.is_empty() {
        parts.push(between(&others, codes));
    }
    if own == *codes {
        parts.push("each -> self".to_owned());
    } else if !own.is_empty() {
        parts.push(format!("{} -> self", set(&own, codes)));
    }
    parts.join(" + ")
}

/// Directions between different languages.
fn between(pairs: &BTreeSet<(&str, &str)>, codes: &BTreeSet<&str>) -> String {
    let count = codes.len();
    if count > 1 && pairs.len() == count * (count - 1) {
        return "all <-> all".to_owned();
    }
    star(pairs, codes).unwrap_or_else(|| rows(pairs, codes))
}

/// One language with others, both ways.
fn star(pairs: &BTreeSet<(&str, &str)>, codes: &BTreeSet<&str>) -> Option<String> {
    let (first, second) = pairs.first()?;
    [*first, *second].into_iter().find_map(|hub| {
        let ends: BTreeSet<&str> =
            pairs.iter().filter(|(source, _)| *source == hub).map(|(_, target)| *target).collect();
        let is_star = pairs.len() == 2 * ends.len()
            && ends.iter().all(|end| pairs.contains(&(hub, *end)) && pairs.contains(&(*end, hub)));
        is_star.then(|| format!("{hub} <-> {}", without(&ends, hub, codes)))
    })
}

/// Sources with the same targets together.
fn rows(pairs: &BTreeSet<(&str, &str)>, codes: &BTreeSet<&str>) -> String {
    let mut targets_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (source, target) in pairs {
        targets_of.entry(source).or_default().insert(target);
    }
    // A set doesn't pair a language with itself, so that a source may stand among its own targets.
    let mut whole: BTreeMap<BTreeSet<&str>, BTreeSet<&str>> = BTreeMap::new();
    let mut plain: BTreeMap<BTreeSet<&str>, BTreeSet<&str>> = BTreeMap::new();
    for (source, targets) in &targets_of {
        let mut with_own = targets.clone();
        with_own.insert(source);
        whole.entry(with_own).or_default().insert(source);
        plain.entry(targets.clone()).or_default().insert(source);
    }
    let mut written = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for (source, targets) in &targets_of {
        if done.contains(source) {
            continue;
        }
        let mut with_own = targets.clone();
        with_own.insert(source);
        let alike = whole.get(&with_own).filter(|sources| sources.len() > 1);
        let (sources, targets) = match alike {
            Some(sources) => (sources, &with_own),
            None => (plain.get(targets).unwrap_or(&done), targets),
        };
        let sources: BTreeSet<&str> = sources.difference(&done).copied().collect();
        written.push(match sources.len() {
            1 => format!("{source} -> {}", without(targets, source, codes)),
            2 if sources == *targets => sources.iter().copied().collect::<Vec<_>>().join(" <-> "),
            _ => format!("{} -> {}", set(&sources, codes), set(targets, codes)),
        });
        done.extend(sources);
    }
    written.join(" + ")
}

/// A set of languages.
fn set(languages: &BTreeSet<&str>, codes: &BTreeSet<&str>) -> String {
    let words: Vec<&str> = languages.iter().copied().collect();
    match words.as_slice() {
        _ if languages == codes && languages.len() > 1 => "all".to_owned(),
        [one] => (*one).to_owned(),
        many => format!("[{}]", many.join(", ")),
    }
}

/// The same on the other side of a language, which is not paired with itself.
fn without(languages: &BTreeSet<&str>, hub: &str, codes: &BTreeSet<&str>) -> String {
    if languages.len() > 1 && languages.len() + 1 == codes.len() && !languages.contains(hub) {
        return "all".to_owned();
    }
    set(languages, codes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::expression;

    #[test]
    fn sets_of_directions_have_short_expressions() {
        let codes: BTreeSet<&str> = ["de", "en", "fi", "sv"].into();
        let of = |pairs: &str| {
            let pairs = pairs.split(' ').filter_map(|pair| pair.split_once('-')).collect();
            expression(&pairs, &codes)
        };
        let all = codes.iter().flat_map(|a| codes.iter().map(move |b| (*a, *b)));
        let full: BTreeSet<_> = all.clone().filter(|(a, b)| a != b).collect();
        assert_eq!(expression(&full, &codes), "all <-> all");
        assert_eq!(expression(&all.collect(), &codes), "all <-> all + each -> self");
        assert_eq!(of("de-de fi-fi"), "[de, fi] -> self");
        assert_eq!(of("en-de de-en en-fi fi-en en-sv sv-en"), "en <-> all");
        assert_eq!(of("en-de de-en en-fi fi-en"), "en <-> [de, fi]");
        assert_eq!(of("de-fi de-sv en-fi en-sv"), "[de, en] -> [fi, sv]");
        assert_eq!(of("de-en en-de fi-en"), "de <-> en + fi -> en");
        assert_eq!(of("de-en fi-sv"), "de -> en + fi -> sv");
        assert_eq!(of("de-en"), "de -> en");
    }
}
