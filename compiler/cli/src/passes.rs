//! `mmc passes`: the stages and passes in their order, with the reason of each.

use std::fmt::Write as _;

use mmc_core::{STAGES, passes::PASSES};

use crate::error::{Exit, Stop};
use crate::report;

/// The stage behind which the passes run.
const BEFORE_PASSES: &str = "modules";

/// All names that `--emit-stage` takes, in order, with what each does and whether it is a pass.
pub(crate) fn all() -> Vec<(&'static str, &'static str, bool)> {
    let mut rows = Vec::new();
    for stage in STAGES {
        rows.push((stage.name, stage.why, false));
        if stage.name == BEFORE_PASSES {
            rows.extend(PASSES.iter().map(|pass| (pass.name, pass.why, true)));
        }
    }
    rows
}

/// Prints the table.
pub(crate) fn run() -> Result<Exit, Stop> {
    let mut text = String::new();
    for (name, why, is_pass) in all() {
        let kind = if is_pass { "  pass " } else { "stage  " };
        let _ = writeln!(text, "{kind} {name:<18} {why}");
    }
    report::print(&text)?;
    Ok(Exit::FINE)
}
