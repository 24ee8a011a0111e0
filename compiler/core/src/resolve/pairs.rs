//! The pair algebra: sets of languages and of directions.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::ast::{BinaryOp, Expr, ExprKind, Name};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::languages::{attribute_values, codes};
use super::read::Reader;
use super::values::{describe, dotted};
use crate::ir::experiment::{Grouping, Language, Pair};
use crate::suggest;

/// A chosen direction: asked for by its full name, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen {
    named: bool,
    span: Span,
}

impl From<&Pair> for Chosen {
    fn from(pair: &Pair) -> Self {
        Self { named: pair.named, span: pair.span }
    }
}

/// Directions by (source, target).
pub(crate) type Directions = BTreeMap<(String, String), Chosen>;

/// What an expression of the algebra selects.
enum Set {
    Languages { members: BTreeSet<String>, single: bool },
    Directions(Directions),
    Each,
    Itself,
}

impl Set {
    fn words(&self) -> &'static str {
        match self {
            Self::Languages { .. } => "a set of languages",
            Self::Directions(_) => "a set of directions",
            Self::Each => "`each`",
            Self::Itself => "`self`",
        }
    }
}

/// Evaluates the algebra over the declared languages and groupings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Algebra<'s> {
    pub(crate) languages: &'s BTreeMap<String, Language>,
    pub(crate) groupings: &'s [Grouping],
}

