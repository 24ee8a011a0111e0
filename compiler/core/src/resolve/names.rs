//! `let` and `param`: names for values, in one scope for all files.

use std::collections::{BTreeMap, BTreeSet};

use mmc_syntax::ast::{Expr, ExprKind, Name};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::values::describe;
use crate::diagnostics::Diagnostics;
use crate::suggest;

/// A `param` as declared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParamEntry<'a> {
    pub(crate) name: &'a Name,
    pub(crate) ty: &'a Name,
    pub(crate) default: Option<&'a Expr>,
}

/// What names stand for.
#[derive(Debug, Default)]
pub(crate) struct Scope<'a> {
    values: BTreeMap<&'a str, &'a Expr>,
    /// Declared names whose value is faulty; uses of them are silent.
    broken: BTreeSet<&'a str>,
}

/// Longest chain of names that is followed; cycles are broken before, so this only bounds odd input.
const LONGEST: usize = 1_000;

impl<'a> Scope<'a> {
    /// The expression itself, or what its name stands for, parentheses removed; nothing when the name's value is faulty.
    pub(crate) fn follow<'e>(&self, expr: &'e Expr) -> Option<&'e Expr>
    where
        'a: 'e,
    {
        let mut at: &'e Expr = expr;
        for _ in 0..LONGEST {
            at = match &at.kind {
                ExprKind::Group(inner) => inner,
                ExprKind::Name(word) => {
                    if self.broken.contains(word.as_str()) {
                        return None;
                    }
                    match self.values.get(word.as_str()) {
                        Some(value) => value,
                        None => return Some(at),
                    }
                }
                _ => return Some(at),
            };
        }
        None
    }

    /// Whether a name is declared, faulty or not.
    pub(crate) fn knows(&self, word: &str) -> bool {
        self.values.contains_key(word) || self.broken.contains(word)
    }

    /// All names.
    pub(crate) fn words(&self) -> impl Iterator<Item = &'a str> {
        self.values.keys().copied()
    }
}

/// Values of params: those given with `-p`, else defaults. The result lives as long as the scope made of it.
pub(crate) fn param_values(
    params: &[ParamEntry<'_>],
    given: &[(String, String)],
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Expr> {
    let mut values = BTreeMap::new();
    for (name, value) in given {
        if !params.iter().any(|param| param.name.text == *name) {
            let names = params.iter().map(|param| param.name.text.as_str());
            diagnostics.report(ResolveError::UnknownParam {
                name: name.clone(),
                value: value.clone(),
                help: suggest::help(name, names, "declare it: `param NAME: float = 0.5`"),
            });
        }
    }
    for param in params {
        let Some(expected) = expected_of(param.ty, diagnostics) else { continue };
        // The last `-p` of a name wins, as flags do.
        let given = given.iter().rev().find(|(name, _)| *name == param.name.text);
        if let Some((name, text)) = given {
            match typed(&param.ty.text, text, param.name.span) {
                Some(value) => {
                    values.insert(name.clone(), value);
                }
                None => diagnostics.report(ResolveError::BadParam {
                    name: name.clone(),
                    expected,
                    value: text.clone(),
                    span: param.name.span,
                    help: format!("`param {name}: {}`: give {expected}", param.ty.text),
                }),
            }
        } else if let Some(default) = param.default {
            if fits(&param.ty.text, default) {
                values.insert(param.name.text.clone(), default.clone());
            } else {
                diagnostics.report(ResolveError::WrongType {
                    field: param.name.text.clone(),
                    expected: expected.to_owned(),
                    found: describe(default),
                    span: default.span,
                    help: None,
                });
            }
        } else {
            diagnostics.report(ResolveError::MissingParam {
                name: param.name.text.clone(),
                span: param.name.span,
                help: format!("give it, `-p {}=...`, or write a default", param.name.text),
            });
        }
    }
    values
}

fn expected_of(ty: &Name, diagnostics: &mut Diagnostics) -> Option<&'static str> {
    Some(match ty.text.as_str() {
        "int" => "a whole number",
        "float" => "a number",
        "text" => "text",
        "bool" => "`true` or `false`",
        "name" => "a name",
        word => {
            diagnostics.report(ResolveError::UnknownName {
                kind: "type",
                word: word.to_owned(),
                span: ty.span,
                help: suggest::help(word, ["int", "float", "text", "bool", "name"], ""),
            });
            return None;
        }
    })
}

fn number(digits: &str, suffix: Option<String>, span: Span) -> Expr {
    Expr { kind: ExprKind::Number { digits: digits.to_owned(), suffix, unit: None }, span }
}

/// The value of a `-p`, as if it were written at the param's declaration.
fn typed(ty: &str, text: &str, span: Span) -> Option<Expr> {
    let text = text.trim();
    match ty {
        "int" | "float" => {
            let (negative, rest) =
                text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
            let (digits, suffix) = match rest.char_indices().next_back() {
                Some((at, mark @ ('k' | 'M' | 'G' | '%'))) => {
                    (rest.get(..at)?, Some(mark.to_string()))
                }
                _ => (rest, None),
            };
            let digit = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
            let value: f64 =
                digits.parse().ok().filter(|value: &f64| digit && value.is_finite())?;
            if ty == "int"
                && (suffix.as_deref() == Some("%")
                    || libm::floor(value).to_bits() != value.to_bits())
            {
                return None;
            }
            let plain = number(digits, suffix, span);
            Some(if negative {
                Expr { kind: ExprKind::Negative(Box::new(plain)), span }
            } else {
                plain
            })
        }
        "text" => Some(Expr { kind: ExprKind::Text(text.to_owned()), span }),
        "bool" if !matches!(text, "true" | "false") => None,
        "bool" | "name" => {
            let word = text.starts_with(char::is_alphabetic)
                && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
            word.then(|| Expr { kind: ExprKind::Name(text.to_owned()), span })
        }
        _ => None,
    }
}

/// Whether a default fits the type; arithmetic and other names are checked where they are used.
fn fits(ty: &str, default: &Expr) -> bool {
    match (&default.kind, ty) {
        (ExprKind::Number { digits, suffix, .. }, "int") => {
            let value: f64 = digits.replace('_', "").parse().unwrap_or(f64::NAN);
            suffix.is_some() && suffix.as_deref() != Some("%")
                || libm::floor(value).to_bits() == value.to_bits()
        }
        (ExprKind::Negative(inner), _) => fits(ty, inner),
        (ExprKind::Number { .. } | ExprKind::Binary { .. }, "float")
        | (ExprKind::Binary { .. }, "int")
        | (ExprKind::Text(_), "text")
        | (ExprKind::Name(_), "name") => true,
        (ExprKind::Name(word), "bool") => matches!(word.as_str(), "true" | "false"),
        _ => false,
    }
}

/// The scope of all `let`s and `param`s; cycles are reported and broken.
pub(crate) fn scope<'a>(
    lets: &[(&'a Name, &'a Expr)],
    params: &[ParamEntry<'a>],
    param_values: &'a BTreeMap<String, Expr>,
    diagnostics: &mut Diagnostics,
) -> Scope<'a> {
    let mut scope = Scope::default();
    let mut declared: BTreeMap<&str, Span> = BTreeMap::new();
    for param in params {
        let word = param.name.text.as_str();
        if first_of(&mut declared, param.name, diagnostics) {
            match param_values.get(word) {
                Some(value) => drop(scope.values.insert(word, value)),
                None => drop(scope.broken.insert(word)),
            }
        }
    }
    for (name, value) in lets {
        if first_of(&mut declared, name, diagnostics) {
            scope.values.insert(&name.text, value);
        }
    }
    break_cycles(&mut scope, &declared, diagnostics);
    scope
}

