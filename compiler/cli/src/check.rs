//! `mmc check`: a source to its findings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use mmc_core::ir::experiment::LintLevel;
use mmc_core::{Options, registry, suggest};

use crate::error::{CliError, Exit, Stop};
use crate::findings::Format;
use crate::program::SourceArguments;
use crate::report;

/// Options of `mmc check`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Experiment (`.mmc`)
    file: PathBuf,
    #[command(flatten)]
    source: SourceArguments,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Make a lint an error
    #[arg(long, value_name = "CODE")]
    deny: Vec<String>,
    /// Make a lint a warning (or a note, if it is one by nature)
    #[arg(long, value_name = "CODE")]
    warn: Vec<String>,
    /// Do not report a lint
    #[arg(long, value_name = "CODE")]
    allow: Vec<String>,
    /// Exit with 1 for warnings and notes too
    #[arg(long)]
    strict: bool,
}

/// Checks: 0 without errors, 1 with.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    let options = Options { levels: levels(arguments)?, sketch: true, ..Options::default() };
    let compiled = arguments.source.compile(&arguments.file, &options)?;
    let findings = compiled.findings;
    match arguments.format {
        Format::Text => {
            findings.show();
            let summary = findings.summary().unwrap_or_else(|| "no findings".to_owned());
            report::note(&format!("{}: {summary}", arguments.file.display()));
        }
        format @ (Format::Json | Format::Github | Format::Sarif) => {
            report::print(&findings.machine_text(format))?;
        }
    }
    let (errors, others) = findings.counts();
    let faulty = errors > 0 || arguments.strict && others > 0;
    Ok(if faulty { Exit::FINDINGS } else { Exit::FINE })
}

/// The levels of the command line, which are over those of the file. A lint has one.
fn levels(arguments: &Arguments) -> Result<BTreeMap<String, LintLevel>, Stop> {
    let given = [
        ("--deny", &arguments.deny, LintLevel::Deny),
        ("--warn", &arguments.warn, LintLevel::Warn),
        ("--allow", &arguments.allow, LintLevel::Allow),
    ];
    let mut levels = BTreeMap::new();
    for (flag, codes, level) in given {
        for code in codes {
            // `idle_rank` is enough.
            let whole =
                if code.contains("::") { code.clone() } else { format!("mmc::lint::{code}") };
            let help =
                suggest::help(&whole, registry::lints(), "`docs/diagnostics.md` lists the lints");
            if !registry::lints().any(|known| known == whole) {
                let message = format!("`{flag} {code}`: there is no such lint");
                return Err(CliError::Usage { message, help }.into());
            }
            if levels.insert(whole, level).is_some_and(|before| before != level) {
                let message = format!("`{code}` is given two levels");
                let help = "keep one of `--deny`, `--warn` and `--allow` for it".to_owned();
                return Err(CliError::Usage { message, help }.into());
            }
        }
    }
    Ok(levels)
}
