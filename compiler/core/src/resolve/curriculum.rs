//! The `curriculum` block: how tasks get their probabilities, and how these change over the steps.

use std::collections::{BTreeMap, BTreeSet};

use mmc_plan::{Competence, Coupling, Difficulty, Growth};
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::pairs::{Algebra, Directions};
use super::read::{Bounds, Choice, PLAIN, Reader, arguments, head, may_have, needs, optional};
use super::section::{Known as Fields, Section};
use super::units::Dimension;
use super::weights::{EXPONENT, Known, pieces, steps};
use crate::ir::experiment::{At, CurriculumRule, Introduction, WeightPiece, WeightRule};
use crate::ir::task::SHARE_PARTS;

const KNOWN: Fields = Fields {
    values: &["competence", "introduce", "line", "schedule", "split", "weight"],
    blocks: &[],
    not_built: &[],
};

/// Tokens of a line where nothing is known: sentences of newspapers and parliaments have 20 to 30 pieces.
const LINE_TOKENS: u32 = 25;

const SCHEDULES: &[Choice<Coupling>] =
    &[("independent", Coupling::Independent), ("aligned", Coupling::Aligned)];

const DIFFICULTIES: &[Choice<Difficulty>] =
    &[("length", Difficulty::Length), ("rarity", Difficulty::Rarity)];

/// The initial competence of Platanios et al. 2019.
const INITIAL: f64 = 0.01;

/// Most steps before a task takes part.
const MOST_STEPS: u64 = 1_000_000_000_000;

/// The rule; nothing when a fault was reported. `used`: the directions of all tasks, nothing when some are faulty.
pub(crate) fn resolve<'a>(
    section: &Section<'a>,
    algebra: Algebra<'_>,
    used: Option<&Directions>,
    reader: &mut Reader<'_, 'a>,
) -> Option<At<CurriculumRule>> {
    section.check(&KNOWN, reader.diagnostics);
    let known = Known { algebra, used };
    let weight = section.value("weight");
    let span = weight.map_or(section.span, |value| value.span);
    let default = WeightPiece { rule: WeightRule::Temperature(1.0), until: None, span };
    let pieces = weight.map_or(Some(vec![default]), |value| pieces(value, known, reader));
    let introduce = section.value("introduce").map_or(Some(Introduction::AtOnce), |value| {
        introduce(value, known, pieces.as_deref(), reader)
    });
    let split = section.value("split").map_or(Some((SHARE_PARTS, 1)), |value| split(value, reader));
    let schedule = section.value("schedule").map_or(Some(Coupling::Independent), |value| {
        reader.choice(value, "schedule", SCHEDULES, &[])
    });
    let wanted = section.value("competence").and_then(|value| reader.follow(value));
    let competence = match wanted.filter(|value| !matches!(head(value), Some(("none", _)))) {
        None => Some(None),
        Some(value) => competence(value, reader).map(Some),
    };
    let line_tokens = section.value("line").map_or(Some(LINE_TOKENS), |value| {
        reader.small(value, "line", needs(Dimension::Tokens), 1)
    });
    let (split, team) = split?;
    let rule = CurriculumRule {
        pieces: pieces?,
        introduce: introduce?,
        split,
        team,
        schedule: schedule?,
        competence: competence?,
        line_tokens: line_tokens?,
    };
    Some(At { value: rule, span })
}

/// `above(0.2)`: tasks with a larger share lie on several lanes; `into(4)`: every task lies on so many. The share in parts
/// per billion, and the lanes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "rounded, between 1 and a billion"
)]
fn split<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<(u64, u32)> {
    let value = reader.follow(value)?;
    match head(value) {
        Some(("none", _)) => Some((SHARE_PARTS, 1)),
        Some(("above", span)) => {
            let args = reader.args("above", arguments(value), &["share"]);
            let share = reader.argument(("above", span), &args, "share", "above(0.2)")?;
            let bounds = Bounds { low_open: true, ..Bounds::FRACTION };
            let share = reader.real(share, "share", PLAIN, bounds)?;
            Some((libm::round(share * SHARE_PARTS as f64).max(1.0) as u64, 1))
        }
        Some(("into", span)) => {
            let args = reader.args("into", arguments(value), &["lanes"]);
            let lanes = reader.argument(("into", span), &args, "lanes", "into(4)")?;
            Some((SHARE_PARTS, reader.small(lanes, "lanes", PLAIN, 1)?))
        }
        Some((word, span)) => {
            reader.unknown_choice(word, span, "split", &["above", "into", "none"], &[]);
            None
        }
        None => {
            reader.wrong_type("split", "`above(0.2)`, `into(4)` or `none`", value);
            None
        }
    }
}

