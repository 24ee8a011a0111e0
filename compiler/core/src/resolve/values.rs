//! Numbers with units: literals and arithmetic to quantities.

use mmc_syntax::ast::{BinaryOp, Expr, ExprKind, Name};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::names::Scope;
use super::units::{self, Dimension};
use crate::diagnostics::Diagnostics;
use crate::suggest;

/// A number with what it measures, in the dimension's own unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantity {
    /// The value, rounded once.
    pub(crate) value: f64,
    /// The value exactly, when it is whole.
    pub(crate) whole: Option<i128>,
    /// What it measures.
    pub(crate) dimension: Dimension,
}

/// Whole floats below this are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Quantity {
    fn new(value: f64, whole: Option<i128>, dimension: Dimension) -> Self {
        let exact = value.abs() < EXACT && libm::floor(value).to_bits() == value.to_bits();
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        let whole = whole.or_else(|| exact.then_some(value as i128));
        Self { value, whole, dimension }
    }

    #[expect(clippy::cast_precision_loss, reason = "the exact value is kept beside the float")]
    fn scaled(self, times: u64, over: u64) -> Self {
        let whole = self
            .whole
            .and_then(|whole| whole.checked_mul(i128::from(times)))
            .filter(|whole| whole % i128::from(over) == 0)
            .map(|whole| whole / i128::from(over));
        Self::new(self.value * times as f64 / over as f64, whole, self.dimension)
    }
}

/// A number as written; nothing when a fault was reported.
pub(crate) fn literal(
    digits: &str,
    suffix: Option<&str>,
    unit: Option<&Name>,
    span: Span,
    diagnostics: &mut Diagnostics,
) -> Option<Quantity> {
    let digits = digits.replace('_', "");
    let whole = digits.parse::<i128>().ok();
    let Some(value) = digits.parse::<f64>().ok().filter(|value| value.is_finite()) else {
        diagnostics.report(ResolveError::Arithmetic {
            fault: format!("`{digits}` is too large for a number"),
            span,
            help: "numbers reach to about 1.8e308".to_owned(),
        });
        return None;
    };
    let mut quantity = Quantity::new(value, whole, Dimension::Plain);
    if let Some(word) = suffix {
        let (times, over) = units::suffix(word)?;
        quantity = quantity.scaled(times, over);
    }
    let Some(name) = unit else { return Some(quantity) };
    let Some(unit) = units::find(&name.text) else {
        let words = units::UNITS.iter().map(|unit| unit.word);
        diagnostics.report(ResolveError::UnknownName {
            kind: "unit",
            word: name.text.clone(),
            span: name.span,
            help: suggest::help(
                &name.text,
                words,
                "units are `tokens`, `steps`, `sentences`, `GiB`, `GB`, `GB/s`, `Gbit/s`, `TFLOP/s`, `us`, `ms`, `s`, `min`, `h` ...",
            ),
        });
        return None;
    };
    quantity.dimension = unit.dimension;
    Some(quantity.scaled(unit.times, unit.over))
}

/// What an expression that should be a number comes to.
pub(crate) enum Evaluated {
    /// A number.
    Quantity(Quantity, Span),
    /// Something else: this expression, names followed.
    Other(Span, String),
    /// A fault was reported, or its root was.
    Faulty,
}

/// Evaluates arithmetic, following `let` and `param`.
pub(crate) fn evaluate(expr: &Expr, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Evaluated {
    let Some(expr) = scope.follow(expr) else { return Evaluated::Faulty };
    let found = match &expr.kind {
        ExprKind::Number { digits, suffix, unit } => {
            literal(digits, suffix.as_deref(), unit.as_ref(), expr.span, diagnostics)
        }
        ExprKind::Negative(inner) => match evaluate(inner, scope, diagnostics) {
            Evaluated::Quantity(q, _) => {
                Some(Quantity { value: -q.value, whole: q.whole.map(|whole| -whole), ..q })
            }
            other => return other,
        },
        ExprKind::Binary { op, left, right } if sign(*op).is_some() => {
            let left = evaluate(left, scope, diagnostics);
            let right = evaluate(right, scope, diagnostics);
            match (left, right) {
                (Evaluated::Quantity(a, _), Evaluated::Quantity(b, _)) => {
                    combine(*op, a, b, expr.span, diagnostics)
                }
                (Evaluated::Faulty, _) | (_, Evaluated::Faulty) => None,
                (other @ Evaluated::Other(..), _) | (_, other) => return other,
            }
        }
        _ => return Evaluated::Other(expr.span, describe(expr)),
    };
    found.map_or(Evaluated::Faulty, |quantity| Evaluated::Quantity(quantity, expr.span))
}

fn sign(op: BinaryOp) -> Option<&'static str> {
    Some(match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Intersect | BinaryOp::To | BinaryOp::BothWays | BinaryOp::Times => return None,
    })
}

