//! Language codes and group names as texts: `no` without quotes is a boolean in YAML 1.1, `010` a number. And options that
//! nothing reads.

use mmc_core::diagnostics::Halt;
use mmc_core::suggest;

use crate::error::MammothError;
use crate::import::keys;
use crate::job::{Job, OPTIONS};
use crate::warning::MammothWarning;
use crate::yaml::{Id, Value};

/// Makes texts of codes that are none, with a warning; with the peer's faults wanted, an error as there.
pub(super) fn check(job: &mut Job<'_>) -> Result<(), Halt> {
    let root = job.tree.root();
    let mut codes: Vec<Id> = Vec::new();
    for section in ["src_vocab", "tgt_vocab"] {
        let map = job.tree.get(root, section);
        codes.extend(map.into_iter().flat_map(|map| job.tree.entries(map)).map(|(key, _)| *key));
    }
    let options = job.tree.get(root, OPTIONS);
    let groups = options.and_then(|options| job.tree.get(options, "groups"));
    for (language, group) in
        groups.map(|groups| job.tree.entries(groups).to_vec()).unwrap_or_default()
    {
        codes.push(language);
        // A number as a group's name goes through all of the peer; a boolean does not.
        if matches!(job.tree.value(group), Value::Bool(_)) {
            codes.push(group);
        }
    }
    for code in codes {
        text_of(job, code)?;
    }
    if let Some(options) = options {
        unknown_options(job, options);
    }
    Ok(())
}

fn text_of(job: &mut Job<'_>, code: Id) -> Result<(), Halt> {
    let value = job.tree.value(code);
    let kind = value.kind();
    if matches!(value, Value::Text(_) | Value::List(_) | Value::Map(_)) {
        return Ok(());
    }
    let span = job.tree.span(code);
    let written = job.sources.text(span).unwrap_or_default().to_owned();
    if job.bugs() {
        return Err(job.halt(MammothError::CodeNotText { written, kind, span }));
    }
    job.tree.replace(code, Value::Text(written.as_str().into()));
    job.sink.report(MammothWarning::UnquotedCode { written, kind, span });
    Ok(())
}

fn unknown_options(job: &mut Job<'_>, options: Id) {
    for (key, _) in job.tree.entries(options).to_vec() {
        let span = job.tree.span(key);
        match job.tree.text(key) {
            Some(known) if keys::OPTIONS.contains(&known) => {}
            Some(keys::DOCUMENTED_ONLY) => job.sink.report(MammothWarning::NoEffect {
                key: keys::DOCUMENTED_ONLY,
                reason: "MAMMOTH documents it and reads it nowhere",
                span,
                help: "leave it out",
            }),
            name => {
                let key = name.unwrap_or("?").to_owned();
                let help = suggest::help(
                    &key,
                    keys::OPTIONS.iter().copied(),
                    "docs/mammoth.md lists the options",
                );
                job.sink.report(MammothWarning::UnknownOption { key, span, help });
            }
        }
    }
}