impl Algebra<'_> {
    /// The directions that an expression selects; nothing when a fault was reported.
    pub(crate) fn directions(
        &self,
        expr: &Expr,
        reader: &mut Reader<'_, '_>,
    ) -> Option<Directions> {
        match self.evaluate(expr, reader)? {
            Set::Directions(directions) => Some(directions),
            other => {
                wrong_set("a set of directions", other.words(), expr.span, reader);
                None
            }
        }
    }

    /// The same as rows of the experiment.
    pub(crate) fn pairs(&self, expr: &Expr, reader: &mut Reader<'_, '_>) -> Option<Vec<Pair>> {
        let directions = self.directions(expr, reader)?;
        let pair =
            |((source, target), Chosen { named, span })| Pair { source, target, named, span };
        Some(directions.into_iter().map(pair).collect())
    }

    fn evaluate(&self, expr: &Expr, reader: &mut Reader<'_, '_>) -> Option<Set> {
        let followed = reader.scope.follow(expr)?;
        match &followed.kind {
            ExprKind::Name(word) => self.word(word, followed.span, reader),
            ExprKind::Dotted(names) => self.qualified(names, followed.span, reader),
            ExprKind::List(items) => self.list(items, followed.span, reader),
            ExprKind::Binary { op: op @ (BinaryOp::To | BinaryOp::BothWays), left, right } => {
                let left = self.evaluate(left, reader);
                let right = self.evaluate(right, reader);
                arrow(*op, left?, right?, followed.span, reader)
            }
            ExprKind::Binary { op, left, right } => {
                let left = self.evaluate(left, reader);
                let right = self.evaluate(right, reader);
                combine(*op, left?, right?, followed.span, reader)
            }
            _ => {
                wrong_set(
                    "a set of languages or directions",
                    &describe(followed),
                    followed.span,
                    reader,
                );
                None
            }
        }
    }

    fn word(&self, word: &str, span: Span, reader: &mut Reader<'_, '_>) -> Option<Set> {
        match word {
            "all" => return Some(languages(self.languages.keys().cloned())),
            "each" => return Some(Set::Each),
            "self" => return Some(Set::Itself),
            _ => {}
        }
        if self.languages.contains_key(word) {
            return Some(Set::Languages {
                members: BTreeSet::from([word.to_owned()]),
                single: true,
            });
        }
        let groups: Vec<&Grouping> = self
            .groupings
            .iter()
            .filter(|grouping| grouping.group_of.values().any(|group| group == word))
            .collect();
        match groups.as_slice() {
            [] => {}
            [grouping] => return Some(group(grouping, word)),
            [first, second, ..] => {
                let same = groups.windows(2).all(|two| match two {
                    [a, b] => members(a, word).eq(members(b, word)),
                    _ => true,
                });
                if same {
                    return Some(group(first, word));
                }
                reader.report(ResolveError::Ambiguous {
                    word: word.to_owned(),
                    span,
                    first: first.span,
                    second: second.span,
                    help: format!("write `{}.{word}` or `{}.{word}`", first.name, second.name),
                });
                return None;
            }
        }
        let by_attribute = self.with_attribute(word);
        if by_attribute.is_empty() {
            self.unknown(word, span, reader);
            return None;
        }
        Some(languages(by_attribute.into_iter()))
    }

    /// Languages of a family or script, or the one with this English name in lower case (`english`).
    fn with_attribute(&self, word: &str) -> Vec<String> {
        let having = |test: &dyn Fn(&Language) -> bool| -> Vec<String> {
            self.languages
                .values()
                .filter(|language| test(language))
                .map(|language| language.code.clone())
                .collect()
        };
        let is = |language: &Language, key: &str| {
            language.attributes.get(key).is_some_and(|value| value == word)
        };
        let named = |language: &Language| {
            let name =
                language.attributes.get("name").map(|name| name.to_lowercase().replace(' ', "_"));
            name.as_deref() == Some(word)
        };
        [having(&|l| is(l, "family")), having(&|l| is(l, "script")), having(&named)]
            .into_iter()
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    fn unknown(&self, word: &str, span: Span, reader: &mut Reader<'_, '_>) {
        let mut words: BTreeSet<&str> = codes(self.languages).collect();
        words.extend(
            self.groupings
                .iter()
                .flat_map(|grouping| grouping.group_of.values())
                .map(String::as_str),
        );
        words.extend(attribute_values(self.languages, "family"));
        words.extend(reader.scope.words());
        words.insert("all");
        let help = suggest::help(
            word,
            words,
            "declare the language, `languages ...`, or the group, `groups { ... }`",
        );
        reader.report(ResolveError::UnknownName {
            kind: "language or group",
            word: word.to_owned(),
            span,
            help,
        });
    }

    /// `typology.slavic`.
    fn qualified(&self, names: &[Name], span: Span, reader: &mut Reader<'_, '_>) -> Option<Set> {
        let [grouping, group_name] = names else {
            wrong_set(
                "a set of languages or directions",
                &format!("`{}`", dotted(names)),
                span,
                reader,
            );
            return None;
        };
        let found = find_grouping(self.groupings, &grouping.text, grouping.span, reader)?;
        if !found.group_of.values().any(|group| *group == group_name.text) {
            let groups: BTreeSet<&str> = found.group_of.values().map(String::as_str).collect();
            reader.report(ResolveError::UnknownName {
                kind: "group",
                word: group_name.text.clone(),
                span: group_name.span,
                help: suggest::help(&group_name.text, groups, "the grouping has no such group"),
            });
            return None;
        }
        Some(group(found, &group_name.text))
    }

    fn list(&self, items: &[Expr], span: Span, reader: &mut Reader<'_, '_>) -> Option<Set> {
        let mut sets: Vec<Option<Set>> = Vec::new();
        for item in items {
            sets.push(self.evaluate(item, reader));
        }
        let mut sets = sets.into_iter().collect::<Option<Vec<Set>>>()?.into_iter();
        let Some(mut sum) = sets.next() else { return Some(languages(std::iter::empty())) };
        for set in sets {
            sum = combine(BinaryOp::Add, sum, set, span, reader)?;
        }
        Some(sum)
    }
}

