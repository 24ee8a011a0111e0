//! A language has a script that it is not known to be written in.

use super::{Found, Lint, Subject, warning};
use crate::languages;

pub(super) const LINT: Lint = warning(
    "mmc::lint::script_mismatch",
    "a language has a script that it is not known to be written in",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for language in &subject.experiment.languages {
        let Some(meaning) = languages::meaning(&language.code) else { continue };
        let Some(script) = language.attribute("script") else { continue };
        if meaning.row.scripts.contains(&script) {
            continue;
        }
        let known = meaning.row.scripts.join(" or ");
        found.push(Found {
            message: format!("{} (`{}`) is not known to be written in {script}, but in {known}", meaning.row.name, language.code),
            label: "declared here",
            span: language.span,
            help: "is it another language's code? text in an unusual script is fine: then allow this lint".into(),
        });
    }
    found
}
