//! `tasks` blocks: directions, corpus, transforms, weight.

use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::pairs::Algebra;
use super::program::{Declared, Program};
use super::read::{Bounds, PLAIN, Reader, arguments, head};
use super::section::Known;
use super::values::{describe, dotted};
use crate::ir::experiment::{At, Pair, TaskBlock, TransformWish};
use crate::suggest;

const KNOWN: Known =
    Known { values: &["corpus", "pairs", "transforms", "weight"], blocks: &[], not_built: &[] };

/// Transforms of the language whose meaning is not built.
const NOT_BUILT: &[&str] = &[
    "denoise",
    "filter_languages",
    "filter_repetitions",
    "filter_terminal_punctuation",
    "insert_mask",
    "suffix",
    "switchout",
    "tokendrop",
    "tokenmask",
];

const TRANSFORMS: &[&str] = &["filter_too_long", "prefix"];

/// The `tasks` blocks that are free of faults, in order of name.
pub(crate) fn resolve<'a>(
    program: &Program<'a>,
    algebra: Algebra<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Vec<TaskBlock> {
    let mut blocks = Vec::new();
    for declared in program.declared("tasks") {
        blocks.extend(block(declared, program, algebra, reader));
    }
    blocks
}

fn block<'a>(
    declared: &Declared<'a>,
    program: &Program<'a>,
    algebra: Algebra<'_>,
    reader: &mut Reader<'_, 'a>,
) -> Option<TaskBlock> {
    let section = &declared.section;
    section.check(&KNOWN, reader.diagnostics);
    let pairs = reader
        .required(section, "pairs", "pairs = all <-> all")
        .and_then(|expr| selected(expr, algebra, reader));
    let corpus = reader
        .required(section, "corpus", "corpus = multi30k")
        .and_then(|expr| corpus(expr, program, reader));
    let transforms = reader
        .required(section, "transforms", "transforms = [pieces, prefix(target)]")
        .and_then(|expr| transforms(expr, declared.name, program, reader));
    let weight = section
        .value("weight")
        .map_or(Some(1.0), |expr| reader.real(expr, "weight", PLAIN, Bounds::POSITIVE));
    let (tokenizer, transforms) = transforms?;
    Some(TaskBlock {
        name: declared.name.to_owned(),
        pairs: pairs?,
        corpus: corpus?,
        tokenizer,
        transforms,
        weight: weight?,
        span: declared.span,
    })
}

fn selected(expr: &Expr, algebra: Algebra<'_>, reader: &mut Reader<'_, '_>) -> Option<Vec<Pair>> {
    let pairs = algebra.pairs(expr, reader)?;
    if pairs.is_empty() {
        reader.report(ResolveError::EmptySelection {
            what: "`pairs`".to_owned(),
            span: expr.span,
            help: "a direction needs two different languages, for example `all <-> all`".to_owned(),
        });
        return None;
    }
    Some(pairs)
}

/// The number of a declared block; reports when there is none.
fn find<'a>(
    kind: &'static str,
    word: &str,
    span: Span,
    program: &Program<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<At<usize>> {
    let all = program.declared(kind);
    let found = all.iter().position(|declared| declared.name == word);
    if found.is_none() {
        let names = all.iter().map(|declared| declared.name);
        let help = suggest::help(word, names, &format!("declare it: `{kind} {word} {{ ... }}`"));
        reader.report(ResolveError::UnknownName { kind, word: word.to_owned(), span, help });
    }
    found.map(|value| At { value, span })
}

fn corpus<'a>(
    expr: &'a Expr,
    program: &Program<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<At<usize>> {
    let expr = reader.follow(expr)?;
    match &expr.kind {
        ExprKind::Name(word) => {
            let found = find("corpus", word, expr.span, program, reader)?;
            let declared = program.declared("corpus").get(found.value)?;
            if declared.section.key("train").is_none() {
                let example = "train = \"train.{src_lang}\" -> \"train.{tgt_lang}\"";
                reader.missing(&declared.section, "train", example);
                return None;
            }
            Some(found)
        }
        ExprKind::Dotted(names) => {
            let [name, part] = names.as_slice() else {
                reader.wrong_type("corpus", "the name of a corpus", expr);
                return None;
            };
            find("corpus", &name.text, name.span, program, reader)?;
            if part.text == "mono" {
                reader.not_built(
                    format!("training on monolingual text (`{}`)", dotted(names)),
                    expr.span,
                );
            } else {
                let help =
                    "the parts of a corpus are chosen by their purpose: write the corpus alone"
                        .to_owned();
                let word = part.text.clone();
                reader.report(ResolveError::UnknownName {
                    kind: "part of a corpus",
                    word,
                    span: part.span,
                    help,
                });
            }
            None
        }
        _ => {
            reader.wrong_type("corpus", "the name of a corpus", expr);
            None
        }
    }
}

