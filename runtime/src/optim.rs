//! The learning rate's course and the update of one module.
//!
//! AdamW runs in one pass of the shim over a module's flat tensors. The others first put the step's gradient into the module's
//! flat gradient and then work on it with libtorch's operations; only Adafactor looks at single parameters.

use mmc_plan::{Clock, Optimizer, Plan, Schedule};
use tch::{Kind, Tensor};

use crate::error::WorkerError;
use crate::ffi::{AdamW, AdamWState};
use crate::flat;
use crate::model::ParameterSpec;
use crate::store::ModuleStore;

/// What the schedule multiplies learning rates by at `count` of its clock (from 1).
#[expect(clippy::cast_precision_loss, reason = "steps stay far below 2^53")]
fn factor(plan: &Plan, count: u64) -> f64 {
    let training = &plan.training;
    let s = count.max(1) as f64;
    let steps = training.steps as f64;
    let up = |warmup: u64| if warmup == 0 { 1.0 } else { (s / warmup as f64).min(1.0) };
    // From 0 at the peak to 1 at the end.
    let down = |warmup: u64| {
        let rest = training.steps.saturating_sub(warmup).max(1) as f64;
        1.0 - (steps - s).max(0.0).min(rest) / rest
    };
    match training.schedule {
        Schedule::Constant => 1.0,
        Schedule::InverseSqrt { warmup } => {
            let warmup = warmup.max(1) as f64;
            (s / warmup).min((warmup / s).sqrt())
        }
        Schedule::Linear { warmup, floor } => up(warmup).min(floor.max(1.0 - down(warmup))),
        Schedule::Cosine { warmup, floor } if s > warmup as f64 => {
            let wave = libm::cos(std::f64::consts::PI * down(warmup));
            floor + (1.0 - floor) * (1.0 + wave) / 2.0
        }
        Schedule::Cosine { warmup, .. } => up(warmup),
        Schedule::Noam { warmup } => {
            let warmup = warmup.max(1) as f64;
            let dim = f64::from(plan.model.dim);
            dim.sqrt().recip() * s.sqrt().recip().min(s * libm::pow(warmup, -1.5))
        }
        Schedule::Rsqrt { warmup } => s.max(warmup as f64).sqrt().recip(),
        Schedule::Decay { from, every, factor } => {
            let passed = count.checked_sub(from).map_or(0, |since| since / every.max(1) + 1);
            libm::pow(factor, passed as f64)
        }
    }
}

/// The learning rate of a module's next update by its optimiser, in a step of the training in which so many lanes trained it.
pub fn rate_of(
    plan: &Plan,
    optimizer: &Optimizer,
    (step, lanes): (u64, u32),
    module: &ModuleStore,
) -> f64 {
    let count = match plan.training.clock {
        Clock::Steps => step,
        Clock::Updates => module.updates + 1,
    };
    optimizer.lr() * factor(plan, count) * plan.training.lr_scale.factor(lanes)
}

/// What a gradient of a norm is multiplied by, as `torch.nn.utils.clip_grad_norm_`: the small constant keeps a vanishing norm
/// from dividing by zero.
pub fn clipping(bound: f64, norm: f64) -> f64 {
    (bound / (norm + 1e-6)).min(1.0)
}

