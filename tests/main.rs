//! The one test binary of the compiler.

mod cli;
mod curriculum;
mod docs;
mod emit;
mod golden;
mod groups;
mod house;
mod import;
mod laws;
mod mammoth;
mod oracle;
mod prefixes;
mod registry;
mod round_trip;
mod sarif;
mod support;
mod ui;
