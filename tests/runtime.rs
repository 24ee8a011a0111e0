//! Tests of the worker: it is started as processes that meet on this machine.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

#[path = "runtime/causal.rs"]
mod causal;
#[path = "runtime/choices.rs"]
mod choices;
#[path = "runtime/disk.rs"]
mod disk;
#[path = "runtime/equivalence.rs"]
mod equivalence;
#[path = "runtime/files.rs"]
mod files;
#[path = "runtime/kill.rs"]
mod kill;
#[path = "runtime/memory.rs"]
mod memory;
#[path = "runtime/precision.rs"]
mod precision;
#[path = "runtime/profile.rs"]
mod profile;
#[path = "runtime/scores.rs"]
mod scores;
#[path = "runtime/serve.rs"]
mod serve;
#[path = "runtime/tensorboard.rs"]
mod tensorboard;
#[path = "runtime/train.rs"]
mod train;
#[path = "runtime/workplace.rs"]
mod workplace;
