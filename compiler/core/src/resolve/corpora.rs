//! `corpus` and `tokenizer` blocks; their templates are checked here, once, for every language in use.

use std::collections::BTreeSet;

use mmc_plan::{BadLines, Sampling, VocabularyKind};
use mmc_syntax::ast::{BinaryOp, Expr, ExprKind};
use mmc_syntax::source::Span;

use super::columns::{self, Said};
use super::error::ResolveError;
use super::program::{Declared, Program};
use super::read::{Bounds, Choice, PLAIN, Reader, arguments, head};
use super::section::{Known, Section};
use crate::directions::Directions;
use crate::ir::experiment::{
    At, Corpus, Monolingual, TemplatePair, Tokenizer, TokenizerMethod, TokenizerTraining,
};
use crate::suggest;
use crate::template::{
    DIRECTION_VARIABLES, FILTERS, LANGUAGE_VARIABLES, TemplateFault, Templates, is_table,
};

const CORPUS: Known = Known {
    values: &["bad_lines", "columns", "mono", "mono_valid", "test", "train", "valid"],
    blocks: &[],
    not_built: &[],
};

const TOKENIZER: Known = Known {
    values: &["file", "kind", "model", "train", "vocab"],
    blocks: &["sampling"],
    not_built: &[],
};

const SAMPLING: Known = Known { values: &["alpha", "nbest"], blocks: &[], not_built: &[] };

const BAD_LINES: &[Choice<BadLines>] = &[("skip", BadLines::Skip), ("fatal", BadLines::Fatal)];

/// Which variables a template has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    ByDirection,
    ByLanguage,
}

/// All corpora, in order of name.
pub(crate) fn corpora<'a>(
    program: &Program<'a>,
    codes: &BTreeSet<String>,
    templates: &Templates,
    reader: &mut Reader<'_, 'a>,
) -> Vec<Corpus> {
    let mut corpora = Vec::new();
    for declared in program.declared("corpus") {
        declared.section.check(&CORPUS, reader.diagnostics);
        let columns = Said::of(&declared.section, declared.span, reader);
        let part = |field: &'static str, reader: &mut Reader<'_, 'a>| {
            let value = declared.section.value(field)?;
            parallel(value, field, columns, codes, templates, reader)
        };
        let (train, valid, test) =
            (part("train", reader), part("valid", reader), part("test", reader));
        let mono = |field: &'static str, reader: &mut Reader<'_, 'a>| {
            let value = declared.section.value(field)?;
            monolingual(value, field, codes, templates, reader)
        };
        let (mono, mono_valid) = (mono("mono", reader), mono("mono_valid", reader));
        let bad_lines = declared.section.value("bad_lines");
        let bad_lines = bad_lines.and_then(|v| reader.choice(v, "bad_lines", BAD_LINES, &[]));
        corpora.push(Corpus {
            name: declared.name.to_owned(),
            train,
            valid,
            test,
            mono,
            mono_valid,
            bad_lines: bad_lines.unwrap_or_default(),
            span: declared.span,
        });
    }
    corpora
}

fn parallel<'a>(
    value: &'a Expr,
    field: &str,
    columns: Said<'_, 'a>,
    codes: &BTreeSet<String>,
    templates: &Templates,
    reader: &mut Reader<'_, 'a>,
) -> Option<At<TemplatePair>> {
    let value = reader.follow(value)?;
    let span = value.span;
    if let ExprKind::Text(text) = &value.kind
        && columns.are_in(text)
    {
        if !checked(text, span, field, Filled::ByDirection, codes, templates, reader) {
            return None;
        }
        let columns = columns.columns_of((text, span), templates, reader)?;
        let (source, target) = (text.clone(), text.clone());
        return Some(At { value: TemplatePair { source, target, columns: Some(columns) }, span });
    }
    let ExprKind::Binary { op: BinaryOp::To, left, right } = &value.kind else {
        reader.report(ResolveError::WrongType {
            field: field.to_owned(),
            expected: "two templates joined by `->`".to_owned(),
            found: super::values::describe(value),
            span,
            help: Some(format!(
                "for example `{field} = \"{field}.{{src_lang}}\" -> \"{field}.{{tgt_lang}}\"`; a file with both sides in columns is named alone, `\"{field}.{{lang_pair}}.tsv\"`"
            )),
        });
        return None;
    };
    let mut side = |expr: &'a Expr| {
        let (text, span) = reader.text(expr, field)?;
        checked(text, span, field, Filled::ByDirection, codes, templates, reader)
            .then_some((text, span))
    };
    let (source, target) = (side(left), side(right));
    let ((source, left), (target, right)) = (source?, target?);
    let sharded = |text| crate::template::is_sharded(templates, text);
    if sharded(source) != sharded(target) {
        reader.report(ResolveError::Template {
            field: field.to_owned(),
            fault: "one side has `{shard}`, the other has not".to_owned(),
            span: if sharded(source) { right } else { left },
            help: "file `i` of one side belongs to file `i` of the other: both need `{shard}`"
                .to_owned(),
        });
        return None;
    }
    if source == target && is_table(source) {
        reader.report(ResolveError::Template {
            field: field.to_owned(),
            fault: "each side is whole lines of the same file, tabs and all".to_owned(),
            span,
            help: format!(
                "a file with both sides in columns is named once: `{field} = {source:?}`"
            ),
        });
        return None;
    }
    let (source, target) = (source.to_owned(), target.to_owned());
    Some(At { value: TemplatePair { source, target, columns: None }, span })
}

