//! A plan's text: canonical YAML, one fact a line, the same bytes for the same plan everywhere.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Deserialize;

use crate::error::PlanError;
use crate::plan::{FORMAT, Plan};

/// Bytes of the largest plan that is read.
pub const LARGEST: usize = 1 << 30;

/// Bytes that are written at once.
const BUFFER: usize = 256 << 10;

/// The nesting of mappings and lists in a plan is far below this.
const DEPTH: usize = 24;

/// What every version of the format has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Plan {
    /// The canonical text. Equal plans have equal bytes, and [`Plan::from_yaml`] reads the equal plan from them.
    ///
    /// # Panics
    /// Never: a plan holds nothing that YAML cannot write.
    pub fn to_yaml(&self) -> String {
        let mut text = Vec::new();
        write::write(self, &mut text).expect("a list takes all bytes");
        String::from_utf8(text).expect("texts are written whole")
    }

    /// Writes the text of [`Plan::to_yaml`] piece by piece: that of a million tasks is several hundred megabytes.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_yaml(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut buffer = BufWriter::with_capacity(BUFFER, out);
        write::write(self, &mut buffer)?;
        buffer.flush()
    }

    /// Reads a plan; the whole text is bounded in size, depth and aliases (there are none).
    pub fn from_yaml(text: &str) -> Result<Self, PlanError> {
        const NAME: &str = "plan.yaml";
        if text.len() > LARGEST {
            return Err(PlanError::TooLarge { bytes: text.len(), limit: LARGEST });
        }
        let version = |found| PlanError::Version { name: NAME.to_owned(), found, expected: FORMAT };
        match serde_saphyr::from_str_with_options::<Self>(text, options()) {
            Ok(plan) if plan.format == FORMAT => Ok(plan),
            Ok(plan) => Err(version(plan.format)),
            // A plan of another version has other fields: its version is the fault, not the field.
            Err(fault) => match serde_saphyr::from_str_with_options::<Version>(text, options()) {
                Ok(Version { format }) if format != FORMAT => Err(version(format)),
                Ok(_) | Err(_) => Err(PlanError::malformed(NAME, text, &fault)),
            },
        }
    }

    /// Reads a plan from a file.
    #[expect(clippy::disallowed_methods, reason = "the worker and the cli read plans from disk")]
    pub fn from_path(path: &Path) -> Result<Self, PlanError> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| PlanError::Unreadable { path: path.to_owned(), cause })?;
        Self::from_yaml(&text).map_err(|fault| fault.named(path))
    }
}

/// What the reader accepts: one document, no aliases, no tags, booleans by their two names.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: LARGEST,
            max_nodes: LARGEST,
            max_total_scalar_bytes: LARGEST,
            max_aliases: 0,
            max_anchors: 0,
            max_documents: 1,
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
        },
        emit_comments: false,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}

mod write;

#[cfg(test)]
mod tests;
