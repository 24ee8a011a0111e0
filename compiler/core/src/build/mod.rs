//! Resolved program -> task table -> module graph.

mod curriculum;
mod error;
mod files;
mod freeze;
mod known;
mod modules;
mod optimizers;
mod scores;
mod shares;
mod tasks;
mod vocabularies;

pub use error::BuildError;
pub use modules::build_modules;
pub use tasks::expand_tasks;
