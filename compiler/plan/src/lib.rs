//! The plan: the one artefact between the compiler and the worker.
//!
//! `mmc` writes a [`Plan`], `mmc-worker` executes it. [`verify`] and [`replay`] check it; they share no code with the
//! planner. What is not in the plan does not exist: the worker takes no decision that could stand here.
//!
//! The plan speaks names, never indices, so that a difference between two plans is readable.

pub mod attachment;
pub mod collective;
pub mod competence;
pub mod curriculum;
pub mod diff;
pub mod digest;
pub mod error;
pub mod event;
pub mod forecast;
pub mod model;
pub mod path;
pub mod plan;
pub mod random;
pub mod replay;
#[doc(hidden)]
pub mod sample;
pub mod schedule;
pub mod scorers;
pub mod scores;
pub mod shared;
pub mod stretch;
pub mod summary;
pub mod text;
pub mod training;
pub mod transform;
pub mod verify;

mod flow;
mod logits;
#[cfg(test)]
mod mutation;
mod record;
mod units;

pub use attachment::{AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, LoraPlace, StackSide};
pub use collective::{CollectiveCall, CollectivePurpose};
pub use competence::{Competence, Difficulty, Growth};
pub use curriculum::{Coupling, CurriculumSpec, LaneCourse, LaneOrder, Synchronised};
pub use diff::PlanDiff;
pub use error::PlanError;
pub use event::{BadBatch, Calibration, Event, RankMemory, SkippedPairs, SplitLane};
pub use logits::tokens_at_a_time;
pub use model::{
    Activation, ClosingNorm, Embeddings, Initial, ModelSpec, ModuleKind, ModuleSpec, Norm,
    Normalisation, Positions, Sharing, StackOverride, StackPattern,
};
pub use plan::{
    BadLines, ClusterSpec, CommunicatorSpec, CorpusFiles, Device, Estimate, ExperimentSpec,
    FoundSpec, LaneSpec, LaneTask, LanguageSpec, LinkSpec, ParallelFiles, PlacementSpec, Plan,
    RankSpec, RunEstimate, TaskKind, TaskSpec, VocabularyKind, VocabularySpec,
};
pub use replay::{ReplayFault, ReplayReport, replay};
pub use scorers::PART;
pub use scores::{Measure, ScoresSpec};
pub use shared::Shared;
pub use training::{
    CheckpointSpec, ClipScope, Clock, Criterion, LrScale, Normalise, OnNan, Optimizer, Precision,
    Schedule, StopEarly, TrainingSpec,
};
pub use transform::{Denoise, MaskUnit, Objective, Replace, Sampling, Transform};
pub use verify::{Rule, Violation, verify};
