//! Rules of weights: `temperature(0.5)`, `anneal(...)`, `unimax(...)`, `uniform`, `table({ ... })`, or a list of them.

use std::collections::BTreeMap;

use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::pairs::{Algebra, Directions};
use super::read::{Bounds, PLAIN, Reader, arguments, head, may_have, optional};
use super::units::Dimension;
use crate::ir::experiment::{Anneal, WeightPiece, WeightRule};
use crate::suggest;

const RULES: &[&str] = &["alpha", "anneal", "table", "temperature", "uniform", "unimax"];

/// Exponents of sizes.
pub(super) const EXPONENT: Bounds =
    Bounds { low: 0.0, low_open: false, high: 10.0, high_open: false };

/// Windows of an anneal when the file does not say: a sixteenth of the way each.
const ANNEAL_WINDOWS: u32 = 16;

/// Most windows of one anneal.
const MOST_WINDOWS: u64 = 256;

/// Last step that a rule may name.
const MOST_STEPS: u64 = 1_000_000_000_000;

/// What directions are read against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'s> {
    pub(super) algebra: Algebra<'s>,
    /// The directions of all tasks; nothing when some are faulty.
    pub(super) used: Option<&'s Directions>,
}

/// One rule, or several of which each but the last says `until`; nothing when a fault was reported.
pub(super) fn pieces<'a>(
    value: &'a Expr,
    known: Known<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Vec<WeightPiece>> {
    let value = reader.follow(value)?;
    let rules = match &value.kind {
        ExprKind::List(rules) if !rules.is_empty() => rules.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let found: Vec<Option<WeightPiece>> =
        rules.iter().map(|rule| piece(rule, known, reader)).collect();
    let pieces = found.into_iter().collect::<Option<Vec<WeightPiece>>>()?;
    let mut reached = 0;
    for (at, piece) in pieces.iter().enumerate() {
        let is_last = at + 1 == pieces.len();
        let fault = match piece.until {
            None if !is_last => "`until` is missing: only the last rule holds to the end",
            Some(_) if is_last => "the last rule holds to the end",
            Some(until) if until <= reached => "a rule ends before it begins",
            _ => {
                reached = piece.until.unwrap_or(reached);
                continue;
            }
        };
        reader.report(ResolveError::WrongType {
            field: "weight".to_owned(),
            expected: "rules one after the other".to_owned(),
            found: fault.to_owned(),
            span: piece.span,
            help: Some("for example `[temperature(1.0, until = 10k steps), uniform]`".to_owned()),
        });
        return None;
    }
    Some(pieces)
}

fn piece<'a>(
    value: &'a Expr,
    known: Known<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<WeightPiece> {
    let value = reader.follow(value)?;
    let Some((word, span)) = head(value) else {
        let expected = "`uniform`, `temperature(...)`, `unimax(...)` or another rule";
        reader.wrong_type("weight", expected, value);
        return None;
    };
    let names: &[&'static str] = match word {
        "uniform" => &["until"],
        "temperature" | "alpha" => &["exponent", "until"],
        "anneal" => &["from", "to", "course", "steps", "windows", "until"],
        "unimax" => &["epochs", "until"],
        "table" => &["weights", "until"],
        _ => {
            reader.unknown_choice(word, span, "weight", RULES, &[]);
            return None;
        }
    };
    let args = reader.args(word, arguments(value), names);
    let until = match optional(&args, "until") {
        None => None,
        Some(until) => Some(steps(until, "until", reader)?),
    };
    let rule = match word {
        "uniform" => WeightRule::Uniform,
        "anneal" => WeightRule::Anneal(anneal(span, &args, reader)?),
        "unimax" => {
            let epochs = reader.argument((word, span), &args, "epochs", "unimax(epochs = 4)")?;
            WeightRule::UniMax(reader.real(epochs, "epochs", PLAIN, Bounds::POSITIVE)?)
        }
        "table" => {
            let example = "table({ cs -> de = 0.3 })";
            table(reader.argument((word, span), &args, "weights", example)?, known, reader)?
        }
        _ => {
            let example = format!("{word}(0.5)");
            let exponent = reader.argument((word, span), &args, "exponent", &example)?;
            WeightRule::Temperature(reader.real(exponent, word, PLAIN, EXPONENT)?)
        }
    };
    Some(WeightPiece { rule, until, span: value.span })
}

/// A number of steps.
pub(super) fn steps(value: &Expr, field: &str, reader: &mut Reader<'_, '_>) -> Option<u64> {
    reader.whole(value, field, may_have(Dimension::Steps), (1, MOST_STEPS))
}

fn anneal<'a>(
    span: Span,
    args: &[(&'static str, &'a Expr)],
    reader: &mut Reader<'_, 'a>,
) -> Option<Anneal> {
    const COURSES: &[(&str, bool)] = &[("linear", false), ("exponential", true)];
    let example = "anneal(from = 1.0, to = 0.3)";
    let course = optional(args, "course")
        .map_or(Some(false), |value| reader.choice(value, "course", COURSES, &[]));
    let bounds = match course {
        // A constant ratio leads neither from nor to 0.
        Some(true) => Bounds { low_open: true, ..EXPONENT },
        Some(false) | None => EXPONENT,
    };
    let from = reader.argument(("anneal", span), args, "from", example);
    let from = from.and_then(|value| reader.real(value, "from", PLAIN, bounds));
    let to = reader.argument(("anneal", span), args, "to", example);
    let to = to.and_then(|value| reader.real(value, "to", PLAIN, bounds));
    let length =
        optional(args, "steps").map_or(Some(None), |value| steps(value, "steps", reader).map(Some));
    let windows = optional(args, "windows").map_or(Some(u64::from(ANNEAL_WINDOWS)), |value| {
        reader.whole(value, "windows", PLAIN, (1, MOST_WINDOWS))
    });
    Some(Anneal {
        from: from?,
        to: to?,
        is_exponential: course?,
        steps: length?,
        windows: u32::try_from(windows?).ok()?,
    })
}