fn combine(
    op: BinaryOp,
    a: Quantity,
    b: Quantity,
    span: Span,
    diagnostics: &mut Diagnostics,
) -> Option<Quantity> {
    let plain = Dimension::Plain;
    let whole = |f: fn(i128, i128) -> Option<i128>| a.whole.zip(b.whole).and_then(|(x, y)| f(x, y));
    let result = match op {
        BinaryOp::Add if a.dimension == b.dimension => {
            Some((a.value + b.value, whole(i128::checked_add), a.dimension))
        }
        BinaryOp::Subtract if a.dimension == b.dimension => {
            Some((a.value - b.value, whole(i128::checked_sub), a.dimension))
        }
        BinaryOp::Multiply if a.dimension == plain => {
            Some((a.value * b.value, whole(i128::checked_mul), b.dimension))
        }
        BinaryOp::Multiply if b.dimension == plain => {
            Some((a.value * b.value, whole(i128::checked_mul), a.dimension))
        }
        BinaryOp::Divide if b.dimension == plain || a.dimension == b.dimension => {
            let dimension = if b.dimension == plain { a.dimension } else { plain };
            let divide = |x: i128, y: i128| (y != 0 && x % y == 0).then(|| x / y);
            Some((a.value / b.value, whole(divide), dimension))
        }
        _ => None,
    };
    let (fault, help) = match result {
        Some((value, whole, dimension)) if value.is_finite() => {
            return Some(Quantity::new(value, whole, dimension));
        }
        Some(_) => ("the result is no number".to_owned(), "is the divisor 0?"),
        None => (
            format!(
                "{} `{}` {} has no meaning",
                a.dimension,
                sign(op).unwrap_or_default(),
                b.dimension
            ),
            "`+` and `-` need equal units; in `*` one side is a plain number; `/` takes a plain number or the same unit",
        ),
    };
    diagnostics.report(ResolveError::Arithmetic { fault, span, help: help.to_owned() });
    None
}

/// What an expression is, for messages.
pub(crate) fn describe(expr: &Expr) -> String {
    let words = match &expr.kind {
        ExprKind::Number { unit: Some(unit), .. } => return format!("a number of `{}`", unit.text),
        ExprKind::Number { .. } | ExprKind::Negative(_) => "a number",
        ExprKind::Text(_) => "text in quotes",
        ExprKind::Name(word) => return format!("`{word}`"),
        ExprKind::Dotted(names) => return format!("`{}`", dotted(names)),
        ExprKind::Code(code) => return format!("`{code}`"),
        ExprKind::List(_) => "a list",
        ExprKind::Tuple(_) => "several values in parentheses",
        ExprKind::Group(inner) => return describe(inner),
        ExprKind::Map(_) => "a block",
        ExprKind::Call { callee, .. } => {
            return format!("{}`(...)`", describe(callee)).replace("``(", "(");
        }
        ExprKind::Index { .. } => "an element",
        ExprKind::Range(..) => "a range",
        ExprKind::Binary { op: BinaryOp::To | BinaryOp::BothWays, .. } => "an arrow",
        ExprKind::Binary { op: BinaryOp::Times, .. } => "a stack",
        ExprKind::Binary { .. } => "an expression",
        ExprKind::With(..) => "`with`",
        ExprKind::Where(..) => "`where`",
        ExprKind::Prefixed(word, _) => return format!("`{} ...`", word.text),
    };
    words.to_owned()
}

/// `std.typology`.
pub(crate) fn dotted(names: &[Name]) -> String {
    names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(".")
}