fn monolingual<'a>(
    value: &'a Expr,
    field: &str,
    codes: &BTreeSet<String>,
    templates: &Templates,
    reader: &mut Reader<'_, 'a>,
) -> Option<At<Monolingual>> {
    let (value, column) = columns::of_one(value, reader)?;
    let items = match &value.kind {
        ExprKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let mut found = Vec::new();
    for item in items {
        let (text, span) = reader.text(item, field)?;
        if column.is_none() && is_table(text) {
            reader.report(ResolveError::Template {
                field: field.to_owned(),
                fault: "its text is whole lines of the file, tabs and all".to_owned(),
                span,
                help: format!("say in which column it stands: `{field} = column({text:?}, 1)`; a list stands there too"),
            });
        } else if checked(text, span, field, Filled::ByLanguage, codes, templates, reader) {
            found.push(text.to_owned());
        }
    }
    let span = value.span;
    (found.len() == items.len())
        .then_some(At { value: Monolingual { templates: found, column }, span })
}

/// Whether a template can be filled for every language in use; reports what is wrong with it.
fn checked(
    text: &str,
    span: Span,
    field: &str,
    filled: Filled,
    codes: &BTreeSet<String>,
    templates: &Templates,
    reader: &mut Reader<'_, '_>,
) -> bool {
    // Filters see one language at a time, so a direction from a language to itself meets all that can go wrong.
    let mut directions = Directions::new(templates, text);
    let mut try_one = |code: &str| match filled {
        Filled::ByDirection => directions.fill(code, code),
        Filled::ByLanguage => templates.language(text, code),
    };
    let placeholder = BTreeSet::from(["xx".to_owned()]);
    let codes = if codes.is_empty() { &placeholder } else { codes };
    if text.trim().is_empty() {
        let (field, fault, help) =
            (field.to_owned(), "it is empty".to_owned(), "give a path".to_owned());
        reader.report(ResolveError::Template { field, fault, span, help });
        return false;
    }
    let Some(fault) = codes.iter().find_map(|code| try_one(code).err()) else { return true };
    if codes.contains("xx") && matches!(fault, TemplateFault::NoCode { .. }) {
        return true;
    }
    let variables = match filled {
        Filled::ByDirection => DIRECTION_VARIABLES,
        Filled::ByLanguage => LANGUAGE_VARIABLES,
    };
    let help = match &fault {
        TemplateFault::Variable(word) => suggest::nearest(word, variables.iter().copied())
            .map_or_else(
                || format!("variables here: {}", suggest::listed(variables, "and")),
                |near| format!("did you mean `{{{near}}}`?"),
            ),
        TemplateFault::Filter(word) => suggest::nearest(word, FILTERS.iter().copied()).map_or_else(
            || format!("filters: {}", suggest::listed(FILTERS, "and")),
            |near| format!("did you mean `{near}`?"),
        ),
        TemplateFault::NoCode { language, scheme } => {
            format!("give it: `language {language} {{ aliases = {{ {scheme} = \"...\" }} }}`")
        }
        TemplateFault::Syntax(_) => {
            "a template is text with variables in braces, `train.{src_lang}.gz`".to_owned()
        }
    };
    let (field, fault) = (field.to_owned(), fault.to_string());
    reader.report(ResolveError::Template { field, fault, span, help });
    false
}

/// All tokenizers, in order of name; nothing in the place of a faulty one.
pub(crate) fn tokenizers<'a>(
    program: &Program<'a>,
    codes: &BTreeSet<String>,
    templates: &Templates,
    reader: &mut Reader<'_, 'a>,
) -> Vec<Option<Tokenizer>> {
    program
        .declared("tokenizer")
        .iter()
        .map(|declared| tokenizer(declared, codes, templates, reader))
        .collect()
}

