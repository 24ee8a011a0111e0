//! Pairs of the generated parser to expressions: precedence, depth, escapes.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar decides which rules stand inside a rule; the others are punctuation"
)]

use std::sync::LazyLock;

use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};

use super::build::{Builder, Built};
use crate::ast::{Arg, BinaryOp, Expr, ExprKind, Name};
use crate::error::SyntaxError;
use crate::grammar::Rule;
use crate::scan;

/// Most expressions inside each other, chains of operators counted; whoever walks a tree may recurse that deep.
pub(crate) const DEEPEST_TREE: usize = 256;

/// Loosest first.
static PRECEDENCE: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    let left = |rule| Op::infix(rule, Assoc::Left);
    PrattParser::new()
        .op(Op::postfix(Rule::with_tail) | Op::postfix(Rule::where_tail))
        .op(left(Rule::add) | left(Rule::subtract) | left(Rule::intersect))
        .op(left(Rule::multiply) | left(Rule::divide))
        .op(left(Rule::to) | left(Rule::both_ways))
        .op(left(Rule::times))
});

/// An expression with the number of expressions inside each other.
struct Deep {
    expr: Expr,
    depth: usize,
}

impl Deep {
    /// Puts expressions into one, unless that is too deep.
    fn over(expr: Expr, inner: usize) -> Built<Self> {
        if inner >= DEEPEST_TREE {
            return Err(SyntaxError::TooDeep { most: DEEPEST_TREE, span: expr.span });
        }
        Ok(Self { expr, depth: inner + 1 })
    }
}

