//! Sharing patterns: `FULL`, `LANGUAGE`, `GROUP(name)`, `3 x TGT_LANGUAGE`.

use std::collections::BTreeSet;

use mmc_plan::{Sharing, StackPattern};
use mmc_syntax::ast::{BinaryOp, Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::pairs::find_grouping;
use super::read::{PLAIN, Reader, head, optional};
use crate::ir::experiment::Grouping;
use crate::suggest;

/// The side on which a bare `LANGUAGE` or `GROUP` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Encoder and source embedding: the source language.
    Source,
    /// Decoder and target embedding: the target language.
    Target,
}

/// Languages in use on either side, for the check of groupings.
#[derive(Debug, Default)]
pub(crate) struct InUse {
    pub(crate) sources: BTreeSet<String>,
    pub(crate) targets: BTreeSet<String>,
}

/// What patterns are read against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patterns<'s> {
    pub(crate) groupings: &'s [Grouping],
    pub(crate) in_use: &'s InUse,
}

const WORDS: &[&str] = &[
    "FULL",
    "GROUP",
    "LANGUAGE",
    "NONE",
    "PAIR",
    "SRC_GROUP",
    "SRC_LANGUAGE",
    "TASK",
    "TGT_GROUP",
    "TGT_LANGUAGE",
    "VOCABULARY",
];

impl Patterns<'_> {
    /// `[2 x SRC_LANGUAGE, FULL]`, with the place of each.
    pub(crate) fn stacks<'a>(
        self,
        expr: &'a Expr,
        field: &'static str,
        side: Side,
        reader: &mut Reader<'_, 'a>,
    ) -> Option<Vec<(StackPattern, Span)>> {
        let expr = reader.follow(expr)?;
        let ExprKind::List(items) = &expr.kind else {
            reader.wrong_type(field, "a list of stacks such as `[2 x FULL, LANGUAGE]`", expr);
            return None;
        };
        if items.is_empty() {
            reader.report(ResolveError::OutOfRange {
                field: field.to_owned(),
                value: "no stack".to_owned(),
                span: expr.span,
                help: "at least one stack is needed, for example `[6 x FULL]`".to_owned(),
            });
            return None;
        }
        // All are read before any fault stops, so that one run reports all of them.
        let stacks: Vec<Option<(StackPattern, Span)>> =
            items.iter().map(|item| self.stack(item, field, side, reader)).collect();
        stacks.into_iter().collect()
    }

    fn stack<'a>(
        self,
        item: &'a Expr,
        field: &'static str,
        side: Side,
        reader: &mut Reader<'_, 'a>,
    ) -> Option<(StackPattern, Span)> {
        let item = reader.follow(item)?;
        let (layers, sharing) = match &item.kind {
            ExprKind::Binary { op: BinaryOp::Times, left, right } => {
                let layers = reader.whole(left, "layers", PLAIN, (1, 10_000));
                (layers, self.sharing(right, field, side, reader))
            }
            _ => (Some(1), self.sharing(item, field, side, reader)),
        };
        let (layers, sharing) = (u32::try_from(layers?).ok()?, sharing?);
        if sharing == Sharing::Vocabulary {
            reader.wrong_type(
                field,
                "a pattern for layers (embeddings alone are by `VOCABULARY`)",
                item,
            );
            return None;
        }
        Some((StackPattern { layers, sharing }, item.span))
    }

    /// One pattern.
    pub(crate) fn sharing<'a>(
        self,
        expr: &'a Expr,
        field: &'static str,
        side: Side,
        reader: &mut Reader<'_, 'a>,
    ) -> Option<Sharing> {
        let expr = reader.follow(expr)?;
        if let ExprKind::With(_, part) = &expr.kind {
            let word = head(part).map_or("...", |(word, _)| word);
            reader.not_built(format!("`with {word}`"), part.span);
            return None;
        }
        let Some((word, span)) = head(expr) else {
            reader.wrong_type(field, "a sharing pattern such as `FULL` or `LANGUAGE`", expr);
            return None;
        };
        let call = matches!(expr.kind, ExprKind::Call { .. });
        let group = |side, reader: &mut Reader<'_, 'a>| self.group(expr, word, side, reader);
        let found = match word {
            "SRC_GROUP" => return group(Side::Source, reader),
            "TGT_GROUP" => return group(Side::Target, reader),
            "GROUP" => return group(side, reader),
            "FULL" => Sharing::Full,
            "LANGUAGE" if side == Side::Source => Sharing::SourceLanguage,
            "SRC_LANGUAGE" => Sharing::SourceLanguage,
            "LANGUAGE" | "TGT_LANGUAGE" => Sharing::TargetLanguage,
            "TASK" => Sharing::Task,
            "PAIR" => Sharing::Pair,
            "VOCABULARY" => Sharing::Vocabulary,
            "NONE" => Sharing::None,
            _ => {
                let help = suggest::nearest(word, WORDS.iter().copied()).map_or_else(
                    || format!("patterns: {}", suggest::listed(WORDS, "and")),
                    |near| format!("did you mean `{near}`?"),
                );
                let kind = "sharing pattern";
                reader.report(ResolveError::UnknownName {
                    kind,
                    word: word.to_owned(),
                    span,
                    help,
                });
                return None;
            }
        };
        if call {
            reader.wrong_type(field, "a pattern without arguments", expr);
            return None;
        }
        Some(found)
    }

    fn group<'a>(
        self,
        expr: &'a Expr,
        word: &str,
        side: Side,
        reader: &mut Reader<'_, 'a>,
    ) -> Option<Sharing> {
        let args = reader.args(word, super::read::arguments(expr), &["grouping"]);
        let grouping = match optional(&args, "grouping") {
            None => find_grouping(self.groupings, "groups", expr.span, reader)?,
            Some(arg) => {
                let ExprKind::Name(name) = &arg.kind else {
                    reader.wrong_type(word, "the name of a grouping", arg);
                    return None;
                };
                find_grouping(self.groupings, name, arg.span, reader)?
            }
        };
        // A grouping with a fault is empty; its languages would all be reported.
        let in_use = match side {
            Side::Source => &self.in_use.sources,
            Side::Target => &self.in_use.targets,
        };
        let lacking: Vec<&str> = in_use
            .iter()
            .filter(|language| !grouping.group_of.contains_key(*language))
            .map(String::as_str)
            .collect();
        if !lacking.is_empty() && !grouping.group_of.is_empty() {
            let side = if side == Side::Source { "source" } else { "target" };
            let (language, verb) = match lacking.as_slice() {
                [one] => (format!("language `{one}`"), "it is"),
                _ => (format!("each of {}", suggest::listed(&lacking, "and")), "they are"),
            };
            reader.report(ResolveError::Ungrouped {
                language,
                grouping: grouping.name.clone(),
                span: expr.span,
                declared: grouping.span,
                help: format!("{verb} used as {side}: add to a group, or make a group of one"),
            });
        }
        let name = grouping.name.clone();
        Some(if side == Side::Source {
            Sharing::SourceGroup(name)
        } else {
            Sharing::TargetGroup(name)
        })
    }
}