/// Updates a module with `scale` times the gradient that the step has summed.
#[expect(clippy::cast_precision_loss, reason = "updates stay far below 2^53")]
pub fn update(
    module: &mut ModuleStore,
    optimizer: &Optimizer,
    lr: f64,
    scale: f64,
) -> Result<(), WorkerError> {
    module.updates += 1;
    let n = module.updates as f64;
    if let Optimizer::Adamw { lr: _, beta1, beta2, eps, weight_decay } = *optimizer {
        let (gradient, rest) = module.summed();
        let constants = AdamW { update: n, lr, beta1, beta2, weight_decay, eps };
        return adamw(module, (gradient, rest), scale, &constants);
    }
    module.take_sum(scale)?;
    match *optimizer {
        Optimizer::Adamw { .. } => {}
        Optimizer::Adam { lr: _, beta1, beta2, eps, weight_decay } => {
            decay_gradient(module, weight_decay)?;
            let constants = AdamW { update: n, lr, beta1, beta2, weight_decay: 0.0, eps };
            adamw(module, (&module.gradient, None), 1.0, &constants)?;
        }
        Optimizer::Sgd { lr: _, momentum, weight_decay } => {
            decay_gradient(module, weight_decay)?;
            let change = if momentum > 0.0 {
                let _ = module.mean.f_mul_scalar_(momentum)?;
                let _ = module.mean.f_add_(&module.gradient)?;
                module.mean.f_mul_scalar(lr)?
            } else {
                module.gradient.f_mul_scalar(lr)?
            };
            let _ = module.flat.f_sub_(&change)?;
        }
        Optimizer::Adagrad { lr: _, initial, eps, weight_decay } => {
            decay_gradient(module, weight_decay)?;
            if module.updates == 1 {
                let _ = module.square.f_fill_(initial)?;
            }
            let _ = module.square.f_add_(&module.gradient.f_square()?)?;
            let root = module.square.f_sqrt()?.f_add_scalar(eps)?;
            let _ = module.flat.f_sub_(&module.gradient.f_div(&root)?.f_mul_scalar(lr)?)?;
        }
        Optimizer::Adafactor { lr: _, beta2_decay, eps1, eps2, threshold, weight_decay } => {
            let fresh = libm::pow(n, beta2_decay);
            let step = lr.min(n.sqrt().recip());
            let constants = Adafactor { lr, step, fresh, eps1, eps2, threshold, weight_decay };
            adafactor(module, &constants)?;
        }
    }
    let _ = module.gradient.f_zero_()?;
    Ok(())
}

fn adamw(
    module: &ModuleStore,
    (gradient, rest): (&Tensor, Option<&Tensor>),
    scale: f64,
    constants: &AdamW,
) -> Result<(), WorkerError> {
    let state = AdamWState {
        parameter: &module.flat,
        gradient,
        rest,
        mean: &module.mean,
        square: &module.square,
    };
    flat::adamw(&state, scale, constants)
}

/// Weight decay as a part of the gradient.
fn decay_gradient(module: &mut ModuleStore, weight_decay: f64) -> Result<(), WorkerError> {
    if weight_decay > 0.0 {
        let _ = module.gradient.f_add_(&module.flat.f_mul_scalar(weight_decay)?)?;
    }
    Ok(())
}

/// Constants of one Adafactor update.
struct Adafactor {
    lr: f64,
    /// The relative step.
    step: f64,
    /// Weight of the new squares in the second moment.
    fresh: f64,
    eps1: f64,
    eps2: f64,
    threshold: f64,
    weight_decay: f64,
}

/// Numbers that an optimiser keeps for parameters of these shapes: of the first moment and of the second.
pub fn moments(optimizer: &Optimizer, layout: &[ParameterSpec]) -> [i64; 2] {
    let all = layout.iter().map(ParameterSpec::elements).sum();
    match *optimizer {
        Optimizer::Adamw { .. } | Optimizer::Adam { .. } => [all, all],
        Optimizer::Sgd { momentum, .. } => [if momentum > 0.0 { all } else { 0 }, 0],
        Optimizer::Adagrad { .. } => [0, all],
        Optimizer::Adafactor { .. } => {
            [0, layout.iter().map(|parameter| factored(&parameter.shape)).sum()]
        }
    }
}

/// Numbers of a parameter's second moment that is factored: of a matrix one for each row and one for each column, else one for
/// each element.
fn factored(shape: &[i64]) -> i64 {
    match *shape {
        [rows, columns] if rows > 1 && columns > 1 => rows + columns,
        _ => shape.iter().product(),
    }
}