fn first_of<'a>(
    declared: &mut BTreeMap<&'a str, Span>,
    name: &'a Name,
    diagnostics: &mut Diagnostics,
) -> bool {
    if let Some(first) = declared.get(name.text.as_str()) {
        diagnostics.report(ResolveError::Duplicate {
            what: "value".to_owned(),
            word: name.text.clone(),
            span: name.span,
            first: *first,
            help: "`let` and `param` share one scope over all files; rename one of the two"
                .to_owned(),
        });
        return false;
    }
    declared.insert(&name.text, name.span);
    true
}

/// Reports each name that reaches itself, once per cycle, and takes the cycle's names out of the scope.
fn break_cycles(
    scope: &mut Scope<'_>,
    declared: &BTreeMap<&str, Span>,
    diagnostics: &mut Diagnostics,
) {
    let names: Vec<&str> = scope.values.keys().copied().collect();
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    for start in names {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![start];
        while let Some(word) = open.pop() {
            let Some(value) = scope.values.get(word) else { continue };
            let mut inside = Vec::new();
            mentioned(value, &mut inside);
            for next in inside {
                if scope.values.contains_key(next) && reached.insert(next) {
                    open.push(next);
                }
            }
        }
        if reached.contains(start) {
            let through: Vec<&str> =
                reached.iter().copied().filter(|word| *word != start).collect();
            if !through.iter().any(|word| settled.contains(word)) {
                let span = declared.get(start).copied().unwrap_or_default();
                let help = if through.is_empty() {
                    "write a value that does not use the name itself".to_owned()
                } else {
                    format!("the circle goes through {}", suggest::listed(&through, "and"))
                };
                diagnostics.report(ResolveError::CyclicValue {
                    name: start.to_owned(),
                    span,
                    help,
                });
            }
            settled.insert(start);
        }
    }
    for word in settled {
        if let Some((key, _)) = scope.values.remove_entry(word) {
            scope.broken.insert(key);
        }
    }
}

/// The names that an expression mentions.
fn mentioned<'e>(expr: &'e Expr, into: &mut Vec<&'e str>) {
    match &expr.kind {
        ExprKind::Name(word) => into.push(word),
        ExprKind::Group(inner) | ExprKind::Negative(inner) | ExprKind::Prefixed(_, inner) => {
            mentioned(inner, into);
        }
        ExprKind::List(items) | ExprKind::Tuple(items) => {
            for item in items {
                mentioned(item, into);
            }
        }
        ExprKind::Map(pairs) => {
            for (_, value) in pairs {
                mentioned(value, into);
            }
        }
        ExprKind::Call { args, .. } => {
            for arg in args {
                mentioned(&arg.value, into);
            }
        }
        ExprKind::Index { base: a, index: b }
        | ExprKind::Range(a, b)
        | ExprKind::Binary { left: a, right: b, .. }
        | ExprKind::With(a, b)
        | ExprKind::Where(a, _, b) => {
            mentioned(a, into);
            mentioned(b, into);
        }
        ExprKind::Number { .. } | ExprKind::Text(_) | ExprKind::Dotted(_) | ExprKind::Code(_) => {}
    }
}
