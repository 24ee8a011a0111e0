//! `tasks` blocks: directions, corpus, transforms, weight.

use std::collections::BTreeSet;

use mmc_plan::TaskKind;
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::pairs::Algebra;
use super::program::{Declared, Program};
use super::read::{Bounds, PLAIN, Reader};
use super::section::Known;
use super::{causal, transforms};
use crate::ir::experiment::{At, Pair, TaskBlock, TransformWish};
use crate::suggest;

const KNOWN: Known = Known {
    values: &["corpus", "languages", "objective", "pairs", "transforms", "weight"],
    blocks: &[],
    not_built: &[],
};

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
    let objective = causal::objective(section, reader)?;
    let pairs = match objective {
        Some(objective) => causal::texts(section, objective, algebra, reader),
        None => reader
            .required(section, "pairs", "pairs = all <-> all")
            .and_then(|expr| selected(expr, algebra, reader)),
    };
    let corpus = reader
        .required(section, "corpus", "corpus = multi30k")
        .and_then(|expr| corpus(expr, program, reader));
    let transforms = reader
        .required(section, "transforms", "transforms = [pieces, prefix(target)]")
        .and_then(|expr| transforms::resolve(expr, declared.name, program, reader));
    let weight = section
        .value("weight")
        .map_or(Some(1.0), |expr| reader.real(expr, "weight", PLAIN, Bounds::POSITIVE));
    if let (Some(objective), Some((corpus, is_mono)), Some((_, wishes))) =
        (objective, &corpus, &transforms)
    {
        causal::check_text((corpus.span, *is_mono), wishes, objective, reader);
    }
    if let (Some((corpus, is_mono)), Some((_, wishes))) = (&corpus, &transforms) {
        transforms::check_mass(wishes, (corpus.span, *is_mono || objective.is_some()), reader);
    }
    let (tokenizer, transforms) = transforms?;
    let (pairs, (corpus, is_mono)) = (pairs?, corpus?);
    let kind = match objective {
        Some(objective) => At { value: TaskKind::Causal, span: objective },
        None if is_mono => {
            to_themselves(&pairs, corpus.span, reader);
            At { value: TaskKind::Denoise, span: corpus.span }
        }
        None => At { value: TaskKind::Translate, span: declared.span },
    };
    scripts(&transforms, &pairs, algebra, reader);
    Some(TaskBlock {
        name: declared.name.to_owned(),
        pairs,
        corpus,
        kind,
        tokenizer,
        transforms,
        weight: weight?,
        span: declared.span,
    })
}

/// Monolingual text has no directions between languages.
fn to_themselves(pairs: &[Pair], corpus: Span, reader: &mut Reader<'_, '_>) {
    let Some(pair) = pairs.iter().find(|pair| pair.source != pair.target) else { return };
    reader.report(ResolveError::Conflict {
        fault: format!("monolingual text has no direction `{} -> {}`", pair.source, pair.target),
        span: pair.span,
        here: "between languages",
        other: corpus,
        there: "text of one language",
        help: "write `pairs = each -> self`".to_owned(),
    });
}

/// A filter of scripts needs to know them.
fn scripts(
    transforms: &[At<TransformWish>],
    pairs: &[Pair],
    algebra: Algebra<'_>,
    reader: &mut Reader<'_, '_>,
) {
    let filter =
        transforms.iter().find(|wish| matches!(wish.value, TransformWish::FilterScript { .. }));
    let Some(filter) = filter else { return };
    let codes: BTreeSet<&String> =
        pairs.iter().flat_map(|pair| [&pair.source, &pair.target]).collect();
    let lacking = codes.into_iter().filter(|code| {
        let language = algebra.languages.get(*code);
        language.is_some_and(|language| !language.attributes.contains_key("script"))
    });
    for code in lacking {
        reader.report(ResolveError::MissingField {
            block: format!("language {code}"),
            field: "script",
            span: filter.span,
            help: format!("for example `language {code} {{ script = Latn }}`"),
        });
    }
}

fn selected(expr: &Expr, algebra: Algebra<'_>, reader: &mut Reader<'_, '_>) -> Option<Vec<Pair>> {
    let pairs = algebra.pairs(expr, reader)?;
    if pairs.is_empty() {
        reader.report(ResolveError::EmptySelection {
            what: "`pairs`".to_owned(),
            span: expr.span,
            help: "a direction needs languages on both sides, for example `all <-> all` or `each -> self`"
                .to_owned(),
        });
        return None;
    }
    Some(pairs)
}

/// The number of a declared block; reports when there is none.
pub(crate) fn find<'a>(
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
) -> Option<(At<usize>, bool)> {
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
            Some((found, false))
        }
        ExprKind::Dotted(names) => {
            let [name, part] = names.as_slice() else {
                reader.wrong_type("corpus", "the name of a corpus", expr);
                return None;
            };
            let found = find("corpus", &name.text, name.span, program, reader)?;
            let declared = program.declared("corpus").get(found.value)?;
            if part.text != "mono" {
                let help = "`mono` is its monolingual text; the other parts are chosen by their purpose: write the corpus alone"
                    .to_owned();
                let word = part.text.clone();
                let kind = "part of a corpus";
                reader.report(ResolveError::UnknownName { kind, word, span: part.span, help });
                return None;
            }
            if declared.section.key("mono").is_none() {
                reader.missing(&declared.section, "mono", "mono = \"mono.{lang}\"");
                return None;
            }
            Some((found, true))
        }
        _ => {
            reader.wrong_type("corpus", "the name of a corpus", expr);
            None
        }
    }
}
