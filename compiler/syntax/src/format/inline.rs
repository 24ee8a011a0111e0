//! Entries and expressions on one line.

use crate::ast::{Arg, BinaryOp, Block, Entry, EntryKind, Expr, ExprKind, ImportPath, Name};
use crate::dump::sign;

/// An entry on one line; without its documentation.
pub(super) fn entry(of: &Entry) -> String {
    match &of.kind {
        EntryKind::Import(ImportPath::File(path, _)) => format!("import {}", quoted(path)),
        EntryKind::Import(ImportPath::Std(names)) => format!("import {}", dotted(names)),
        EntryKind::Param { name, ty, default } => {
            let default = default.as_ref().map_or(String::new(), |d| format!(" = {}", expr(d)));
            format!("param {}: {}{default}", name.text, ty.text)
        }
        EntryKind::Let { name, value } => format!("let {} = {}", name.text, expr(value)),
        EntryKind::Languages(names) => {
            let names: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
            format!("languages {}", names.join(", "))
        }
        EntryKind::Block(of) if of.entries.is_empty() => format!("{} {{}}", head(of)),
        EntryKind::Block(of) => format!("{} {{ {} }}", head(of), entries(&of.entries)),
        EntryKind::Setting(setting) => {
            let label = setting.label.as_ref().map_or(String::new(), |l| format!(" {}", l.text));
            format!("{}{label} = {}", setting.key.text, expr(&setting.value))
        }
        EntryKind::Choice { name, values } => format!("{} in {}", name.text, expr(values)),
    }
}

/// Entries on one line, two spaces between them.
pub(super) fn entries(of: &[Entry]) -> String {
    of.iter().map(entry).collect::<Vec<_>>().join("  ")
}

/// A block up to its brace.
pub(super) fn head(block: &Block) -> String {
    let header = block.header.as_ref().map_or(String::new(), |header| format!(" {}", expr(header)));
    format!("{}{header}", block.keyword.text)
}

/// An expression on one line.
pub(super) fn expr(of: &Expr) -> String {
    match &of.kind {
        ExprKind::Number { digits, suffix, unit } => {
            let suffix = suffix.as_deref().unwrap_or_default();
            let unit = unit.as_ref().map_or(String::new(), |unit| format!(" {}", unit.text));
            format!("{digits}{suffix}{unit}")
        }
        ExprKind::Text(text) => quoted(text),
        ExprKind::Name(word) | ExprKind::Code(word) => word.clone(),
        ExprKind::Dotted(names) => dotted(names),
        ExprKind::List(items) => format!("[{}]", all(items)),
        ExprKind::Tuple(items) => format!("({})", all(items)),
        ExprKind::Group(inner) => format!("({})", expr(inner)),
        ExprKind::Map(pairs) if pairs.is_empty() => "{}".to_owned(),
        ExprKind::Map(pairs) => {
            let pair = |(key, value): &(Expr, Expr)| format!("{} = {}", expr(key), expr(value));
            format!("{{ {} }}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        ExprKind::Call { callee, args } => {
            let args: Vec<String> = args.iter().map(argument).collect();
            format!("{}({})", expr(callee), args.join(", "))
        }
        ExprKind::Index { base, index } => format!("{}[{}]", expr(base), expr(index)),
        ExprKind::Range(from, to) => {
            format!("{}..{}", at_least(SIGN, from), at_least(SIGN, to))
        }
        ExprKind::Negative(inner) => format!("-{}", at_least(SIGN, inner)),
        ExprKind::Binary { op, left, right } => {
            format!("{} {} {}", left_operand(*op, left), sign(*op), right_operand(*op, right))
        }
        ExprKind::With(base, what) => format!("{} with {}", expr(base), at_least(PRIMARY, what)),
        ExprKind::Where(base, attribute, value) => {
            format!("{} where {} = {}", expr(base), attribute.text, at_least(PRIMARY, value))
        }
        ExprKind::Prefixed(word, inner) => format!("{} {}", word.text, at_least(PREFIX, inner)),
    }
}

fn all(exprs: &[Expr]) -> String {
    exprs.iter().map(expr).collect::<Vec<_>>().join(", ")
}

fn argument(arg: &Arg) -> String {
    let name = arg.name.as_ref().map_or(String::new(), |name| format!("{} = ", name.text));
    format!("{name}{}", expr(&arg.value))
}

/// Words with dots between them.
pub(super) fn dotted(names: &[Name]) -> String {
    names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(".")
}

/// A text with its quotes and escapes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.extend(["\\u{", &format!("{:x}", u32::from(c)), "}"]),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

const PREFIX: u8 = 5;
const RANGE: u8 = 6;
const SIGN: u8 = 7;
const PRIMARY: u8 = 8;

fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Intersect => 1,
        BinaryOp::Multiply | BinaryOp::Divide => 2,
        BinaryOp::To | BinaryOp::BothWays => 3,
        BinaryOp::Times => 4,
    }
}

/// How tightly an expression holds together; a `with` or `where` at its left end reaches over operators behind it.
fn tightness(of: &Expr) -> u8 {
    match &of.kind {
        ExprKind::With(..) | ExprKind::Where(..) => 0,
        ExprKind::Binary { op, left, .. } => {
            if tightness(left) == 0 {
                0
            } else {
                precedence(*op)
            }
        }
        ExprKind::Prefixed(..) => PREFIX,
        ExprKind::Range(..) => RANGE,
        ExprKind::Negative(_) => SIGN,
        ExprKind::Number { .. }
        | ExprKind::Text(_)
        | ExprKind::Name(_)
        | ExprKind::Dotted(_)
        | ExprKind::Code(_)
        | ExprKind::List(_)
        | ExprKind::Tuple(_)
        | ExprKind::Group(_)
        | ExprKind::Map(_)
        | ExprKind::Call { .. }
        | ExprKind::Index { .. } => PRIMARY,
    }
}

fn at_least(wanted: u8, of: &Expr) -> String {
    if tightness(of) < wanted { format!("({})", expr(of)) } else { expr(of) }
}

/// Whether the left operand of an operator needs parentheses. Trees that were read from a text never do; a `with` or
/// `where` at the left needs none.
pub(super) fn left_needs_parentheses(op: BinaryOp, left: &Expr) -> bool {
    matches!(&left.kind, ExprKind::Binary { op: inner, .. } if precedence(*inner) < precedence(op))
}

fn left_operand(op: BinaryOp, left: &Expr) -> String {
    if left_needs_parentheses(op, left) { format!("({})", expr(left)) } else { expr(left) }
}

pub(super) fn right_operand(op: BinaryOp, right: &Expr) -> String {
    at_least(precedence(op) + 1, right)
}
