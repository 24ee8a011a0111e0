//! `mmc explain`: a code to what it means, with an example.

use std::fmt::Write as _;

use clap::Args;
use mmc_core::registry;

use crate::error::{CliError, Exit, Stop};
use crate::report;

/// Options of `mmc explain`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Code of a diagnostic, such as `mmc::resolve::unknown_name`; none: all codes with their titles
    code: Option<String>,
}

/// Prints one row of the registry, or all codes.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let Some(code) = &arguments.code else {
        let mut text = String::new();
        for row in registry::rows() {
            let _ = writeln!(text, "{:<40} {}", row.code, row.title);
        }
        report::print(&text)?;
        return Ok(Exit::FINE);
    };
    let Some(row) = registry::find(code) else {
        let known = registry::rows().map(|row| row.code);
        let help = match mmc_core::suggest::nearest(code, known) {
            Some(near) => format!("did you mean `{near}`? `mmc explain` lists all"),
            None => "`mmc explain` lists all".to_owned(),
        };
        return Err(CliError::Usage {
            message: format!("no diagnostic has the code `{code}`"),
            help,
        }
        .into());
    };
    report::print(&registry::explain(row))?;
    Ok(Exit::FINE)
}
