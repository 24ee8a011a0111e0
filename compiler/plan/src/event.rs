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

/// A lane's first batch in a step whose loss was no finite number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadBatch {
    /// The lane.
    pub lane: u32,
    /// Its task.
    pub task: String,
    /// The batch's number among those of the lane in the step, from 1.
    pub batch: u32,
}

/// A lane in a step with batches that memory was too small for: they were run in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitLane {
    /// The lane.
    pub lane: u32,
    /// Its task.
    pub task: String,
    /// Sentences of the largest part that memory was too small for.
    pub sentences: u32,
    /// Parts in which the lane's batches were run in the end.
    pub parts: u32,
}

/// What a rank has held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankMemory {
    /// The rank.
    pub rank: u32,
    /// Most memory so far, in bytes.
    pub memory: u64,
}

/// Pairs of lines that were read and not used, by reason: of training text over all passes, of validation text in one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedPairs {
    /// A side without text.
    pub empty: u64,
    /// A line of more than 1 MiB, a side beyond the transform's bound, or a pair that no batch can hold.
    pub too_long: u64,
    /// A side that is not UTF-8.
    pub not_utf8: u64,
    /// Dropped by a filter on text.
    #[serde(default)]
    pub filtered: u64,
}

impl std::ops::AddAssign for SkippedPairs {
    fn add_assign(&mut self, more: Self) {
        let Self { empty, too_long, not_utf8, filtered } = more;
        self.empty += empty;
        self.too_long += too_long;
        self.not_utf8 += not_utf8;
        self.filtered += filtered;
    }
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
    /// A checkpoint is damaged, and training is about to go on from an older one. It stays until a newer one is complete.
    Damaged {
        /// Its folder.
        path: String,
        /// What is wrong with it, for people.
        fault: String,
    },
    /// A step is done. Numbers are of all ranks.
    Step {
        /// Its number, from 1.
        step: u64,
        /// Mean loss per target token, per task that ran; without those that are no finite number.
        losses: BTreeMap<String, f64>,
        /// Source tokens without padding.
        source_tokens: u64,
        /// Target tokens without padding.
        target_tokens: u64,
        /// Largest learning rate of the modules that were trained.
        lr: f64,
        /// The least, where not all are equal: modules have optimisers and clocks of their own, and with `lr_scale` rates depend on
        /// how many lanes train them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        least_lr: Option<f64>,
        /// Gradient norm before clipping; none when the step changed nothing: the gradient overflowed in half precision, or the
        /// step was skipped.
        norm: Option<f64>,
        /// What the loss was multiplied by, with `precision: fp16`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scale: Option<f64>,
        /// Wall seconds of the step.
        seconds: f64,
        /// Of them, seconds in which rank 0 computed nothing because it waited for others, or for what it exchanged with them.
        sync_seconds: f64,
        /// Of them, seconds in which rank 0 waited for its text; 0 in records of earlier versions.
        #[serde(default)]
        data_seconds: f64,
        /// Most memory that rank 0 has held so far, in bytes.
        memory: u64,
        /// The rank that has held most, where it is not rank 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fullest: Option<RankMemory>,
    },
    /// Memory was too small for some batches of the step that was told before: they were run in parts.
    Split {
        /// The step.
        step: u64,
        /// The lanes that ran them.
        lanes: Vec<SplitLane>,
    },
    /// The step that was told before changed nothing, as the plan's `on_nan` says: a loss or a gradient was no finite number.
    Skipped {
        /// The step.
        step: u64,
        /// Batches without a finite loss, one a lane; empty when it was the gradient.
        batches: Vec<BadBatch>,
        /// Tasks that it may come from: those of the batches, else all of the step.
        tasks: Vec<String>,
        /// Steps that were skipped in a row, with this one.
        in_a_row: u32,
        /// Steps that were skipped in all, with this one.
        in_all: u64,
    },
    /// A validation is done.
    Validated {
        /// After this step.
        step: u64,
        /// Mean cross-entropy per target token in nats, without label smoothing, per task; without those that are no finite number.
        losses: BTreeMap<String, f64>,
        /// Perplexity: e to the power of the loss, per task; without those that are no finite number.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        perplexities: BTreeMap<String, f64>,
        /// Part of the target tokens that are predicted first, given those before them, per task.
        accuracies: BTreeMap<String, f64>,
        /// Cross-entropy over the tokens of all tasks together; none when it is no finite number.
        loss: Option<f64>,
        /// Perplexity over the tokens of all tasks together; none when it is no finite number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        perplexity: Option<f64>,
        /// Accuracy over the tokens of all tasks together; none when no pair of any text can be used.
        accuracy: Option<f64>,
        /// Mean of the tasks' losses; none when one of them is no finite number.
        macro_loss: Option<f64>,
        /// Mean of the tasks' perplexities; none when one of them is no finite number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        macro_perplexity: Option<f64>,
        /// Mean of the tasks' accuracies; none when no pair of any text can be used.
        macro_accuracy: Option<f64>,
        /// With `scores`: each measure of each task that translates, 0 to 100.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        scores: BTreeMap<Measure, BTreeMap<String, f64>>,
        /// Mean of the tasks' scores, by measure.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        macro_scores: BTreeMap<Measure, f64>,
        /// Pairs of the validation texts that losses and accuracies leave out, per task with such pairs.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        skipped: BTreeMap<String, SkippedPairs>,
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
        /// Pairs of the training texts that were left out so far, per task with such pairs.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        skipped: BTreeMap<String, SkippedPairs>,
    },
    /// The mean of the last checkpoints' parameters is complete on disk.
    Averaged {
        /// The steps of the checkpoints, newest first.
        steps: Vec<u64>,
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