/// The grouping of a name.
pub(crate) fn find_grouping<'g>(
    groupings: &'g [Grouping],
    word: &str,
    span: Span,
    reader: &mut Reader<'_, '_>,
) -> Option<&'g Grouping> {
    let found = groupings.iter().find(|grouping| grouping.name == word);
    if found.is_none() {
        let names = groupings.iter().map(|grouping| grouping.name.as_str());
        reader.report(ResolveError::UnknownName {
            kind: "grouping",
            word: word.to_owned(),
            span,
            help: suggest::help(word, names, "declare it: `groups NAME { slavic = [cs, pl] }`"),
        });
    }
    found
}

fn languages(members: impl Iterator<Item = String>) -> Set {
    Set::Languages { members: members.collect(), single: false }
}

fn members<'g>(grouping: &'g Grouping, word: &'g str) -> impl Iterator<Item = &'g String> {
    grouping.group_of.iter().filter(move |(_, group)| *group == word).map(|(language, _)| language)
}

fn group(grouping: &Grouping, word: &str) -> Set {
    languages(members(grouping, word).cloned())
}

fn wrong_set(expected: &'static str, found: &str, span: Span, reader: &mut Reader<'_, '_>) {
    reader.report(ResolveError::WrongSet {
        expected,
        found: found.to_owned(),
        span,
        help: "directions are made with arrows, `(germanic + romance) -> en`; `+`, `-` and `&` join sets of one kind".to_owned(),
    });
}

fn arrow(
    op: BinaryOp,
    left: Set,
    right: Set,
    span: Span,
    reader: &mut Reader<'_, '_>,
) -> Option<Set> {
    let (sources, targets, named) = match (left, right) {
        (Set::Each, Set::Itself) => {
            reader.not_built("denoising (`each -> self`)", span);
            return None;
        }
        (Set::Languages { members: a, single: x }, Set::Languages { members: b, single: y }) => {
            (a, b, x && y)
        }
        (left, right) => {
            let found =
                if matches!(left, Set::Languages { .. }) { right.words() } else { left.words() };
            wrong_set("a set of languages", found, span, reader);
            return None;
        }
    };
    if named && sources == targets {
        reader.not_built("denoising (a direction from a language to itself)", span);
        return None;
    }
    let chosen = Chosen { named, span };
    let mut directions = Directions::new();
    for source in &sources {
        for target in targets.iter().filter(|target| *target != source) {
            directions.insert((source.clone(), target.clone()), chosen);
            if op == BinaryOp::BothWays {
                directions.insert((target.clone(), source.clone()), chosen);
            }
        }
    }
    Some(Set::Directions(directions))
}

fn combine(
    op: BinaryOp,
    left: Set,
    right: Set,
    span: Span,
    reader: &mut Reader<'_, '_>,
) -> Option<Set> {
    if !matches!(op, BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Intersect) {
        wrong_set("`+`, `-`, `&` or an arrow", "another operator", span, reader);
        return None;
    }
    match (left, right) {
        (Set::Languages { members: a, .. }, Set::Languages { members: b, .. }) => Some(match op {
            BinaryOp::Add => languages(a.union(&b).cloned()),
            BinaryOp::Subtract => languages(a.difference(&b).cloned()),
            _ => languages(a.intersection(&b).cloned()),
        }),
        (Set::Directions(mut a), Set::Directions(b)) => {
            match op {
                BinaryOp::Add => {
                    for (pair, chosen) in b {
                        let kept = a.entry(pair).or_insert(chosen);
                        if chosen.named && !kept.named {
                            *kept = chosen;
                        }
                    }
                }
                BinaryOp::Subtract => a.retain(|pair, _| !b.contains_key(pair)),
                _ => a.retain(|pair, _| b.contains_key(pair)),
            }
            Some(Set::Directions(a))
        }
        (left, right) => {
            let expected = match left {
                Set::Directions(_) => "a set of directions",
                Set::Languages { .. } => "a set of languages",
                Set::Each | Set::Itself => "a set of languages or directions",
            };
            wrong_set(expected, right.words(), span, reader);
            None
        }
    }
}
