//! The stages' types. Each may assume what the stage before it guarantees.
//!
//! | type | made by | guarantees |
//! |---|---|---|
//! | [`experiment::Experiment`] | resolve | names bound, values in range and defaulted, languages in every grouping in use |
//! | [`task::TaskTable`] | build | rows by name, both sides with equally many lines, shares positive and summing to one |
//! | [`module::ModuleGraph`] | build | modules by name, each task a way from source to target |
//! | the same | passes | every module used, widths agree, parameters and costs known |
//! | [`placement::Placement`] | place | equally weighted lanes, each task's share kept, lanes on ranks within their memory |

pub mod experiment;
pub mod ids;
pub mod module;
pub mod placement;
pub mod print;
pub mod settings;
pub mod task;