fn table<'a>(
    table: &'a Expr,
    Known { algebra, used }: Known<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<WeightRule> {
    let table = reader.follow(table)?;
    let ExprKind::Map(rows) = &table.kind else {
        reader.wrong_type("table", "`{ cs -> de = 0.3 ... }`", table);
        return None;
    };
    let mut weights: BTreeMap<(String, String), f64> = BTreeMap::new();
    let mut places: BTreeMap<(String, String), Span> = BTreeMap::new();
    let mut faulty = used.is_none();
    for (pairs, weight) in rows {
        let directions = algebra.directions(pairs, reader);
        let weight = reader.real(weight, "weight", PLAIN, Bounds::POSITIVE);
        let (Some(directions), Some(weight)) = (directions, weight) else {
            faulty = true;
            continue;
        };
        if used.is_some_and(|used| !directions.keys().any(|pair| used.contains_key(pair))) {
            reader.report(ResolveError::EmptySelection {
                what: "a row of the weight table".to_owned(),
                span: pairs.span,
                help: "none of its directions is among the tasks".to_owned(),
            });
        }
        for pair in directions.into_keys() {
            if let Some(first) = places.insert(pair.clone(), pairs.span) {
                reader.report(ResolveError::Duplicate {
                    what: "weight of".to_owned(),
                    word: format!("{} -> {}", pair.0, pair.1),
                    span: pairs.span,
                    first,
                    help: "give each direction one weight".to_owned(),
                });
                faulty = true;
            }
            weights.insert(pair, weight);
        }
    }
    if faulty {
        return None;
    }
    let used = used?;
    weights.retain(|pair, _| used.contains_key(pair));
    let missing: Vec<String> = used
        .keys()
        .filter(|pair| !weights.contains_key(*pair))
        .map(|(source, target)| format!("{source} -> {target}"))
        .collect();
    if missing.is_empty() {
        return Some(WeightRule::Table(weights));
    }
    reader.report(ResolveError::TableIncomplete {
        missing: shortened(&missing),
        span: table.span,
        help: "every direction of the tasks needs a row; sets work too, `all -> en = 1.0`"
            .to_owned(),
    });
    None
}

/// Some of many.
fn shortened(pairs: &[String]) -> String {
    let shown: Vec<&str> = pairs.iter().take(3).map(String::as_str).collect();
    let more = pairs.len() - shown.len();
    if more == 0 {
        return suggest::listed(&shown, "and");
    }
    let shown: Vec<String> = shown.iter().map(|pair| format!("`{pair}`")).collect();
    format!("{} and {more} more", shown.join(", "))
}
