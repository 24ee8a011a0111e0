//! Reading of typed values: units, ranges and choices, each fault reported once with the field's name.

use mmc_syntax::ast::{Arg, Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::names::Scope;
use super::section::Section;
use super::units::{self, Dimension};
use super::values::{Evaluated, Quantity, describe, evaluate};
use crate::diagnostics::Diagnostics;
use crate::suggest;

/// What unit a field takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnitRule {
    dimension: Dimension,
    /// A bare number is understood: the field's name says what is counted.
    bare: bool,
}

/// A plain number.
pub(crate) const PLAIN: UnitRule = UnitRule { dimension: Dimension::Plain, bare: true };

/// A unit of this kind is needed.
pub(crate) const fn needs(dimension: Dimension) -> UnitRule {
    UnitRule { dimension, bare: false }
}

/// A unit of this kind may be left out.
pub(crate) const fn may_have(dimension: Dimension) -> UnitRule {
    UnitRule { dimension, bare: true }
}

/// Bounds of a real number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) low: f64,
    pub(crate) low_open: bool,
    pub(crate) high: f64,
    pub(crate) high_open: bool,
}

impl Bounds {
    /// `0 <= x < 1`.
    pub(crate) const FRACTION: Self =
        Self { low: 0.0, low_open: false, high: 1.0, high_open: true };
    /// `0 <= x <= 1`.
    pub(crate) const PART: Self = Self { low: 0.0, low_open: false, high: 1.0, high_open: false };
    /// `x > 0`.
    pub(crate) const POSITIVE: Self =
        Self { low: 0.0, low_open: true, high: f64::MAX, high_open: false };
    /// `x >= 0`.
    pub(crate) const NOT_NEGATIVE: Self =
        Self { low: 0.0, low_open: false, high: f64::MAX, high_open: false };

    fn holds(self, x: f64) -> bool {
        let low = if self.low_open { x > self.low } else { x >= self.low };
        let high = if self.high_open { x < self.high } else { x <= self.high };
        low && high
    }

    fn words(self) -> String {
        let low = if self.low_open { "greater than" } else { "at least" };
        let high = if self.high_open { "less than" } else { "at most" };
        if self.high < f64::MAX {
            format!("{low} {} and {high} {}", self.low, self.high)
        } else {
            format!("{low} {}", self.low)
        }
    }
}

