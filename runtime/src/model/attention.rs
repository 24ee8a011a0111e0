//! Multi-head attention (Vaswani et al. 2017, section 3.2) over activations that lie as `[rows * columns, dim]`.

use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::decoder::Memory;
use super::dropout::Mode;
use super::embedding::Rotary;
use super::linear::{Linear, as_kind_of};
use crate::ffi::{self, computed};

/// Rows (sentences) and columns (positions) of activations that lie as `[rows * columns, dim]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Sentences.
    pub rows: i64,
    /// Positions of each sentence, padding included.
    pub columns: i64,
}

/// What an attention layer has besides its weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    /// Number of heads; divides the width.
    pub(crate) count: i64,
    /// Dropout of the attention weights.
    pub(crate) dropout: f64,
}

impl Heads {
    /// `[rows * columns, dim]` as `[rows, heads, columns, dim / heads]`, without copying.
    pub(crate) fn part(self, x: &Tensor, grid: Grid) -> Tensor {
        self.cut(&x.view([grid.rows, grid.columns, -1]))
    }

    /// `[rows, columns, dim]` as `[rows, heads, columns, dim / heads]`, without copying.
    pub(crate) fn cut(self, x: &Tensor) -> Tensor {
        let (rows, columns, _) = x.size3().unwrap_or_default();
        x.view([rows, columns, self.count, -1]).transpose(1, 2)
    }

    /// The way back: `[rows, heads, columns, dim / heads]` as `[rows * columns, dim]`.
    pub(crate) fn join(self, x: &Tensor) -> Tensor {
        let (rows, _, columns, width) = x.size4().unwrap_or_default();
        x.transpose(1, 2).reshape([rows * columns, self.count * width])
    }

