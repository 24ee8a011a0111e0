//! Passes over the flat tensors of a module: sums of gradients, norms, updates. On the CPU each is one loop of the shim; on other
//! devices libtorch's operations do the same.

use tch::{Device, Kind, TchError, Tensor};

use crate::error::WorkerError;
use crate::ffi::{self, AdamW, AdamWState};

/// Adds a gradient to a 64-bit sum, or writes it there if `fresh`, and clears it; see [`ffi::gather`].
pub fn gather(
    gradient: &Tensor,
    sum: &Tensor,
    rest: Option<&Tensor>,
    fresh: bool,
) -> Result<(), WorkerError> {
    if gradient.device() == Device::Cpu {
        return Ok(ffi::gather(gradient, sum, rest, fresh)?);
    }
    Ok(gather_by_operations(gradient, sum, rest, fresh)?)
}

/// The sum of squares of a gradient, or of a sum and its rest.
pub fn squares(gradient: &Tensor, rest: Option<&Tensor>) -> Result<f64, WorkerError> {
    if gradient.device() == Device::Cpu {
        return Ok(ffi::squares(gradient, rest)?);
    }
    Ok(squares_by_operations(gradient, rest)?)
}

/// One AdamW update in place with `scale` times the gradient.
pub fn adamw(state: &AdamWState<'_>, scale: f64, constants: &AdamW) -> Result<(), WorkerError> {
    if state.parameter.device() == Device::Cpu {
        return Ok(ffi::adamw(state, scale, constants)?);
    }
    adamw_fused(state, scale, constants)
}

fn gather_by_operations(
    gradient: &Tensor,
    sum: &Tensor,
    rest: Option<&Tensor>,
    fresh: bool,
) -> Result<(), TchError> {
    let put = |to: &Tensor, what: &Tensor| {
        let mut to = to.shallow_clone();
        if fresh { to.f_copy_(what) } else { to.f_add_(what).map(drop) }
    };
    match rest {
        None => put(sum, gradient)?,
        Some(rest) => {
            let head = gradient.f_to_kind(Kind::Float)?.f_to_kind(Kind::Double)?;
            put(rest, &gradient.f_sub(&head)?)?;
            put(sum, &head)?;
        }
    }
    gradient.shallow_clone().f_zero_().map(drop)
}

fn squares_by_operations(gradient: &Tensor, rest: Option<&Tensor>) -> Result<f64, TchError> {
    let whole = whole(gradient, rest)?;
    Ok(whole.f_norm_scalaropt_dtype(2_i64, Kind::Double)?.f_double_value(&[])?.powi(2))
}

fn whole(gradient: &Tensor, rest: Option<&Tensor>) -> Result<Tensor, TchError> {
    rest.map_or_else(|| Ok(gradient.shallow_clone()), |rest| gradient.f_add(rest))
}

/// The step's gradient, then libtorch's kernel.
fn adamw_fused(state: &AdamWState<'_>, scale: f64, constants: &AdamW) -> Result<(), WorkerError> {
    let gradient = whole(state.gradient, state.rest)?.f_mul_scalar(scale)?;
    let gradient = gradient.f_to_kind(state.parameter.kind())?;
    Ok(ffi::adamw_fused(state, &gradient, constants)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(kind: Kind) -> Tensor {
        Tensor::randn([1000], (kind, Device::Cpu))
    }

    fn close(one: &Tensor, other: &Tensor, bound: f64) {
        assert!(one.allclose(other, bound, bound, false), "{:?}", (one - other).abs().max());
    }

    #[test]
    fn operations_gather_as_loops_do() {
        for (kind, parts) in [(Kind::Float, false), (Kind::Double, true)] {
            let gradients = [random(kind), random(kind)];
            let [one, other] = [0, 1].map(|way| {
                let sums = [random(Kind::Double), random(Kind::Double)];
                let rest = parts.then_some(&sums[1]);
                for (at, gradient) in gradients.iter().enumerate() {
                    let gradient = gradient.copy();
                    if way == 0 {
                        ffi::gather(&gradient, &sums[0], rest, at == 0).unwrap();
                    } else {
                        gather_by_operations(&gradient, &sums[0], rest, at == 0).unwrap();
                    }
                    assert!(gradient.equal(&gradient.zeros_like()));
                }
                sums
            });
            assert!(one[0].equal(&other[0]), "{kind:?}");
            assert!(!parts || one[1].equal(&other[1]), "{kind:?}");
        }
    }

    #[test]
    fn operations_square_as_loops_do() {
        let (gradient, rest) = (random(Kind::Double), random(Kind::Double));
        for (gradient, rest) in [(&random(Kind::Float), None), (&gradient, Some(&rest))] {
            let loops = ffi::squares(gradient, rest).unwrap();
            let operations = squares_by_operations(gradient, rest).unwrap();
            assert!((loops / operations - 1.0).abs() < 1e-12, "{loops} is not {operations}");
        }
    }

    #[test]
    fn the_fused_kernel_updates_as_loops_do() {
        let mut constants =
            AdamW { update: 0.0, lr: 0.1, beta1: 0.9, beta2: 0.98, eps: 1e-9, weight_decay: 0.01 };
        for (kind, of_gradient, bound) in [
            (Kind::Double, Kind::Double, 1e-12),
            (Kind::Float, Kind::Double, 1e-5),
            (Kind::Float, Kind::Float, 1e-5),
        ] {
            let start = random(kind);
            let own = [0, 1].map(|_| [start.copy(), start.zeros_like(), start.zeros_like()]);
            for update in 1..=5_i32 {
                let (gradient, rest) = (random(of_gradient), random(Kind::Double) * 1e-3);
                let rest = (kind == Kind::Double).then_some(&rest);
                constants.update = f64::from(update);
                for (way, [parameter, mean, square]) in own.iter().enumerate() {
                    let gradient = &gradient;
                    let state = AdamWState { parameter, gradient, rest, mean, square };
                    if way == 0 {
                        ffi::adamw(&state, 0.25, &constants).unwrap();
                    } else {
                        adamw_fused(&state, 0.25, &constants).unwrap();
                    }
                }
            }
            for (one, other) in own[0].iter().zip(&own[1]) {
                close(one, other, bound);
            }
        }
    }
}
