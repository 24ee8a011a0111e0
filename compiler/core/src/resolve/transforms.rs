//! The list of transforms of a `tasks` block: one tokenizer, and what stands before and behind it.

use mmc_plan::transform::{LEAST_SPAN, LONGEST_SPAN, MASK_TOKEN};
use mmc_plan::{Denoise, MaskUnit, Objective, Replace, StackSide, Transform as Plain};
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::program::Program;
use super::read::{Bounds, Choice, PLAIN, Reader, arguments, head, may_have, optional};
use super::tasks::find;
use super::units::Dimension;
use super::values::describe;
use crate::ir::experiment::{At, PrefixToken, TransformWish};
use crate::suggest;

/// The words of all transforms.
const WORDS: &[&str] = &[
    "denoise",
    "filter_numerals",
    "filter_repetitions",
    "filter_script",
    "filter_terminal_punctuation",
    "filter_too_long",
    "filter_word_ratio",
    "prefix",
    "switchout",
    "token_drop",
    "token_mask",
];

const SIDES: &[Choice<StackSide>] =
    &[("encoder", StackSide::Encoder), ("decoder", StackSide::Decoder)];

const OBJECTIVES: &[Choice<Objective>] = &[("bart", Objective::Bart), ("mass", Objective::Mass)];

type Transforms = (At<usize>, Vec<At<TransformWish>>);
type Args<'a> = Vec<(&'static str, &'a Expr)>;

/// The tokenizer and all transforms of the block of a name, in order.
pub(crate) fn resolve<'a>(
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
        in_order(&wishes, reader);
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

/// Noise works on pieces: it stands behind the tokenizer.
fn in_order(wishes: &[At<TransformWish>], reader: &mut Reader<'_, '_>) {
    let Some(at) = wishes.iter().position(|wish| wish.value == TransformWish::Tokenize) else {
        return;
    };
    let there = wishes.get(at).map_or(Span::default(), |wish| wish.span);
    for wish in wishes.iter().take(at).filter(|wish| wish.value.is_noise()) {
        reader.report(ResolveError::Conflict {
            fault: "noise needs pieces, and there are none before the tokenizer".to_owned(),
            span: wish.span,
            here: "changes pieces",
            other: there,
            there: "makes them",
            help: "put it behind the tokenizer".to_owned(),
        });
    }
}

/// MASS predicts what it hides of a text: source and target are that text, and nothing else changes it.
pub(super) fn check_mass(
    wishes: &[At<TransformWish>],
    (corpus, is_mono): (Span, bool),
    reader: &mut Reader<'_, '_>,
) {
    let Some(mass) = wishes.iter().find(|wish| wish.value.is_mass()) else { return };
    if !is_mono {
        reader.report(ResolveError::Conflict {
            fault: "`mass` predicts what it hides of a source".to_owned(),
            span: mass.span,
            here: "source and target are one text",
            other: corpus,
            there: "text of two languages",
            help: "take its monolingual text, `corpus = NAME.mono`, or `denoise(bart, ...)`"
                .to_owned(),
        });
    }
    let noises = wishes.iter().filter(|wish| wish.value.is_noise());
    for other in noises.filter(|other| other.span != mass.span) {
        reader.report(ResolveError::Conflict {
            fault: "`mass` predicts what it hides, and other noise would change it".to_owned(),
            span: other.span,
            here: "changes pieces, too",
            other: mass.span,
            there: "noise that goes alone",
            help: "leave one of them out".to_owned(),
        });
    }
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
    if let Some(word) = WORDS.iter().find(|known| **known == word) {
        return wish(word, item, span, reader).map(Transform::Wish);
    }
    if program.declared("tokenizer").iter().any(|declared| declared.name == word) {
        if !matches!(item.kind, ExprKind::Name(_)) {
            reader.wrong_type("transforms", "a tokenizer without arguments", item);
            return None;
        }
        return find("tokenizer", word, span, program, reader).map(Transform::Tokenizer);
    }
    let names = program.declared("tokenizer").iter().map(|declared| declared.name);
    let words = names.chain(WORDS.iter().copied());
    let help = suggest::nearest(word, words.clone()).map_or_else(
        || format!("there is {}", suggest::listed(&words.collect::<Vec<_>>(), "and")),
        |near| format!("did you mean `{near}`?"),
    );
    let kind = "tokenizer or transform";
    reader.report(ResolveError::UnknownName { kind, word: word.to_owned(), span, help });
    None
}

