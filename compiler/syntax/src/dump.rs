//! The tree as text without places: for `--emit-stage parse`, and for tests, which compare trees by it.

use std::fmt::Write as _;

use crate::ast::{Arg, BinaryOp, Entry, EntryKind, Expr, ExprKind, File, ImportPath, Name};

/// One line an entry, indented by its depth; expressions in full parentheses.
pub fn dump(file: &File) -> String {
    let mut out = String::new();
    entries(&mut out, &file.items, 0);
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(out, "{:indent$}{text}", "", indent = 2 * depth);
}

fn entries(out: &mut String, entries: &[Entry], depth: usize) {
    for entry in entries {
        for doc in &entry.docs {
            line(out, depth, &format!("doc {doc:?}"));
        }
        let text = match &entry.kind {
            EntryKind::Import(ImportPath::File(path, _)) => format!("import {path:?}"),
            EntryKind::Import(ImportPath::Std(names)) => format!("import {}", words(names, ".")),
            EntryKind::Param { name, ty, default } => {
                let default = default
                    .as_ref()
                    .map_or(String::new(), |default| format!(" = {}", expr(default)));
                format!("param {}: {}{default}", name.text, ty.text)
            }
            EntryKind::Let { name, value } => format!("let {} = {}", name.text, expr(value)),
            EntryKind::Languages(names) => format!("languages {}", words(names, " ")),
            EntryKind::Block(block) => {
                let header =
                    block.header.as_ref().map_or(String::new(), |h| format!(" {}", expr(h)));
                format!("block {}{header}", block.keyword.text)
            }
            EntryKind::Setting(setting) => {
                let label =
                    setting.label.as_ref().map_or(String::new(), |l| format!(" {}", l.text));
                format!("set {}{label} = {}", setting.key.text, expr(&setting.value))
            }
            EntryKind::Choice { name, values } => {
                format!("choice {} in {}", name.text, expr(values))
            }
        };
        line(out, depth, &text);
        if let EntryKind::Block(block) = &entry.kind {
            self::entries(out, &block.entries, depth + 1);
        }
    }
}

fn words(names: &[Name], between: &str) -> String {
    names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(between)
}

fn all(exprs: &[Expr]) -> String {
    exprs.iter().map(expr).collect::<Vec<_>>().join(" ")
}

/// One expression: `(-> cs en)`, `(call prefix target)`, `4096|tokens`.
pub fn expr(of: &Expr) -> String {
    match &of.kind {
        ExprKind::Number { digits, suffix, unit } => {
            let suffix = suffix.as_deref().unwrap_or_default();
            let unit = unit.as_ref().map_or(String::new(), |unit| format!("|{}", unit.text));
            format!("{digits}{suffix}{unit}")
        }
        ExprKind::Text(text) => format!("{text:?}"),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Dotted(names) => words(names, "."),
        ExprKind::Code(code) => code.clone(),
        ExprKind::List(items) => format!("[{}]", all(items)),
        ExprKind::Tuple(items) => format!("(tuple {})", all(items)),
        ExprKind::Group(inner) => format!("(group {})", expr(inner)),
        ExprKind::Map(pairs) => {
            let pair = |(key, value): &(Expr, Expr)| format!("{}={}", expr(key), expr(value));
            format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(" "))
        }
        ExprKind::Call { callee, args } => {
            let args: String = args.iter().map(argument).collect();
            format!("(call {}{args})", expr(callee))
        }
        ExprKind::Index { base, index } => format!("(index {} {})", expr(base), expr(index)),
        ExprKind::Range(from, to) => format!("(.. {} {})", expr(from), expr(to)),
        ExprKind::Negative(inner) => format!("(neg {})", expr(inner)),
        ExprKind::Binary { op, left, right } => {
            format!("({} {} {})", sign(*op), expr(left), expr(right))
        }
        ExprKind::With(base, what) => format!("(with {} {})", expr(base), expr(what)),
        ExprKind::Where(base, attribute, value) => {
            format!("(where {} {} {})", expr(base), attribute.text, expr(value))
        }
        ExprKind::Prefixed(word, inner) => format!("({}: {})", word.text, expr(inner)),
    }
}

fn argument(arg: &Arg) -> String {
    let name = arg.name.as_ref().map_or(String::new(), |name| format!("{}=", name.text));
    format!(" {name}{}", expr(&arg.value))
}

/// An operator as it is written.
pub(crate) fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Intersect => "&",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::To => "->",
        BinaryOp::BothWays => "<->",
        BinaryOp::Times => "x",
    }
}
