//! An encoder layer apart from any model, by the functions that networks use: to see what a machine does with one, and to have
//! the code loaded.

use tch::{Device, Kind, TchError, Tensor};

use crate::error::WorkerError;
use crate::ffi::{self, Attention, Dropout};
use crate::model::{Masks, Mode};

/// Tokens of a sentence, a head's width, and the rate of dropout.
const SENTENCE: i64 = 16;
const HEAD: i64 = 64;
const DROPOUT: f64 = 0.1;

/// A map's weight and bias.
type Map = (Tensor, Tensor);

/// Norm, attention, norm, feed-forward four times as wide, with dropout; random parameters on the CPU.
#[derive(Debug)]
pub(crate) struct Layer {
    norm: Map,
    maps: [Map; 4],
    width: i64,
}

impl Layer {
    /// A layer of a width, which is a multiple of [`HEAD`].
    pub(crate) fn new(width: i64, kind: Kind) -> Result<Self, TchError> {
        let random = |shape: &[i64]| {
            let values = Tensor::f_randn(shape, (kind, Device::Cpu))?.f_mul_scalar(0.02)?;
            Ok::<_, TchError>(values.set_requires_grad(true))
        };
        let map =
            |inputs, outputs| Ok::<_, TchError>((random(&[outputs, inputs])?, random(&[outputs])?));
        Ok(Self {
            norm: (random(&[width])?, random(&[width])?),
            maps: [
                map(width, 3 * width)?,
                map(width, width)?,
                map(width, 4 * width)?,
                map(4 * width, width)?,
            ],
            width,
        })
    }

    /// `[tokens, width]` to the same shape; sentences have [`SENTENCE`] tokens.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, WorkerError> {
        let Self { norm: (scale, shift), maps: [qkv, out, inner, outer], width } = self;
        let norm = |x: &Tensor| x.f_layer_norm([*width], Some(scale), Some(shift), 1e-5, true);
        let affine = |x: &Tensor, (weight, bias): &Map| x.f_linear(weight, Some(bias));
        let masks = Masks::new(1, &[]);
        let mode = Mode::Train(&masks);
        let q = affine(&norm(x)?, qkv)?;
        let call = Attention {
            q: &q,
            kv: None,
            lengths: None,
            dropout: Dropout::default(),
            rotary: None,
            shape: [x.size2()?.0 / SENTENCE, SENTENCE, SENTENCE, width / HEAD, HEAD],
            causal: false,
        };
        let x = mode.add(x, &affine(&ffi::attention(&call)?, out)?, DROPOUT);
        let inside = affine(&norm(&x)?, inner)?.f_relu()?;
        Ok(mode.add(&x, &affine(&inside, outer)?, DROPOUT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_computed() {
        let layer = Layer::new(128, Kind::Double).unwrap();
        let x = Tensor::randn([2 * SENTENCE, 128], (Kind::Double, Device::Cpu));
        layer.forward(&x).unwrap().sum(Kind::Double).backward();
        let moved = |weight: &Tensor| weight.grad().abs().max().double_value(&[]) > 0.0;
        assert!(layer.maps.iter().all(|(weight, _)| moved(weight)));
    }
}