fn wish<'a>(
    word: &'static str,
    item: &'a Expr,
    span: Span,
    reader: &mut Reader<'_, 'a>,
) -> Option<TransformWish> {
    match word {
        "prefix" => return prefix(item, span, reader),
        "denoise" => {
            let noise = denoise(item, span, reader)?;
            return Some(TransformWish::Plain(Plain::Denoise(noise)));
        }
        "filter_too_long" => return filter_too_long(item, span, reader),
        "filter_repetitions" => return repetitions(item, reader),
        _ => {}
    }
    let (name, default, bounds): (&'static str, f64, Bounds) = match word {
        "filter_word_ratio" => ("most", 3.0, Bounds { low: 1.0, ..Bounds::POSITIVE }),
        "filter_terminal_punctuation" => {
            ("least", -2.0, Bounds { low: f64::MIN, low_open: false, high: 0.0, high_open: false })
        }
        "filter_numerals" | "filter_script" => ("least", 0.5, Bounds::PART),
        _ => ("temperature", 1.0, Bounds::POSITIVE),
    };
    let args = reader.args(word, arguments(item), &[name]);
    let value = real(&args, name, default, bounds, reader)?;
    Some(TransformWish::Plain(match word {
        "filter_script" => return Some(TransformWish::FilterScript { least: value }),
        "filter_word_ratio" => Plain::FilterWordRatio { most: value },
        "filter_terminal_punctuation" => Plain::FilterTerminalPunctuation { least: value },
        "filter_numerals" => Plain::FilterNumerals { least: value },
        "switchout" => Plain::Switchout { temperature: value },
        "token_drop" => Plain::TokenDrop { temperature: value },
        _ => Plain::TokenMask { temperature: value },
    }))
}

fn real<'a>(
    args: &Args<'a>,
    name: &'static str,
    default: f64,
    bounds: Bounds,
    reader: &mut Reader<'_, 'a>,
) -> Option<f64> {
    optional(args, name).map_or(Some(default), |value| reader.real(value, name, PLAIN, bounds))
}

/// Names that every vocabulary may have for pieces of its own.
const TAKEN: [&str; 5] = ["<unk>", "<bos>", "<eos>", "<pad>", MASK_TOKEN];

/// `prefix(target)`, `prefix(source, "<formal>", in = decoder)`.
fn prefix<'a>(item: &'a Expr, span: Span, reader: &mut Reader<'_, 'a>) -> Option<TransformWish> {
    const EXAMPLE: &str =
        "write `prefix(target)`, `prefix(source, target)` or `prefix(target, in = decoder)`";
    let (mut tokens, mut side) = (Vec::new(), None);
    for arg in arguments(item) {
        let name = arg.name.as_ref().map(|name| name.text.as_str());
        match (name, &arg.value.kind) {
            (Some("in"), _) => side = Some(reader.choice(&arg.value, "in", SIDES, &[])?),
            (None, ExprKind::Name(word)) if word == "source" => tokens.push(PrefixToken::Source),
            (None, ExprKind::Name(word)) if word == "target" => tokens.push(PrefixToken::Target),
            (None, ExprKind::Name(word)) if word == "task" => tokens.push(PrefixToken::Task),
            (None, ExprKind::Text(text)) if is_token(text) => {
                tokens.push(PrefixToken::Text(text.clone()));
            }
            _ => {
                let help = if let ExprKind::Text(_) = arg.value.kind {
                    format!(
                        "a token of your own has no white space, and is none of {}",
                        TAKEN.join(" ")
                    )
                } else {
                    EXAMPLE.to_owned()
                };
                reader.report(ResolveError::WrongType {
                    field: "prefix".to_owned(),
                    expected: "`source`, `target`, `task` and tokens in quotes".to_owned(),
                    found: describe(&arg.value),
                    span: arg.value.span,
                    help: Some(help),
                });
                return None;
            }
        }
    }
    if tokens.is_empty() {
        reader.report(ResolveError::MissingField {
            block: "prefix".to_owned(),
            field: "target",
            span,
            help: EXAMPLE.to_owned(),
        });
        return None;
    }
    Some(TransformWish::Prefix { tokens, side })
}

/// Whether a text can stand for one id that is no other's.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && !TAKEN.contains(&text)
}

fn filter_too_long<'a>(
    item: &'a Expr,
    span: Span,
    reader: &mut Reader<'_, 'a>,
) -> Option<TransformWish> {
    if arguments(item).is_empty() {
        return Some(TransformWish::Plain(Plain::FilterTooLong { source: 200, target: 200 }));
    }
    let rule = may_have(Dimension::Tokens);
    let call = ("filter_too_long", span);
    let example = "filter_too_long(src = 200, tgt = 200)";
    let args = reader.args(call.0, arguments(item), &["src", "tgt"]);
    let source = reader
        .argument(call, &args, "src", example)
        .and_then(|value| reader.small(value, "src", rule, 1));
    let target = reader
        .argument(call, &args, "tgt", example)
        .and_then(|value| reader.small(value, "tgt", rule, 1));
    Some(TransformWish::Plain(Plain::FilterTooLong { source: source?, target: target? }))
}

