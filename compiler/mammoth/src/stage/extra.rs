//! Stages that `config_all` does not run: for one process without a GPU, for one language for all, and the GPUs of another
//! configuration.

use std::collections::BTreeSet;

use mmc_core::diagnostics::Halt;

use crate::error::MammothError;
use crate::job::{Job, shortened};
use crate::stage::set_transforms::{PREFIX, has_prefix, set_prefix};
use crate::warning::MammothWarning;
use crate::yaml::{Id, Tree, Value};

/// Keys at the top that say where tasks run.
const DEVICES: [&str; 3] = ["n_nodes", "world_size", "gpu_ranks"];

/// Takes GPUs out of a configuration.
pub(super) fn cpu(job: &mut Job<'_>) -> Result<(), Halt> {
    let tasks = job.tasks()?;
    let root = job.tree.root();
    for key in ["gpu_ranks", "world_size"] {
        if job.tree.remove(root, key).is_none() && job.bugs() {
            let span = job.place();
            return Err(job.missing(
                "the configuration",
                key,
                span,
                "without `--bug-for-bug` it need not be there",
            ));
        }
    }
    let one = job.tree.add_int(1);
    job.tree.set(root, "n_nodes", one);
    for task in tasks {
        job.tree.remove(task.id, "node_gpu");
    }
    Ok(())
}

/// Gives all tasks the language `all` with a joint vocabulary, one decoder, and a token for the target language.
pub(super) fn fully_shared_hack(job: &mut Job<'_>) -> Result<(), Halt> {
    let joint = job.flags.text("joint_vocab").unwrap_or_default().to_owned();
    let mut is_told = job.bugs();
    for task in job.pairs()? {
        let Some(transforms) = job.tree.get(task.id, "transforms") else {
            let span = job.key_place(task.id);
            let help = "the stage `set_transforms` writes them";
            return Err(job.missing(&format!("task `{}`", task.key), "transforms", span, help));
        };
        let Value::List(items) = job.tree.value(transforms) else {
            return Err(job.wrong(transforms, "transforms", "a list", None));
        };
        let items = items.clone();
        if !has_prefix(job, &items) {
            if items.is_empty() && job.bugs() {
                let span = job.tree.span(transforms);
                return Err(job.halt(MammothError::NoTransforms { task: task.key, span }));
            }
            insert_prefix(job, transforms, items);
            let selected = if job.bugs() { &task.source } else { &task.target };
            set_prefix(job, task.id, &format!("<to_{selected}>"));
            if !std::mem::replace(&mut is_told, true) {
                let span = job.key_place(task.id);
                job.sink.report(MammothWarning::HackToken { span });
            }
        }
        let full = job.tree.add_text("full");
        let full = job.tree.add(Value::List(vec![full]), job.tree.span(task.id));
        job.tree.set(task.id, "dec_sharing_group", full);
        let all = job.tree.add_text("all-all");
        job.tree.set(task.id, "src_tgt", all);
    }
    let root = job.tree.root();
    for section in ["src_vocab", "tgt_vocab"] {
        let map = job.tree.add(Value::Map(Vec::new()), job.place());
        let path = job.tree.add_text(&joint);
        job.tree.set(map, "all", path);
        job.tree.set(root, section, map);
    }
    Ok(())
}

/// Puts `prefix` before a last `filtertoolong`, which must see all tokens, else last.
fn insert_prefix(job: &mut Job<'_>, transforms: Id, mut items: Vec<Id>) {
    let filters = items.last().is_some_and(|last| job.tree.text(*last) == Some("filtertoolong"));
    let prefix = job.tree.add_text(PREFIX);
    items.insert(items.len() - usize::from(filters), prefix);
    job.tree.replace(transforms, Value::List(items));
}

/// Copies where tasks run from another configuration with the same tasks.
pub(super) fn copy_gpu_assignment(job: &mut Job<'_>) -> Result<(), Halt> {
    let Some(other) = &job.flags.copy_from else { return Ok(()) };
    let tasks = job.tasks()?;
    let theirs = other.get(other.root(), "tasks");
    let entries = theirs.map(|map| other.entries(map)).unwrap_or_default();
    let names: BTreeSet<&str> = entries.iter().filter_map(|(key, _)| other.text(*key)).collect();
    let ours: BTreeSet<&str> = tasks.iter().map(|task| task.key.as_str()).collect();
    if ours != names {
        let difference = difference(&ours, &names);
        let span = job
            .tree
            .entry(job.tree.root(), "tasks")
            .map_or_else(|| job.place(), |(key, _)| job.tree.span(key));
        return Err(job.halt(MammothError::TasksDiffer { difference, span }));
    }
    for task in &tasks {
        let theirs = theirs.and_then(|map| other.get(map, &task.key));
        copy(
            job,
            other,
            theirs.and_then(|theirs| other.get(theirs, "node_gpu")),
            (task.id, &task.key),
            "node_gpu",
        )?;
    }
    let root = job.tree.root();
    for key in DEVICES {
        copy(job, other, other.get(other.root(), key), (root, "the configuration"), key)?;
    }
    Ok(())
}

fn copy(
    job: &mut Job<'_>,
    other: &Tree,
    value: Option<Id>,
    (to, owner): (Id, &str),
    key: &str,
) -> Result<(), Halt> {
    let Some(value) = value else {
        let span = job.key_place(to);
        let help = "the configuration of `--copy_from` must have gone through `allocate_devices`";
        return Err(job.missing(&format!("`--copy_from`, for {owner},"), key, span, help));
    };
    let copy = job.tree.copy_from(other, value);
    job.tree.set(to, key, copy);
    Ok(())
}

fn difference(ours: &BTreeSet<&str>, theirs: &BTreeSet<&str>) -> String {
    let only = |these: &BTreeSet<&str>, those: &BTreeSet<&str>, words: &str| {
        let names: Vec<&str> = these.difference(those).copied().collect();
        (!names.is_empty()).then(|| format!("{words} {}", shortened(names)))
    };
    let parts = [only(ours, theirs, "only here"), only(theirs, ours, "only there")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
