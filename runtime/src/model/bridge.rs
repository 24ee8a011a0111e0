//! The bridge between encoder and decoder: layers after which every source has states of one kind, and, with some layers, as
//! many of them.

use tch::Tensor;

use super::adapter::Adapters;
use super::attention::{CrossAttention, Grid, Inside, Mask, Padding, SelfAttention, softmax};
use super::decoder::Memory;
use super::dropout::Mode;
use super::encoder::EncoderLayer;
use super::feed_forward::FeedForward;
use super::linear::{Linear, Normaliser, as_kind_of};
use super::sublayer::Residual;

/// One layer of a bridge, with the norm behind it.
#[derive(Debug)]
pub(crate) enum Layer {
    /// `softmax(W2 relu(W1 H^T)) H` over valid positions (Vázquez et al. 2020, section 3).
    Lin(Linear, Linear, Option<Normaliser>),
    /// `softmax(Q K(H)^T / sqrt(u)) V(H)` with learned queries.
    Simple {
        /// `[length, u]`.
        queries: Tensor,
        /// To `u`.
        key: Linear,
        /// To the width.
        value: Linear,
        /// Behind.
        norm: Option<Normaliser>,
    },
    /// An encoder layer.
    Transformer(EncoderLayer),
    /// Learned latents that attend to the states and to each other (Jaegle et al. 2021, section 3).
    Perceiver(Box<Perceiver>),
    /// `W2 relu(W1 h)` at every position.
    FeedForward(Linear, Linear, Option<Normaliser>),
}

/// The parts of a perceiver layer, in their order; residuals are post-norm.
#[derive(Debug)]
pub(crate) struct Perceiver {
    /// `[length, dim]`.
    pub(crate) latents: Tensor,
    pub(crate) cross_attention: (Residual, CrossAttention),
    pub(crate) first: (Residual, FeedForward),
    pub(crate) self_attention: (Residual, SelfAttention),
    pub(crate) second: (Residual, FeedForward),
}

/// All layers.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) layers: Vec<Layer>,
}

impl Bridge {
    /// What the decoder sees of what the encoder made. States of a fixed number are all valid.
    pub(crate) fn forward(&self, memory: Memory, mode: Mode<'_>) -> Memory {
        self.layers.iter().fold(memory, |memory, layer| layer.forward(memory, mode))
    }
}

impl Layer {
    fn forward(&self, memory: Memory, mode: Mode<'_>) -> Memory {
        let Memory { states, grid, padding } = memory;
        match self {
            Self::Lin(first, second, norm) => {
                // `[rows, columns, length]`: one weight a position for each new state.
                let scores = second.forward(&first.forward(&states).relu());
                let scores = scores.view([grid.rows, grid.columns, -1]).transpose(1, 2);
                gathered(&scores, &states, (grid, padding.as_ref()), norm.as_ref())
            }
            Self::Simple { queries, key, value, norm } => {
                let keys = key.forward(&states).view([grid.rows, grid.columns, -1]);
                let queries = as_kind_of(&keys, queries);
                let scores = queries.matmul(&keys.transpose(1, 2)) * root(&queries).recip();
                let values = value.forward(&states);
                gathered(&scores, &values, (grid, padding.as_ref()), norm.as_ref())
            }
            Self::Transformer(layer) => {
                let states = layer.forward(&states, grid, padding.as_ref(), Adapters(&[]), mode);
                Memory { states, grid, padding }
            }
            Self::Perceiver(parts) => parts.forward(&Memory { states, grid, padding }, mode),
            Self::FeedForward(inner, outer, norm) => {
                let states = outer.forward(&inner.forward(&states).relu());
                Memory { states: normalised(states, norm.as_ref()), grid, padding }
            }
        }
    }
}

impl Perceiver {
    fn forward(&self, memory: &Memory, mode: Mode<'_>) -> Memory {
        let (rows, columns) = (memory.grid.rows, self.latents.size().first().copied().unwrap_or(0));
        let grid = Grid { rows, columns };
        let x = as_kind_of(&memory.states, &self.latents).repeat([rows, 1]);
        let (residual, attention) = &self.cross_attention;
        let inside = Inside::default();
        let x = residual.around(&x, mode, |x| attention.forward(x, grid, memory, &inside, mode));
        let (residual, own) = &self.first;
        let x = residual.around(&x, mode, |x| own.forward(x, mode));
        let (residual, attention) = &self.self_attention;
        let x =
            residual.around(&x, mode, |x| attention.forward(x, grid, Mask::None, &inside, mode));
        let (residual, own) = &self.second;
        let states = residual.around(&x, mode, |x| own.forward(x, mode));
        Memory { states, grid, padding: None }
    }
}

/// The means of values `[rows * columns, dim]` by the softmax of scores `[rows, length, columns]` over valid columns.
fn gathered(
    scores: &Tensor,
    values: &Tensor,
    (grid, padding): (Grid, Option<&Padding>),
    norm: Option<&Normaliser>,
) -> Memory {
    let scores = match padding {
        Some(padding) => scores + padding.added.view([grid.rows, 1, grid.columns]),
        None => scores.shallow_clone(),
    };
    let weights = softmax(&scores);
    let columns = weights.size().get(1).copied().unwrap_or(0);
    let states = weights.matmul(&values.view([grid.rows, grid.columns, -1]));
    let states = states.view([grid.rows * columns, -1]);
    let grid = Grid { rows: grid.rows, columns };
    Memory { states: normalised(states, norm), grid, padding: None }
}

fn normalised(states: Tensor, norm: Option<&Normaliser>) -> Tensor {
    match norm {
        Some(norm) => norm.forward(&states),
        None => states,
    }
}

#[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
fn root(queries: &Tensor) -> f64 {
    (queries.size().last().copied().unwrap_or(1) as f64).sqrt()
}
