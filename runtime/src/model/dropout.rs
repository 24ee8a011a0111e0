//! Dropout masks from counter-based random numbers: alike on every machine, rank and thread count.
//!
//! On the CPU the masks are made here, some ten times faster than libtorch's own (which draws from one serial generator
//! on many processors); on other devices libtorch draws them.

use std::cell::RefCell;

use mmc_plan::random::{Purpose, Stream};
use tch::{Device, Kind, Tensor};

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

    /// A tensor of a shape, like `like` in kind and device, with 0 where an element is dropped and `1 / (1 - rate)` elsewhere, or none when the rate is 0.
    ///
    /// The rate is rounded to 65 536ths, and the scale goes with the rounded rate, so that the expectation is exact.
    fn draw(&self, shape: &[i64], like: &Tensor, rate: f64) -> Option<Tensor> {
        let dropped = steps(rate);
        if dropped == 0 {
            return None;
        }
        let kept = 1.0 - f64::from(dropped) / STEPS;
        if like.device() != Device::Cpu {
            let uniform = Tensor::empty(shape, (like.kind(), like.device())).bernoulli_float_(kept);
            return Some(uniform.detach() / kept);
        }
        let mut stream = self.stream.borrow_mut();
        let count = usize::try_from(shape.iter().product::<i64>()).unwrap_or(0);
        let mask = if like.kind() == Kind::Double {
            let mut values = vec![0.0_f64; count];
            scatter(&mut stream, dropped, kept.recip(), &mut values);
            Tensor::from_slice(&values)
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "rounding to the mask's kind")]
            let scale = kept.recip() as f32;
            let mut values = vec![0.0_f32; count];
            scatter(&mut stream, dropped, scale, &mut values);
            Tensor::from_slice(&values).to_kind(like.kind())
        };
        Some(mask.view(shape))
    }
}

const STEPS: f64 = 65_536.0;

/// The rate in 65 536ths; everything cannot be dropped.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn steps(rate: f64) -> u16 {
    (rate * STEPS).round().clamp(0.0, STEPS - 1.0) as u16
}

/// Writes `scale` where a draw of 16 bits is at least `dropped`; four draws come from each word.
fn scatter<T: Copy + Default>(stream: &mut Stream, dropped: u16, scale: T, values: &mut [T]) {
    for four in values.chunks_mut(4) {
        let word = stream.next_word();
        for (at, value) in four.iter_mut().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "16 bits of the word")]
            let draw = (word >> (16 * at)) as u16;
            *value = if draw < dropped { T::default() } else { scale };
        }
    }
}

impl Mode<'_> {
    /// `x` with dropout.
    pub(crate) fn drop(self, x: Tensor, rate: f64) -> Tensor {
        match self.mask(x.size(), &x, rate) {
            Some(mask) => x * mask,
            None => x,
        }
    }

    /// `residual + dropout(x)` in one pass.
    pub(crate) fn add(self, residual: &Tensor, x: &Tensor, rate: f64) -> Tensor {
        match self.mask(x.size(), x, rate) {
            Some(mask) => residual.addcmul(x, &mask),
            None => residual + x,
        }
    }

    /// What an activation of a shape is multiplied by, like `like` in kind; none when nothing is dropped.
    pub(crate) fn mask(self, shape: impl AsRef<[i64]>, like: &Tensor, rate: f64) -> Option<Tensor> {
        match self {
            Self::Evaluate => None,
            Self::Train(masks) => masks.draw(shape.as_ref(), like, rate),
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn both_precisions_drop_the_same_elements() {
        let zeros_of = |kind| {
            let masks = Masks::new(3, &[9]);
            let ones = Tensor::ones([7, 13], (kind, Device::Cpu));
            Mode::Train(&masks).add(&ones, &ones, 0.5).eq(1.0)
        };
        assert!(zeros_of(Kind::Float).equal(&zeros_of(Kind::Double)));
    }

    #[test]
    fn nothing_is_dropped_without_a_rate_or_in_evaluation() {
        let x = Tensor::ones([4], (Kind::Float, Device::Cpu));
        assert!(Mode::Evaluate.drop(x.shallow_clone(), 0.5).equal(&x));
        assert!(Mode::Train(&Masks::new(1, &[])).drop(x.shallow_clone(), 0.0).equal(&x));
    }
}
