//! The `placement` and `lint` blocks.

use std::collections::BTreeMap;

use mmc_plan::ClusterSpec;
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::pairs::Algebra;
use super::read::{PLAIN, Reader};
use super::section::{Known, Section};
use super::wishes;
use crate::ir::experiment::{At, LintLevel, MappingObjective, PlacementWishes};
use crate::{registry, suggest};

const PLACEMENT: Known = Known {
    values: &["apart", "effort", "lanes", "objective", "pin"],
    blocks: &[],
    not_built: &[],
};

const OBJECTIVES: &[(&str, MappingObjective)] =
    &[("time", MappingObjective::Time), ("mammoth", MappingObjective::Mammoth)];
/// The highest level of effort.
const MOST_EFFORT: u64 = 6;

const LINT: Known = Known { values: &["allow", "deny", "warn"], blocks: &[], not_built: &[] };

/// Wishes about placement; nothing when a fault was reported.
pub(crate) fn resolve<'a>(
    section: &Section<'a>,
    algebra: Algebra<'_>,
    (lanes, cluster): (Option<&At<u32>>, Option<&At<ClusterSpec>>),
    reader: &mut Reader<'_, 'a>,
) -> Option<PlacementWishes> {
    section.check(&PLACEMENT, reader.diagnostics);
    let objective = match section.value("objective") {
        Some(value) => reader.choice(value, "objective", OBJECTIVES, &[])?,
        None => MappingObjective::default(),
    };
    let effort = match section.value("effort") {
        Some(value) => Some(reader.whole(value, "effort", PLAIN, (0, MOST_EFFORT))?),
        None => None,
    };
    let effort = effort.and_then(|level| u8::try_from(level).ok());
    let pins = wishes::pins(section, algebra, cluster, reader);
    let apart = wishes::apart(section, algebra, reader);
    let lanes = match section.value("lanes") {
        Some(value) => Some(mapping(value, (lanes, cluster), reader)?),
        None => None,
    };
    Some(PlacementWishes { lanes, effort, objective, pins: pins?, apart: apart? })
}

/// The rank of every lane.
fn mapping<'a>(
    value: &'a Expr,
    (lanes, cluster): (Option<&At<u32>>, Option<&At<ClusterSpec>>),
    reader: &mut Reader<'_, 'a>,
) -> Option<At<Vec<u32>>> {
    let value = reader.follow(value)?;
    let ExprKind::List(items) = &value.kind else {
        reader.wrong_type("lanes", "a list of ranks such as `[0, 0, 1, 1]`", value);
        return None;
    };
    let cluster = cluster?;
    let devices = u64::from(cluster.value.nodes) * u64::from(cluster.value.devices_per_node);
    let mut ranks = Vec::new();
    for item in items {
        let rank = reader.whole(item, "lanes", PLAIN, (0, devices.saturating_sub(1)))?;
        ranks.push(u32::try_from(rank).ok()?);
    }
    let (wanted, place) = match lanes {
        Some(lanes) => (u64::from(lanes.value), lanes.span),
        None => (devices, cluster.span),
    };
    if ranks.len() as u64 != wanted {
        reader.report(ResolveError::Conflict {
            fault: format!("{} lanes are placed, but there are {wanted}", ranks.len()),
            span: value.span,
            here: "one rank for every lane",
            other: place,
            there: "tells the number of lanes",
            help: format!("list {wanted} ranks, or set `training {{ lanes = {} }}`", ranks.len()),
        });
        return None;
    }
    Some(At { value: ranks, span: value.span })
}

/// Levels of lints.
pub(crate) fn lints<'a>(
    section: &Section<'a>,
    reader: &mut Reader<'_, 'a>,
) -> BTreeMap<String, LintLevel> {
    section.check(&LINT, reader.diagnostics);
    let mut levels = BTreeMap::new();
    let mut places: BTreeMap<String, Span> = BTreeMap::new();
    let fields =
        [("allow", LintLevel::Allow), ("warn", LintLevel::Warn), ("deny", LintLevel::Deny)];
    for (field, level) in fields {
        let Some(value) = section.value(field).and_then(|value| reader.follow(value)) else {
            continue;
        };
        let ExprKind::List(items) = &value.kind else {
            reader.wrong_type(field, "a list of codes such as `[mmc::lint::idle_rank]`", value);
            continue;
        };
        for item in items {
            let ExprKind::Code(code) = &item.kind else {
                reader.wrong_type(field, "codes of lints", item);
                continue;
            };
            let known = || registry::lints();
            if !known().any(|lint| lint == code) {
                let help = suggest::help(
                    code,
                    known(),
                    "only lints have levels: their codes start with `mmc::lint::`",
                );
                reader.report(ResolveError::UnknownName {
                    kind: "lint",
                    word: code.clone(),
                    span: item.span,
                    help,
                });
            } else if let Some(first) = places.insert(code.clone(), item.span) {
                reader.report(ResolveError::Duplicate {
                    what: "lint".to_owned(),
                    word: code.clone(),
                    span: item.span,
                    first,
                    help: "give each lint one level".to_owned(),
                });
            } else {
                levels.insert(code.clone(), level);
            }
        }
    }
    levels
}