/// `sqrt(steps = 30k)`, `linear(steps = 30k, initial = 0.01, difficulty = rarity)`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "rounded, between 1 and a billion"
)]
fn competence<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<At<Competence>> {
    let (word, growth) = match head(value) {
        Some(("linear", _)) => ("linear", Growth::Linear),
        Some(("sqrt", _)) => ("sqrt", Growth::Sqrt),
        Some((word, span)) => {
            reader.unknown_choice(word, span, "competence", &["linear", "none", "sqrt"], &[]);
            return None;
        }
        None => {
            reader.wrong_type(
                "competence",
                "`sqrt(steps = 30k)`, `linear(steps = 30k)` or `none`",
                value,
            );
            return None;
        }
    };
    let args = reader.args(word, arguments(value), &["steps", "initial", "difficulty"]);
    let length = reader.argument((word, value.span), &args, "steps", "sqrt(steps = 30k)");
    let steps = length.and_then(|length| steps(length, "steps", reader));
    let bounds = Bounds { low: 1e-9, ..Bounds::PART };
    let initial = optional(&args, "initial")
        .map_or(Some(INITIAL), |initial| reader.real(initial, "initial", PLAIN, bounds));
    let difficulty = optional(&args, "difficulty").map_or(Some(Difficulty::Length), |value| {
        reader.choice(value, "difficulty", DIFFICULTIES, &[])
    });
    let initial = libm::round(initial? * SHARE_PARTS as f64).max(1.0) as u64;
    let rule = Competence { growth, initial, steps: steps?, difficulty: difficulty? };
    Some(At { value: rule, span: value.span })
}

/// `none`, `by_weight`, or starts of directions.
fn introduce<'a>(
    value: &'a Expr,
    known: Known<'_>,
    pieces: Option<&[WeightPiece]>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Introduction> {
    let value = reader.follow(value)?;
    if let ExprKind::Map(rows) = &value.kind {
        return given(rows, known, reader).map(Introduction::Given);
    }
    match head(value) {
        Some(("none", _)) => Some(Introduction::AtOnce),
        Some(("by_weight", _)) if matches!(value.kind, ExprKind::Call { .. }) => {
            let args = reader.args("by_weight", arguments(value), &["exponent"]);
            let place = ("by_weight", value.span);
            let exponent = reader.argument(place, &args, "exponent", "by_weight(1.0)")?;
            reader.real(exponent, "by_weight", PLAIN, EXPONENT).map(Introduction::BySize)
        }
        Some(("by_weight", span)) => {
            let one = pieces.is_none_or(|pieces| {
                matches!(pieces, [WeightPiece { rule: WeightRule::Temperature(_), .. }])
            });
            if !one {
                reader.report(ResolveError::Conflict {
                    fault: "`by_weight` needs one weight for the whole run".to_owned(),
                    span,
                    here: "starts follow from weights",
                    other: pieces.and_then(<[_]>::first).map_or(span, |piece| piece.span),
                    there: "not `temperature(T)` alone",
                    help: "write `weight = temperature(T)`, or `by_weight(1.0)`, which looks at sizes alone"
                        .to_owned(),
                });
                return None;
            }
            Some(Introduction::ByWeight)
        }
        Some((word, span)) => {
            reader.unknown_choice(word, span, "introduce", &["by_weight", "none"], &[]);
            None
        }
        None => {
            let expected = "`none`, `by_weight` or `{ cs -> en = at(10k steps) }`";
            reader.wrong_type("introduce", expected, value);
            None
        }
    }
}

/// When a direction takes part, as written.
#[derive(Debug, Clone)]
struct Start {
    /// Steps before it.
    steps: u64,
    /// Directions that must be there first.
    after: Vec<(String, String)>,
    span: Span,
}

/// Steps before each direction takes part.
fn given<'a>(
    rows: &'a [(Expr, Expr)],
    known: Known<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<BTreeMap<(String, String), u64>> {
    let mut starts: BTreeMap<(String, String), Start> = BTreeMap::new();
    let mut faulty = false;
    for (pairs, moment) in rows {
        let directions = selected(pairs, known, reader);
        let (Some(directions), Some(start)) = (directions, moment_of(moment, known, reader)) else {
            faulty = true;
            continue;
        };
        for pair in directions {
            if let Some(first) =
                starts.insert(pair.clone(), Start { span: pairs.span, ..start.clone() })
            {
                reader.report(ResolveError::Duplicate {
                    what: "introduction of".to_owned(),
                    word: format!("{} -> {}", pair.0, pair.1),
                    span: pairs.span,
                    first: first.span,
                    help: "introduce each direction once".to_owned(),
                });
                faulty = true;
            }
        }
    }
    if faulty {
        return None;
    }
    let mut found = BTreeMap::new();
    for pair in starts.keys() {
        let Some(start) = start_of(pair, &starts, &mut found, &mut BTreeSet::new()) else {
            reader.report(ResolveError::CyclicValue {
                name: format!("{} -> {}", pair.0, pair.1),
                span: starts.get(pair).map(|start| start.span).unwrap_or_default(),
                help: "it is introduced after itself; give one of the directions `at(... steps)`"
                    .to_owned(),
            });
            return None;
        };
        found.insert(pair.clone(), start);
    }
    Some(found)
}