    /// Attention by the shim's kernel, which reads and writes activations as they lie; none where it does not serve.
    ///
    /// `q` without `kv` holds queries, keys and values side by side; `kv` holds keys beside values.
    fn fused(
        self,
        (q, kv): (&Tensor, Option<&Tensor>),
        [queries, keys]: [Grid; 2],
        (mask, rotary): (Mask<'_>, Option<&Rotary>),
        mode: Mode<'_>,
    ) -> Option<Tensor> {
        if !ffi::serves(q) {
            return None;
        }
        let parts = if kv.is_some() { 1 } else { 3 };
        let width = q.size().last().map_or(0, |all| all / (parts * self.count));
        let weights = [queries.rows, self.count, queries.columns, keys.columns];
        let (lengths, causal) = match mask {
            Mask::None => (None, false),
            Mask::Causal => (None, true),
            Mask::Padded(padding) => (Some(&padding.lengths), false),
            // Masks of any form are not served; dropout is not drawn yet.
            Mask::Added(_) => return None,
        };
        let shape = [queries.rows, queries.columns, keys.columns, self.count, width];
        let options = (computed(q.kind()), q.device());
        let tables = rotary.map(|rotary| rotary.range(0, keys.columns, options));
        let tables = tables.map(|tables| tables.map(|table| table.contiguous()));
        let rotary = tables.as_ref().map(|[cosines, sines]| [cosines, sines]);
        let dropout = mode.key(&weights, self.dropout).unwrap_or_default();
        let call = ffi::Attention { q, kv, lengths, dropout, rotary, shape, causal };
        Some(
            ffi::attention(&call).expect("queries, keys and values have the shapes of their grids"),
        )
    }

    /// `softmax(q k^T / sqrt(width) + mask) v` by head; `mask` is added, and broadcasts to `[rows, heads, queries, keys]`.
    pub(crate) fn attend(self, qkv: [&Tensor; 3], mask: Mask<'_>, mode: Mode<'_>) -> Tensor {
        let [q, k, v] = qkv;
        let dropout = if matches!(mode, Mode::Train(_)) { self.dropout } else { 0.0 };
        // On the CPU weights are dropped by masks of our own, which that operation does not take.
        if dropout <= 0.0 || q.device() != Device::Cpu {
            let (added, causal) = match mask {
                Mask::None => (None, false),
                Mask::Causal => (None, true),
                Mask::Padded(Padding { added, .. }) | Mask::Added(added) => (Some(added), false),
            };
            return Tensor::scaled_dot_product_attention(
                q, k, v, added, dropout, causal, None, false,
            );
        }
        let scores = (q * scale(q)).matmul(&k.transpose(-2, -1));
        let scores = match mask {
            Mask::None => scores,
            Mask::Causal => {
                let hidden = scores.ones_like().triu(1).to_kind(Kind::Bool);
                scores.masked_fill(&hidden, f64::NEG_INFINITY)
            }
            Mask::Padded(Padding { added, .. }) | Mask::Added(added) => scores + added,
        };
        mode.drop(softmax(&scores), self.dropout).matmul(v)
    }
}

/// The softmax over the last dimension, in the kind of its argument.
pub(crate) fn softmax(scores: &Tensor) -> Tensor {
    scores.softmax(-1, computed(scores.kind())).to_kind(scores.kind())
}

/// Which keys a query sees.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mask<'a> {
    /// All.
    None,
    /// Those up to its own position.
    Causal,
    /// Those before each row's padding.
    Padded(&'a Padding),
    /// Added to the scores, and broadcasts to `[rows, heads, queries, keys]`: 0 where seen, `-inf` where not.
    Added(&'a Tensor),
}

/// Where the keys of a batch are padded.
#[derive(Debug)]
pub(crate) struct Padding {
    /// Keys of each row before its padding, `[rows]`.
    pub(crate) lengths: Tensor,
    /// What hides the others when it is added to scores: `[rows, 1, 1, columns]`, 0 where seen, `-inf` where not.
    pub(crate) added: Tensor,
}

impl<'a> From<Option<&'a Padding>> for Mask<'a> {
    fn from(padding: Option<&'a Padding>) -> Self {
        padding.map_or(Self::None, Self::Padded)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a head's width is small")]
fn scale(q: &Tensor) -> f64 {
    (q.size().last().copied().unwrap_or(1) as f64).sqrt().recip()
}

/// Keys and values that an adapter puts before those of every sequence, `[count, heads * width]` each.
pub(crate) type Prefix = [Tensor; 2];

/// Puts a prefix before keys and values `[rows, heads, columns, width]`.
fn prefixed(heads: Heads, prefix: &Prefix, [k, v]: [&Tensor; 2]) -> [Tensor; 2] {
    let rows = k.size().first().copied().unwrap_or(0);
    let with = |prefix: &Tensor, rest: &Tensor| {
        let own =
            heads.cut(&as_kind_of(rest, prefix).unsqueeze(0)).expand([rows, -1, -1, -1], false);
        Tensor::cat(&[&own, rest], 2)
    };
    [with(&prefix[0], k), with(&prefix[1], v)]
}

/// A mask as it is added to scores, with a prefix that everybody sees before the keys.
fn widened(mask: Mask<'_>, prefix: &Tensor, like: &Tensor, grid: [i64; 2]) -> Option<Tensor> {
    let [queries, keys] = grid;
    let added = match mask {
        Mask::None => return None,
        Mask::Causal => {
            let hidden =
                Tensor::full([queries, keys], f64::NEG_INFINITY, (like.kind(), like.device()));
            hidden.triu(1 + keys - queries).view([1, 1, queries, keys])
        }
        Mask::Padded(Padding { added, .. }) | Mask::Added(added) => added.shallow_clone(),
    };
    let mut shape = added.size();
    if let Some(last) = shape.last_mut() {
        *last = prefix.size().first().copied().unwrap_or(0);
    }
    Some(Tensor::cat(&[Tensor::zeros(shape, (like.kind(), like.device())), added], -1))
}

/// Low-rank maps beside the projections of queries and of values, as `(a, b)`, and their scale.
#[derive(Debug)]
pub(crate) struct LowRank {
    pub(crate) query: [Tensor; 2],
    pub(crate) value: [Tensor; 2],
    pub(crate) scale: f64,
}

/// What adapters do inside an attention.
#[derive(Debug, Default)]
pub(crate) struct Inside<'a> {
    /// All of these are added.
    pub(crate) low_rank: Vec<&'a LowRank>,
    /// That of the first adapter, then that of the second, and so on.
    pub(crate) prefix: Option<Prefix>,
}

impl<'a> Inside<'a> {
    /// With these low-rank maps and the prefixes one behind the other.
    pub(crate) fn new(low_rank: Vec<&'a LowRank>, prefixes: &[&Prefix]) -> Self {
        let joined = |part: usize| {
            let parts: Vec<&Tensor> = prefixes.iter().filter_map(|own| own.get(part)).collect();
            Tensor::cat(&parts, 0)
        };
        let prefix = (!prefixes.is_empty()).then(|| [0, 1].map(joined));
        Self { low_rank, prefix }
    }
}

/// `scale * b a x`.
pub(crate) fn low_rank([a, b]: &[Tensor; 2], x: &Tensor, scale: f64) -> Tensor {
    let [a, b] = [a, b].map(|map| as_kind_of(x, map));
    x.linear::<&Tensor>(&a, None).linear::<&Tensor>(&b, None) * scale
}

/// Attention of a sequence to itself: queries, keys and values from one matrix.
#[derive(Debug)]
pub(crate) struct SelfAttention {
    pub(crate) qkv: Linear,
    pub(crate) out: Linear,
    pub(crate) heads: Heads,
    /// What turns queries and keys.
    pub(crate) rotary: Option<Rc<Rotary>>,
}

impl SelfAttention {
    /// `[rows * columns, dim]` to the same shape.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        grid: Grid,
        mask: Mask<'_>,
        inside: &Inside<'_>,
        mode: Mode<'_>,
    ) -> Tensor {
        let all = self.project(x, inside);
        let rotary = self.rotary.as_deref();
        let fused = match &inside.prefix {
            Some(_) => None,
            None => self.heads.fused((&all, None), [grid, grid], (mask, rotary), mode),
        };
        let seen = fused.unwrap_or_else(|| {
            let [q, k, v] = side_by_side(&all).map(|part| self.heads.part(&part, grid));
            let [q, k] = [q, k].map(|part| self.turned(part, 0));
            self.over([&q, &k, &v], mask, inside.prefix.as_ref(), mode)
        });
        self.out.forward(&seen)
    }

    /// Attention of queries to keys and values by head, with a prefix before them; `[rows * queries, dim]`.
    pub(crate) fn over(
        &self,
        [q, k, v]: [&Tensor; 3],
        mask: Mask<'_>,
        prefix: Option<&Prefix>,
        mode: Mode<'_>,
    ) -> Tensor {
        over(self.heads, [q, k, v], mask, prefix, mode)
    }

    /// Queries or keys by head, turned by their positions from `from` on.
    pub(crate) fn turned(&self, x: Tensor, from: i64) -> Tensor {
        match &self.rotary {
            Some(rotary) => rotary.turn(&x, from),
            None => x,
        }
    }

    /// Queries, keys and values side by side, `[tokens, 3 dim]`.
    pub(crate) fn project(&self, x: &Tensor, inside: &Inside<'_>) -> Tensor {
        let all = self.qkv.forward(x);
        inside.low_rank.iter().fold(all, |all, adapter| {
            let [query, value] =
                [&adapter.query, &adapter.value].map(|maps| low_rank(maps, x, adapter.scale));
            all + Tensor::cat(&[&query, &query.zeros_like(), &value], -1)
        })
    }
}

fn over(
    heads: Heads,
    [q, k, v]: [&Tensor; 3],
    mask: Mask<'_>,
    prefix: Option<&Prefix>,
    mode: Mode<'_>,
) -> Tensor {
    let Some(prefix) = prefix else {
        return heads.join(&heads.attend([q, k, v], mask, mode));
    };
    let columns = |x: &Tensor| x.size().get(2).copied().unwrap_or(0);
    let added = widened(mask, &prefix[0], q, [columns(q), columns(k)]);
    let [k, v] = prefixed(heads, prefix, [k, v]);
    let mask = added.as_ref().map_or(Mask::None, Mask::Added);
    heads.join(&heads.attend([q, &k, &v], mask, mode))
}

/// Queries, and keys beside values, that lie beside each other.
pub(crate) fn parted(all: &Tensor) -> (Tensor, Tensor) {
    let dim = all.size().last().map_or(0, |width| width / 3);
    (all.narrow(1, 0, dim), all.narrow(1, dim, 2 * dim))
}

/// Keys and values that lie beside each other in the last dimension.
pub(crate) fn halves(both: &Tensor) -> [Tensor; 2] {
    side_by_side(both)
}

/// Equal parts that lie beside each other in the last dimension. Their gradients are put together in one go.
fn side_by_side<const PARTS: usize>(all: &Tensor) -> [Tensor; PARTS] {
    let parts = all.chunk(i64::try_from(PARTS).expect("few parts"), -1);
    <[Tensor; PARTS]>::try_from(parts).expect("a width that the parts divide")
}

/// Attention of the target to the encoder's states.
#[derive(Debug)]
pub(crate) struct CrossAttention {
    pub(crate) query: Linear,
    pub(crate) key_value: Linear,
    pub(crate) out: Linear,
    pub(crate) heads: Heads,
}

impl CrossAttention {
    /// Keys and values of the encoder's states, `[rows, heads, columns, dim / heads]` each.
    pub(crate) fn memory(&self, states: &Tensor, grid: Grid) -> [Tensor; 2] {
        halves(&self.key_value.forward(states)).map(|part| self.heads.part(&part, grid))
    }