fn tokenizer<'a>(
    declared: &Declared<'a>,
    codes: &BTreeSet<String>,
    templates: &Templates,
    reader: &mut Reader<'_, 'a>,
) -> Option<Tokenizer> {
    const KINDS: &[Choice<VocabularyKind>] = &[
        ("sentencepiece", VocabularyKind::Sentencepiece),
        ("huggingface", VocabularyKind::Huggingface),
        ("words", VocabularyKind::Words),
    ];
    let section = &declared.section;
    section.check(&TOKENIZER, reader.diagnostics);
    let kind = reader.required(section, "kind", "kind = sentencepiece");
    let kind = kind.and_then(|kind| reader.choice(kind, "kind", KINDS, &["bytes"]))?;
    let (field, example) = match kind {
        VocabularyKind::Sentencepiece => ("model", "model = \"spm/{lang}.model\""),
        VocabularyKind::Huggingface => ("file", "file = \"tok/{lang}.json\""),
        VocabularyKind::Words => ("vocab", "vocab = \"words.{lang}\""),
    };
    for other in ["file", "model", "vocab"].into_iter().filter(|other| *other != field) {
        let Some(span) = section.key(other) else { continue };
        reader.report(ResolveError::UnknownField {
            block: section.what.clone(),
            word: other.to_owned(),
            span,
            help: format!("this kind has `{example}`"),
        });
    }
    let training = section.value("train").and_then(|value| training(value, kind, reader));
    let sampling = section
        .block("sampling")
        .and_then(|section| sampling(section, kind, declared.span, reader));
    let template = reader.required(section, field, example)?;
    let (text, span) = reader.text(template, field)?;
    checked(text, span, field, Filled::ByLanguage, codes, templates, reader).then(|| Tokenizer {
        name: declared.name.to_owned(),
        kind,
        file: At { value: text.to_owned(), span },
        sampling,
        train: training,
        span: declared.span,
    })
}

/// `sampling { nbest = 5  alpha = 0.1 }`.
fn sampling<'a>(
    section: &Section<'a>,
    kind: VocabularyKind,
    tokenizer: Span,
    reader: &mut Reader<'_, 'a>,
) -> Option<Sampling> {
    section.check(&SAMPLING, reader.diagnostics);
    if kind != VocabularyKind::Sentencepiece {
        reader.report(ResolveError::Conflict {
            fault: "only `sentencepiece` models can sample segmentations".to_owned(),
            span: section.span,
            here: "draws segmentations",
            other: tokenizer,
            there: "has one for each word",
            help: "leave `sampling` out, or use a SentencePiece unigram model".to_owned(),
        });
        return None;
    }
    let nbest = section.value("nbest").map_or(Some(None), |value| {
        match reader.follow(value).and_then(head) {
            Some(("all", _)) => Some(None),
            _ => reader.small(value, "nbest", PLAIN, 1).map(Some),
        }
    });
    let alpha = section
        .value("alpha")
        .map_or(Some(0.1), |value| reader.real(value, "alpha", PLAIN, Bounds::NOT_NEGATIVE));
    Some(Sampling { nbest: nbest?, alpha: alpha? })
}

fn training<'a>(
    value: &'a Expr,
    kind: VocabularyKind,
    reader: &mut Reader<'_, 'a>,
) -> Option<TokenizerTraining> {
    let value = reader.follow(value)?;
    if kind != VocabularyKind::Huggingface {
        let help = Some("tokenizers that are trained here have `kind = huggingface`".to_owned());
        let construct = if kind == VocabularyKind::Words {
            "training of lists of words"
        } else {
            "training of SentencePiece models"
        };
        let construct = construct.to_owned();
        reader.report(ResolveError::NotBuilt { construct, span: value.span, help });
        return None;
    }
    let Some((word, span)) = head(value) else {
        reader.wrong_type("train", "`bpe(pieces = 4000)` or `unigram(pieces = 4000)`", value);
        return None;
    };
    let method = match word {
        "bpe" => TokenizerMethod::Bpe,
        "unigram" => TokenizerMethod::Unigram,
        _ => {
            reader.unknown_choice(word, span, "train", &["bpe", "unigram"], &["wordpiece"]);
            return None;
        }
    };
    let args = reader.args(word, arguments(value), &["pieces"]);
    let pieces = reader.argument((word, span), &args, "pieces", "bpe(pieces = 4000)")?;
    // 256 bytes, or a small alphabet, and the special tokens have to fit.
    let pieces = reader.whole(pieces, "pieces", PLAIN, (64, 4_000_000))?;
    Some(TokenizerTraining { method, pieces: u32::try_from(pieces).ok()? })
}
