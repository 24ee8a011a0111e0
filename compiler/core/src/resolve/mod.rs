//! Syntax trees to the resolved experiment: every name bound, every value typed and in range.
//!
//! Three steps: files and their imports ([`imports`]); entries sorted by construct and merged over files ([`program`],
//! [`section`]); each construct read in a scope of names ([`names`], [`read`]). Faults are collected, none stops the
//! reading of what does not depend on it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a reader tells the few kinds of expression that it takes from all others"
)]

mod assemble;
mod attachments;
mod causal;
mod change;
mod cluster;
mod columns;
mod corpora;
mod curriculum;
mod derived;
mod distances;
pub mod error;
mod freeze;
pub mod grouping_error;
mod groups;
mod imports;
mod languages;
mod model;
mod names;
mod optimizers;
mod pairs;
mod placement;
mod program;
mod read;
mod scores;
mod section;
mod settings;
mod sharing;
mod tasks;
#[cfg(test)]
mod tests;
mod training;
mod transforms;
mod units;
mod values;
mod weights;
mod wishes;

pub use change::ClusterChange;
use mmc_syntax::source::SourceMap;

use crate::diagnostics::{Diagnostics, Halt};
use crate::ir::experiment::Experiment;
use crate::world::World;

/// Reads the file `entry` and all that it imports, and resolves the experiment that they describe.
///
/// `params` are the `-p name=value` of the command line. Files are added to `sources` in the order in which they are met;
/// spans of the result and of all diagnostics point into it, also when the resolution fails.
pub fn resolve(
    entry: &str,
    params: &[(String, String)],
    world: &dyn World,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Result<Experiment, Halt> {
    let (files, graph) = imports::load(entry, world, sources, diagnostics)?;
    assemble::experiment(&files, &graph, (params, world), diagnostics)
}
