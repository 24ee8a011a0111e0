//! Syntax tree to plan.

pub mod diagnostics;
pub mod ir;
pub mod registry;
pub mod resolve;
pub mod stdlib;
pub mod suggest;
pub mod template;
pub mod world;
