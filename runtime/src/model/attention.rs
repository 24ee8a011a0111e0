//! Multi-head attention (Vaswani et al. 2017, section 3.2) over activations that lie as `[rows * columns, dim]`.

use tch::{Kind, Tensor};

use super::dropout::Mode;
use super::linear::Linear;

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

    /// `softmax(q k^T / sqrt(width) + mask) v` by head; `mask` is added, and broadcasts to `[rows, heads, queries, keys]`.
    pub(crate) fn attend(self, qkv: [&Tensor; 3], mask: Mask<'_>, mode: Mode<'_>) -> Tensor {
        let [q, k, v] = qkv;
        let train = matches!(mode, Mode::Train(_));
        if !train || self.dropout <= 0.0 {
            let (added, causal) = match mask {
                Mask::None => (None, false),
                Mask::Causal => (None, true),
                Mask::Added(added) => (Some(added), false),
            };
            return Tensor::scaled_dot_product_attention(q, k, v, added, 0.0, causal, None, false);
        }
        let scores = (q * scale(q)).matmul(&k.transpose(-2, -1));
        let scores = match mask {
            Mask::None => scores,
            Mask::Causal => {
                let hidden = scores.ones_like().triu(1).to_kind(Kind::Bool);
                scores.masked_fill(&hidden, f64::NEG_INFINITY)
            }
            Mask::Added(added) => scores + added,
        };
        let kind = scores.kind();
        mode.drop(scores.softmax(-1, kind), self.dropout).matmul(v)
    }
}

/// Which keys a query sees.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mask<'a> {
    /// All.
    None,
    /// Those up to its own position.
    Causal,
    /// Added to the scores: 0 where seen, `-inf` where not.
    Added(&'a Tensor),
}

impl<'a> From<Option<&'a Tensor>> for Mask<'a> {
    fn from(added: Option<&'a Tensor>) -> Self {
        added.map_or(Self::None, Self::Added)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a head's width is small")]
fn scale(q: &Tensor) -> f64 {
    (q.size().last().copied().unwrap_or(1) as f64).sqrt().recip()
}

/// Attention of a sequence to itself: queries, keys and values from one matrix.
#[derive(Debug)]
pub(crate) struct SelfAttention {
    pub(crate) qkv: Linear,
    pub(crate) out: Linear,
    pub(crate) heads: Heads,
}

impl SelfAttention {
    /// `[rows * columns, dim]` to the same shape.
    pub(crate) fn forward(&self, x: &Tensor, grid: Grid, mask: Mask<'_>, mode: Mode<'_>) -> Tensor {
        let (q, kv) = self.project(x);
        let q = self.heads.part(&q, grid);
        let [k, v] = halves(&kv).map(|part| self.heads.part(&part, grid));
        self.out.forward(&self.heads.join(&self.heads.attend([&q, &k, &v], mask, mode)))
    }

    /// Queries `[tokens, dim]`, and keys beside values `[tokens, 2 dim]`.
    pub(crate) fn project(&self, x: &Tensor) -> (Tensor, Tensor) {
        let all = self.qkv.forward(x);
        let dim = all.size().last().map_or(0, |width| width / 3);
        (all.narrow(1, 0, dim), all.narrow(1, dim, 2 * dim))
    }
}

/// Keys and values that lie beside each other in the last dimension.
pub(crate) fn halves(both: &Tensor) -> [Tensor; 2] {
    let dim = both.size().last().map_or(0, |width| width / 2);
    [0, 1].map(|part| both.narrow(-1, part * dim, dim))
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

    /// `[rows * columns, dim]` to the same shape.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        grid: Grid,
        memory: &[Tensor; 2],
        mask: Option<&Tensor>,
        mode: Mode<'_>,
    ) -> Tensor {
        let q = self.heads.part(&self.query.forward(x), grid);
        let [k, v] = memory;
        let seen = self.heads.attend([&q, k, v], mask.into(), mode);
        self.out.forward(&self.heads.join(&seen))
    }
}
