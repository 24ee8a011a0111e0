//! `freeze = all - adapters`: which modules are not trained.

use mmc_plan::StackSide;
use mmc_syntax::ast::{BinaryOp, Expr, ExprKind, Name};

use super::error::ResolveError;
use super::read::{PLAIN, Reader, head};
use crate::ir::experiment::Selector;
use crate::suggest;

const WORDS: &[&str] = &["adapters", "all", "bridge", "decoder", "embeddings", "encoder", "heads"];

/// The set of modules that an expression selects.
pub(crate) fn selector<'a>(expr: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<Selector> {
    let expr = reader.follow(expr)?;
    match &expr.kind {
        ExprKind::Text(text) => Some(Selector::Named(text.clone())),
        ExprKind::Group(inner) => selector(inner, reader),
        ExprKind::List(items) => {
            let mut sum: Option<Selector> = None;
            for item in items {
                let next = selector(item, reader)?;
                sum = Some(match sum {
                    None => next,
                    Some(sum) => Selector::Sum(Box::new(sum), Box::new(next)),
                });
            }
            if sum.is_none() {
                expected(expr, reader);
            }
            sum
        }
        ExprKind::Binary { op, left, right } => {
            let (left, right) = (selector(left, reader), selector(right, reader));
            let (left, right) = (Box::new(left?), Box::new(right?));
            match op {
                BinaryOp::Add => Some(Selector::Sum(left, right)),
                BinaryOp::Subtract => Some(Selector::Difference(left, right)),
                BinaryOp::Intersect => Some(Selector::Intersection(left, right)),
                BinaryOp::Multiply
                | BinaryOp::Divide
                | BinaryOp::To
                | BinaryOp::BothWays
                | BinaryOp::Times => {
                    expected(expr, reader);
                    None
                }
            }
        }
        ExprKind::Index { base, index } => {
            let Some(side) = head(base).and_then(|(word, _)| side(word)) else {
                expected(expr, reader);
                return None;
            };
            let at = reader.small(index, "stack", PLAIN, 0)?;
            Some(Selector::Stacks(side, Some(at)))
        }
        ExprKind::Dotted(names) => {
            let found = dotted(names);
            if found.is_none() {
                expected(expr, reader);
            }
            found
        }
        ExprKind::Name(word) => named(word, expr, reader),
        _ => {
            expected(expr, reader);
            None
        }
    }
}

fn side(word: &str) -> Option<StackSide> {
    match word {
        "encoder" => Some(StackSide::Encoder),
        "decoder" => Some(StackSide::Decoder),
        _ => None,
    }
}

/// `adapters.langs`, `embeddings.source`.
fn dotted(names: &[Name]) -> Option<Selector> {
    let [first, second] = names else { return None };
    match (first.text.as_str(), second.text.as_str()) {
        ("adapters", name) => Some(Selector::Adapters(Some(name.to_owned()))),
        ("embeddings", "source") => Some(Selector::Embeddings(Some(StackSide::Encoder))),
        ("embeddings", "target") => Some(Selector::Embeddings(Some(StackSide::Decoder))),
        _ => None,
    }
}

fn named(word: &str, expr: &Expr, reader: &mut Reader<'_, '_>) -> Option<Selector> {
    Some(match word {
        "all" => Selector::All,
        "adapters" => Selector::Adapters(None),
        "bridge" => Selector::Bridge,
        "decoder" => Selector::Stacks(StackSide::Decoder, None),
        "embeddings" => Selector::Embeddings(None),
        "encoder" => Selector::Stacks(StackSide::Encoder, None),
        "heads" => Selector::Heads,
        _ => {
            let help = suggest::help(
                word,
                WORDS.iter().copied(),
                "sets of modules: `all`, `embeddings`, `encoder[0]`, `decoder`, `heads`, `bridge`, `adapters.NAME`, or a name in quotes",
            );
            let (kind, word) = ("set of modules", word.to_owned());
            reader.report(ResolveError::UnknownName { kind, word, span: expr.span, help });
            return None;
        }
    })
}

fn expected(expr: &Expr, reader: &mut Reader<'_, '_>) {
    reader.wrong_type("freeze", "a set of modules such as `encoder[0]` or `all - adapters`", expr);
}
