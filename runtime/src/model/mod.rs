//! The network: from the plan's modules and their parameters to losses and hidden states. `docs/model.md` has the equations.
//!
//! Never decides anything: shapes, widths and paths come from the plan, parameters from whoever owns them.
//!
//! [`layout()`] tells a module's parameters, [`init::fill`] their first values, [`Network::build`] makes layers of them,
//! [`Network::direction`] finds a task's way through them once, and [`Direction::loss`] is what training calls.

mod adapter;
mod attention;
mod batch;
mod bridge;
mod decoder;
mod direction;
mod dropout;
mod embedding;
mod encoder;
mod error;
mod feed_forward;
#[cfg(test)]
mod fixtures;
mod gold;
mod incremental;
pub mod init;
pub mod layout;
mod linear;
mod loss;
mod network;
mod parts;
#[cfg(test)]
mod reference;
mod sublayer;
#[cfg(test)]
mod variants;
pub mod weights;

pub use attention::Grid;
#[cfg(test)]
pub(crate) use attention::{Inside, Mask};
pub use batch::Batch;
pub(crate) use batch::{Ids, Size};
pub use direction::Direction;
pub use dropout::{Masks, Mode};
pub use error::ModelError;
pub(crate) use incremental::Decoding;
pub use layout::{Init, ParameterSpec, layout};
pub(crate) use loss::cross_entropy;
pub use loss::{LossSum, Objective};
pub use network::{Network, Way};
pub use weights::Weights;
