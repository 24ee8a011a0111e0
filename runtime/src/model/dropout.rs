//! Dropout by counter-based random numbers: alike on every machine, rank and thread count.
//!
//! On the CPU the shim makes masks where it uses them and again for the gradients, so that none is kept. On other devices
//! libtorch draws them: others than the CPU's, but from a generator that each batch starts anew from its own stream.

use std::cell::RefCell;

use mmc_plan::random::{Purpose, Stream};
use tch::{Device, Tensor};

use crate::ffi::{self, Dropout};

/// Whether a forward pass trains: only then is anything dropped.
#[derive(Debug, Clone, Copy)]
pub enum Mode<'a> {
    /// Nothing is dropped.
    Evaluate,
    /// Elements are dropped by masks from this source.
    Train(&'a Masks),
}

/// The source of one batch's masks. Masks are drawn in the order in which the forward pass asks for them.
#[derive(Debug)]
pub struct Masks {
    stream: RefCell<Stream>,
}

impl Masks {
    /// Masks of the batch that `counters` name, e.g. step, lane and number of the batch within the step.
    pub fn new(seed: u64, counters: &[u64]) -> Self {
        Self { stream: RefCell::new(Stream::new(seed, Purpose::Dropout, counters)) }
    }

    /// Masks for a batch on a device.
    pub fn on(seed: u64, counters: &[u64], device: Device) -> Self {
        let masks = Self::new(seed, counters);
        if device != Device::Cpu {
            tch::manual_seed(masks.stream.borrow_mut().next_word().cast_signed());
        }
        masks
    }

    /// Which of some elements are dropped; none when the rate is 0.
    ///
    /// The rate is rounded to 65 536ths, and the scale goes with the rounded rate, so that the expectation is exact.
    fn key(&self, shape: &[i64], rate: f64) -> Option<Dropout> {
        let dropped = steps(rate);
        let words = shape.iter().product::<i64>().unsigned_abs().div_ceil(DRAWS);
        let scale = (1.0 - f64::from(dropped) / STEPS).recip();
        (dropped > 0).then(|| Dropout {
            state: self.stream.borrow_mut().pass(words),
            dropped,
            scale,
        })
    }
}

/// Draws of 16 bits that a word yields.
const DRAWS: u64 = 4;

const STEPS: f64 = 65_536.0;

/// The rate in 65 536ths; everything cannot be dropped.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn steps(rate: f64) -> u16 {
    (rate * STEPS).round().clamp(0.0, STEPS - 1.0) as u16
}

impl Mode<'_> {
    /// `x` with dropout.
    pub(crate) fn drop(self, x: Tensor, rate: f64) -> Tensor {
        match self.key(&x.size(), rate) {
            Some(key) if ffi::serves(&x) => dropped(&x, None, &key),
            Some(key) => drawn(&x, &key),
            None => x,
        }
    }

    /// `residual + dropout(x)` in one pass.
    pub(crate) fn add(self, residual: &Tensor, x: &Tensor, rate: f64) -> Tensor {
        match self.key(&x.size(), rate) {
            Some(key) if ffi::serves(x) => dropped(x, Some(residual), &key),
            Some(key) => residual + drawn(x, &key),
            None => residual + x,
        }
    }

    /// Which elements of an activation of a shape are dropped; none when nothing is.
    pub(crate) fn key(self, shape: &[i64], rate: f64) -> Option<Dropout> {
        match self {
            Self::Evaluate => None,
            Self::Train(masks) => masks.key(shape, rate),
        }
    }
}

fn dropped(x: &Tensor, residual: Option<&Tensor>, key: &Dropout) -> Tensor {
    ffi::drop_elements(x, residual, key).expect("a residual has the shape of what is added to it")
}

/// Dropout by libtorch, at the same rate.
fn drawn(x: &Tensor, key: &Dropout) -> Tensor {
    x.dropout(f64::from(key.dropped) / STEPS, true)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn masks_drop_their_rate_and_keep_the_mean() {
        let masks = Masks::new(3, &[1, 2]);
        let ones = Tensor::ones([200, 500], (Kind::Double, Device::Cpu));
        let dropped = Mode::Train(&masks).drop(ones.shallow_clone(), 0.3);
        let zeros = dropped.eq(0.0).to_kind(Kind::Double).mean(None).double_value(&[]);
        assert!((zeros - 0.3).abs() < 0.01, "{zeros}");
        assert!((dropped.mean(None).double_value(&[]) - 1.0).abs() < 0.02);
        let again = Mode::Train(&Masks::new(3, &[1, 2])).drop(ones.shallow_clone(), 0.3);
        assert!(again.equal(&dropped));
        assert!(!Mode::Train(&masks).drop(ones.shallow_clone(), 0.3).equal(&dropped));
    }

    #[test]
    fn all_kinds_drop_the_same_elements() {
        let zeros_of = |kind| {
            let masks = Masks::new(3, &[9]);
            let ones = Tensor::ones([7, 13], (kind, Device::Cpu));
            Mode::Train(&masks).add(&ones, &ones, 0.5).eq(1.0)
        };
        for kind in [Kind::Float, Kind::BFloat16, Kind::Half] {
            assert!(zeros_of(kind).equal(&zeros_of(Kind::Double)), "{kind:?}");
        }
    }

    #[test]
    fn elements_take_the_draws_of_their_stream_in_order() {
        let masks = Masks::new(5, &[7]);
        let mut stream = Stream::new(5, Purpose::Dropout, &[7]);
        for count in [1021, 3] {
            let ones = Tensor::ones([count], (Kind::Double, Device::Cpu));
            let mask: Vec<f64> =
                Mode::Train(&masks).drop(ones, 0.25).try_into().expect("a flat tensor");
            let draws = (0..count).step_by(4).flat_map(|_| stream.next_word().to_le_bytes());
            let draws: Vec<u8> = draws.collect();
            let dropped = draws.chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]]) < 16_384);
            let expected: Vec<f64> =
                dropped.take(mask.len()).map(|drop| if drop { 0.0 } else { 4.0 / 3.0 }).collect();
            assert_eq!(mask, expected);
        }
    }

    #[test]
    fn gradients_pass_through_the_elements_that_were_kept() {
        let options = (Kind::Double, Device::Cpu);
        let [x, residual] = [0, 1].map(|_| Tensor::randn([33, 7], options).set_requires_grad(true));
        let masks = Masks::new(3, &[4]);
        let out = Mode::Train(&masks).add(&residual, &x, 0.4);
        let mask = Mode::Train(&Masks::new(3, &[4])).drop(Tensor::ones([33, 7], options), 0.4);
        let by_out = Tensor::randn([33, 7], options);
        (&out * &by_out).sum(None).backward();
        assert!(out.allclose(&(&residual + &x * &mask), 0.0, 1e-14, false));
        assert!(x.grad().allclose(&(&by_out * &mask), 0.0, 1e-14, false));
        assert!(residual.grad().equal(&by_out));
    }

    #[test]
    fn nothing_is_dropped_without_a_rate_or_in_evaluation() {
        let x = Tensor::ones([4], (Kind::Float, Device::Cpu));
        assert!(Mode::Evaluate.drop(x.shallow_clone(), 0.5).equal(&x));
        assert!(Mode::Train(&Masks::new(1, &[])).drop(x.shallow_clone(), 0.0).equal(&x));
    }
}
