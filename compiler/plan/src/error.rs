//! Why a file is no plan.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

/// A file that can't be read as a plan.
#[derive(Debug, Error, Diagnostic)]
pub enum PlanError {
    /// The file itself can't be read.
    #[error("can't read plan `{}`: {cause}", path.display())]
    #[diagnostic(
        code(mmc::plan::unreadable),
        help("`mmc plan FILE.mmc --output PLAN.yaml` writes a plan")
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// More bytes than a plan may have.
    #[error("plan of {bytes} bytes is larger than the {limit} bytes that are read")]
    #[diagnostic(code(mmc::plan::too_large))]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest that is read.
        limit: usize,
    },
    /// Not YAML, or not the shape of a plan.
    #[error("malformed plan `{name}`, line {line}, column {column}: {reason}")]
    #[diagnostic(
        code(mmc::plan::malformed),
        help("the fields are listed in docs/plan-format.md; `mmc plan` writes them all")
    )]
    Malformed {
        /// The file's name.
        name: String,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What was found and what was expected.
        reason: String,
        /// The text.
        #[source_code]
        text: Arc<NamedSource<String>>,
        /// Where.
        #[label("here")]
        at: SourceSpan,
    },
    /// Another version of the format.
    #[error("plan `{name}` has format {found}, but this program reads format {expected}")]
    #[diagnostic(
        code(mmc::plan::version),
        help("make the plan again from its source, or read it with the program that wrote it")
    )]
    Version {
        /// The file's name.
        name: String,
        /// Its version.
        found: u32,
        /// The version that is read.
        expected: u32,
    },
}

impl PlanError {
    /// A fault at a place of the text.
    pub(crate) fn malformed(name: &str, text: &str, fault: &serde_saphyr::Error) -> Self {
        let fault = fault.without_snippet();
        let location = fault.location().unwrap_or(serde_saphyr::Location::UNKNOWN);
        let (line, column) = (location.line().max(1), location.column().max(1));
        let reason = fault.to_string();
        let place = format!(" at line {}, column {}", location.line(), location.column());
        let reason = reason.strip_suffix(&place).unwrap_or(&reason).to_owned();
        Self::Malformed {
            name: name.to_owned(),
            line,
            column,
            reason,
            at: span(text, line, column),
            text: Arc::new(NamedSource::new(name, text.to_owned())),
        }
    }

    /// The same fault under the file's own name.
    pub(crate) fn named(mut self, path: &Path) -> Self {
        let shown = path.display().to_string();
        match &mut self {
            Self::Malformed { name, text, .. } => {
                *text = Arc::new(NamedSource::new(&shown, text.inner().clone()));
                *name = shown;
            }
            Self::Version { name, .. } => *name = shown,
            Self::Unreadable { .. } | Self::TooLarge { .. } => {}
        }
        self
    }
}

/// The rest of the line behind a place, as a byte range of the text; empty when the place is beyond its end.
fn span(text: &str, line: u64, column: u64) -> SourceSpan {
    let skip = usize::try_from(line - 1).unwrap_or(usize::MAX);
    let mut start = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number == skip {
            let ahead = usize::try_from(column - 1).unwrap_or(usize::MAX);
            let content = content.trim_end_matches(['\n', '\r']);
            let from = content.char_indices().nth(ahead).map_or(content.len(), |(at, _)| at);
            return (start + from, content.len() - from).into();
        }
        start += content.len();
    }
    (text.len(), 0).into()
}
