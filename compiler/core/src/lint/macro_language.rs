//! A macro-language and one of its members are both there.

use mmc_syntax::source::Span;

use super::{Found, Lint, Subject, listed, warning};
use crate::languages::{Meaning, meaning};

pub(super) const LINT: Lint = warning(
    "mmc::lint::macro_language",
    "a macro-language and one of its members are both there",
    run,
);

fn run(subject: &Subject<'_>) -> Vec<Found> {
    let known: Vec<(&str, Span, Meaning)> = subject
        .experiment
        .languages
        .iter()
        .filter_map(|language| {
            Some((language.code.as_str(), language.span, meaning(&language.code)?))
        })
        .collect();
    let mut found = Vec::new();
    for (code, span, macro_language) in &known {
        // `zh` and `ar` are usually the member that they mean, but not beside that very member's or a sister's code.
        let Some(of) = macro_language.row.macro_language else { continue };
        let is_wide = macro_language.macro_code.is_some();
        let members: Vec<&str> = known
            .iter()
            .filter(|(other, _, member)| {
                let same = member.row.iso3 == macro_language.row.iso3
                    && member.script.or(macro_language.script).is_none();
                let within = is_wide && member.row.macro_language == Some(of);
                other != code && (within || same && *other > *code)
            })
            .map(|(other, _, _)| *other)
            .collect();
        if !members.is_empty() {
            found.push(Found {
                message: format!("`{code}` is, or holds, the same language as {}", listed(&members)),
                label: "a wider code",
                span: *span,
                help: "text under the wider code is mostly that of a member: use one code for both, or only members".into(),
            });
        }
    }
    found
}
