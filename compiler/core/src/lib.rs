//! Syntax tree to plan.
//!
//! ```text
//! source -> Experiment -> TaskTable -> ModuleGraph -> ModuleGraph -> Placement -> Plan -> Plan
//!      resolve      expand_tasks  build_modules   passes        place       lower   verify, replay
//!                                                                                   lint
//! ```
//!
//! A stage changes the type; a pass keeps it. Each reports into one [`diagnostics::Diagnostics`] and stops with the proof that
//! it did, [`diagnostics::Halt`]. Stages know the types in [`ir`] and each other not at all; only [`compile`] knows all.

pub mod build;
pub mod cluster;
mod compile;
pub mod cost;
pub mod diagnostics;
pub mod directions;
pub mod emit;
pub mod index;
pub mod ir;
pub mod languages;
pub mod lint;
pub mod lower;
mod parts;
pub mod passes;
pub mod place;
pub mod registry;
pub mod resolve;
pub mod simulate;
pub mod size;
pub mod stdlib;
pub mod suggest;
pub mod template;
pub mod world;

pub use compile::{
    Compilation, Made, Options, STAGES, Stage, StageText, Watch, compile, plan_experiment,
};
