//! The allocation of tasks to devices by MAMMOTH's cost, as it is meant: an instance to an assignment, its terms and a bound.
//!
//! The components of a task are four: its source and target languages and their groups. The cost has five terms (see
//! [`Terms`]). All but one are the engine's own: a component on `k` devices pays homogeneity `slots` a device, less one for
//! every task, so homogeneity is `slots * (sum of k) - 4 * tasks` and joins the price of a copy. Costs are counted in tenths,
//! the weight of homogeneity, so that every one is a whole number.

mod bound;
mod instance;
mod score;
mod search;
mod seed;
#[cfg(test)]
mod tests;

pub use instance::{Instance, Task};
pub use score::{Terms, score};
pub use search::{Allocation, allocate};