type Transforms = (At<usize>, Vec<At<TransformWish>>);

fn transforms<'a>(
    expr: &'a Expr,
    block: &str,
    program: &Program<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Transforms> {
    let expr = reader.follow(expr)?;
    let ExprKind::List(items) = &expr.kind else {
        reader.wrong_type("transforms", "a list", expr);
        return None;
    };
    let mut tokenizers = Vec::new();
    let mut wishes = Vec::new();
    let mut faulty = false;
    for item in items {
        match transform(item, program, reader) {
            Some(Transform::Tokenizer(tokenizer)) => {
                tokenizers.push(tokenizer);
                wishes.push(At { value: TransformWish::Tokenize, span: item.span });
            }
            Some(Transform::Wish(value)) => wishes.push(At { value, span: item.span }),
            None => faulty = true,
        }
    }
    if faulty {
        return None;
    }
    if let [tokenizer] = tokenizers.as_slice() {
        return Some((tokenizer.clone(), wishes));
    }
    reader.report(ResolveError::TokenizerCount {
        name: format!("tasks {block}"),
        count: if tokenizers.is_empty() { "no".to_owned() } else { tokenizers.len().to_string() },
        span: expr.span,
        help: "name one tokenizer: `transforms = [pieces, ...]` after `tokenizer pieces { ... }`"
            .to_owned(),
    });
    None
}

enum Transform {
    Tokenizer(At<usize>),
    Wish(TransformWish),
}

fn transform<'a>(
    item: &'a Expr,
    program: &Program<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Transform> {
    let item = reader.follow(item)?;
    let Some((word, span)) = head(item) else {
        reader.wrong_type("transforms", "a tokenizer or a transform", item);
        return None;
    };
    match word {
        "prefix" => prefix(item, span, reader).map(Transform::Wish),
        "filter_too_long" => filter_too_long(item, span, reader).map(Transform::Wish),
        _ if NOT_BUILT.contains(&word) => {
            reader.not_built(format!("the transform `{word}`"), span);
            None
        }
        _ if program.declared("tokenizer").iter().any(|declared| declared.name == word) => {
            if !matches!(item.kind, ExprKind::Name(_)) {
                reader.wrong_type("transforms", "a tokenizer without arguments", item);
                return None;
            }
            find("tokenizer", word, span, program, reader).map(Transform::Tokenizer)
        }
        _ => {
            let names = program.declared("tokenizer").iter().map(|declared| declared.name);
            let words = names.chain(TRANSFORMS.iter().copied()).chain(NOT_BUILT.iter().copied());
            let help = suggest::nearest(word, words.clone()).map_or_else(
                || {
                    let built: Vec<&str> = words.filter(|word| !NOT_BUILT.contains(word)).collect();
                    format!("there is {}", suggest::listed(&built, "and"))
                },
                |near| format!("did you mean `{near}`?"),
            );
            let kind = "tokenizer or transform";
            reader.report(ResolveError::UnknownName { kind, word: word.to_owned(), span, help });
            None
        }
    }
}

/// `prefix(target)`, `prefix(source, target)`.
fn prefix(item: &Expr, span: Span, reader: &mut Reader<'_, '_>) -> Option<TransformWish> {
    let (mut source, mut target) = (false, false);
    for arg in arguments(item) {
        match &arg.value.kind {
            ExprKind::Name(word) if arg.name.is_none() && word == "source" => source = true,
            ExprKind::Name(word) if arg.name.is_none() && word == "target" => target = true,
            _ => {
                reader.report(ResolveError::WrongType {
                    field: "prefix".to_owned(),
                    expected: "`source` and `target`".to_owned(),
                    found: describe(&arg.value),
                    span: arg.value.span,
                    help: Some("write `prefix(target)` or `prefix(source, target)`".to_owned()),
                });
                return None;
            }
        }
    }
    if !(source || target) {
        reader.report(ResolveError::MissingField {
            block: "prefix".to_owned(),
            field: "target",
            span,
            help: "write `prefix(target)` or `prefix(source, target)`".to_owned(),
        });
        return None;
    }
    Some(TransformWish::Prefix { source, target })
}

fn filter_too_long<'a>(
    item: &'a Expr,
    span: Span,
    reader: &mut Reader<'_, 'a>,
) -> Option<TransformWish> {
    let rule = super::read::may_have(super::units::Dimension::Tokens);
    let call = ("filter_too_long", span);
    let example = "filter_too_long(src = 200, tgt = 200)";
    let args = reader.args(call.0, arguments(item), &["src", "tgt"]);
    let source = reader
        .argument(call, &args, "src", example)
        .and_then(|value| reader.small(value, "src", rule, 1));
    let target = reader
        .argument(call, &args, "tgt", example)
        .and_then(|value| reader.small(value, "tgt", rule, 1));
    Some(TransformWish::FilterTooLong { source: source?, target: target? })
}
