//! Sharing patterns to the names of each task's modules.

use std::collections::BTreeSet;

use mmc_core::diagnostics::Halt;
use mmc_core::suggest;
use mmc_syntax::Span;

use crate::error::MammothError;
use crate::job::{Job, Task};
use crate::warning::MammothWarning;
use crate::yaml::{Id, Value};

/// What modules of a stack are named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    Full,
    SourceLanguage,
    TargetLanguage,
    SourceGroup,
    TargetGroup,
}

/// Encoder or decoder: what `LANGUAGE` and `GROUP` mean, and the keys.
struct Side {
    option: &'static str,
    layers: &'static str,
    key: &'static str,
    is_source: bool,
}

const SIDES: [Side; 2] = [
    Side {
        option: "enc_sharing_groups",
        layers: "enc_layers",
        key: "enc_sharing_group",
        is_source: true,
    },
    Side {
        option: "dec_sharing_groups",
        layers: "dec_layers",
        key: "dec_sharing_group",
        is_source: false,
    },
];

const PATTERNS: [&str; 7] =
    ["LANGUAGE", "GROUP", "FULL", "SRC_LANGUAGE", "SRC_GROUP", "TGT_LANGUAGE", "TGT_GROUP"];

pub(super) fn run(job: &mut Job<'_>) -> Result<(), Halt> {
    let groups = job.groups()?;
    let tasks = job.pairs()?;
    for side in &SIDES {
        let patterns = patterns(job, side)?;
        for task in &tasks {
            let names = names(job, groups, task, &patterns)?;
            let list = job.tree.add(Value::List(names), job.tree.span(task.id));
            job.tree.set(task.id, side.key, list);
        }
    }
    shared_names(job, groups);
    Ok(())
}

fn patterns(job: &mut Job<'_>, side: &Side) -> Result<Vec<Pattern>, Halt> {
    let listed = job.list(side.option)?.filter(|(items, _)| !items.is_empty());
    let Some((items, span)) = listed else {
        let place = job.options_place();
        let help = "write one pattern for each layer stack: `LANGUAGE`, `GROUP`, `FULL`, or one of the first two with `SRC_` or `TGT_` before it";
        return Err(job.missing("`config_config`", side.option, place, help));
    };
    let mut found = Vec::new();
    for item in &items {
        let written = job.tree.text(*item).unwrap_or_default().to_owned();
        let Some(pattern) = pattern(&written, side.is_source) else {
            let help = suggest::help(&written, PATTERNS, "patterns are texts");
            let span = job.tree.span(*item);
            return Err(job.halt(MammothError::UnknownPattern { written, span, help }));
        };
        found.push(pattern);
    }
    check_stacks(job, side, found.len(), span)?;
    Ok(found)
}

fn check_stacks(job: &mut Job<'_>, side: &Side, patterns: usize, span: Span) -> Result<(), Halt> {
    let root = job.tree.root();
    let Some(layers) = job.tree.get(root, side.layers) else {
        let place = job.place();
        let help = "write the number of layers of each stack, as `[6]`";
        return Err(job.missing("the configuration", side.layers, place, help));
    };
    let Value::List(stacks) = job.tree.value(layers) else {
        return Err(job.wrong(layers, side.layers, "a list", Some("write it as `[6]`")));
    };
    let stacks = stacks.len();
    if stacks == patterns {
        return Ok(());
    }
    let stacks_span = job.tree.span(layers);
    let (key, layers) = (side.option, side.layers);
    Err(job.halt(MammothError::SharingCount { key, patterns, layers, stacks, span, stacks_span }))
}

fn pattern(written: &str, is_source: bool) -> Option<Pattern> {
    Some(match (written, is_source) {
        ("FULL", _) => Pattern::Full,
        ("SRC_LANGUAGE", _) | ("LANGUAGE", true) => Pattern::SourceLanguage,
        ("TGT_LANGUAGE", _) | ("LANGUAGE", false) => Pattern::TargetLanguage,
        ("SRC_GROUP", _) | ("GROUP", true) => Pattern::SourceGroup,
        ("TGT_GROUP", _) | ("GROUP", false) => Pattern::TargetGroup,
        _ => return None,
    })
}

/// A module name for each stack. The peer looks both groups up for every task, and so groups must be complete.
fn names(
    job: &mut Job<'_>,
    groups: Id,
    task: &Task,
    patterns: &[Pattern],
) -> Result<Vec<Id>, Halt> {
    let source = job.group(groups, &task.source)?;
    let target = job.group(groups, &task.target)?;
    let span = job.tree.span(task.id);
    let mut text = |text: &str| job.tree.add(Value::Text(text.into()), span);
    let name = |pattern: &Pattern| match pattern {
        Pattern::Full => text("full"),
        Pattern::SourceLanguage => text(&task.source),
        Pattern::TargetLanguage => text(&task.target),
        Pattern::SourceGroup => source,
        Pattern::TargetGroup => target,
    };
    Ok(patterns.iter().map(name).collect())
}

/// Groups that are called as a language which isn't all of them.
fn shared_names(job: &mut Job<'_>, groups: Id) {
    let entries: Vec<(Id, Id)> = job.tree.entries(groups).to_vec();
    let languages: BTreeSet<&str> =
        entries.iter().filter_map(|(key, _)| job.tree.text(*key)).collect();
    let mut told = BTreeSet::new();
    let mut warnings = Vec::new();
    for (language, group) in &entries {
        let Some(name) = job.tree.text(*group) else { continue };
        let is_own = job.tree.text(*language) == Some(name);
        if !is_own && languages.contains(name) && told.insert(name) {
            let span = job.tree.span(*group);
            warnings.push(MammothWarning::SharedName { name: name.to_owned(), span });
        }
    }
    for warning in warnings {
        job.sink.report(warning);
    }
}
