//! Token embeddings and the tables of positions.

use std::cell::RefCell;

use tch::{Device, Kind, Tensor};

use crate::ffi::computed;

/// A matrix `[vocabulary size, dim]`: token embedding, output projection, or both.
#[derive(Debug)]
pub(crate) struct Embedding {
    pub(crate) weight: Tensor,
    /// Learned positions, `[length, dim]`.
    pub(crate) positions: Option<Tensor>,
    /// Whether embeddings are multiplied by `sqrt(dim)` (Vaswani et al. 2017, section 3.4).
    pub(crate) scale: bool,
}

impl Embedding {
    /// Ids of any shape to `[.., dim]`.
    #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
    pub(crate) fn forward(&self, ids: &Tensor) -> Tensor {
        let embedded = Tensor::embedding(&self.weight, ids, -1, false, false);
        if !self.scale {
            return embedded;
        }
        let dim = self.weight.size().last().copied().unwrap_or(1) as f64;
        embedded * dim.sqrt()
    }
}

/// Positions by which the table grows.
const AT_A_TIME: i64 = 256;

/// A table of positions, made once for as many positions as were asked for.
#[derive(Debug)]
struct Table(RefCell<Option<Tensor>>);

impl Table {
    /// Rows `from..from + count` in a kind, on a device; `first` makes the first so many in 64 bits.
    fn range(
        &self,
        from: i64,
        count: i64,
        (kind, device): (Kind, Device),
        first: impl Fn(i64) -> Tensor,
    ) -> Tensor {
        let mut table = self.0.borrow_mut();
        let enough = table.as_ref().filter(|table| {
            let rows = table.size().first().copied().unwrap_or(0);
            rows >= from + count && table.kind() == kind && table.device() == device
        });
        if let Some(enough) = enough {
            return enough.narrow(0, from, count);
        }
        let rows = (from + count + AT_A_TIME - 1) / AT_A_TIME * AT_A_TIME;
        let made = first(rows).to_kind(kind).to_device(device);
        table.insert(made).narrow(0, from, count)
    }
}

/// Sines and cosines that are added to embeddings.
#[derive(Debug)]
pub(crate) struct Positions {
    dim: i64,
    /// Number of the wave that would be 10000 long.
    longest: i64,
    /// Row of the first position.
    first: i64,
    table: Table,
}

impl Positions {
    /// The table of a width by Vaswani et al. 2017, section 3.5, empty: the longest wave is behind the last, positions count from 0.
    pub(crate) fn new(dim: u32) -> Self {
        let (dim, table) = (i64::from(dim), Table(RefCell::new(None)));
        Self { dim, longest: dim / 2, first: 0, table }
    }

    /// The table of a width by fairseq (`sinusoidal_positional_embedding.py`), M2M100 and NLLB: the longest wave is the last, and
    /// positions count from 2, behind the row of their padding token.
    pub(crate) fn fairseq(dim: u32) -> Self {
        Self { longest: i64::from(dim) / 2 - 1, first: 2, ..Self::new(dim) }
    }

    /// Positions `from..from + count` as `[count, dim]`, in a kind and on a device.
    pub(crate) fn range(&self, from: i64, count: i64, options: (Kind, Device)) -> Tensor {
        let made = |rows| sinusoids(rows, self.dim, self.longest);
        self.table.range(self.first + from, count, options, made)
    }
}

/// Angles by which queries and keys are turned (Su et al. 2021, equation 15): pair `i` of position `p` by `p base^(-2i / dims)`.
#[derive(Debug)]
pub(crate) struct Rotary {
    dims: i64,
    base: f64,
    cosines: Table,
    sines: Table,
}

impl Rotary {
    /// For the first `dims` of a head's dimensions.
    pub(crate) fn new(dims: u32, base: u32) -> Self {
        let (cosines, sines) = (Table(RefCell::new(None)), Table(RefCell::new(None)));
        Self { dims: i64::from(dims), base: f64::from(base), cosines, sines }
    }

    /// Cosines and sines of positions `from..from + count`, `[count, dims / 2]` each.
    pub(crate) fn range(&self, from: i64, count: i64, options: (Kind, Device)) -> [Tensor; 2] {
        let angles = |rows| {
            let options = (Kind::Double, Device::Cpu);
            let half = self.dims / 2;
            let steps =
                Tensor::arange(half, options) * (-libm::log(self.base) / as_f64(half.max(1)));
            Tensor::arange(rows, options).unsqueeze(1) * steps.exp().unsqueeze(0)
        };
        [
            self.cosines.range(from, count, options, |rows| angles(rows).cos()),
            self.sines.range(from, count, options, |rows| angles(rows).sin()),
        ]
    }

    /// Turns `[rows, heads, columns, width]` at positions from `from` on.
    pub(crate) fn turn(&self, x: &Tensor, from: i64) -> Tensor {
        let (rows, heads, columns, width) = x.size4().unwrap_or_default();
        let kind = x.kind();
        let x = x.to_kind(computed(kind));
        let [cosines, sines] = self.range(from, columns, (x.kind(), x.device()));
        let pairs = x.narrow(-1, 0, self.dims).reshape([rows, heads, columns, self.dims / 2, 2]);
        let (a, b) = (pairs.select(-1, 0), pairs.select(-1, 1));
        let turned = [&a * &cosines - &b * &sines, b * &cosines + a * &sines];
        let turned = Tensor::stack(&turned, -1).view([rows, heads, columns, self.dims]);
        Tensor::cat(&[turned, x.narrow(-1, self.dims, width - self.dims)], -1).to_kind(kind)
    }
}

/// Row `p`: `sin(p w_i)` for `i` in `0..h`, then `cos(p w_i)`, with `h = dim / 2` and `w_i = 10000^(-i / longest)`; an odd
/// width ends with 0.
fn sinusoids(rows: i64, dim: i64, longest: i64) -> Tensor {
    let half = dim / 2;
    let options = (Kind::Double, Device::Cpu);
    let steps = Tensor::arange(half, options) * (-libm::log(10_000.0) / as_f64(longest.max(1)));
    let angles = Tensor::arange(rows, options).unsqueeze(1) * steps.exp().unsqueeze(0);
    let rest = Tensor::zeros([rows, dim - 2 * half], options);
    Tensor::cat(&[angles.sin(), angles.cos(), rest], 1)
}

#[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
fn as_f64(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_sines_then_cosines() {
        let like = (Kind::Double, Device::Cpu);
        let positions = Positions::new(7);
        let table = positions.range(2, 3, like);
        assert_eq!(table.size(), [3, 7]);
        for p in 0..3 {
            for i in 0..3 {
                let angle = f64::from(p + 2) * 10_000.0_f64.powf(-f64::from(i) / 3.0);
                let at = |column: i32| table.double_value(&[i64::from(p), i64::from(column)]);
                assert!((at(i) - angle.sin()).abs() < 1e-12);
                assert!((at(i + 3) - angle.cos()).abs() < 1e-12);
            }
            assert!(table.double_value(&[i64::from(p), 6]).abs() < 1e-15);
        }
        assert_eq!(positions.range(700, 2, like).size(), [2, 7]);
    }
}
