//! The network: from the plan's modules and their parameters to losses and hidden states. `docs/model.md` has the equations.
//!
//! Never decides anything: shapes, widths and paths come from the plan, parameters from whoever owns them.

mod error;
pub mod init;
pub mod layout;
pub mod weights;

pub use error::ModelError;
pub use layout::{Init, ParameterSpec, layout};
pub use weights::Weights;