/// The directions of the tasks that an expression selects.
fn selected(
    pairs: &Expr,
    Known { algebra, used }: Known<'_>,
    reader: &mut Reader<'_, '_>,
) -> Option<Vec<(String, String)>> {
    let directions = algebra.directions(pairs, reader)?;
    let used = used?;
    let found: Vec<(String, String)> =
        directions.into_keys().filter(|pair| used.contains_key(pair)).collect();
    if found.is_empty() {
        reader.report(ResolveError::EmptySelection {
            what: "a row of `introduce`".to_owned(),
            span: pairs.span,
            help: "none of its directions is among the tasks".to_owned(),
        });
        return None;
    }
    Some(found)
}

/// `at(10k steps)`, `after(de -> en)`, `after(de -> en, 5k steps)`.
fn moment_of<'a>(value: &'a Expr, known: Known<'_>, reader: &mut Reader<'_, 'a>) -> Option<Start> {
    let value = reader.follow(value)?;
    match head(value) {
        Some(("at", span)) => {
            let args = reader.args("at", arguments(value), &["steps"]);
            let start = reader.argument(("at", span), &args, "steps", "at(10k steps)")?;
            let rule = may_have(Dimension::Steps);
            let steps = reader.whole(start, "steps", rule, (0, MOST_STEPS))?;
            Some(Start { steps, after: Vec::new(), span })
        }
        Some(("after", span)) => {
            let args = reader.args("after", arguments(value), &["pairs", "steps"]);
            let pairs = reader.argument(("after", span), &args, "pairs", "after(de -> en)")?;
            let after = selected(pairs, known, reader)?;
            let steps = match optional(&args, "steps") {
                None => 0,
                Some(value) => steps(value, "steps", reader)?,
            };
            Some(Start { steps, after, span })
        }
        _ => {
            reader.wrong_type("introduce", "`at(10k steps)` or `after(de -> en)`", value);
            None
        }
    }
}

/// Steps before a direction takes part; none when it waits for itself. `waiting`: directions that wait for this one.
fn start_of(
    pair: &(String, String),
    starts: &BTreeMap<(String, String), Start>,
    found: &mut BTreeMap<(String, String), u64>,
    waiting: &mut BTreeSet<(String, String)>,
) -> Option<u64> {
    if let Some(known) = found.get(pair) {
        return Some(*known);
    }
    let Some(start) = starts.get(pair) else { return Some(0) };
    if !waiting.insert(pair.clone()) {
        return None;
    }
    let mut latest = 0;
    for other in &start.after {
        latest = start_of(other, starts, found, waiting)?.max(latest);
    }
    waiting.remove(pair);
    let sum = latest.saturating_add(start.steps);
    found.insert(pair.clone(), sum);
    Some(sum)
}

/// What must fit the length of the training.
pub(crate) fn check(
    rule: &CurriculumRule,
    section: &Section<'_>,
    (steps, training): (u64, Span),
    reader: &mut Reader<'_, '_>,
) {
    let conflict = |fault: String, span, here| ResolveError::Conflict {
        fault,
        span,
        here,
        other: training,
        there: "training ends",
        help: "move it to an earlier step, or train longer".to_owned(),
    };
    for piece in &rule.pieces {
        if let Some(until) = piece.until.filter(|until| *until >= steps) {
            let fault =
                format!("a weight holds until step {until}, but training has {steps} steps");
            reader.report(conflict(fault, piece.span, "what follows it never comes"));
        }
        if let WeightRule::Anneal(anneal) = &piece.rule
            && let Some(length) = anneal.steps.filter(|length| *length > steps)
        {
            let fault = format!("an anneal takes {length} steps, but training has {steps} steps");
            reader.report(conflict(fault, piece.span, "it never arrives"));
        }
    }
    if let Some(At { value: Competence { steps: length, .. }, span }) = &rule.competence
        && *length > steps
    {
        let fault = format!("competence grows for {length} steps, but training has {steps} steps");
        reader.report(conflict(fault, *span, "the hardest text never comes"));
    }
    if let Introduction::Given(starts) = &rule.introduce
        && let Some(((source, target), start)) = starts.iter().find(|(_, start)| **start >= steps)
    {
        let fault = format!(
            "`{source} -> {target}` is introduced after {start} steps, but training has {steps}"
        );
        let span = section.value("introduce").map_or(section.span, |value| value.span);
        reader.report(conflict(fault, span, "a task that never takes part"));
    }
}

/// What must fit the number of lanes.
pub(crate) fn check_lanes(
    rule: &CurriculumRule,
    section: &Section<'_>,
    (lanes, place): (u32, Span),
    reader: &mut Reader<'_, '_>,
) {
    if lanes.is_multiple_of(rule.team) {
        return;
    }
    reader.report(ResolveError::Conflict {
        fault: format!("{lanes} lanes can't be dealt to tasks by {}", rule.team),
        span: section.value("split").map_or(section.span, |value| value.span),
        here: "lanes of every task",
        other: place,
        there: "lanes in all",
        help: "tasks lie on as many lanes as divide the number of all lanes".to_owned(),
    });
}
