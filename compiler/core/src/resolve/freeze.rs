//! Sets of modules, such as `all - adapters`: which are not trained, which have optimisers of their own.

use mmc_plan::StackSide;
use mmc_syntax::ast::{BinaryOp, Expr, ExprKind, Name};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::read::{PLAIN, Reader, head};
use crate::ir::experiment::Selector;
use crate::suggest;

const WORDS: &[&str] = &["adapters", "all", "bridge", "decoder", "embeddings", "encoder", "heads"];

/// The set of modules that an expression selects.
pub(crate) fn selector<'a>(
    expr: &'a Expr,
    field: &str,
    reader: &mut Reader<'_, 'a>,
) -> Option<Selector> {
    let expr = reader.follow(expr)?;
    match &expr.kind {
        ExprKind::Text(text) => Some(Selector::Named(text.clone())),
        ExprKind::Group(inner) => selector(inner, field, reader),
        ExprKind::List(items) => {
            let mut sum: Option<Selector> = None;
            for item in items {
                let next = selector(item, field, reader)?;
                sum = Some(match sum {
                    None => next,
                    Some(sum) => Selector::Sum(Box::new(sum), Box::new(next)),
                });
            }
            if sum.is_none() {
                expected(expr, field, reader);
            }
            sum
        }
        ExprKind::Binary { op, left, right } => {
            let (left, right) = (selector(left, field, reader), selector(right, field, reader));
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
                    expected(expr, field, reader);
                    None
                }
            }
        }
        ExprKind::Index { base, index } => {
            let Some(side) = head(base).and_then(|(word, _)| side(word)) else {
                expected(expr, field, reader);
                return None;
            };
            let at = reader.small(index, "stack", PLAIN, 0)?;
            Some(Selector::Stacks(side, Some(at)))
        }
        ExprKind::Dotted(names) => {
            let found = dotted(names);
            if found.is_none() {
                expected(expr, field, reader);
            }
            found
        }
        ExprKind::Name(word) => named(word, expr.span, reader),
        _ => {
            expected(expr, field, reader);
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

/// The set that a word means.
pub(crate) fn named(word: &str, span: Span, reader: &mut Reader<'_, '_>) -> Option<Selector> {
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
            reader.report(ResolveError::UnknownName { kind, word, span, help });
            return None;
        }
    })
}

fn expected(expr: &Expr, field: &str, reader: &mut Reader<'_, '_>) {
    reader.wrong_type(field, "a set of modules such as `encoder[0]` or `all - adapters`", expr);
}