impl Builder<'_> {
    /// The expression of a pair of the rule `expr`.
    pub(super) fn expr(&self, pair: Pair<'_, Rule>) -> Built<Expr> {
        self.deep(pair).map(|deep| deep.expr)
    }

    fn deep(&self, pair: Pair<'_, Rule>) -> Built<Deep> {
        PRECEDENCE
            .map_primary(|operand| self.operand(operand))
            .map_infix(|left, op, right| {
                let (left, right) = (left?, right?);
                let span = left.expr.span.to(right.expr.span);
                let depth = left.depth.max(right.depth);
                let op = binary(op.as_rule());
                let kind =
                    ExprKind::Binary { op, left: Box::new(left.expr), right: Box::new(right.expr) };
                Deep::over(Expr { kind, span }, depth)
            })
            .map_postfix(|base, tail| self.tail(base?, tail))
            .parse(pair.into_inner())
    }

    fn tail(&self, base: Deep, tail: Pair<'_, Rule>) -> Built<Deep> {
        let span = base.expr.span.to(self.span(tail.as_span()));
        let mut attribute = None;
        let mut value = None;
        for child in tail.into_inner() {
            match child.as_rule() {
                Rule::word => attribute = Some(self.name(&child)),
                Rule::primary => value = Some(self.primary(child)?),
                _ => {}
            }
        }
        let value = value.expect("a tail ends with a primary");
        let depth = base.depth.max(value.depth);
        let (base, value) = (Box::new(base.expr), Box::new(value.expr));
        let kind = match attribute {
            Some(attribute) => ExprKind::Where(base, attribute, value),
            None => ExprKind::With(base, value),
        };
        Deep::over(Expr { kind, span }, depth)
    }

    /// Prefix words, signs, primaries, a range; built from the inside.
    fn operand(&self, pair: Pair<'_, Rule>) -> Built<Deep> {
        let mut words: Vec<Name> = Vec::new();
        let mut signs = Vec::new();
        let mut range: Option<Deep> = None;
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::prefix_word => {
                    words.extend(child.into_inner().next().map(|word| self.name(&word)));
                }
                Rule::negative => signs.push(self.span(child.as_span())),
                Rule::primary => {
                    let mut deep = self.primary(child)?;
                    while let Some(sign) = signs.pop() {
                        let span = sign.to(deep.expr.span);
                        let kind = ExprKind::Negative(Box::new(deep.expr));
                        deep = Deep::over(Expr { kind, span }, deep.depth)?;
                    }
                    range = Some(match range.take() {
                        None => deep,
                        Some(from) => {
                            let span = from.expr.span.to(deep.expr.span);
                            let kind = ExprKind::Range(Box::new(from.expr), Box::new(deep.expr));
                            Deep::over(Expr { kind, span }, from.depth.max(deep.depth))?
                        }
                    });
                }
                _ => {}
            }
        }
        let mut deep = range.expect("an operand holds a primary");
        while let Some(word) = words.pop() {
            let span = word.span.to(deep.expr.span);
            let kind = ExprKind::Prefixed(word, Box::new(deep.expr));
            deep = Deep::over(Expr { kind, span }, deep.depth)?;
        }
        Ok(deep)
    }

    fn primary(&self, pair: Pair<'_, Rule>) -> Built<Deep> {
        let mut built: Option<Deep> = None;
        for child in pair.into_inner() {
            built = Some(match (child.as_rule(), built) {
                (Rule::arguments, Some(callee)) => self.call(callee, child)?,
                (Rule::index, Some(base)) => self.index(base, child)?,
                _ => self.plain(child)?,
            });
        }
        Ok(built.expect("a primary is one of its kinds"))
    }

    fn plain(&self, pair: Pair<'_, Rule>) -> Built<Deep> {
        let span = self.span(pair.as_span());
        let mut inner = 0;
        let kind = match pair.as_rule() {
            Rule::number => self.number(pair),
            Rule::text => ExprKind::Text(unescaped(pair)),
            Rule::lint_code => ExprKind::Code(pair.as_str().to_owned()),
            Rule::dotted => {
                ExprKind::Dotted(pair.into_inner().map(|word| self.name(&word)).collect())
            }
            Rule::name => ExprKind::Name(pair.as_str().to_owned()),
            Rule::map => ExprKind::Map(self.pairs(pair, &mut inner)?),
            rule => {
                let mut items = self.items(pair, &mut inner)?;
                match (rule, items.len()) {
                    (Rule::paren, 1) => {
                        ExprKind::Group(Box::new(items.pop().expect("there is one item")))
                    }
                    (Rule::paren, _) => ExprKind::Tuple(items),
                    _ => ExprKind::List(items),
                }
            }
        };
        Deep::over(Expr { kind, span }, inner)
    }

    /// The expressions among the children, and the deepest of their depths.
    fn items(&self, pair: Pair<'_, Rule>, deepest: &mut usize) -> Built<Vec<Expr>> {
        let exprs = pair.into_inner().filter(|child| child.as_rule() == Rule::expr);
        exprs.map(|child| self.inner(child, deepest)).collect()
    }

    fn inner(&self, pair: Pair<'_, Rule>, deepest: &mut usize) -> Built<Expr> {
        let deep = self.deep(pair)?;
        *deepest = (*deepest).max(deep.depth);
        Ok(deep.expr)
    }

    fn pairs(&self, pair: Pair<'_, Rule>, deepest: &mut usize) -> Built<Vec<(Expr, Expr)>> {
        let pairs = pair.into_inner().filter(|child| child.as_rule() == Rule::pair);
        pairs
            .map(|child| {
                let mut both = self.items(child, deepest)?.into_iter();
                let key = both.next().expect("a pair has a key");
                Ok((key, both.next().expect("a pair has a value")))
            })
            .collect()
    }

    fn call(&self, callee: Deep, pair: Pair<'_, Rule>) -> Built<Deep> {
        let span = callee.expr.span.to(self.span(pair.as_span()));
        let mut depth = callee.depth;
        let arguments = pair.into_inner().filter(|child| child.as_rule() == Rule::argument);
        let args = arguments
            .map(|child| {
                let mut name = None;
                let mut value = None;
                for part in child.into_inner() {
                    match part.as_rule() {
                        Rule::word => name = Some(self.name(&part)),
                        Rule::expr => value = Some(self.inner(part, &mut depth)?),
                        _ => {}
                    }
                }
                Ok(Arg { name, value: value.expect("an argument has a value") })
            })
            .collect::<Built<_>>()?;
        let kind = ExprKind::Call { callee: Box::new(callee.expr), args };
        Deep::over(Expr { kind, span }, depth)
    }

    fn index(&self, base: Deep, pair: Pair<'_, Rule>) -> Built<Deep> {
        let span = base.expr.span.to(self.span(pair.as_span()));
        let mut depth = base.depth;
        let index = self.items(pair, &mut depth)?.pop().expect("an index holds an expression");
        let kind = ExprKind::Index { base: Box::new(base.expr), index: Box::new(index) };
        Deep::over(Expr { kind, span }, depth)
    }

    fn number(&self, pair: Pair<'_, Rule>) -> ExprKind {
        let (mut digits, mut suffix, mut unit) = (String::new(), None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::digits => child.as_str().clone_into(&mut digits),
                Rule::suffix => suffix = Some(child.as_str().to_owned()),
                _ => unit = Some(self.name(&child)),
            }
        }
        ExprKind::Number { digits, suffix, unit }
    }
}

fn binary(rule: Rule) -> BinaryOp {
    match rule {
        Rule::add => BinaryOp::Add,
        Rule::subtract => BinaryOp::Subtract,
        Rule::intersect => BinaryOp::Intersect,
        Rule::multiply => BinaryOp::Multiply,
        Rule::divide => BinaryOp::Divide,
        Rule::to => BinaryOp::To,
        Rule::both_ways => BinaryOp::BothWays,
        _ => BinaryOp::Times,
    }
}

/// The text of a pair of the rule `text`, escapes resolved.
pub(super) fn unescaped(pair: Pair<'_, Rule>) -> String {
    let mut text = String::new();
    for child in pair.into_inner() {
        let written = child.as_str();
        match child.as_rule() {
            Rule::plain_text => text.push_str(written),
            Rule::escape => {
                let rest = written.get(1..).unwrap_or_default();
                text.push(match rest {
                    "n" => '\n',
                    "t" => '\t',
                    _ => scan::unicode_escape(rest)
                        .or(rest.chars().next())
                        .expect("an escape names a character"),
                });
            }
            _ => {}
        }
    }
    text
}
