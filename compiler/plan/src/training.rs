//! How a plan trains: steps, batches, optimiser, schedule, precision.

use serde::{Deserialize, Serialize};

use crate::scores::ScoresSpec;

/// Steps, batches, optimiser and schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSpec {
    /// Optimiser steps.
    pub steps: u64,
    /// Padded tokens of the larger side in one batch of one lane, at most.
    pub batch_tokens: u32,
    /// Batches that a lane runs in a step.
    pub accumulate: u32,
    /// Examples that are read, shuffled and sorted into batches together, per task and lane.
    pub shuffle: u32,
    /// The optimiser of every module.
    pub optimizer: Optimizer,
    /// The learning rate's course over the clock.
    pub schedule: Schedule,
    /// What the schedule counts.
    pub clock: Clock,
    /// What the text of an update does to its learning rate.
    #[serde(default, skip_serializing_if = "LrScale::is_none")]
    pub lr_scale: LrScale,
    /// Number format of parameters and computation.
    pub precision: Precision,
    /// Bound of the gradient norm; none: no clipping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Whose norm is bounded.
    pub clip_scope: ClipScope,
    /// Mass spread over the whole vocabulary, `0 <= x < 1`.
    pub label_smoothing: f64,
    /// What gradient sums are divided by.
    pub normalise: Normalise,
    /// Decay of the moving average that is kept of every trained module's parameters, at least 0 and below 1; none: none is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// What a step does whose loss or gradient is no finite number.
    #[serde(default, skip_serializing_if = "OnNan::stops")]
    pub on_nan: OnNan,
    /// Steps between validations; none: only after the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate_every: Option<u64>,
    /// How validation text is translated and scored; none: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<ScoresSpec>,
    /// At the end the mean of the parameters of so many checkpoints is written, at least 2 and at most `checkpoint.keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<u32>,
    /// When training ends before its last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_early: Option<StopEarly>,
    /// By what the checkpoint behind the best validation is kept, where no `stop_early` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Criterion>,
    /// When checkpoints are written.
    pub checkpoint: CheckpointSpec,
}

impl TrainingSpec {
    /// What validations are compared by; none where no best one is looked for.
    pub fn compares(&self) -> Option<Criterion> {
        self.stop_early.map(|stop| stop.on).or(self.best)
    }
}

/// An optimiser and its constants. `n` is the module's own count of updates, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// Decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), as `torch.optim.AdamW`.
    Adamw {
        /// Peak learning rate.
        lr: f64,
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        eps: f64,
        /// Decoupled weight decay.
        weight_decay: f64,
    },
    /// Kingma and Ba 2015, algorithm 1, weight decay added to the gradient, as `torch.optim.Adam`.
    Adam {
        /// Peak learning rate.
        lr: f64,
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        eps: f64,
        /// Weight decay, as a part of the gradient.
        weight_decay: f64,
    },
    /// Shazeer and Stern 2018, algorithms 4 and 5, as `torch.optim.Adafactor`: the step is
    /// `max(eps2, rms(parameter)) * min(lr, 1/sqrt(n))`.
    Adafactor {
        /// Largest relative step.
        lr: f64,
        /// The second moment decays by `1 - n^beta2_decay`; below 0.
        beta2_decay: f64,
        /// Bound from below of the root of the second moment, whose square is never taken for less than the format's least number.
        eps1: f64,
        /// Least scale of a parameter.
        eps2: f64,
        /// Bound of the root mean square of an update.
        threshold: f64,
        /// Decoupled weight decay.
        weight_decay: f64,
    },
    /// As `torch.optim.SGD`, without dampening.
    Sgd {
        /// Peak learning rate.
        lr: f64,
        /// Of the velocity; 0: none is kept.
        momentum: f64,
        /// Weight decay, as a part of the gradient.
        weight_decay: f64,
    },
    /// Duchi et al. 2011, as `torch.optim.Adagrad`.
    Adagrad {
        /// Peak learning rate.
        lr: f64,
        /// What the sum of squares starts with.
        initial: f64,
        /// Added to the root of the sum.
        eps: f64,
        /// Weight decay, as a part of the gradient.
        weight_decay: f64,
    },
}

impl Optimizer {
    /// The peak learning rate.
    pub fn lr(&self) -> f64 {
        match *self {
            Self::Adamw { lr, .. }
            | Self::Adam { lr, .. }
            | Self::Adafactor { lr, .. }
            | Self::Sgd { lr, .. }
            | Self::Adagrad { lr, .. } => lr,
        }
    }

    /// Numbers that it keeps for every parameter. `Adafactor` keeps one for each row and column of a matrix, which is little
    /// and counts as none.
    pub fn moments(&self) -> u64 {
        match *self {
            Self::Adamw { .. } | Self::Adam { .. } => 2,
            Self::Adafactor { .. } => 0,
            Self::Sgd { momentum, .. } => u64::from(momentum > 0.0),
            Self::Adagrad { .. } => 1,
        }
    }
}

