//! The learning rate's course and the update of one module.

use mmc_plan::{Optimizer, Schedule, TrainingSpec};

use crate::ffi::{self, AdamW, AdamWState, ShimError};
use crate::store::ModuleStore;

/// The learning rate of a step (from 1).
#[expect(clippy::cast_precision_loss, reason = "steps stay far below 2^53")]
pub fn learning_rate(training: &TrainingSpec, step: u64) -> f64 {
    let lr = training.optimizer.lr();
    let s = step as f64;
    match training.schedule {
        Schedule::Constant => lr,
        Schedule::InverseSqrt { warmup } => {
            let warmup = warmup.max(1) as f64;
            lr * (s / warmup).min((warmup / s).sqrt())
        }
        Schedule::Linear { warmup, .. } => {
            let rest = training.steps.saturating_sub(warmup).max(1) as f64;
            let down = (training.steps as f64 - s).max(0.0) / rest;
            let up = if warmup == 0 { 1.0 } else { s / warmup as f64 };
            lr * up.min(down).min(1.0)
        }
        Schedule::Cosine { .. }
        | Schedule::Noam { .. }
        | Schedule::Rsqrt { .. }
        | Schedule::Decay { .. } => {
            unreachable!("plans with these schedules are refused before training")
        }
    }
}

/// Updates a module with `scale` times the gradient that the step has summed.
#[expect(clippy::cast_precision_loss, reason = "updates stay far below 2^53")]
pub fn update(
    module: &mut ModuleStore,
    optimizer: &Optimizer,
    lr: f64,
    scale: f64,
) -> Result<(), ShimError> {
    let Optimizer::Adamw { lr: _, beta1, beta2, eps, weight_decay } = *optimizer else {
        unreachable!("plans with other optimisers are refused before training")
    };
    module.updates += 1;
    let (gradient, rest) = module.summed();
    let state = AdamWState {
        parameter: &module.flat,
        gradient,
        rest,
        mean: &module.mean,
        square: &module.square,
    };
    let update = module.updates as f64;
    ffi::adamw(&state, scale, &AdamW { update, lr, beta1, beta2, weight_decay, eps })
}

#[cfg(test)]
mod tests {
    use mmc_plan::{Optimizer, Schedule, sample};

    use super::learning_rate;

    fn rates(schedule: Schedule, steps: &[u64]) -> Vec<f64> {
        let mut training = sample::training();
        if let Optimizer::Adamw { lr, .. } = &mut training.optimizer {
            *lr = 2.0;
        }
        (training.schedule, training.steps) = (schedule, 100);
        steps.iter().map(|&step| learning_rate(&training, step)).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn schedules_rise_to_the_peak_and_fall() {
        close(&rates(Schedule::Constant, &[1, 100]), &[2.0, 2.0]);
        let root = Schedule::InverseSqrt { warmup: 4 };
        close(&rates(root, &[1, 2, 4, 16, 100]), &[0.5, 1.0, 2.0, 1.0, 0.4]);
        let linear = Schedule::Linear { warmup: 20, floor: 0.0 };
        close(&rates(linear, &[1, 10, 20, 60, 99, 100]), &[0.1, 1.0, 2.0, 1.0, 0.025, 0.0]);
        close(&rates(Schedule::Linear { warmup: 0, floor: 0.0 }, &[50, 100]), &[1.0, 0.0]);
    }
}
