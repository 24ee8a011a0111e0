//! Why a worker can't go on.

use crate::dist::{SeatError, WorldError};
use crate::ffi::ShimError;
use crate::gpu::NoGpu;
use crate::model::ModelError;
use crate::store::StoreError;
use crate::translate::TranslateError;

/// Everything that ends a worker, in words for people.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The plan.
    #[error(transparent)]
    Plan(#[from] Box<mmc_plan::PlanError>),
    /// The environment.
    #[error(transparent)]
    Seat(#[from] SeatError),
    /// Other ranks.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Parameters.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Text.
    #[error(transparent)]
    Text(#[from] mmc_text::batch::StreamError),
    /// Translations of validation text.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// Tensors.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// The shim.
    #[error("libtorch: {0}")]
    Shim(#[from] ShimError),
    /// Files.
    #[error("{doing}: {cause}")]
    File {
        /// What was being done, with the path.
        doing: String,
        /// The system's word.
        cause: std::io::Error,
    },
    /// A checkpoint.
    #[error("{0}")]
    Checkpoint(String),
    /// The plan has no such rank.
    #[error("the plan has no rank {0}")]
    NoRank(u32),
    /// The plan has no such task.
    #[error("the plan has no task `{0}` on this rank")]
    NoTask(String),
    /// A lane without tasks.
    #[error("lane {0} of the plan has no task")]
    NoLane(u32),
    /// A collective over a communicator that this rank is not in.
    #[error("this rank has no bucket for communicator `{0}`")]
    NoBucket(String),
    /// A module that the rank does not hold.
    #[error("this rank does not hold module `{0}`")]
    NoModule(String),
    /// A checkpoint without the state of loss scaling that the precision needs, or with one that it does not.
    #[error(
        "the checkpoint of step {step} was not written at this precision: only one of the two scales its losses"
    )]
    Scale {
        /// Step.
        step: u64,
    },
    /// An event that can't be written.
    #[error("an event can't be written: {0}")]
    Record(String),
    /// The plan is for GPUs, and this rank has none.
    #[error("the plan is for GPUs: {0}; {next}", next = instead(.0))]
    Gpu(#[from] NoGpu),
    /// A loss that is no number, told by the rank that ran the batch.
    #[error(
        "step {step}{}, lane {lane}, task `{task}`: batch {batch} of {batches} has a loss of {loss} ({}); lower the learning rate or clip gradients; the last checkpoint is whole",
        behind(*skipped), suspects(modules, broken)
    )]
    Loss {
        /// Step.
        step: u64,
        /// Steps in a row that were left out before it.
        skipped: u32,
        /// Lane.
        lane: u32,
        /// Task.
        task: String,
        /// Number of the batch among those of the lane in the step, from 1.
        batch: usize,
        /// How many those are.
        batches: usize,
        /// Its loss.
        loss: f64,
        /// The modules of the task.
        modules: Vec<String>,
        /// Those whose parameters are not all finite.
        broken: Vec<String>,
    },
    /// Memory that is too small for one sentence, told by the rank that ran it.
    #[error(
        "step {step}, lane {lane}, task `{task}`: memory is too small for one sentence of {source_ids} source and {target_ids} target tokens ({words}); leave long sentences out (`filter_too_long`), use a smaller model or more memory; the last checkpoint is whole"
    )]
    Memory {
        /// Step.
        step: u64,
        /// Lane.
        lane: u32,
        /// Task.
        task: String,
        /// Its source ids.
        source_ids: i64,
        /// Its target ids.
        target_ids: i64,
        /// What libtorch said.
        words: String,
    },
    /// Memory that is too small for one sentence of a validation text.
    #[error(
        "validation of task `{task}`: memory is too small for one sentence of {source_ids} source and {target_ids} target tokens ({words}); leave long sentences out of the text, use a smaller model or more memory; the last checkpoint is whole"
    )]
    MemoryOfValidation {
        /// Task.
        task: String,
        /// Its source ids.
        source_ids: i64,
        /// Its target ids.
        target_ids: i64,
        /// What libtorch said.
        words: String,
    },
    /// A validation text that can't be translated.
    #[error("scores of task `{task}`: {fault}; the last checkpoint is whole")]
    Scores {
        /// Task.
        task: String,
        /// Why.
        fault: Box<Self>,
    },
    /// Memory that is too small for the model, or for what is done between passes over batches.
    #[error(
        "memory is too small for the model and its training, whatever the batches ({words}); use a smaller model, more ranks or more memory"
    )]
    MemoryOfModel {
        /// What libtorch said.
        words: String,
    },
    /// Memory that is too small for batches that were read.
    #[error(
        "memory is too small for the text of a step ({words}); use smaller batches or more memory; the last checkpoint is whole"
    )]
    MemoryOfText {
        /// What libtorch said.
        words: String,
    },
    /// A step is to be recorded that this run does not come to.
    #[error(
        "step {asked} is to be recorded, and {done} of {steps} steps are done: ask for one of those that are left"
    )]
    Profile {
        /// The step that is asked for.
        asked: u64,
        /// Steps that were done before.
        done: u64,
        /// Steps in all.
        steps: u64,
    },
    /// Memory that ran out when a batch could not be begun anew.
    #[error(
        "step {step}, lane {lane}, task `{task}`: memory ran out in the backward pass of {sentences} sentences, when some of its gradients were on their way already ({words}); use smaller batches or more memory; the last checkpoint is whole"
    )]
    MemoryLate {
        /// Step.
        step: u64,
        /// Lane.
        lane: u32,
        /// Task.
        task: String,
        /// Sentences of the batch or of its part.
        sentences: usize,
        /// What libtorch said.
        words: String,
    },
    /// A gradient that is no number, told by the rank that owns the module.
    #[error(
        "step {step}{}: the gradient of module `{module}` has a norm of {norm} (tasks {}); lower the learning rate; the last checkpoint is whole",
        behind(*skipped), tasks.join(", ")
    )]
    Gradient {
        /// Step.
        step: u64,
        /// Steps in a row that were left out before it.
        skipped: u32,
        /// The module.
        module: String,
        /// Its gradient's norm.
        norm: f64,
        /// The tasks of the step that train it.
        tasks: Vec<String>,
    },
    /// A norm that is no number although those of all modules are.
    #[error("step {step}{}: the gradient norm is {norm} (tasks {}); lower the learning rate; the last checkpoint is whole", behind(*skipped), tasks.join(", "))]
    NormNotFinite {
        /// Step.
        step: u64,
        /// Steps in a row that were left out before it.
        skipped: u32,
        /// Its value.
        norm: f64,
        /// The tasks of the step.
        tasks: Vec<String>,
    },
}

