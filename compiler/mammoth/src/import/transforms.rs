//! Transforms by their names here, and the tokenizer that they go with.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mmc_syntax::Span;

use super::reader::Reader;
use super::template::{Of, recover};
use super::warning::ImportWarning;
use super::writer::quoted;
use crate::temperature::reciprocal;
use crate::yaml::Id;

/// What the transforms of a block depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// MAMMOTH's names.
    pub(super) names: Vec<String>,
    /// What `prefix` becomes; nothing where it puts no token anywhere.
    pub(super) prefix: Vec<String>,
    pub(super) span: Span,
}

impl Wanted {
    /// Whether text is cut by a SentencePiece model.
    pub(super) fn has_pieces(&self) -> bool {
        self.names.iter().any(|name| name == "sentencepiece")
    }
}

/// Writes the tokenizer of all blocks.
pub(super) fn tokenizer(blocks: &[&Wanted], reader: &mut Reader<'_>) {
    let Some(first) = blocks.first() else { return };
    if let Some(other) = blocks.iter().find(|other| other.has_pieces() != first.has_pieces()) {
        let what = "a language with `sentencepiece` in some tasks and without in others".to_owned();
        let help = "give all tasks `sentencepiece`, or none: they share embeddings";
        reader.no_equal(what, other.span, help);
        return;
    }
    if first.has_pieces() { pieces(first.span, reader) } else { words(reader) }
}

/// A SentencePiece model for each language.
fn pieces(from: Span, reader: &mut Reader<'_>) {
    let Some((model, span)) = model(reader).or_else(|| beside_vocabulary(from, reader)) else {
        return;
    };
    reader.out.put("tokenizer pieces {\n", span);
    reader.out.field("kind", "sentencepiece", span);
    reader.out.field("model", &quoted(&model), span);
    let sides = ["src", "tgt"].map(|side| {
        let nbest = reader.top_number(&format!("{side}_subword_nbest")).unwrap_or(1.0);
        let alpha = if (0.0..=1.0).contains(&nbest) {
            0.0
        } else {
            reader.top_number(&format!("{side}_subword_alpha")).unwrap_or(0.0)
        };
        (nbest, alpha)
    });
    let [source, target] = sides;
    let samples = |(nbest, _): (f64, f64)| !(0.0..=1.0).contains(&nbest);
    let (nbest, alpha) = if samples(source) { source } else { target };
    let is_same = |a: f64, b: f64| a.total_cmp(&b).is_eq();
    if (samples(source) || samples(target))
        && !(is_same(source.0, target.0) && is_same(source.1, target.1))
    {
        let root = reader.tree.root();
        let is_given = reader.tree.get(root, "src_subword_nbest").is_some();
        let span = reader.place(if is_given { "src_subword_nbest" } else { "tgt_subword_nbest" });
        reader.notes.push(Box::new(ImportWarning::Nearly {
            what: "sampling that is another for each side".to_owned(),
            instead: format!("nbest {nbest} and alpha {alpha} on both sides"),
            span,
            help: "give both sides the same `subword_nbest` and `subword_alpha`".to_owned(),
        }));
    }
    if samples(source) || samples(target) {
        let count = if nbest < 0.0 { "all".to_owned() } else { nbest.to_string() };
        let from = reader.place("src_subword_nbest");
        reader.out.put(&format!("  sampling {{ nbest = {count}  alpha = {alpha} }}\n"), from);
    }
    reader.out.put("}\n", span);
}

/// The template of the models, which is one for both sides.
fn model(reader: &mut Reader<'_>) -> Option<(String, Span)> {
    let source = reader.top_word("src_subword_model")?;
    let span = reader.place("src_subword_model");
    let template = of_language(&source, "{src_lang}");
    if let Some(target) = reader.top_word("tgt_subword_model")
        && of_language(&target, "{tgt_lang}") != template
    {
        let from = reader.place("tgt_subword_model");
        let what = "a language with another model on each side".to_owned();
        reader.no_equal(what, from, "give both sides the same models");
    }
    keep_vocabularies(&template, reader);
    Some((template, span))
}

/// Vocabularies are the models' own; MAMMOTH's files are kept for it, unless they lie beside the models.
fn keep_vocabularies(model: &str, reader: &mut Reader<'_>) {
    let beside = model.strip_suffix(".model").map(|stem| format!("{stem}.vocab"));
    let mut known: Option<String> = None;
    for (key, variable) in [("src_vocab", "{src_lang}"), ("tgt_vocab", "{tgt_lang}")] {
        let entries = reader.top(key).map(|id| reader.map(key, id)).unwrap_or_default();
        let mut files = Vec::new();
        for (code, path) in entries {
            let code = reader.word(code);
            if let Some(path) = reader.scalar(key, path) {
                files.push((code.clone(), path.replace(variable, &code)));
            }
        }
        let rows = files.iter().map(|(code, path)| (code.as_str(), code.as_str(), path.as_str()));
        let found = recover(Of::Languages, rows).map(|template| template.text());
        let is_same = found.is_some() && (found == known || known.is_none() && found == beside);
        if !is_same {
            let value = found.as_deref().map_or_else(|| listed(&files), quoted);
            reader.kept.vocabularies.push((key, value));
        }
        known = found;
    }
}

