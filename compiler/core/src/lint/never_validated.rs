//! Training ends before it is first validated, or nothing can be.

use super::{Found, Lint, Subject, warning};

pub(super) const LINT: Lint = warning(
    "mmc::lint::never_validated",
    "training ends before it is first validated, or nothing can be",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let training = &subject.experiment.training;
    let Some(every) = training.value.validate_every else { return Vec::new() };
    let nothing = subject.table.tasks.iter().all(|task| task.corpus.valid.is_none());
    let message = if nothing {
        format!("validation every {every} steps, but no corpus of a task has `valid`")
    } else if every > training.value.steps {
        format!("validation every {every} steps, but training ends after {}", training.value.steps)
    } else {
        return Vec::new();
    };
    vec![Found {
        message,
        label: "of this training",
        span: training.span,
        help: "give `valid` files, and a `validate` of a tenth of `steps` or so".into(),
    }]
}
