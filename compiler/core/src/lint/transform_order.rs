//! Transforms undo each other in this order.

use mmc_plan::Transform;

use super::{Found, Lint, Subject, warning};
use crate::ir::experiment::{At, TransformWish};

pub(super) const LINT: Lint =
    warning("mmc::lint::transform_order", "transforms undo each other in this order", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let blocks = subject.experiment.task_blocks.iter();
    blocks.flat_map(|block| faults(&block.transforms)).collect()
}

/// What is wrong with each transform, given those before it.
fn faults(transforms: &[At<TransformWish>]) -> Vec<Found> {
    let mut found = Vec::new();
    for (at, wish) in transforms.iter().enumerate() {
        let before = transforms.get(..at).unwrap_or_default();
        let after = transforms.get(at + 1..).unwrap_or_default();
        if let Some((message, label, help)) = fault(&wish.value, before, after) {
            found.push(Found {
                message: message.to_owned(),
                label,
                span: wish.span,
                help: help.into(),
            });
        }
    }
    found
}

/// Message, label, help.
type Words = (&'static str, &'static str, &'static str);

fn fault(
    wish: &TransformWish,
    before: &[At<TransformWish>],
    after: &[At<TransformWish>],
) -> Option<Words> {
    let has = |list: &[At<TransformWish>], is: fn(&TransformWish) -> bool| {
        list.iter().any(|wish| is(&wish.value))
    };
    let is_too_long = |wish: &TransformWish| {
        matches!(wish, TransformWish::Plain(Transform::FilterTooLong { .. }))
    };
    if is_too_long(wish) && has(after, |wish| *wish == TransformWish::Tokenize) {
        return Some((
            "`filter_too_long` counts pieces before there are any",
            "before the tokenizer",
            "put it behind the tokenizer",
        ));
    }
    if is_too_long(wish) && has(after, grows) {
        return Some((
            "`filter_too_long` looks before noise that makes segments longer",
            "not the length that is trained on",
            "put it behind the noise",
        ));
    }
    if looks_at_text(wish) && has(before, TransformWish::is_noise) {
        return Some((
            "a filter on text stands behind noise, but looks at the text before it",
            "not at what the noise made",
            "put it first: filters on text see the lines as they are in the files",
        ));
    }
    if is_denoise(wish) && has(before, hides) {
        return Some((
            "`denoise` hides pieces that other noise has dropped or masked already",
            "behind other noise",
            "put `denoise` right behind the tokenizer, or leave the other noise out",
        ));
    }
    (moves(wish) && has(before, TransformWish::masks)).then_some((
        "noise that replaces or drops pieces also takes the masks that stand before it",
        "behind the masks",
        "put it before the masking",
    ))
}

fn is_denoise(wish: &TransformWish) -> bool {
    matches!(wish, TransformWish::Plain(Transform::Denoise(_)))
}

/// Noise that replaces or drops whatever it finds.
fn moves(wish: &TransformWish) -> bool {
    matches!(wish, TransformWish::Plain(Transform::Switchout { .. } | Transform::TokenDrop { .. }))
}

/// Noise that may add pieces.
fn grows(wish: &TransformWish) -> bool {
    matches!(wish, TransformWish::Plain(Transform::Denoise(noise)) if noise.insert > 0.0)
}

fn hides(wish: &TransformWish) -> bool {
    matches!(wish, TransformWish::Plain(Transform::TokenDrop { .. } | Transform::TokenMask { .. }))
}

fn looks_at_text(wish: &TransformWish) -> bool {
    matches!(
        wish,
        TransformWish::FilterScript { .. }
            | TransformWish::Plain(
                Transform::FilterWordRatio { .. }
                    | Transform::FilterRepetitions { .. }
                    | Transform::FilterTerminalPunctuation { .. }
                    | Transform::FilterNumerals { .. }
            )
    )
}
