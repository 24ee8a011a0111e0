//! The learning rate's course and the update of one module.

use mmc_plan::{Optimizer, Schedule, TrainingSpec};
use tch::Tensor;

use crate::ffi::{self, AdamW, AdamWState, ShimError};
use crate::store::ModuleStore;

/// The learning rate of a step (from 1).
#[expect(clippy::cast_precision_loss, reason = "steps stay far below 2^53")]
pub fn learning_rate(training: &TrainingSpec, step: u64) -> f64 {
    let Optimizer::Adamw { lr, .. } = training.optimizer;
    let s = step as f64;
    match training.schedule {
        Schedule::Constant => lr,
        Schedule::InverseSqrt { warmup } => {
            let warmup = warmup.max(1) as f64;
            lr * (s / warmup).min((warmup / s).sqrt())
        }
        Schedule::Linear { warmup } => {
            let rest = training.steps.saturating_sub(warmup).max(1) as f64;
            let down = (training.steps as f64 - s).max(0.0) / rest;
            let up = if warmup == 0 { 1.0 } else { s / warmup as f64 };
            lr * up.min(down).min(1.0)
        }
    }
}

/// Updates a module with a gradient that is already divided and clipped.
pub fn update(
    module: &mut ModuleStore,
    gradient: &Tensor,
    optimizer: &Optimizer,
    lr: f64,
) -> Result<(), ShimError> {
    let Optimizer::Adamw { lr: _, beta1, beta2, eps, weight_decay } = *optimizer;
    module.updates += 1;
    let state = AdamWState {
        parameter: &module.flat,
        gradient,
        mean: &module.mean,
        square: &module.square,
    };
    ffi::adamw(&state, module.updates, &AdamW { lr, beta1, beta2, eps, weight_decay })
}
