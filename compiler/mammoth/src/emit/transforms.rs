//! Tokenizer and transforms: each task's list, and the options that MAMMOTH has once for all tasks.

use std::collections::{BTreeMap, BTreeSet};

use mmc_core::ir::experiment::{TaskBlock, TransformWish};
use mmc_plan::transform::{MaskUnit, Objective, Replace};
use mmc_plan::{Denoise, StackSide, Transform, VocabularyKind};
use mmc_syntax::Span;

use super::draft::{Draft, text, whole};
use super::error::EmitFault;
use crate::temperature::reciprocal;
use crate::yaml::Value;

/// The options of every transform.
pub(super) const OPTIONS: &[(&str, &[&str])] = &[
    (
        "denoising",
        &[
            "denoising_objective",
            "insert_ratio",
            "mask_length",
            "mask_ratio",
            "permute_sent_ratio",
            "poisson_lambda",
            "random_ratio",
            "replace_length",
            "rotate_ratio",
        ],
    ),
    ("filternonzeronumerals", &["nonzero_threshold"]),
    ("filterrepetitions", &["rep_max_len", "rep_min_len", "rep_threshold"]),
    ("filterterminalpunct", &["punct_threshold"]),
    (
        "filtertoolong",
        &["src_seq_length", "src_seq_length_max", "tgt_seq_length", "tgt_seq_length_max"],
    ),
    ("filterwordratio", &["word_ratio_threshold"]),
    (
        "sentencepiece",
        &[
            "src_subword_alpha",
            "src_subword_model",
            "src_subword_nbest",
            "tgt_subword_alpha",
            "tgt_subword_model",
            "tgt_subword_nbest",
        ],
    ),
    ("switchout", &["switchout_temperature"]),
    ("tokendrop", &["tokendrop_temperature"]),
    ("tokenmask", &["tokenmask_temperature"]),
];

type Options = Vec<(&'static str, Value)>;

/// Writes the options; gives the names of the transforms that are used.
pub(super) fn write(draft: &mut Draft<'_>) -> BTreeSet<&'static str> {
    let mut found: BTreeMap<&'static str, (Value, Span)> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for block in &draft.experiment.task_blocks {
        used.extend(names(block, draft));
        for wish in &block.transforms {
            let is_tokenizer = wish.value == TransformWish::Tokenize;
            let options = if is_tokenizer { pieces(block, draft) } else { options(&wish.value) };
            for (key, value) in options {
                let first = found.entry(key).or_insert_with(|| (value.clone(), wish.span));
                if first.0 != value {
                    let (key, span, other) = (key.to_owned(), wish.span, first.1);
                    draft.sink.report(EmitFault::TwoSettings { key, span, other });
                }
            }
            faults(&wish.value, wish.span, draft);
        }
    }
    for (key, (value, _)) in found {
        draft.top(key, value);
    }
    used
}

/// What MAMMOTH has not, or does otherwise.
fn faults(wish: &TransformWish, span: Span, draft: &mut Draft<'_>) {
    if matches!(wish, TransformWish::FilterScript { .. }) {
        draft.no_equal("`filter_script`", span, "filter the files once before training");
    }
    if matches!(wish, TransformWish::Prefix { side: Some(StackSide::Decoder), .. }) {
        let fault = "scores the tokens before a target, and translates without giving them";
        draft.defect(fault, span, "`mmc run` gives them to the decoder and scores what follows");
    }
    if let TransformWish::Plain(Transform::FilterRepetitions { most: ..3, .. }) = wish {
        let help = "write `most = 3`: MAMMOTH's filter begins there";
        draft.no_equal("a filter of strings that stand twice in a row", span, help);
    }
    if matches!(wish, TransformWish::Plain(Transform::Denoise(_))) {
        let fault = "adds no noise: it trains a plain copy of each segment";
        draft.defect(fault, span, "`mmc run` trains what is written here");
    }
}

/// MAMMOTH's names of a block's transforms, in its order: filters of text see text only before it is cut into pieces.
pub(super) fn names(block: &TaskBlock, draft: &Draft<'_>) -> Vec<&'static str> {
    let kind = draft.experiment.tokenizers.get(block.tokenizer.value).map(|found| found.kind);
    let (mut text, mut pieces) = (Vec::new(), Vec::new());
    for wish in &block.transforms {
        match name(&wish.value) {
            "sentencepiece" if kind != Some(VocabularyKind::Sentencepiece) => {}
            name if is_of_text(&wish.value) => text.push(name),
            // One of MAMMOTH's puts all tokens of both sides there.
            "prefix" if pieces.contains(&"prefix") => {}
            name => pieces.push(name),
        }
    }
    text.extend(pieces);
    text
}

fn is_of_text(wish: &TransformWish) -> bool {
    matches!(
        wish,
        TransformWish::Plain(
            Transform::FilterWordRatio { .. }
                | Transform::FilterRepetitions { .. }
                | Transform::FilterTerminalPunctuation { .. }
                | Transform::FilterNumerals { .. }
        )
    )
}

fn name(wish: &TransformWish) -> &'static str {
    match wish {
        TransformWish::Tokenize => "sentencepiece",
        TransformWish::Prefix { .. } => "prefix",
        TransformWish::FilterScript { .. } => "filterscript",
        TransformWish::Plain(transform) => name_of(transform),
    }
}

fn name_of(transform: &Transform) -> &'static str {
    match transform {
        Transform::Tokenize => "sentencepiece",
        Transform::Prefix { .. } => "prefix",
        Transform::FilterTooLong { .. } => "filtertoolong",
        Transform::FilterWordRatio { .. } => "filterwordratio",
        Transform::FilterRepetitions { .. } => "filterrepetitions",
        Transform::FilterTerminalPunctuation { .. } => "filterterminalpunct",
        Transform::FilterNumerals { .. } => "filternonzeronumerals",
        Transform::FilterScript { .. } => "filterscript",
        Transform::Denoise(_) => "denoising",
        Transform::Switchout { .. } => "switchout",
        Transform::TokenDrop { .. } => "tokendrop",
        Transform::TokenMask { .. } => "tokenmask",
    }
}

