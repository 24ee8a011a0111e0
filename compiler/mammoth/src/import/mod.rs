//! MAMMOTH's configurations to experiments: a meta-configuration of config-config, or a finished configuration.
//!
//! [`import`] writes the experiment that a person would have written, as far as all tasks agree: templates of paths, patterns of
//! sharing, one block for tasks that are treated alike. Every part of the text knows the place in the YAML that it comes from
//! ([`Imported::origins`]), so that findings about the experiment can be shown there.

mod error;
mod keys;
mod meta;
mod model;
mod reader;
mod tasks;
mod template;
mod training;
mod writer;

use mmc_syntax::{SourceId, Span};

pub use error::ImportError;
pub use writer::Origins;

use crate::yaml::Tree;
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
}

/// Makes an experiment of a configuration that was read from `text`.
pub fn import(tree: &Tree, source: SourceId, text: &str) -> Imported {
    let mut reader = Reader::new(tree, source, text);
    let root = tree.root();
    let start = Span::new(source.start(), source.start());
    if tree.entries(root).is_empty() {
        reader.missing(
            "src_vocab",
            start,
            "a configuration has `src_vocab`, `tgt_vocab` and `config_config` or `tasks`",
        );
        return reader.finish();
    }
    reader.check_keys(root, &[keys::READ, keys::IDLE], "");
    model::imports(&mut reader);
    training::experiment(&mut reader);
    if let Some(config) = tree.get(root, "config_config") {
        meta::write(config, &mut reader);
    } else if let Some(found) = tree.get(root, "tasks") {
        tasks::write(found, &mut reader);
    } else {
        reader.missing("tasks", start, "write `config_config`, as for config-config, or `tasks`");
    }
    training::write(&mut reader);
    reader.finish()
}