/// `{ de = "v/de" }`.
fn listed(files: &[(String, String)]) -> String {
    let fields = files.iter().map(|(code, path)| format!("{code} = {}", quoted(path)));
    format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
}

/// A template of MAMMOTH's with one variable.
fn of_language(path: &str, variable: &str) -> String {
    let parts: Vec<String> = path.split(variable).map(|part| part.replace('{', "{'{'}")).collect();
    parts.join("{lang}")
}

/// SentencePiece writes a model beside every vocabulary.
fn beside_vocabulary(from: Span, reader: &mut Reader<'_>) -> Option<(String, Span)> {
    let help = "`sentencepiece` needs it: `src_subword_model: spm/{src_lang}.model`";
    let span = reader.place("src_vocab");
    let found = vocabularies(reader);
    let model = found.as_deref().and_then(|template| template.strip_suffix(".vocab"));
    let Some(model) = model.map(|stem| format!("{stem}.model")) else {
        if found.is_some() {
            reader.missing("src_subword_model", from, help);
        }
        return None;
    };
    reader.notes.push(Box::new(ImportWarning::Assumed {
        what: "`src_subword_model`".to_owned(),
        instead: format!("`{model}`, beside the vocabularies,"),
        span: from,
        help: "without it MAMMOTH does not train either: `src_subword_model: spm/{src_lang}.model`"
            .to_owned(),
    }));
    Some((model, span))
}

/// Words of vocabulary files, as MAMMOTH has them without a subword model.
fn words(reader: &mut Reader<'_>) {
    let span = reader.place("src_vocab");
    let Some(template) = vocabularies(reader) else { return };
    reader.out.put("tokenizer pieces {\n", span);
    reader.out.field("kind", "words", span);
    reader.out.field("vocab", &quoted(&template), span);
    reader.out.put("}\n", span);
}

/// The template of all vocabularies, which are the same for both sides.
fn vocabularies(reader: &mut Reader<'_>) -> Option<String> {
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    for (key, variable) in [("src_vocab", "{src_lang}"), ("tgt_vocab", "{tgt_lang}")] {
        let entries: Vec<(Id, Id)> =
            reader.top(key).map(|id| reader.map(key, id)).unwrap_or_default();
        for (code, path) in entries {
            let (code, span) = (reader.word(code), reader.tree.span(path));
            let path = reader.scalar(key, path)?.replace(variable, &code);
            let known = paths.entry(code.clone()).or_insert_with(|| path.clone());
            if *known != path {
                let what = format!("`{code}` with another vocabulary on each side");
                reader.no_equal(what, span, "give both sides of a language the same file");
                return None;
            }
        }
    }
    let rows = paths.iter().map(|(code, path)| (code.as_str(), code.as_str(), path.as_str()));
    let found = recover(Of::Languages, rows);
    if found.is_none() && !paths.is_empty() {
        let help = "name the files of all languages alike: `vocab/{src_lang}.vocab`";
        let span = reader.place("src_vocab");
        reader.no_equal("vocabularies without a common template".to_owned(), span, help);
    }
    found.map(|template| template.text())
}

/// The transforms of a block as an experiment has them.
pub(super) fn list(wanted: &Wanted, reader: &mut Reader<'_>) -> String {
    let mut transforms: Vec<String> = Vec::new();
    if !wanted.has_pieces() {
        transforms.push("pieces".to_owned());
    }
    for name in &wanted.names {
        if name == "prefix" {
            transforms.extend(wanted.prefix.iter().cloned());
        } else {
            transforms.extend(transform(name, wanted, reader));
        }
    }
    format!("[{}]", transforms.join(", "))
}

