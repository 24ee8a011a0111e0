//! MAMMOTH's configurations, read, changed and written as its own tools do.
//!
//! [`yaml`] reads YAML 1.1 with the place of every key and value and writes the bytes that PyYAML's `safe_dump` writes;
//! see `docs/decisions/0005-mammoth-crate.md`.

pub mod yaml;
