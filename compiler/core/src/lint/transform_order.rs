//! Transforms undo each other in this order.

use super::{Found, Lint, Subject, warning};
use crate::ir::experiment::TransformWish;

pub(super) const LINT: Lint =
    warning("mmc::lint::transform_order", "transforms undo each other in this order", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for block in &subject.experiment.task_blocks {
        let place = |is: fn(&TransformWish) -> bool| {
            block.transforms.iter().position(|wish| is(&wish.value))
        };
        let pieces = place(|wish| matches!(wish, TransformWish::Tokenize));
        let filter = place(|wish| matches!(wish, TransformWish::FilterTooLong { .. }));
        let (Some(filter), Some(pieces)) = (filter, pieces) else { continue };
        let span = block.transforms.get(filter).map_or(block.span, |wish| wish.span);
        if filter < pieces {
            found.push(Found {
                message: "`filter_too_long` counts pieces before there are any".to_owned(),
                label: "before the tokenizer",
                span,
                help: "put it behind the tokenizer".into(),
            });
        }
    }
    found
}
