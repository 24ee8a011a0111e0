//! Assignments to start from.

pub(crate) mod greedy;
