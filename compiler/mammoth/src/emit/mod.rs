//! Experiments to MAMMOTH's finished configurations: what `config_all` gives, from an experiment and its plan.
//!
//! The inverse of [`crate::import`], key by key. What MAMMOTH can't say is an error at its place in the experiment, what it does
//! otherwise a warning; nothing is left out in silence.

mod devices;
mod draft;
mod error;
pub(crate) mod kept;
mod keys;
mod model;
mod schedule;
mod settings;
mod tasks;
mod training;
mod transforms;

use mmc_core::diagnostics::Finding;
use mmc_core::ir::experiment::Experiment;
use mmc_plan::Plan;
use mmc_syntax::SourceMap;

pub use error::EmitFault;

use draft::Draft;

/// What became of an experiment.
#[derive(Debug)]
pub struct Emitted {
    /// The configuration; none: there are errors.
    pub text: Option<String>,
    /// About the experiment, in order of place.
    pub findings: Vec<Finding>,
}

/// Writes the configuration of an experiment whose plan this is; `sources` are the experiment's files.
pub fn emit(experiment: &Experiment, plan: &Plan, sources: &SourceMap) -> Emitted {
    let mut draft = Draft::new(experiment, plan);
    training::write(&mut draft);
    model::write(&mut draft);
    let used = transforms::write(&mut draft);
    let entries = tasks::write(&mut draft);
    settings::vocabularies(&mut draft);
    settings::write(&used, &mut draft);
    if draft.sink.checkpoint().is_ok() {
        devices::write(&entries, sources, &mut draft);
    }
    let is_whole = draft.sink.checkpoint().is_ok();
    Emitted {
        text: is_whole.then(|| draft.tree.write() + "\n"),
        findings: draft.sink.into_findings(),
    }
}
