//! The `curriculum` block: how task sizes become shares.

use std::collections::BTreeMap;

use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::model::only;
use super::pairs::{Algebra, Directions};
use super::read::{Bounds, PLAIN, Reader, arguments, head};
use super::section::{Known, Section};
use crate::ir::experiment::{At, WeightRule};
use crate::suggest;

const KNOWN: Known =
    Known { values: &["introduce", "split", "weight"], blocks: &[], not_built: &[] };

/// The rule; nothing when a fault was reported. `used`: the directions of all tasks, nothing when some are faulty.
pub(crate) fn resolve<'a>(
    section: &Section<'a>,
    algebra: Algebra<'_>,
    used: Option<&Directions>,
    reader: &mut Reader<'_, 'a>,
) -> Option<At<WeightRule>> {
    section.check(&KNOWN, reader.diagnostics);
    only(section, "introduce", "none", reader);
    only(section, "split", "none", reader);
    let Some(value) = section.value("weight") else {
        return Some(At { value: WeightRule::Temperature(1.0), span: section.span });
    };
    let value = reader.follow(value)?;
    let rule = rule(value, algebra, used, reader)?;
    Some(At { value: rule, span: value.span })
}

fn rule<'a>(
    value: &'a Expr,
    algebra: Algebra<'_>,
    used: Option<&Directions>,
    reader: &mut Reader<'_, 'a>,
) -> Option<WeightRule> {
    let Some((word, span)) = head(value) else {
        reader.wrong_type("weight", "`uniform`, `temperature(...)` or `table({ ... })`", value);
        return None;
    };
    match word {
        "uniform" => {
            reader.args("uniform", arguments(value), &[]);
            Some(WeightRule::Uniform)
        }
        "temperature" => {
            let args = reader.args("temperature", arguments(value), &["exponent"]);
            let exponent = reader.argument((word, span), &args, "exponent", "temperature(0.5)")?;
            let bounds = Bounds { low: 0.0, low_open: false, high: 10.0, high_open: false };
            reader.real(exponent, "temperature", PLAIN, bounds).map(WeightRule::Temperature)
        }
        "table" => {
            let args = reader.args("table", arguments(value), &["weights"]);
            let table =
                reader.argument((word, span), &args, "weights", "table({ cs -> de = 0.3 })")?;
            table_of(table, algebra, used, reader)
        }
        _ => {
            reader.unknown_choice(
                word,
                span,
                "weight",
                &["uniform", "temperature", "table"],
                &["unimax"],
            );
            None
        }
    }
}

fn table_of<'a>(
    table: &'a Expr,
    algebra: Algebra<'_>,
    used: Option<&Directions>,
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
