//! A code was withdrawn.

use super::{Found, Lint, Subject, warning};
use crate::languages;

pub(super) const LINT: Lint = warning("mmc::lint::retired_code", "a code was withdrawn", run);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let retired = subject.experiment.languages.iter().filter_map(|language| {
        let today = languages::today(&language.code)?;
        Some(Found {
            message: format!("`{}` was withdrawn: today the code is `{today}`", language.code),
            label: "an old code",
            span: language.span,
            help: format!("write `{today}`; where files keep the old code, `language {today} {{ aliases = {{ opus = \"{}\" }} }}`", language.code).into(),
        })
    });
    retired.collect()
}
