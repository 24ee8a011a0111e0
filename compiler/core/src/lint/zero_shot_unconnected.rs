//! A direction hands the output of one module to another that never met it in training.

use std::collections::BTreeMap;

use super::zero_shot::{directions, translating};
use super::{Found, Lint, Subject, counted, listed, warning};

pub(super) const LINT: Lint = warning(
    "mmc::lint::zero_shot_unconnected",
    "the modules of a direction exist, but never met in training",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let mut unmet: Vec<String> = Vec::new();
    let mut seams: BTreeMap<[&str; 2], usize> = BTreeMap::new();
    for direction in directions(subject).iter().filter(|direction| !direction.met) {
        unmet.push(direction.name());
        *seams.entry(direction.seam).or_default() += 1;
    }
    let most = seams.iter().max_by_key(|(_, number)| **number);
    let (Some(block), Some(([encoder, decoder], _))) = (translating(subject), most) else {
        return Vec::new();
    };
    vec![Found {
        message: format!(
            "{} whose modules never meet in training: {}",
            counted(unmet.len(), "direction"),
            listed(&unmet)
        ),
        label: "no task among these joins them",
        span: block.span,
        help: format!(
            "`{decoder}` never reads what `{encoder}` writes: expect nothing of these directions, or train one that joins the two, or share a layer or a `bridge` between them"
        )
        .into(),
    }]
}