/// Shazeer and Stern 2018, algorithms 4 and 5, with the bounds of `torch.optim.Adafactor`, but none that is 0 in the parameters'
/// format: where a gradient has been 0 so far, `0 * rsqrt(0)` would be no number. In the flat second moment a matrix has the means
/// of its rows, then those of its columns, a vector a moment for each element.
fn adafactor(module: &ModuleStore, a: &Adafactor) -> Result<(), WorkerError> {
    let gradients = module.pieces(&module.gradient)?;
    let parameters = module.pieces(&module.flat)?;
    let smallest = smallest(module.flat.kind());
    let [least, least_square] = [a.eps1, a.eps1 * a.eps1].map(|bound| bound.max(smallest));
    let mut offset = 0;
    for ((_, mut x), (_, g)) in parameters.into_iter().zip(gradients) {
        let alpha = a.eps2.max(root_mean_square(&x)?) * a.step;
        let squares = g.f_square()?;
        let length = factored(&x.size());
        let moment = module.square.f_narrow(0, offset, length)?;
        offset += length;
        let blend = |mut kept: Tensor, fresh: &Tensor| {
            let _ = kept.f_mul_scalar_(1.0 - a.fresh)?;
            kept.f_add_(&fresh.f_mul_scalar(a.fresh)?)
        };
        let shape = x.size();
        let variance = match shape.as_slice() {
            &[rows, columns] if rows > 1 && columns > 1 => {
                let kind = squares.kind();
                let mean = |over: i64| squares.f_mean_dim(Some([over].as_slice()), false, kind);
                let row = blend(moment.f_narrow(0, 0, rows)?, &mean(1)?)?;
                let column = blend(moment.f_narrow(0, rows, columns)?, &mean(0)?)?;
                // Divided first: products of two small moments may be 0 where the quotient isn't.
                let shares = row.f_div(&row.f_mean(kind)?.f_clamp_min(least)?)?;
                shares.f_unsqueeze(1)?.f_mul(&column.f_unsqueeze(0)?)?
            }
            _ => blend(moment, &squares.f_view([-1])?)?.f_view(shape.as_slice())?,
        };
        let update = g.f_mul(&variance.f_clamp_min(least_square)?.f_rsqrt()?)?;
        let bound = (root_mean_square(&update)? / a.threshold).max(1.0);
        if a.weight_decay > 0.0 {
            let _ = x.f_mul_scalar_(1.0 - a.lr * a.weight_decay)?;
        }
        let _ = x.f_sub_(&update.f_mul_scalar(alpha / bound)?)?;
    }
    Ok(())
}

/// The least number above 0 of a format, but for those with less than all digits.
fn smallest(kind: Kind) -> f64 {
    if kind == Kind::Double { f64::MIN_POSITIVE } else { f32::MIN_POSITIVE.into() }
}

fn root_mean_square(x: &Tensor) -> Result<f64, WorkerError> {
    #[expect(clippy::cast_precision_loss, reason = "parameters are far below 2^53")]
    let count = x.numel().max(1) as f64;
    Ok((x.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])? / count).sqrt())
}

#[cfg(test)]
mod tests {
    use mmc_plan::sample::Sample;
    use mmc_plan::{LrScale, Optimizer, Precision, Schedule};

    use std::collections::BTreeMap;

    use serde::Deserialize;
    use tch::{Device, Kind, Tensor};

    use super::{factor, rate_of, update};
    use crate::model::{Init, ParameterSpec};
    use crate::store::{ModuleStore, Store};

    #[derive(Deserialize)]
    struct Reference {
        start: Vec<f64>,
        gradients: Vec<Vec<f64>>,
        cases: BTreeMap<String, Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        optimizer: Optimizer,
        parameters: Vec<Vec<f64>>,
    }

    fn parameter(name: &str, shape: &[i64]) -> ParameterSpec {
        ParameterSpec { name: name.to_owned(), shape: shape.to_vec(), init: Init::Zeros }
    }