fn options(wish: &TransformWish) -> Options {
    match wish {
        TransformWish::Plain(transform) => options_of(transform),
        TransformWish::Tokenize
        | TransformWish::Prefix { .. }
        | TransformWish::FilterScript { .. } => Vec::new(),
    }
}

fn options_of(transform: &Transform) -> Options {
    match transform {
        Transform::Tokenize | Transform::Prefix { .. } | Transform::FilterScript { .. } => {
            Vec::new()
        }
        Transform::FilterTooLong { source, target } => {
            vec![("src_seq_length", whole(*source)), ("tgt_seq_length", whole(*target))]
        }
        Transform::FilterWordRatio { most } => {
            vec![("word_ratio_threshold", Value::Float(*most))]
        }
        Transform::FilterRepetitions { most, shortest, longest } => vec![
            // So often a string comes again; and its first character is not counted.
            ("rep_threshold", whole(most.saturating_sub(2))),
            ("rep_min_len", whole(*shortest)),
            ("rep_max_len", whole(longest.saturating_sub(1))),
        ],
        Transform::FilterTerminalPunctuation { least } => {
            vec![("punct_threshold", Value::Float(*least))]
        }
        Transform::FilterNumerals { least } => vec![("nonzero_threshold", Value::Float(*least))],
        Transform::Denoise(noise) => denoise(noise),
        Transform::Switchout { temperature } => {
            vec![("switchout_temperature", Value::Float(reciprocal(*temperature)))]
        }
        Transform::TokenDrop { temperature } => {
            vec![("tokendrop_temperature", Value::Float(reciprocal(*temperature)))]
        }
        Transform::TokenMask { temperature } => {
            vec![("tokenmask_temperature", Value::Float(reciprocal(*temperature)))]
        }
    }
}

fn denoise(noise: &Denoise) -> Options {
    let objective = match noise.objective {
        Objective::Bart => "bart",
        Objective::Mass => "mass",
    };
    let replace = match (noise.replace, noise.unit) {
        (Replace::Nothing, _) => 0,
        // Of single pieces MAMMOTH takes no -1, and 1 is the same.
        (Replace::One, _) | (Replace::Each, MaskUnit::Subword) => 1,
        (Replace::Each, MaskUnit::Word | MaskUnit::SpanPoisson(_)) => -1,
    };
    let mut options = vec![
        ("denoising_objective", text(objective)),
        ("mask_ratio", Value::Float(noise.ratio)),
        ("replace_length", whole(replace)),
    ];
    let unit = match noise.unit {
        MaskUnit::Subword => "subword",
        MaskUnit::Word => "word",
        MaskUnit::SpanPoisson(mean) => {
            options.push(("poisson_lambda", Value::Float(mean)));
            "span-poisson"
        }
    };
    options.push(("mask_length", text(unit)));
    let parts = [
        ("random_ratio", noise.random),
        ("insert_ratio", noise.insert),
        ("rotate_ratio", noise.rotate),
        ("permute_sent_ratio", noise.permute),
    ];
    let parts = parts.into_iter().filter(|(_, part)| *part > 0.0);
    options.extend(parts.map(|(key, part)| (key, Value::Float(part))));
    options
}

/// The tokenizer of a block.
fn pieces(block: &TaskBlock, draft: &mut Draft<'_>) -> Options {
    let Some(found) = draft.experiment.tokenizers.get(block.tokenizer.value) else {
        return Vec::new();
    };
    match found.kind {
        VocabularyKind::Sentencepiece => {}
        VocabularyKind::Words => return Vec::new(),
        VocabularyKind::Huggingface => {
            let help = "MAMMOTH reads SentencePiece models: `kind = sentencepiece  model = \"spm/{lang}.model\"`";
            draft.no_equal("a Hugging Face tokenizer", found.span, help);
            return Vec::new();
        }
    }
    let template = &found.file.value;
    let plain = template.replace("{lang}", "");
    if plain.contains(['{', '}']) {
        let help = "MAMMOTH fills in the code alone: `{lang}` without filters";
        draft.no_equal("this template of models", found.file.span, help);
    }
    let side = |variable: &str| text(&template.replace("{lang}", variable));
    let mut options =
        vec![("src_subword_model", side("{src_lang}")), ("tgt_subword_model", side("{tgt_lang}"))];
    if let Some(sampling) = found.sampling {
        let best = sampling.nbest.map_or_else(|| whole(-1), whole);
        options.extend([("src_subword_nbest", best.clone()), ("tgt_subword_nbest", best)]);
        if sampling.alpha > 0.0 {
            let alpha = Value::Float(sampling.alpha);
            options.extend([("src_subword_alpha", alpha.clone()), ("tgt_subword_alpha", alpha)]);
        }
    }
    options
}
