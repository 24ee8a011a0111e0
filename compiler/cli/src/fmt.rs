//! `mmc fmt`: sources to their canonical layout.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use mmc_core::diagnostics::Finding;
use mmc_syntax::SourceMap;

use crate::error::{At as _, Exit, Stop};
use crate::findings::Findings;
use crate::{output, report};

/// Options of `mmc fmt`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Experiments (`.mmc`), rewritten in place; `-`: from standard input to standard output
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; name the files that are not in canonical layout and exit with 1
    #[arg(long)]
    check: bool,
}

/// Formats; a file with syntax errors stays as it is.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let mut exit = Exit::FINE;
    for path in &arguments.files {
        let piped = path == Path::new("-");
        let text = read(path, piped)?;
        let formatted = match mmc_syntax::format(&text) {
            Ok(formatted) => formatted,
            Err(errors) => {
                let mut sources = SourceMap::new();
                sources.add(&path.to_string_lossy(), &text);
                let found = errors.into_iter().map(|error| Box::new(error) as Finding).collect();
                Findings::new(found, sources).show();
                exit = Exit::FINDINGS;
                continue;
            }
        };
        if arguments.check {
            if formatted != text {
                report::print(&format!("{}\n", path.display()))?;
                exit = Exit::FINDINGS;
            }
        } else if piped {
            report::print(&formatted)?;
        } else if formatted != text {
            output::write_atomically(path, &formatted)?;
        }
    }
    Ok(exit)
}

fn read(path: &Path, piped: bool) -> Result<String, Stop> {
    let mut text = String::new();
    if piped {
        std::io::stdin().lock().read_to_string(&mut text).reading(Path::new("standard input"))?;
    } else {
        text = fs::read_to_string(path).reading(path)?;
    }
    Ok(text)
}