    #[test]
    fn updates_equal_those_of_torch() {
        let text = include_str!("../../tests/fixtures/optimizers.json");
        let reference: Reference = serde_json::from_str(text).unwrap();
        assert_eq!(reference.cases.len(), 7);
        for (name, case) in &reference.cases {
            for (kind, bound) in [(Kind::Double, 1e-12), (Kind::Float, 1e-5)] {
                let layout = vec![parameter("matrix", &[3, 2]), parameter("vector", &[4])];
                let start = Tensor::from_slice(&reference.start).to_kind(kind);
                let mut module = ModuleStore::with(layout, start, Some(&case.optimizer)).unwrap();
                let kept = [&module.mean, &module.square].map(Tensor::numel);
                let expected = match name.as_str() {
                    "sgd" => [0, 0],
                    "momentum" => [10, 0],
                    "adagrad" => [0, 10],
                    // Three rows, two columns, four elements.
                    "adafactor" | "adafactor_default" => [0, 9],
                    _ => [10, 10],
                };
                assert_eq!(kept, expected, "{name}");
                for (gradient, expected) in reference.gradients.iter().zip(&case.parameters) {
                    // As a step leaves it: summed over lanes, not divided yet.
                    module.gradient.copy_(&(Tensor::from_slice(gradient) * 4.0));
                    update(&mut module, &case.optimizer, case.optimizer.lr(), 0.25).unwrap();
                    module.clear().unwrap();
                    let found = Vec::try_from(&module.flat.to_kind(Kind::Double)).unwrap();
                    close_by(&found, expected, bound);
                    let left = module.gradient.abs().sum(Kind::Double).double_value(&[]);
                    assert!(left < 1e-300, "{name} leaves a gradient");
                }
            }
        }
    }

    /// Rows of tokens that no batch has had yet, and all of `LoRA`'s `a` before the first update, have gradients of 0.
    #[test]
    fn what_has_no_gradient_yet_stays_as_it_is() {
        let (lr, weight_decay, eps) = (0.1, 0.0, 1e-9);
        for optimizer in [
            Optimizer::Adamw { lr, beta1: 0.9, beta2: 0.98, eps, weight_decay },
            Optimizer::Adam { lr, beta1: 0.9, beta2: 0.98, eps, weight_decay },
            Optimizer::Sgd { lr, momentum: 0.9, weight_decay },
            Optimizer::Adagrad { lr, initial: 0.0, eps: 1e-10, weight_decay },
            adafactor(1e-30),
            // Whose square is 0 even in 64 bits.
            adafactor(1e-200),
        ] {
            for kind in [Kind::Float, Kind::Double] {
                let layout = vec![parameter("matrix", &[3, 2]), parameter("vector", &[4])];
                let start = Tensor::randn([10], (kind, Device::Cpu));
                let mut module = ModuleStore::with(layout, start.copy(), Some(&optimizer)).unwrap();
                for _ in 0..2 {
                    update(&mut module, &optimizer, lr, 1.0).unwrap();
                    assert!(module.flat.equal(&start), "{optimizer:?} {kind:?}");
                }
            }
        }
    }

    /// The product of two moments of such gradients is 0 in 32 bits.
    #[test]
    fn adafactor_takes_tiny_gradients_for_what_they_are() {
        let optimizer = adafactor(1e-30);
        let layout = vec![parameter("matrix", &[2, 2])];
        let start = Tensor::ones([4], (Kind::Float, Device::Cpu));
        let mut module = ModuleStore::with(layout, start, Some(&optimizer)).unwrap();
        module.gradient.copy_(&Tensor::from_slice(&[1e-13, -1e-13, 1e-13, -1e-13]));
        update(&mut module, &optimizer, 0.1, 1.0).unwrap();
        let found: Vec<f64> = Vec::try_from(&module.flat.to_kind(Kind::Double)).unwrap();
        close_by(&found, &[0.9, 1.1, 0.9, 1.1], 1e-5);
    }

    fn adafactor(eps1: f64) -> Optimizer {
        let (lr, eps2, threshold, weight_decay) = (0.1, 1e-3, 1.0, 0.0);
        Optimizer::Adafactor { lr, beta2_decay: -0.8, eps1, eps2, threshold, weight_decay }
    }

