//! Executes a plan: the network of its modules, training on one rank, and translation, all with libtorch.
//!
//! Knows nothing of the experiment language: what is not in the plan does not exist here.

pub mod dist;
pub mod ffi;
pub mod model;
pub mod optim;
pub mod store;
pub mod translate;
