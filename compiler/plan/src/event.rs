//! What a worker tells its launcher: one JSON object a line on standard output, and the same lines in `<output>/events.jsonl`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scores::Measure;

/// What a machine was measured to do, with all ranks at work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Ranks that measured at once.
    pub ranks: u32,
    /// Threads of each.
    pub threads: u32,
    /// FLOP/s of a rank's matrix products in 32 bits.
    pub fp32: f64,
    /// The same in 64 bits.
    pub fp64: f64,
    /// Bytes that a rank reads and writes in a second, in passes over tensors.
    pub memory_bandwidth: f64,
    /// Seconds of an all-reduce among the ranks, however short.
    pub latency: f64,
    /// Seconds of every byte of it.
    pub byte_seconds: f64,
    /// Bytes of the machine's memory.
    pub machine_memory: u64,
    /// Bytes that a rank holds without a model, with libtorch in use.
    pub process_memory: u64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// All ranks have met; training begins behind step `step`.
    Started {
        /// Ranks.
        world: u32,
        /// Steps already done (resume).
        step: u64,
        /// Steps in all.
        steps: u64,
        /// Parameters of the whole model, each counted once.
        parameters: u64,
        /// Bytes that rank 0 held before its model, with libtorch in use; 0 in records of earlier versions.
        #[serde(default)]
        memory: u64,
    },
    /// A step is done. Numbers are of all ranks.
    Step {
        /// Its number, from 1.
        step: u64,
        /// Mean loss per target token, per task that ran.
        losses: BTreeMap<String, f64>,
        /// Source tokens without padding.
        source_tokens: u64,
        /// Target tokens without padding.
        target_tokens: u64,
        /// Learning rate.
        lr: f64,
        /// Gradient norm before clipping; none when the gradient overflowed, and the step changed nothing but the scale.
        norm: Option<f64>,
        /// What the loss was multiplied by, with `precision: fp16`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scale: Option<f64>,
        /// Wall seconds of the step.
        seconds: f64,
        /// Of them, seconds in which rank 0 exchanged with others or waited for them.
        sync_seconds: f64,
        /// Most memory that rank 0 has held so far, in bytes.
        memory: u64,
    },
    /// A validation is done.
    Validated {
        /// After this step.
        step: u64,
        /// Mean cross-entropy per target token in nats, without label smoothing, per task.
        losses: BTreeMap<String, f64>,
        /// Part of the target tokens that are predicted first, given those before them, per task.
        accuracies: BTreeMap<String, f64>,
        /// Cross-entropy over the tokens of all tasks together.
        loss: f64,
        /// Accuracy over the tokens of all tasks together.
        accuracy: f64,
        /// Mean of the tasks' losses.
        macro_loss: f64,
        /// Mean of the tasks' accuracies.
        macro_accuracy: f64,
        /// With `scores`: each measure of each task that translates, 0 to 100.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        scores: BTreeMap<Measure, BTreeMap<String, f64>>,
        /// Mean of the tasks' scores, by measure.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        macro_scores: BTreeMap<Measure, f64>,
    },
    /// Training ends before its last step: the plan's `stop_early` says so.
    StoppedEarly {
        /// After this step.
        step: u64,
        /// The step of the best validation, whose checkpoint `best` names.
        best: u64,
    },
    /// A checkpoint is complete on disk.
    Saved {
        /// After this step.
        step: u64,
        /// Its folder.
        path: String,
    },
    /// Training ended.
    Finished {
        /// After this step.
        step: u64,
        /// Whether a signal asked for the end (a checkpoint was written; `--resume` goes on).
        interrupted: bool,
    },
    /// A part of a calibration is done.
    Measured {
        /// What was measured, for people.
        what: String,
        /// Parts that are done.
        done: u32,
        /// Parts in all.
        of: u32,
    },
    /// A calibration is done.
    Calibrated(Calibration),
    /// This rank can't go on.
    Failed {
        /// Which.
        rank: u32,
        /// Why, for people.
        message: String,
    },
}