    /// `a_n = d^n x_0 + (1 - d) sum_k d^(n - k) x_k`, in 64 bits.
    #[test]
    fn averages_weigh_what_updates_left_as_they_should() {
        for (precision, bound) in [(Precision::Fp32, 1e-6), (Precision::Fp64, 1e-14)] {
            let mut sample = Sample::new(&["de", "en"], 1, &[&[0]]);
            (sample.training.precision, sample.training.ema) = (precision, Some(0.75));
            let plan = sample.plan();
            let mut store = Store::new(&plan, 0, Device::Cpu).unwrap();
            let module = store.module("encoder.1.full").unwrap();
            let wide = |tensor: &Tensor| tensor.to_kind(Kind::Double).copy();
            let mut passed = vec![wide(&module.flat)];
            for update_number in 0..6 {
                module.gradient.copy_(&(module.flat.randn_like() + f64::from(update_number)));
                update(module, &plan.training.optimizer, 0.1, 1.0).unwrap();
                module.clear().unwrap();
                module.follow(0.75).unwrap();
                passed.push(wide(&module.flat));
            }
            let mut expected = &passed[0] * 0.75_f64.powi(6);
            for (back, x) in (0..).zip(passed[1..].iter().rev()) {
                expected += x * (0.25 * 0.75_f64.powi(back));
            }
            let found = wide(module.average().unwrap());
            let worst = (&found - &expected).abs().max().double_value(&[]);
            assert!(worst < bound, "{precision:?}: {worst:e}");
            assert!((&found - &passed[6]).abs().max().double_value(&[]) > 1e-3);
            store.swap_averages().unwrap();
            assert!(wide(&store.module("encoder.1.full").unwrap().flat).equal(&found));
            store.swap_averages().unwrap();
            assert!(wide(&store.module("encoder.1.full").unwrap().flat).equal(&passed[6]));
        }
    }

    #[test]
    fn rates_go_by_the_lanes_of_an_update() {
        let mut plan = Sample::new(&["de", "en"], 4, &[&[0, 1, 2, 3]]).plan();
        let mut store = Store::new(&plan, 0, Device::Cpu).unwrap();
        let own = Optimizer::Sgd { lr: 0.5, momentum: 0.0, weight_decay: 0.0 };
        for (scale, expected) in [
            (LrScale::None, [0.1, 0.1]),
            (LrScale::Sqrt, [0.1, 0.2]),
            (LrScale::Linear, [0.1, 0.4]),
        ] {
            plan.training.lr_scale = scale;
            let module = store.module("encoder.1.full").unwrap();
            // The second of ten steps of warming up.
            close(&[1, 4].map(|lanes| rate_of(&plan, &own, (2, lanes), module)), &expected);
        }
    }

    fn rates(schedule: Schedule, counts: &[u64]) -> Vec<f64> {
        let mut sample = Sample::new(&["de", "en"], 1, &[&[0]]);
        sample.model.dim = 16;
        sample.training.optimizer = Optimizer::Sgd { lr: 2.0, momentum: 0.0, weight_decay: 0.0 };
        (sample.training.schedule, sample.training.steps) = (schedule, 100);
        let plan = sample.plan();
        counts.iter().map(|&count| plan.training.optimizer.lr() * factor(&plan, count)).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        close_by(found, expected, 1e-12);
    }

    fn close_by(found: &[f64], expected: &[f64], bound: f64) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < bound, "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn schedules_rise_to_the_peak_and_fall() {
        close(&rates(Schedule::Constant, &[1, 100]), &[2.0, 2.0]);
        let root = Schedule::InverseSqrt { warmup: 4 };
        close(&rates(root, &[1, 2, 4, 16, 100]), &[0.5, 1.0, 2.0, 1.0, 0.4]);
        let linear = Schedule::Linear { warmup: 20, floor: 0.0 };
        close(&rates(linear, &[1, 10, 20, 60, 99, 100]), &[0.1, 1.0, 2.0, 1.0, 0.025, 0.0]);
        let floored = Schedule::Linear { warmup: 0, floor: 0.1 };
        close(&rates(floored, &[50, 95, 100]), &[1.0, 0.2, 0.2]);
        let cosine = Schedule::Cosine { warmup: 20, floor: 0.5 };
        close(&rates(cosine, &[10, 20, 60, 100]), &[1.0, 2.0, 1.5, 1.0]);
        let noam = Schedule::Noam { warmup: 4 };
        close(&rates(noam, &[1, 4, 16]), &[0.0625, 0.25, 0.125]);
        close(&rates(Schedule::Rsqrt { warmup: 4 }, &[1, 4, 16]), &[1.0, 1.0, 0.5]);
        let decay = Schedule::Decay { from: 10, every: 5, factor: 0.5 };
        close(&rates(decay, &[9, 10, 14, 15, 20]), &[2.0, 1.0, 1.0, 0.5, 0.25]);
    }
}
