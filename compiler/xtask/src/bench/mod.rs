//! Measurements of `mmc` beside the tools that people use otherwise, each by one command: `cargo xtask bench NAME`.

mod counting;
mod measure;

use crate::fault::Fault;

/// Runs the measurement of a name.
pub(crate) fn run(name: &str) -> Result<(), Fault> {
    match name {
        "counting" => counting::run(),
        _ => Err(Fault::new(format!("there is no measurement `{name}`; there is: counting"))),
    }
}
