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
}

/// What a number is multiplied with and divided by.
#[derive(Debug, Clone, Copy)]
struct Factor {
    times: i128,
    over: i128,
}

/// `digits` times the factor when that is whole: `1.005k` is 1005, which floats miss.
fn exact(digits: &str, factor: Factor) -> Option<i128> {
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let numerator = format!("{whole}{fraction}").parse::<i128>().ok()?.checked_mul(factor.times)?;
    let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    let (numerator, denominator) = if exponent < 0 {
        (numerator, factor.over.checked_mul(power)?)
    } else {
        (numerator.checked_mul(power)?, factor.over)
    };
    (numerator % denominator == 0).then(|| numerator / denominator)
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
    let mut factor = Factor { times: 1, over: 1 };
    if let Some(word) = suffix {
        let (times, over) = units::suffix(word)?;
        factor = Factor { times: i128::from(times), over: i128::from(over) };
    }
    let mut dimension = Dimension::Plain;
    if let Some(name) = unit {
        let unit = known_unit(name, diagnostics)?;
        dimension = unit.dimension;
        factor.times *= i128::from(unit.times);
        factor.over *= i128::from(unit.over);
    }
    let whole = exact(&digits, factor);
    let value = digits.parse::<f64>().ok().map(|value| scaled(value, whole, factor));
    let Some(value) = value.filter(|value| value.is_finite()) else {
        diagnostics.report(ResolveError::Arithmetic {
            fault: format!("`{digits}` is too large for a number"),
            span,
            help: "numbers reach to about 1.8e308".to_owned(),
        });
        return None;
    };
    Some(Quantity { value, whole, dimension })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "factors are small; the exact value is kept beside the float"
)]
fn scaled(value: f64, whole: Option<i128>, factor: Factor) -> f64 {
    whole.map_or_else(|| value * factor.times as f64 / factor.over as f64, |whole| whole as f64)
}

fn known_unit(name: &Name, diagnostics: &mut Diagnostics) -> Option<&'static units::Unit> {
    let found = units::find(&name.text);
    if found.is_none() {
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
    }
    found
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(digits: &str, suffix: Option<&str>, unit: Option<&str>) -> Option<(f64, Option<i128>)> {
        let span = Span::default();
        let unit = unit.map(|text| Name { text: text.to_owned(), span });
        let quantity = literal(digits, suffix, unit.as_ref(), span, &mut Diagnostics::default())?;
        Some((quantity.value, quantity.whole))
    }

    #[test]
    fn numbers_round_once_and_whole_ones_are_exact() {
        assert_eq!(read("1.005", Some("k"), None), Some((1_005.0, Some(1_005))));
        assert_eq!(read("4_096", None, Some("tokens")), Some((4_096.0, Some(4_096))));
        assert_eq!(read("18446744073709551615", None, None).unwrap().1, Some(u64::MAX.into()));
        assert_eq!(read("1.5", None, Some("GiB")), Some((1_610_612_736.0, Some(1_610_612_736))));
        assert_eq!(read("5", Some("%"), None), Some((0.05, None)));
        assert_eq!(read("100", Some("%"), None), Some((1.0, Some(1))));
        assert_eq!(read("3e-4", None, None), Some((3e-4, None)));
        assert_eq!(read("2e3", None, None), Some((2_000.0, Some(2_000))));
        assert_eq!(read("5", None, Some("us")), Some((5e-6, None)));
        assert_eq!(read("200", None, Some("Gbit/s")), Some((25e9, Some(25_000_000_000))));
    }

    #[test]
    fn odd_numbers_are_refused_or_inexact() {
        assert_eq!(read("1e309", None, None), None);
        assert_eq!(read("1e99999999999", None, None), None);
        assert_eq!(read("1e-99999999999", None, None), Some((0.0, None)));
        assert_eq!(read("1e300", None, None), Some((1e300, None)));
        assert_eq!(read("1", None, Some("GIB")), None);
    }
}