    /// All positions of a batch: `[rows * columns, dim]` to the same shape.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        grid: Grid,
        memory: &Memory,
        inside: &Inside<'_>,
        mode: Mode<'_>,
    ) -> Tensor {
        let (q, kv) = (self.query.forward(x), self.key_value.forward(&memory.states));
        let (grids, mask) = ([grid, memory.grid], Mask::from(memory.padding.as_ref()));
        let fused = match &inside.prefix {
            Some(_) => None,
            None => self.heads.fused((&q, Some(&kv)), grids, (mask, None), mode),
        };
        let seen = fused.unwrap_or_else(|| {
            let q = self.heads.part(&q, grid);
            let [k, v] = halves(&kv).map(|part| self.heads.part(&part, memory.grid));
            over(self.heads, [&q, &k, &v], mask, inside.prefix.as_ref(), mode)
        });
        self.out.forward(&seen)
    }

    /// New positions over keys and values from [`Self::memory`].
    pub(crate) fn extend(
        &self,
        x: &Tensor,
        grid: Grid,
        memory: &[Tensor; 2],
        padding: Option<&Padding>,
        inside: &Inside<'_>,
    ) -> Tensor {
        let q = self.heads.part(&self.query.forward(x), grid);
        let [k, v] = memory;
        let seen =
            over(self.heads, [&q, k, v], padding.into(), inside.prefix.as_ref(), Mode::Evaluate);
        self.out.forward(&seen)
    }

