//! The stages' types. Each may assume what the stage before it guarantees.

pub mod experiment;
