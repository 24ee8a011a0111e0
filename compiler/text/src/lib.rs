//! Everything about text that needs no tensors: corpora, tokenizers, batches, metrics and artificial languages.
//!
//! Files come in plain or compressed ([`lines`], [`columns`], [`count`]), become pieces of a vocabulary ([`tokenizer`]) and padded batches
//! ([`batch`]) in an order that is a function of the plan alone, and translations are scored against references
//! ([`metrics`]). [`synth`] makes corpora of its own. Shared by the `mmc` command and the worker; see
//! `docs/decisions/0001-text-crate.md`.

pub mod batch;
pub mod columns;
pub mod count;
pub mod error;
pub mod lines;
pub mod metrics;
pub mod parallel;
pub mod synth;
pub mod tokenizer;

mod transform;
mod utf8;
mod write;

pub use error::TextError;
