//! One direction's way through the modules: from ids to encoder states, decoder states and the loss; of a causal task without the first.

use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::batch::{Batch, Ids};
use super::bridge::Bridge;
use super::decoder::{DecoderStack, Memory};
use super::dropout::Mode;
use super::embedding::{Embedding, Positions};
use super::encoder::{EncoderStack, StackAdapters};
use super::linear::as_kind_of;
use super::loss::{LossSum, Objective, Scored, cross_entropy};

/// The layers of one direction, looked up once.
#[derive(Debug, Clone)]
pub struct Direction {
    /// None where there is no encoder.
    pub(crate) source: Option<Rc<Embedding>>,
    pub(crate) encoder: Vec<(Rc<EncoderStack>, StackAdapters)>,
    pub(crate) bridge: Option<Rc<Bridge>>,
    pub(crate) target: Rc<Embedding>,
    pub(crate) decoder: Vec<(Rc<DecoderStack>, StackAdapters)>,
    pub(crate) output: Rc<Embedding>,
    pub(crate) positions: Option<Rc<Positions>>,
    pub(crate) dropout: f64,
    /// What activations are kept and multiplied in; none: the kind of the parameters.
    pub(crate) kind: Option<Kind>,
}

impl Direction {
    /// The same layers, whose activations are kept and multiplied in the kind of their parameters: as translation computes.
    pub(crate) fn plain(&self) -> Self {
        Self { kind: None, ..self.clone() }
    }

    /// Where the parameters lie.
    pub(crate) fn device(&self) -> Device {
        self.output.weight.device()
    }

    /// The summed cross-entropy of a batch; gradients are recorded unless the caller forbids it.
    pub fn loss(&self, batch: &Batch, mode: Mode<'_>, objective: Objective) -> LossSum {
        let memory = self.encode(&batch.source, mode);
        let states = self.decode(&batch.target, &memory, mode);
        let states = match &batch.scored {
            Some(scored) => states.index_select(0, scored),
            None => states,
        };
        let Scored { loss, root, hits } =
            cross_entropy(&states, &self.output.weight, &batch.gold, objective);
        LossSum { loss, root, tokens: batch.tokens(), hits }
    }

    /// Source ids to the encoder's states; to nothing where there is no encoder.
    pub(crate) fn encode(&self, source: &Ids, mode: Mode<'_>) -> Memory {
        let Some(embedding) = &self.source else {
            return Memory::none(source.grid.rows, &self.target.weight);
        };
        let mut states = self.embed(embedding, source, mode);
        let padding = source.padding(&states);
        for (stack, adapters) in &self.encoder {
            states = stack.forward(states, source.grid, padding.as_ref(), adapters, mode);
        }
        let memory = Memory { states, grid: source.grid, padding };
        match &self.bridge {
            Some(bridge) => bridge.forward(memory, mode),
            None => memory,
        }
    }

    /// All positions of the target to the decoder's states, `[rows * columns, dim]`.
    pub(crate) fn decode(&self, target: &Ids, memory: &Memory, mode: Mode<'_>) -> Tensor {
        let mut states = self.embed(&self.target, target, mode);
        for (stack, adapters) in &self.decoder {
            states = stack.forward(states, target.grid, memory, adapters, mode);
        }
        states
    }

    /// Decoder states `[.., dim]` to logits `[.., vocabulary]`.
    pub(crate) fn logits(&self, states: &Tensor) -> Tensor {
        states.matmul(&as_kind_of(states, &self.output.weight).tr())
    }

    /// Ids to embeddings with positions, `[rows * columns, dim]`.
    fn embed(&self, embedding: &Embedding, ids: &Ids, mode: Mode<'_>) -> Tensor {
        let embedded = self.place(embedding, ids, 0);
        mode.drop(embedded, self.dropout)
    }

    /// Embeddings of ids with positions from `from` on, `[rows * columns, dim]`.
    pub(crate) fn place(&self, embedding: &Embedding, ids: &Ids, from: i64) -> Tensor {
        let embedded = embedding.forward(&ids.flat);
        let (rows, columns) = (ids.grid.rows, ids.grid.columns);
        let table = match (&self.positions, &embedding.positions) {
            (Some(positions), _) => {
                positions.range(from, columns, (embedded.kind(), embedded.device()))
            }
            (None, Some(learned)) => {
                // Positions beyond the table are its last.
                let last = learned.size().first().map_or(0, |rows| rows - 1);
                let places =
                    Tensor::arange_start(from, from + columns, (Kind::Int64, learned.device()));
                learned.index_select(0, &places.clamp_max(last))
            }
            (None, None) => return self.kept(embedded),
        };
        self.kept((embedded.view([rows, columns, -1]) + table).view([rows * columns, -1]))
    }

    /// Activations in the kind that they are kept in.
    fn kept(&self, x: Tensor) -> Tensor {
        match self.kind {
            Some(kind) => x.to_kind(kind),
            None => x,
        }
    }
}