fn repetitions<'a>(item: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<TransformWish> {
    let args = reader.args("filter_repetitions", arguments(item), &["most", "shortest", "longest"]);
    let mut whole = |name, default, low| {
        optional(&args, name).map_or(Some(default), |value| reader.small(value, name, PLAIN, low))
    };
    let (most, shortest) = (whole("most", 4, 2), whole("shortest", 3, 1));
    let longest = whole("longest", 100.max(shortest.unwrap_or(3)), shortest.unwrap_or(1));
    let (most, shortest, longest) = (most?, shortest?, longest?);
    Some(TransformWish::Plain(Plain::FilterRepetitions { most, shortest, longest }))
}

/// `denoise(bart, ratio = 0.2, mask = span_poisson(3.0), replace = 1)`.
fn denoise<'a>(item: &'a Expr, span: Span, reader: &mut Reader<'_, 'a>) -> Option<Denoise> {
    const ARGS: &[&str] =
        &["objective", "ratio", "mask", "replace", "random", "insert", "rotate", "permute"];
    let args = reader.args("denoise", arguments(item), ARGS);
    let call = ("denoise", span);
    let example = "denoise(bart, ratio = 0.2, mask = span_poisson(3.0), replace = 1)";
    let objective = reader
        .argument(call, &args, "objective", example)
        .and_then(|value| reader.choice(value, "objective", OBJECTIVES, &[]));
    let ratio = reader
        .argument(call, &args, "ratio", example)
        .and_then(|value| reader.real(value, "ratio", PLAIN, Bounds::PART));
    let is_mass = objective == Some(Objective::Mass);
    let replaced = if is_mass { Replace::Each } else { Replace::One };
    let unit = optional(&args, "mask").map_or(Some(MaskUnit::Subword), |value| mask(value, reader));
    let replace =
        optional(&args, "replace").map_or(Some(replaced), |value| replacement(value, reader));
    if is_mass {
        for name in ["mask", "replace"] {
            in_place(name, &args, reader);
        }
    }
    let mut part = |name| real(&args, name, 0.0, Bounds::PART, reader);
    let (random, insert) = (part("random"), part("insert"));
    let (rotate, permute) = (part("rotate"), part("permute"));
    Some(Denoise {
        objective: objective?,
        ratio: ratio?,
        unit: unit?,
        replace: replace?,
        random: random?,
        insert: insert?,
        rotate: rotate?,
        permute: permute?,
    })
}

/// Reports an argument that says how masks stand for pieces, which MASS leaves no choice in.
fn in_place<'a>(name: &'static str, args: &Args<'a>, reader: &mut Reader<'_, 'a>) {
    let [Some(given), Some(objective)] = [name, "objective"].map(|name| optional(args, name))
    else {
        return;
    };
    reader.report(ResolveError::Conflict {
        fault: format!("`mass` hides one run of pieces, each by a mask, whatever `{name}` says"),
        span: given.span,
        here: "for `bart`",
        other: objective.span,
        there: "one run",
        help: format!("leave `{name}` out"),
    });
}

/// `subword`, `word` or `span_poisson(3.0)`.
fn mask<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<MaskUnit> {
    let value = reader.follow(value)?;
    match head(value) {
        Some(("subword", _)) => Some(MaskUnit::Subword),
        Some(("word", _)) => Some(MaskUnit::Word),
        Some(("span_poisson", span)) => {
            let args = reader.args("span_poisson", arguments(value), &["mean"]);
            let call = ("span_poisson", span);
            let mean = reader.argument(call, &args, "mean", "span_poisson(3.0)")?;
            let (low, high) = (LEAST_SPAN, LONGEST_SPAN);
            let bounds = Bounds { low, low_open: false, high, high_open: false };
            reader.real(mean, "mean", PLAIN, bounds).map(MaskUnit::SpanPoisson)
        }
        Some((word, span)) => {
            reader.unknown_choice(word, span, "mask", &["subword", "word", "span_poisson"], &[]);
            None
        }
        None => {
            reader.wrong_type("mask", "`subword`, `word` or `span_poisson(3.0)`", value);
            None
        }
    }
}

/// `0`, `1` or `each`.
fn replacement<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<Replace> {
    let value = reader.follow(value)?;
    if matches!(head(value), Some(("each", _))) {
        return Some(Replace::Each);
    }
    let masks = reader.whole(value, "replace", PLAIN, (0, 1))?;
    Some(if masks == 0 { Replace::Nothing } else { Replace::One })
}
