//! Tasks that share modules to the devices of a machine, so that copies cost little.
//!
//! A module used by tasks of several devices is held by each of them and must be synchronised: that is what an assignment
//! costs ([`Objective`]), under limits on tasks, bytes, load, and who goes where ([`Limits`]). It is balanced hypergraph
//! partitioning with the connectivity metric on a tree of two levels, nodes and devices.
//!
//! [`solve`] answers with an assignment, its cost, and a bound below which no assignment can be. Search is counted in steps
//! ([`Effort`]), never in seconds, and every answer is a function of the problem alone.

#![expect(
    clippy::indexing_slicing,
    reason = "numbers of tasks, modules and devices are checked once, and index the tables that were made for them"
)]

mod anneal;
mod answer;
mod bound;
mod check;
mod cost;
mod counts;
pub mod exact;
mod file;
mod infeasible;
mod instance;
mod locate;
pub mod mammoth;
mod objective;
mod portfolio;
mod problem;
mod random;
mod repair;
mod seed;
mod state;
mod tally;
mod window;

pub use answer::{Algorithm, Answer, Effort, Infeasible, Reason};
pub use bound::{Cover, bound};
pub use check::{Fault, check};
pub use cost::{broken, cost};
pub use file::{FileFault, read};
pub use instance::{Instance, Lists};
pub use objective::{Evenness, Link, Objective, Spread, Time};
pub use portfolio::solve;
pub use problem::{Balance, Limits, Machine, Module, Problem, Task};
pub use state::{Change, State};