/// The learning rate's course as a factor of `lr`; `s` is what the clock shows, from 1, `w` the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// `1` throughout.
    Constant,
    /// `min(s / w, sqrt(w / s))`.
    InverseSqrt {
        /// Until the peak.
        warmup: u64,
    },
    /// `s / w`, then straight down to `floor` at `steps`.
    Linear {
        /// Until the peak.
        warmup: u64,
        /// The least factor after the peak.
        #[serde(default, skip_serializing_if = "is_zero")]
        floor: f64,
    },
    /// `s / w`, then `floor + (1 - floor) (1 + cos(pi (s - w) / (steps - w))) / 2`.
    Cosine {
        /// Until the peak.
        warmup: u64,
        /// The least factor after the peak.
        #[serde(default, skip_serializing_if = "is_zero")]
        floor: f64,
    },
    /// `dim^-0.5 min(s^-0.5, s w^-1.5)` (Vaswani et al. 2017, equation 3).
    Noam {
        /// Until the peak.
        warmup: u64,
    },
    /// `1 / sqrt(max(s, w))`.
    Rsqrt {
        /// Constant so long.
        warmup: u64,
    },
    /// `factor` to the power of the number of times that `s` has passed `from`, `from + every`, `from + 2 every` ...
    Decay {
        /// First decay.
        from: u64,
        /// Between decays.
        every: u64,
        /// Above 0, at most 1.
        factor: f64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(value: &f64) -> bool {
    value.to_bits() == 0
}

/// What a schedule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Steps of the training.
    Steps,
    /// The module's own updates: a module that is trained in every tenth step warms up ten times as long.
    Updates,
}

/// Number format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats.
    Fp32,
    /// 64-bit floats.
    Fp64,
    /// 32-bit parameters, matrix products in bfloat16.
    Bf16,
    /// 32-bit parameters, matrix products in IEEE half precision, the loss scaled (Micikevicius et al. 2018, section 3.2).
    Fp16,
}

impl Precision {
    /// Bytes of a parameter, its gradient and its moments.
    pub fn parameter_bytes(self) -> u64 {
        match self {
            Self::Fp32 | Self::Bf16 | Self::Fp16 => 4,
            Self::Fp64 => 8,
        }
    }

    /// Bytes of a parameter's copy that products are made of; 0 where they are made of the parameter.
    pub fn copy_bytes(self) -> u64 {
        if self.activation_bytes() < self.parameter_bytes() { self.activation_bytes() } else { 0 }
    }

    /// Bytes of an activation.
    pub fn activation_bytes(self) -> u64 {
        match self {
            Self::Bf16 | Self::Fp16 => 2,
            Self::Fp32 => 4,
            Self::Fp64 => 8,
        }
    }
}

/// Whose gradient norm is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipScope {
    /// That of all trained modules together.
    Global,
    /// That of every module by itself.
    Module,
}

/// What gradient sums are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// Per module: the target tokens of all lanes that trained it in the step.
    Tokens,
    /// Per module: each lane's gradient is a mean over its own tokens; divided by the number of lanes that trained the module.
    Lanes,
}

/// What a learning rate is multiplied by in a module's update, where `n` lanes trained the module in the step: modules that are
/// shared by many tasks see more text in an update than those of a language, and those of lanes that agree on tasks more than
/// those of lanes that do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LrScale {
    /// 1.
    #[default]
    None,
    /// The root of `n`: the noise that an adaptive optimiser sees stays the same (Malladi et al. 2022, section 4).
    Sqrt,
    /// `n`: updates with much text go as far as several with little (Goyal et al. 2017, section 2.1).
    Linear,
}

impl LrScale {
    /// Whether learning rates stay what they are.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The factor of a module that so many lanes trained.
    pub fn factor(self, lanes: u32) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Sqrt => f64::from(lanes).sqrt(),
            Self::Linear => f64::from(lanes),
        }
    }
}

/// What a step does in which a lane's loss, or the gradient of a module, is no finite number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OnNan {
    /// It ends the run with the task, the batch and the modules named.
    #[default]
    Stop,
    /// It changes nothing, on no rank: parameters, moments and counts of updates stay. The data goes on.
    Skip {
        /// So many steps in a row may be left out; one more ends the run. At least 1.
        most: u32,
    },
}

impl OnNan {
    /// Whether the first such step ends the run.
    pub fn stops(&self) -> bool {
        *self == Self::Stop
    }
}

/// Training ends after a validation that is the `patience`-th in a row without a new best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopEarly {
    /// Validations without a new best, at least 1.
    pub patience: u32,
    /// What is compared.
    pub on: Criterion,
}

/// What validations are compared by: loss and accuracy over the tokens of all tasks together, or by the mean of the tasks' own; scores
/// by the mean of the tasks' own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// Cross-entropy of a token; less is better.
    Loss,
    /// Part of the tokens that are predicted first; more is better.
    Accuracy,
    /// Mean of the tasks' cross-entropies of a token; less is better.
    MacroLoss,
    /// Mean of the tasks' accuracies; more is better.
    MacroAccuracy,
    /// BLEU; more is better.
    Bleu,
    /// chrF; more is better.
    Chrf,
}

impl Criterion {
    /// Whether less is better.
    pub fn falls(self) -> bool {
        match self {
            Self::Loss | Self::MacroLoss => true,
            Self::Accuracy | Self::MacroAccuracy | Self::Bleu | Self::Chrf => false,
        }
    }
}

/// When checkpoints are written and how many stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointSpec {
    /// Steps between checkpoints; one is always written after the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// The newest so many are kept.
    pub keep: u32,
}