fn transform(name: &str, wanted: &Wanted, reader: &mut Reader<'_>) -> Option<String> {
    let mut number = |key: &str, default: f64| reader.top_number(key).unwrap_or(default);
    Some(match name {
        "sentencepiece" => "pieces".to_owned(),
        "filtertoolong" => format!(
            "filter_too_long(src = {}, tgt = {})",
            number("src_seq_length", 200.0),
            number("tgt_seq_length", 200.0)
        ),
        "filterwordratio" => {
            format!("filter_word_ratio(most = {})", number("word_ratio_threshold", 3.0))
        }
        "filterrepetitions" => repetitions(wanted.span, reader),
        "filterterminalpunct" => {
            let least = number("punct_threshold", -2.0);
            format!("filter_terminal_punctuation(least = {least})")
        }
        "filternonzeronumerals" => {
            format!("filter_numerals(least = {})", number("nonzero_threshold", 0.5))
        }
        "switchout" => {
            format!("switchout(temperature = {})", temperature("switchout_temperature", reader))
        }
        "tokendrop" => {
            format!("token_drop(temperature = {})", temperature("tokendrop_temperature", reader))
        }
        "tokenmask" => {
            format!("token_mask(temperature = {})", temperature("tokenmask_temperature", reader))
        }
        "denoising" => denoise(wanted.span, reader),
        _ => {
            let help =
                "leave it out, or use `sentencepiece`, `prefix`, `denoising` and the filters";
            reader.no_equal(format!("the transform `{name}`"), wanted.span, help);
            return None;
        }
    })
}

/// MAMMOTH counts how often a string comes again: it drops a pair when that is more than `rep_threshold`, and the string is one
/// character longer than `rep_max_len`, or shorter.
fn repetitions(span: Span, reader: &mut Reader<'_>) -> String {
    let mut number = |key: &str, default: f64| reader.top_number(key).unwrap_or(default);
    let (again, shortest) = (number("rep_threshold", 2.0), number("rep_min_len", 3.0));
    let longest = number("rep_max_len", 100.0) + 1.0;
    if again < 1.0 {
        let span = reader.top("rep_threshold").map_or(span, |id| reader.tree.span(id));
        let help =
            "give `rep_threshold: 1` or more: with 0 MAMMOTH looks at the first characters alone";
        reader.no_equal(format!("a filter of {again} repetitions"), span, help);
    }
    let most = again + 2.0;
    format!("filter_repetitions(most = {most}, shortest = {shortest}, longest = {longest})")
}

/// The language's temperature of one of MAMMOTH's.
fn temperature(key: &'static str, reader: &mut Reader<'_>) -> f64 {
    match (reader.top(key), reader.top_number(key)) {
        (Some(_), Some(temperature)) if temperature > 0.0 => reciprocal(temperature),
        (Some(id), Some(_)) => {
            reader.wrong(key, "a number above 0", id);
            1.0
        }
        (_, None) | (None, _) => 1.0,
    }
}

fn denoise(span: Span, reader: &mut Reader<'_>) -> String {
    let root = reader.tree.root();
    let objective = reader.choice(
        root,
        "denoising_objective",
        "`bart` or `mass`",
        &[("bart", "bart"), ("mass", "mass")],
    );
    let ratio = reader.top_number("mask_ratio").unwrap_or(0.0);
    let mask = reader.choice(
        root,
        "mask_length",
        "`subword`, `word` or `span-poisson`",
        &[("subword", "subword"), ("word", "word"), ("span-poisson", "span-poisson")],
    );
    let objective = objective.unwrap_or("bart");
    let mut text = format!("denoise({objective}, ratio = {ratio}");
    let mask = match mask.unwrap_or("subword") {
        "span-poisson" => {
            format!("span_poisson({})", reader.top_number("poisson_lambda").unwrap_or(3.0))
        }
        other => other.to_owned(),
    };
    let replace = match reader.top_number("replace_length").unwrap_or(-1.0) {
        length if length < 0.0 => "each".to_owned(),
        length => length.to_string(),
    };
    if objective == "bart" {
        let _ = write!(text, ", mask = {mask}, replace = {replace}");
    } else if reader.top("mask_length").is_some() {
        let span = reader.place("mask_length");
        reader.notes.push(Box::new(ImportWarning::Nearly {
            what: format!("`mass` with masks by `{mask}`"),
            instead: "one run of masked pieces".to_owned(),
            span,
            help: "MASS hides one fragment of a text (Song et al. 2019); MAMMOTH's would hide pieces all over it"
                .to_owned(),
        }));
    }
    for (key, name) in [
        ("random_ratio", "random"),
        ("insert_ratio", "insert"),
        ("rotate_ratio", "rotate"),
        ("permute_sent_ratio", "permute"),
    ] {
        if let Some(part) = reader.top_number(key).filter(|part| part.abs() > 0.0) {
            let _ = write!(text, ", {name} = {part}");
        }
    }
    text.push(')');
    if !reader.mended.iter().any(|(key, _)| key == "denoising") {
        let words = "MAMMOTH's leaves every sentence as it is";
        reader.mended.push(("denoising".to_owned(), super::reader::label(span, words)));
    }
    text
}
