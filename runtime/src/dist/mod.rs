//! The ranks of a run: how they meet and what they do together.

pub mod hostlist;
mod peers;
pub mod rendezvous;
mod world;

pub use rendezvous::{Seat, SeatError, seat};
pub use world::{COLLECTIVE, World, WorldError};
