//! Decoding position after position: keys and values of what was decoded are kept, those of the source made once.

use tch::Tensor;

use super::attention::{Grid, Mask, Padding, halves};
use super::batch::Ids;
use super::decoder::{DecoderLayer, Memory};
use super::direction::Direction;
use super::dropout::Mode;

/// Positions by which a cache of keys and values grows.
const BLOCK: i64 = 16;

/// What a decoder remembers of the hypotheses that it extends. Hypotheses are rows; those of one sentence lie together, and
/// every sentence has equally many.
#[derive(Debug)]
pub(crate) struct Decoding {
    layers: Vec<LayerCache>,
    /// Where the sources are padded.
    padding: Option<Padding>,
    sentences: i64,
    /// Positions decoded so far.
    length: i64,
}

/// One layer's keys and values.
#[derive(Debug)]
struct LayerCache {
    /// Of the target: `[rows, capacity, 2 dim]`, of which the decoding's length is filled; none before the first position.
    target: Option<Tensor>,
    /// Of the source: `[sentences, heads, columns, dim / heads]` each.
    source: [Tensor; 2],
}

impl LayerCache {
    /// Writes keys and values `[rows, columns, 2 dim]` behind `length` positions; gives all so far as
    /// `[rows, length + columns, 2 dim]`.
    fn extend(&mut self, fresh: &Tensor, length: i64) -> Tensor {
        let (rows, columns, width) = fresh.size3().unwrap_or_default();
        let room = self.target.as_ref().map_or(0, |target| target.size3().unwrap_or_default().1);
        if length + columns > room {
            let more = (length + columns - room + BLOCK - 1) / BLOCK * BLOCK;
            let more = Tensor::zeros([rows, more, width], (fresh.kind(), fresh.device()));
            self.target = Some(match self.target.take() {
                Some(target) => Tensor::cat(&[target, more], 1),
                None => more,
            });
        }
        match &self.target {
            Some(target) => {
                target.narrow(1, length, columns).copy_(fresh);
                target.narrow(1, 0, length + columns)
            }
            None => fresh.shallow_clone(),
        }
    }
}

impl Decoding {
    /// Goes on with some of the rows, in a new order, and some of the sentences: those that the rows belong to.
    pub(crate) fn select(&mut self, rows: &[i64], sentences: &[i64]) {
        let device = self.layers.first().map_or(tch::Device::Cpu, |layer| layer.source[0].device());
        let index = |list: &[i64]| Tensor::from_slice(list).to_device(device);
        let count = self.layers.first().and_then(|layer| layer.target.as_ref());
        let count = count.map_or(0, |target| target.size3().unwrap_or_default().0);
        if !(0..count).eq(rows.iter().copied()) {
            let rows = index(rows);
            for layer in &mut self.layers {
                layer.target = layer.target.take().map(|target| target.index_select(0, &rows));
            }
        }
        let all = (0..self.sentences).eq(sentences.iter().copied());
        if !all {
            let kept = index(sentences);
            for layer in &mut self.layers {
                layer.source = layer.source.each_ref().map(|part| part.index_select(0, &kept));
            }
            self.padding = self.padding.take().map(|padding| Padding {
                lengths: padding.lengths.index_select(0, &kept),
                added: padding.added.index_select(0, &kept),
            });
            self.sentences = i64::try_from(sentences.len()).unwrap_or(i64::MAX);
        }
    }
}

impl Direction {
    /// A decoding of these sources with nothing decoded yet and one hypothesis for each.
    pub(crate) fn begin(&self, memory: Memory) -> Decoding {
        let layers = self.decoder.iter().flat_map(|stack| &stack.layers);
        let layers = layers.map(|layer| LayerCache {
            target: None,
            source: layer.cross_attention.1.memory(&memory.states, memory.grid),
        });
        let sentences = memory.grid.rows;
        Decoding { layers: layers.collect(), padding: memory.padding, sentences, length: 0 }
    }

    /// Reads equally many further ids of every hypothesis, several only at the beginning. Gives the logits of what follows,
    /// `[rows, vocabulary]`.
    pub(crate) fn advance(&self, decoding: &mut Decoding, ids: &Ids) -> Tensor {
        let grid = ids.grid;
        let mut x = self.place(self.target.forward(&ids.flat), ids, decoding.length);
        let (padding, sentences, length) = (&decoding.padding, decoding.sentences, decoding.length);
        let mut caches = decoding.layers.iter_mut();
        for stack in &self.decoder {
            for (layer, cache) in stack.layers.iter().zip(caches.by_ref()) {
                x = step_layer(layer, cache, &x, (grid, length, sentences), padding.as_ref());
            }
            x = stack.close(x);
        }
        decoding.length += grid.columns;
        let last = x.view([grid.rows, grid.columns, -1]).select(1, grid.columns - 1);
        self.logits(&last)
    }
}

/// One layer over the new positions of all rows.
fn step_layer(
    layer: &DecoderLayer,
    cache: &mut LayerCache,
    x: &Tensor,
    (grid, length, sentences): (Grid, i64, i64),
    padding: Option<&Padding>,
) -> Tensor {
    let mode = Mode::Evaluate;
    let (residual, attention) = &layer.self_attention;
    let x = residual.around(x, mode, |x| {
        let heads = attention.heads;
        let (q, fresh) = attention.project(x);
        let kept = cache.extend(&fresh.view([grid.rows, grid.columns, -1]), length);
        let [k, v] = halves(&kept).map(|part| heads.cut(&part));
        let q = heads.part(&q, grid);
        let mask = if grid.columns > 1 { Mask::Causal } else { Mask::None };
        attention.out.forward(&heads.join(&heads.attend([&q, &k, &v], mask, mode)))
    });
    let (residual, attention) = &layer.cross_attention;
    let x = residual.around(&x, mode, |x| {
        // All hypotheses of a sentence see the same source: they are so many queries of one row.
        let columns = grid.rows * grid.columns / sentences.max(1);
        let queries = Grid { rows: sentences, columns };
        attention.extend(x, queries, &cache.source, padding)
    });
    let (residual, feed_forward) = &layer.feed_forward;
    residual.around(&x, mode, |x| feed_forward.forward(x, mode))
}