/// What a rank without a GPU can do.
fn instead(cause: &NoGpu) -> &'static str {
    match cause {
        NoGpu::Unseen { .. } => {
            "start one rank a GPU, or plan for fewer `gpus_per_node` or for a cluster with `device = cpu`"
        }
        NoGpu::Unserved(_) => "or plan for a cluster with `device = cpu`",
    }
}

/// What a fault says of the steps in a row that were left out before it.
fn behind(skipped: u32) -> String {
    match skipped {
        0 => String::new(),
        steps => format!(" (behind {steps} that `on_nan` left out)"),
    }
}

/// Which modules a loss that is no number may come from.
fn suspects(modules: &[String], broken: &[String]) -> String {
    let all = |names: &[String]| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    if broken.is_empty() {
        format!("the parameters of its modules are finite: {}", all(modules))
    } else {
        format!("parameters that are not finite: of {}", all(broken))
    }
}

impl WorkerError {
    /// The rank that this fault comes from, when it is another one, with its words.
    pub fn culprit(&self) -> Option<(u32, String)> {
        let Self::World(fault) = self else { return None };
        match fault {
            WorldError::Told { rank, message } => Some((*rank, message.clone())),
            WorldError::Gone { rank, .. } => Some((*rank, fault.to_string())),
            WorldError::Missing { missing, .. } => {
                missing.first().map(|rank| (*rank, fault.to_string()))
            }
            WorldError::Size { .. }
            | WorldError::Meeting { .. }
            | WorldError::Absent { .. }
            | WorldError::SetUp { .. }
            | WorldError::Collective { .. }
            | WorldError::Unknown(_) => None,
        }
    }
}

/// Names what was being done when the system refused.
pub(crate) trait While<T> {
    /// `doing` is a phrase such as "writing PATH".
    fn doing(self, doing: impl std::fmt::Display) -> Result<T, WorkerError>;
}

impl<T> While<T> for std::io::Result<T> {
    fn doing(self, doing: impl std::fmt::Display) -> Result<T, WorkerError> {
        self.map_err(|cause| WorkerError::File { doing: doing.to_string(), cause })
    }
}
