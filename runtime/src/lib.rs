//! Executes a plan: the network of its modules, training on one rank, translation and a server of it, all with libtorch.
//!
//! Knows nothing of the experiment language: what is not in the plan does not exist here.

pub(crate) mod average;
pub mod calibrate;
pub mod checkpoint;
mod counts;
pub mod dist;
pub mod error;
pub mod events;
pub mod feed;
pub mod ffi;
pub mod flat;
pub mod gpu;
pub(crate) mod layer;
pub mod memory;
pub mod model;
pub mod optim;
mod profile;
pub mod scaler;
pub(crate) mod scoring;
pub mod serve;
pub(crate) mod shortage;
pub mod skips;
pub mod step;
pub mod store;
pub mod tensorboard;
pub mod train;
pub mod translate;
pub mod validation;
pub mod watch;
