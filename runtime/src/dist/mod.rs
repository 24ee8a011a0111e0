//! The ranks of a run: how they meet and what they do together.

mod gpus;
pub mod hostlist;
mod levels;
mod peers;
pub mod rendezvous;
mod world;

pub use rendezvous::{Seat, SeatError, seat};
pub use world::{COLLECTIVE, World, WorldError};
