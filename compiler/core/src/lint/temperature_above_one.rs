//! A temperature makes large corpora larger.

use super::{Found, Lint, Subject, warning};
use crate::ir::experiment::WeightRule;

pub(super) const LINT: Lint =
    warning("mmc::lint::temperature_above_one", "a temperature makes large corpora larger", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for piece in &subject.experiment.curriculum.value.pieces {
        let WeightRule::Temperature(exponent) = piece.rule else { continue };
        if exponent <= 1.0 {
            continue;
        }
        let inverse = rounded(1.0 / exponent);
        found.push(Found {
            message: format!("weights are size^{exponent}: large corpora get more than their part"),
            label: "of this rule",
            span: piece.span,
            help: format!(
                "papers write size^(1/T): their T = {exponent} is `temperature({inverse})` here"
            )
            .into(),
        });
    }
    found
}

/// Three digits behind the point.
fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}
