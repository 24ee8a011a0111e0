//! Each task's transforms, and the prefix that selects its target language.

use mmc_core::diagnostics::Halt;

use crate::error::MammothError;
use crate::job::Job;
use crate::yaml::{Id, Value};

/// The transform that writes language tokens.
pub(super) const PREFIX: &str = "prefix";

pub(super) fn run(job: &mut Job<'_>) -> Result<(), Halt> {
    job.options()?;
    let mono = job.list("ae_transforms")?.unwrap_or_default().0;
    let pairs = job.list("transforms")?.unwrap_or_default().0;
    let names_source = job.switch("use_src_lang_token")?;
    for task in job.pairs()? {
        let is_mono = task.source == task.target;
        let transforms = if is_mono { &mono } else { &pairs };
        let span = job.tree.span(task.id);
        let list = job.tree.add(Value::List(transforms.clone()), span);
        job.tree.set(task.id, "transforms", list);
        if has_prefix(job, transforms) {
            let mut prefix = format!("<to_{}>", task.target);
            if names_source {
                prefix = format!("<from_{}> {prefix}", task.source);
            }
            set_prefix(job, task.id, &prefix);
        } else if names_source {
            let option = job.option("use_src_lang_token")?;
            let span = option.map_or_else(|| job.options_place(), |id| job.tree.span(id));
            let list = if is_mono { "ae_transforms" } else { "transforms" };
            let help = format!("add `prefix` to `{list}`");
            return Err(job.halt(MammothError::NoPrefix { task: task.key, span, help }));
        }
    }
    Ok(())
}

/// Whether `prefix` is among transforms.
pub(super) fn has_prefix(job: &Job<'_>, transforms: &[Id]) -> bool {
    transforms.iter().any(|item| job.tree.text(*item) == Some(PREFIX))
}

/// Sets a task's prefixes; that of the target side must be there and is empty.
pub(super) fn set_prefix(job: &mut Job<'_>, task: Id, prefix: &str) {
    let (source, target) = (job.tree.add_text(prefix), job.tree.add_text(""));
    job.tree.set(task, "src_prefix", source);
    job.tree.set(task, "tgt_prefix", target);
}
