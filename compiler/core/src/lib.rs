//! Syntax tree to plan.

pub mod diagnostics;
pub mod ir;
pub mod world;
