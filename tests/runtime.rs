//! Tests of the worker: it is started as processes that meet on this machine.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

#[path = "runtime/train.rs"]
mod train;
#[path = "runtime/workplace.rs"]
mod workplace;
