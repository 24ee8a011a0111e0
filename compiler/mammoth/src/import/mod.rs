//! MAMMOTH's configurations to experiments: a meta-configuration of config-config, or a finished configuration.
//!
//! [`import`] writes the experiment that a person would have written, as far as all tasks agree: templates of paths, patterns of
//! sharing, one block for tasks that are treated alike. Every part of the text knows the place in the YAML that it comes from
//! ([`Imported::origins`]), so that findings about the experiment can be shown there.

mod adapters;
mod blocks;
mod curriculum;
mod error;
mod files;
mod finished;
mod kept;
pub(crate) mod keys;
mod meta;
mod model;
mod pairs;
mod reader;
mod remains;
mod sharing;
mod task;
mod template;
mod training;
mod transforms;
mod warning;
mod writer;

use mmc_core::diagnostics::Finding;
use mmc_syntax::SourceId;

pub use error::ImportError;
pub use warning::ImportWarning;
pub use writer::Origins;

use crate::yaml::{Id, Tree, Value};
use reader::Reader;

/// What became of a configuration.
#[derive(Debug)]
pub struct Imported {
    /// The experiment; incomplete when there are faults.
    pub text: String,
    /// Where its parts come from.
    pub origins: Origins,
    /// What keeps it from being one.
    pub faults: Vec<ImportError>,
    /// What the experiment does otherwise.
    pub notes: Vec<Finding>,
}

/// Makes an experiment of a configuration that was read from `text`.
pub fn import(tree: &Tree, source: SourceId, text: &str) -> Imported {
    let mut reader = Reader::new(tree, source, text);
    let root = tree.root();
    if !matches!(tree.value(root), Value::Map(entries) if !entries.is_empty()) {
        let start = reader.start();
        let help = "a configuration has `src_vocab`, `tgt_vocab` and `config_config` or `tasks`";
        reader.missing("src_vocab", start, help);
        return reader.finish();
    }
    reader.open(root, &keys::TOP);
    model::imports(&mut reader);
    training::experiment(&mut reader);
    let (options, tasks) = (tree.get(root, "config_config"), tree.get(root, "tasks"));
    match (options, tasks) {
        (None, Some(_)) => finished::write(&mut reader),
        (Some(_), Some(tasks)) if has_sharing(tree, tasks) => finished::write(&mut reader),
        (Some(_), Some(tasks)) if tree.value(tasks).is_truthy() => {
            let help = "`mmc mammoth config_all` finishes it; or leave `tasks` out";
            let span = reader.place("tasks");
            reader.no_equal("a configuration between two stages".to_owned(), span, help);
        }
        (Some(_), _) => meta::write(&mut reader),
        (None, None) => {
            let start = reader.start();
            reader.missing(
                "tasks",
                start,
                "write `config_config`, as for config-config, or `tasks`",
            );
        }
    }
    training::write(&mut reader);
    reader.finish()
}

/// Whether the stages of config-config that matter have run: tasks have their sharing.
fn has_sharing(tree: &Tree, tasks: Id) -> bool {
    let mut tasks = tree.entries(tasks).iter();
    tasks.any(|(_, task)| tree.get(*task, "enc_sharing_group").is_some())
}
