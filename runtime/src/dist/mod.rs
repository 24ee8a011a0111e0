//! The ranks of a run: how they meet and what they do together.

mod board;
mod error;
mod gpus;
pub mod hostlist;
mod levels;
mod line;
mod peers;
pub mod rendezvous;
#[cfg(test)]
mod threads;
mod world;

pub use error::WorldError;
pub use rendezvous::{Seat, SeatError, seat};
pub use world::{Begun, COLLECTIVE, World};

/// A count as libtorch has lengths.
fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