/// A word that a field may hold.
pub(crate) type Choice<T> = (&'static str, T);

/// Reads values in a scope and reports into a sink.
#[derive(Debug)]
pub(crate) struct Reader<'r, 'a> {
    pub(crate) scope: &'r Scope<'a>,
    pub(crate) diagnostics: &'r mut Diagnostics,
}

impl<'a> Reader<'_, 'a> {
    /// Reports a fault.
    pub(crate) fn report(&mut self, fault: ResolveError) {
        self.diagnostics.report(fault);
    }

    /// Reports that a construct is not built.
    pub(crate) fn not_built(&mut self, construct: impl Into<String>, span: Span) {
        self.report(ResolveError::NotBuilt { construct: construct.into(), span, help: None });
    }

    /// Reports a value of the wrong kind.
    pub(crate) fn wrong_type(&mut self, field: &str, expected: &str, expr: &Expr) {
        self.report(ResolveError::WrongType {
            field: field.to_owned(),
            expected: expected.to_owned(),
            found: describe(expr),
            span: expr.span,
            help: None,
        });
    }

    /// A field that must be there; `example` goes into the help.
    pub(crate) fn required<'s>(
        &mut self,
        section: &'s Section<'a>,
        field: &'static str,
        example: &str,
    ) -> Option<&'a Expr> {
        if section.key(field).is_none() {
            self.missing(section, field, example);
        }
        section.value(field)
    }

    /// Reports that a field is missing.
    pub(crate) fn missing(&mut self, section: &Section<'_>, field: &'static str, example: &str) {
        self.report(ResolveError::MissingField {
            block: section.what.clone(),
            field,
            span: section.span,
            help: format!("for example `{example}`"),
        });
    }

    /// The expression with names followed; nothing when its root is already reported.
    pub(crate) fn follow(&self, expr: &'a Expr) -> Option<&'a Expr> {
        self.scope.follow(expr)
    }

    /// A number of the right dimension.
    pub(crate) fn quantity(
        &mut self,
        expr: &Expr,
        field: &str,
        rule: UnitRule,
    ) -> Option<(Quantity, Span)> {
        let (quantity, span) = match evaluate(expr, self.scope, self.diagnostics) {
            Evaluated::Quantity(quantity, span) => (quantity, span),
            Evaluated::Faulty => return None,
            Evaluated::Other(span, found) => {
                self.not_a_number(expr, field, span, found);
                return None;
            }
        };
        let words = units::words(rule.dimension);
        if quantity.dimension == rule.dimension
            || rule.bare && quantity.dimension == Dimension::Plain
        {
            return Some((quantity, span));
        }
        if quantity.dimension == Dimension::Plain {
            self.report(ResolveError::MissingUnit {
                field: field.to_owned(),
                span,
                help: format!(
                    "{} is written with {}",
                    rule.dimension,
                    suggest::listed(&words, "or")
                ),
            });
        } else {
            let help = if words.is_empty() {
                "leave the unit out".to_owned()
            } else {
                format!("units here: {}", suggest::listed(&words, "or"))
            };
            self.report(ResolveError::WrongUnit {
                field: field.to_owned(),
                expected: rule.dimension.to_string(),
                unit: self.unit_word(expr, quantity.dimension),
                span,
                help,
            });
        }
        None
    }

    fn unit_word(&self, expr: &Expr, dimension: Dimension) -> String {
        match self.scope.follow(expr).map(|expr| &expr.kind) {
            Some(ExprKind::Number { unit: Some(unit), .. }) => unit.text.clone(),
            _ => dimension.to_string(),
        }
    }

    fn not_a_number(&mut self, expr: &Expr, field: &str, span: Span, found: String) {
        let unknown = match &expr.kind {
            ExprKind::Name(word) if !self.scope.knows(word) => Some(word.clone()),
            _ => None,
        };
        let fault = match unknown {
            Some(word) => ResolveError::UnknownName {
                kind: "value",
                help: suggest::help(
                    &word,
                    self.scope.words(),
                    &format!("`{field}` needs a number; names of numbers are declared with `let`"),
                ),
                word,
                span,
            },
            None => ResolveError::WrongType {
                field: field.to_owned(),
                expected: "a number".to_owned(),
                found,
                span,
                help: None,
            },
        };
        self.report(fault);
    }

    /// A whole number within bounds.
    pub(crate) fn whole(
        &mut self,
        expr: &Expr,
        field: &str,
        rule: UnitRule,
        (low, high): (u64, u64),
    ) -> Option<u64> {
        let (quantity, span) = self.quantity(expr, field, rule)?;
        let found = quantity.whole.and_then(|whole| u64::try_from(whole).ok());
        if let Some(value) = found.filter(|value| (low..=high).contains(value)) {
            return Some(value);
        }
        let range = if high >= u64::from(u32::MAX) {
            format!("a whole number, at least {low}")
        } else {
            format!("a whole number from {low} to {high}")
        };
        let value =
            quantity.whole.map_or_else(|| quantity.value.to_string(), |whole| whole.to_string());
        self.report(ResolveError::OutOfRange {
            field: field.to_owned(),
            value,
            span,
            help: format!("needed: {range}"),
        });
        None
    }

    /// A whole number from `low` that fits 32 bits.
    pub(crate) fn small(
        &mut self,
        expr: &Expr,
        field: &str,
        rule: UnitRule,
        low: u32,
    ) -> Option<u32> {
        let value = self.whole(expr, field, rule, (u64::from(low), u64::from(u32::MAX)))?;
        u32::try_from(value).ok()
    }

    /// A real number within bounds.
    pub(crate) fn real(
        &mut self,
        expr: &Expr,
        field: &str,
        rule: UnitRule,
        bounds: Bounds,
    ) -> Option<f64> {
        let (quantity, span) = self.quantity(expr, field, rule)?;
        if bounds.holds(quantity.value) {
            return Some(quantity.value);
        }
        self.report(ResolveError::OutOfRange {
            field: field.to_owned(),
            value: quantity.value.to_string(),
            span,
            help: format!("needed: {}", bounds.words()),
        });
        None
    }

    /// Text in quotes.
    pub(crate) fn text(&mut self, expr: &'a Expr, field: &str) -> Option<(&'a str, Span)> {
        let expr = self.follow(expr)?;
        if let ExprKind::Text(text) = &expr.kind {
            return Some((text, expr.span));
        }
        self.wrong_type(field, "text in quotes", expr);
        None
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, expr: &'a Expr, field: &str) -> Option<bool> {
        let expr = self.follow(expr)?;
        match &expr.kind {
            ExprKind::Name(word) if word == "true" => Some(true),
            ExprKind::Name(word) if word == "false" => Some(false),
            _ => {
                self.wrong_type(field, "`true` or `false`", expr);
                None
            }
        }
    }

    /// One of some words; those of the language that are not built are told apart from misspelt ones.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        expr: &'a Expr,
        field: &'static str,
        choices: &[Choice<T>],
        not_built: &[&str],
    ) -> Option<T> {
        let expr = self.follow(expr)?;
        let Some((word, span)) = head(expr) else {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.wrong_type(field, &suggest::listed(&words, "or"), expr);
            return None;
        };
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == word) {
            if matches!(expr.kind, ExprKind::Call { .. }) {
                self.wrong_type(field, "a word without arguments", expr);
                return None;
            }
            return Some(*value);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.unknown_choice(word, span, field, &words, not_built);
        None
    }

    /// Reports a word that is not among a field's choices.
    pub(crate) fn unknown_choice(
        &mut self,
        word: &str,
        span: Span,
        field: &'static str,
        words: &[&str],
        not_built: &[&str],
    ) {
        if not_built.contains(&word) {
            let help = Some(format!("built: {}", suggest::listed(words, "and")));
            let construct = format!("`{field} = {word}`");
            self.report(ResolveError::NotBuilt { construct, span, help });
            return;
        }
        let all = words.iter().chain(not_built).copied();
        let help = suggest::nearest(word, all).map_or_else(
            || format!("`{field}` is {}", suggest::listed(words, "or")),
            |near| format!("did you mean `{near}`?"),
        );
        self.report(ResolveError::UnknownName { kind: field, word: word.to_owned(), span, help });
    }

    /// Arguments by name: positional ones take the names in order.
    pub(crate) fn args(
        &mut self,
        call: &str,
        args: &'a [Arg],
        names: &[&'static str],
    ) -> Vec<(&'static str, &'a Expr)> {
        let mut found: Vec<(&'static str, &'a Expr)> = Vec::new();
        for (at, arg) in args.iter().enumerate() {
            let (slot, word, span) = match &arg.name {
                Some(name) => {
                    (names.iter().find(|known| **known == name.text), name.text.as_str(), name.span)
                }
                None => (names.get(at), "more arguments", arg.value.span),
            };
            let Some(slot) = slot else {
                let help = suggest::help(
                    word,
                    names.iter().copied(),
                    &format!("`{call}` has no arguments"),
                );
                self.report(ResolveError::UnknownField {
                    block: call.to_owned(),
                    word: word.to_owned(),
                    span,
                    help,
                });
                continue;
            };
            if let Some((_, first)) = found.iter().find(|(name, _)| name == slot) {
                self.report(ResolveError::Duplicate {
                    what: format!("{call}: argument"),
                    word: (*slot).to_owned(),
                    span,
                    first: first.span,
                    help: "keep one of the two".to_owned(),
                });
                continue;
            }
            found.push((slot, &arg.value));
        }
        found
    }

    /// An argument that must be there.
    pub(crate) fn argument(
        &mut self,
        (call, span): (&str, Span),
        args: &[(&'static str, &'a Expr)],
        name: &'static str,
        example: &str,
    ) -> Option<&'a Expr> {
        let found = args.iter().find(|(slot, _)| *slot == name).map(|(_, value)| *value);
        if found.is_none() {
            self.report(ResolveError::MissingField {
                block: call.to_owned(),
                field: name,
                span,
                help: format!("for example `{example}`"),
            });
        }
        found
    }
}

/// The value of an argument that may be left out.
pub(crate) fn optional<'a>(args: &[(&'static str, &'a Expr)], name: &str) -> Option<&'a Expr> {
    args.iter().find(|(slot, _)| *slot == name).map(|(_, value)| *value)
}

/// The word of a name or of a call: `relu`, `adamw(...)`.
pub(crate) fn head(expr: &Expr) -> Option<(&str, Span)> {
    match &expr.kind {
        ExprKind::Name(word) => Some((word, expr.span)),
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Name(word) => Some((word, callee.span)),
            _ => None,
        },
        _ => None,
    }
}

/// The arguments of a call; none for a bare word.
pub(crate) fn arguments(expr: &Expr) -> &[Arg] {
    match &expr.kind {
        ExprKind::Call { args, .. } => args,
        _ => &[],
    }
}