    /// How much new positions attend to each source position: `softmax(q k^T / sqrt(width) + mask)`,
    /// `[rows, heads, queries, columns]`. What goes to an adapter's prefix is left out.
    pub(crate) fn weights(
        &self,
        x: &Tensor,
        grid: Grid,
        keys: &Tensor,
        padding: Option<&Padding>,
        inside: &Inside<'_>,
    ) -> Tensor {
        let q = self.heads.part(&self.query.forward(x), grid);
        let before =
            inside.prefix.as_ref().map_or(0, |[k, _]| k.size().first().copied().unwrap_or(0));
        let keys = match &inside.prefix {
            Some(prefix) => prefixed(self.heads, prefix, [keys, keys])[0].shallow_clone(),
            None => keys.shallow_clone(),
        };
        let scores = (&q * scale(&q)).matmul(&keys.transpose(-2, -1));
        let columns = keys.size().get(2).copied().unwrap_or(0) - before;
        if let Some(padding) = padding {
            let _ = scores.narrow(-1, before, columns).g_add_(&padding.added);
        }
        softmax(&scores).narrow(-1, before, columns)
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Ids;
    use super::super::dropout::Masks;
    use super::*;

    /// Of numbers that 16 bits hold, results and gradients are those in 32 bits, rounded.
    #[test]
    fn attention_kept_in_16_bits_is_computed_in_32() {
        let (heads, grid) = (Heads { count: 2, dropout: 0.2 }, Grid { rows: 2, columns: 9 });
        let rotary = Rotary::new(2, 10_000);
        for (kind, rounding) in
            [(Kind::BFloat16, 2.0_f64.powi(-8)), (Kind::Half, 2.0_f64.powi(-11))]
        {
            let options = (Kind::Float, Device::Cpu);
            let numbers = |columns| Tensor::randn([18, columns], options).to_kind(kind);
            let (all, by_out) = (numbers(18), numbers(6));
            let [narrow, wide] = [kind, Kind::Float].map(|kind| {
                let all = all.to_kind(kind).copy().set_requires_grad(true);
                let masks = Masks::new(8, &[1]);
                let (mask, mode) = ((Mask::Causal, Some(&rotary)), Mode::Train(&masks));
                let out = heads.fused((&all, None), [grid, grid], mask, mode).expect("a float");
                (&out * by_out.to_kind(kind)).to_kind(Kind::Float).sum(None).backward();
                assert_eq!(out.kind(), kind);
                [out.detach(), all.grad()].map(|x| x.to_kind(Kind::Float))
            });
            for (narrow, wide) in narrow.iter().zip(&wide) {
                assert!(narrow.allclose(wide, rounding, 1e-6, false), "{kind:?}");
                assert!(!narrow.equal(wide));
            }
        }
    }

    /// The kernel's dropout against libtorch's operations with the mask written out, with padding, a causal mask, or neither.
    #[test]
    fn weights_of_attention_are_dropped_alike_in_both_ways() {
        let options = (Kind::Double, Device::Cpu);
        let (heads, grid) = (Heads { count: 2, dropout: 0.3 }, Grid { rows: 3, columns: 11 });
        let rows = [[0; 11].as_slice(), &[0; 4], &[0; 7]];
        let like = Tensor::zeros([1], options);
        let padding = Ids::new(rows.into_iter(), Device::Cpu).padding(&like).expect("short rows");
        for mask in [Mask::None, Mask::Causal, Mask::Padded(&padding)] {
            let all = Tensor::randn([33, 18], options);
            let by_out = Tensor::randn([33, 6], options);
            let ways = [true, false].map(|kernel| {
                let all = all.copy().set_requires_grad(true);
                let masks = Masks::new(8, &[1]);
                let mode = Mode::Train(&masks);
                let out = if kernel {
                    heads.fused((&all, None), [grid, grid], (mask, None), mode).expect("64 bits")
                } else {
                    let (q, kv) = parted(&all);
                    let [k, v] = halves(&kv).map(|part| heads.part(&part, grid));
                    heads.join(&heads.attend([&heads.part(&q, grid), &k, &v], mask, mode))
                };
                (&out * &by_out).sum(None).backward();
                [out.detach(), all.grad()]
            });
            let [kernel, written] = ways;
            for (ours, theirs) in kernel.iter().zip(&written) {
                assert!(ours.allclose(theirs, 0.0, 1e-12, false), "{mask:?}");
            }
        }
    }
}
