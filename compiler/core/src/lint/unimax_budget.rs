//! `unimax` has more to read than its epochs allow: then every text is read more often than that.

use super::{Found, Lint, Subject, warning};
use crate::ir::experiment::WeightRule;

pub(super) const LINT: Lint =
    warning("mmc::lint::unimax_budget", "there is too little text for the epochs of `unimax`", run);

#[expect(clippy::cast_precision_loss, reason = "a prediction")]
fn run(subject: &Subject<'_>) -> Vec<Found> {
    let rule = &subject.experiment.curriculum.value;
    let training = &subject.plan.training;
    let lines: f64 = subject.table.tasks.iter().map(|task| task.corpus.train.lines as f64).sum();
    let per_step = subject.plan.lanes.len() as f64
        * f64::from(training.accumulate)
        * f64::from(training.batch_tokens)
        / f64::from(rule.line_tokens);
    let mut first = 0;
    let mut all = Vec::new();
    for piece in &rule.pieces {
        let last = piece.until.unwrap_or(training.steps).min(training.steps);
        let budget = per_step * last.saturating_sub(first) as f64;
        first = last;
        let WeightRule::UniMax(epochs) = piece.rule else { continue };
        if budget > epochs * lines {
            let times = budget / lines;
            all.push(Found {
                message: format!(
                    "`unimax({epochs})` reads all text about {times:.1} times: there is not enough of it"
                ),
                label: "more epochs than this",
                span: piece.span,
                help: "train shorter, allow more epochs, or add text".into(),
            });
        }
    }
    all
}
