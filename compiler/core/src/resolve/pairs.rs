//! The pair algebra: sets of languages and of directions.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::ast::{BinaryOp, Expr, ExprKind, Name};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::languages::{attribute_values, attributes, codes};
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

/// One of several things that a word may mean.
struct Meaning<'s> {
    /// The grouping or attribute, before the dot when the word is written in full.
    of: &'s str,
    span: Option<Span>,
    members: BTreeSet<String>,
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
        self.directions(expr, reader).map(rows)
    }

    /// Each of the languages that an expression selects, to itself.
    pub(crate) fn to_themselves(
        self,
        expr: &Expr,
        reader: &mut Reader<'_, '_>,
    ) -> Option<Vec<Pair>> {
        let languages = self.evaluate(expr, reader)?;
        let Set::Directions(found) = self.to_itself(&languages, expr.span, reader)? else {
            return None;
        };
        Some(rows(found))
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
                if let (Some(left), Some(Set::Itself)) = (&left, &right) {
                    return self.to_itself(left, followed.span, reader);
                }
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

    /// `each -> self`, `germanic -> self`.
    fn to_itself(self, left: &Set, span: Span, reader: &mut Reader<'_, '_>) -> Option<Set> {
        let (languages, named) = match left {
            Set::Each => (self.languages.keys().cloned().collect(), false),
            Set::Languages { members, single } => (members.clone(), *single),
            Set::Directions(_) | Set::Itself => {
                wrong_set("a set of languages", left.words(), span, reader);
                return None;
            }
        };
        let chosen = Chosen { named, span };
        let pairs = languages.into_iter().map(|language| ((language.clone(), language), chosen));
        Some(Set::Directions(pairs.collect()))
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
        let meanings = self.meanings(word);
        match meanings.as_slice() {
            [] => {
                self.unknown(word, span, reader);
                None
            }
            [meaning] => Some(languages(meaning.members.iter().cloned())),
            [first, second, ..] => {
                let qualified: Vec<String> =
                    meanings.iter().map(|meaning| format!("{}.{word}", meaning.of)).collect();
                let qualified: Vec<&str> = qualified.iter().map(String::as_str).collect();
                reader.report(ResolveError::Ambiguous {
                    word: word.to_owned(),
                    span,
                    first: first.span,
                    second: second.span,
                    help: format!("write {}", suggest::listed(&qualified, "or")),
                });
                None
            }
        }
    }

    /// What a word that is no code may mean: a group of a grouping, or the value of an attribute (a family at any depth, a
    /// script, an English name in lower case). Meanings that select the same languages are one.
    fn meanings(&self, word: &str) -> Vec<Meaning<'_>> {
        let groupings = self.groupings.iter().map(|grouping| Meaning {
            of: &grouping.name,
            span: Some(grouping.span),
            members: members(grouping, word).cloned().collect(),
        });
        let attributes = attributes(self.languages).into_iter().map(|of| Meaning {
            of,
            span: None,
            members: having(self.languages, of, word),
        });
        let mut found: Vec<Meaning<'_>> = Vec::new();
        for meaning in groupings.chain(attributes) {
            let is_new = found.iter().all(|known| known.members != meaning.members);
            if is_new && !meaning.members.is_empty() {
                found.push(meaning);
            }
        }
        found
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
        words.extend(attribute_values(self.languages, "script"));
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

    /// `typology.slavic`, `family.slavic`, `script.Cyrl`: a group of a grouping, else the value of an attribute.
    fn qualified(&self, names: &[Name], span: Span, reader: &mut Reader<'_, '_>) -> Option<Set> {
        let [of, value] = names else {
            wrong_set(
                "a set of languages or directions",
                &format!("`{}`", dotted(names)),
                span,
                reader,
            );
            return None;
        };
        let is_grouping = self.groupings.iter().any(|grouping| grouping.name == of.text);
        let attribute = attributes(self.languages).into_iter().find(|name| *name == of.text);
        if let Some(attribute) = attribute.filter(|_| !is_grouping) {
            let members = having(self.languages, attribute, &value.text);
            if members.is_empty() {
                reader.report(ResolveError::UnknownName {
                    kind: "value of the attribute",
                    word: value.text.clone(),
                    span: value.span,
                    help: suggest::help(
                        &value.text,
                        attribute_values(self.languages, attribute),
                        &format!("no declared language has this `{attribute}`"),
                    ),
                });
                return None;
            }
            return Some(languages(members.into_iter()));
        }
        let found = find_grouping(self.groupings, &of.text, of.span, reader)?;
        if !found.group_of.values().any(|group| *group == value.text) {
            let groups: BTreeSet<&str> = found.group_of.values().map(String::as_str).collect();
            reader.report(ResolveError::UnknownName {
                kind: "group",
                word: value.text.clone(),
                span: value.span,
                help: suggest::help(&value.text, groups, "the grouping has no such group"),
            });
            return None;
        }
        Some(languages(members(found, &value.text).cloned()))
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

/// Directions as rows of the experiment.
fn rows(directions: Directions) -> Vec<Pair> {
    let pair = |((source, target), Chosen { named, span })| Pair { source, target, named, span };
    directions.into_iter().map(pair).collect()
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

/// The languages that have a value of an attribute; names are written in lower case with `_` for spaces.
fn having(
    languages: &BTreeMap<String, Language>,
    attribute: &str,
    value: &str,
) -> BTreeSet<String> {
    let has = |language: &Language| match attribute {
        "name" => language
            .attribute(attribute)
            .is_some_and(|name| name.to_lowercase().replace(' ', "_") == value),
        _ => language.values(attribute).contains(&value),
    };
    languages
        .values()
        .filter(|language| has(language))
        .map(|language| language.code.clone())
        .collect()
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
    let chosen = Chosen { named, span };
    let mut directions = crossed(&sources, &targets, chosen);
    if op == BinaryOp::BothWays && sources != targets {
        directions.append(&mut crossed(&targets, &sources, chosen));
    }
    Some(Set::Directions(directions))
}

/// From every source to every target: in order, so that the map is made at once.
fn crossed(sources: &BTreeSet<String>, targets: &BTreeSet<String>, chosen: Chosen) -> Directions {
    let mut directions = Vec::with_capacity(sources.len() * targets.len());
    for source in sources {
        // `de -> de` by its full name; sets don't pair a language with itself.
        for target in targets.iter().filter(|target| *target != source || chosen.named) {
            directions.push(((source.clone(), target.clone()), chosen));
        }
    }
    directions.into_iter().collect()
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
