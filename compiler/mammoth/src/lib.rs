//! MAMMOTH's configurations, read, changed and written as its own tools do.
//!
//! [`yaml`] reads YAML 1.1 with the place of every key and value and writes the bytes that PyYAML's `safe_dump` writes.
//! [`Stage`] is a stage of MAMMOTH's configuration compiler: the same keys from the same files, byte for byte; where the peer is
//! wrong, what its documentation says, with a warning, unless [`Flags::bug_for_bug`]. Files are seen through [`Files`] alone.
//! [`import`] makes experiments of configurations, [`emit`] configurations of experiments.
//! See `docs/decisions/0005-mammoth-crate.md` and `docs/mammoth.md`.

pub mod emit;
mod error;
mod files;
mod flags;
pub mod import;
mod job;
mod stage;
mod temperature;
mod template;
mod warning;
pub mod yaml;

pub use error::MammothError;
pub use files::{Addition, Files, Lines, Uncounted};
pub use flags::Flags;
pub use stage::{Outcome, Stage};
pub use warning::MammothWarning;
