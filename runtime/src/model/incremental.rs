//! Decoding position after position: keys and values of what was decoded are kept, those of the source made once.

use tch::{Device, Kind, Tensor};

use super::adapter::Adapters;
use super::attention::{CrossAttention, Grid, Mask, Padding, halves, parted};
use super::batch::Ids;
use super::decoder::{DecoderLayer, Memory};
use super::direction::Direction;
use super::dropout::Mode;
use super::encoder::of_layer;
use super::sublayer::Residual;

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
    coverage: Option<Coverage>,
    device: Device,
}

/// How much attention every source position has got: the sum over what was produced of the last decoder layer's attention to the
/// source, the mean of its heads.
#[derive(Debug)]
struct Coverage {
    /// `[rows, columns]`; none before the first position.
    sums: Option<Tensor>,
}

/// One layer's keys and values.
#[derive(Debug)]
struct LayerCache {
    /// Of the target: `[rows, capacity, 2 dim]`, of which the decoding's length is filled; none before the first position.
    target: Option<Tensor>,
    /// Of the source: `[sentences, heads, columns, dim / heads]` each; none where there is no encoder.
    source: Option<[Tensor; 2]>,
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
        let device = self.device;
        let index = |list: &[i64]| Tensor::from_slice(list).to_device(device);
        let count = self.layers.first().and_then(|layer| layer.target.as_ref());
        let count = count.map_or(0, |target| target.size3().unwrap_or_default().0);
        if !(0..count).eq(rows.iter().copied()) {
            let rows = index(rows);
            if let Some(Coverage { sums: Some(sums) }) = &mut self.coverage {
                *sums = sums.index_select(0, &rows);
            }
            for layer in &mut self.layers {
                layer.target = layer.target.take().map(|target| target.index_select(0, &rows));
            }
        }
        let all = (0..self.sentences).eq(sentences.iter().copied());
        if !all {
            let kept = index(sentences);
            for layer in &mut self.layers {
                if let Some(source) = &mut layer.source {
                    *source = source.each_ref().map(|part| part.index_select(0, &kept));
                }
            }
            self.padding = self.padding.take().map(|padding| Padding {
                lengths: padding.lengths.index_select(0, &kept),
                added: padding.added.index_select(0, &kept),
            });
            self.sentences = i64::try_from(sentences.len()).unwrap_or(i64::MAX);
        }
    }

    /// Sums up attention from here on.
    pub(crate) fn cover(&mut self) {
        self.coverage = Some(Coverage { sums: None });
    }

    /// `sum over source positions of log(min(attention got so far, 1))` (Wu et al. 2016, equation 14) of each row; none where
    /// attention is not summed up.
    pub(crate) fn coverage(&self) -> Option<Tensor> {
        let sums = self.coverage.as_ref()?.sums.as_ref()?.to_kind(Kind::Double);
        // What underflowed was seen a little.
        let logs = sums.clamp(f64::MIN_POSITIVE, 1.0).log();
        let logs = match &self.padding {
            Some(padding) => {
                let hidden = padding.added.view([self.sentences, 1, -1]).lt(0.0);
                let [rows, columns] = [0, 1].map(|at| logs.size().get(at).copied().unwrap_or(0));
                let logs = logs.view([self.sentences, rows / self.sentences.max(1), columns]);
                logs.masked_fill(&hidden, 0.0).view([rows, columns])
            }
            None => logs,
        };
        Some(logs.sum_dim_intlist([-1_i64].as_slice(), false, Kind::Double))
    }
}

impl Coverage {
    /// Adds what the newest position of every row attends to: `weights` `[sentences, heads, rows of a sentence * columns, source]`.
    fn add(&mut self, weights: &Tensor, grid: Grid) {
        let mean = weights.mean_dim([1_i64].as_slice(), false, weights.kind());
        let newest = mean.reshape([grid.rows, grid.columns, -1]).select(1, grid.columns - 1);
        self.sums = Some(match self.sums.take() {
            Some(sums) => sums + newest,
            None => newest,
        });
    }
}

impl Direction {
    /// A decoding of these sources with nothing decoded yet and one hypothesis for each.
    pub(crate) fn begin(&self, memory: Memory) -> Decoding {
        let layers = self.decoder.iter().flat_map(|(stack, _)| &stack.layers);
        let layers = layers.map(|layer| LayerCache {
            target: None,
            source: layer
                .cross_attention
                .as_ref()
                .map(|(_, attention)| attention.memory(&memory.states, memory.grid)),
        });
        let (layers, sentences) = (layers.collect(), memory.grid.rows);
        let device = memory.states.device();
        Decoding { layers, padding: memory.padding, sentences, length: 0, coverage: None, device }
    }

    /// Reads equally many further ids of every hypothesis, several only at the beginning. Gives the logits of what follows,
    /// `[rows, vocabulary]`.
    pub(crate) fn advance(&self, decoding: &mut Decoding, ids: &Ids) -> Tensor {
        let grid = ids.grid;
        let mut x = self.place(&self.target, ids, decoding.length);
        let (padding, sentences, length) = (&decoding.padding, decoding.sentences, decoding.length);
        let mut layers_left = decoding.layers.len();
        let mut caches = decoding.layers.iter_mut();
        for (stack, adapters) in &self.decoder {
            for (at, (layer, cache)) in stack.layers.iter().zip(caches.by_ref()).enumerate() {
                let step = Step { grid, length, sentences, adapters: of_layer(adapters, at) };
                layers_left -= 1;
                let coverage = decoding.coverage.as_mut().filter(|_| layers_left == 0);
                x = step.layer(layer, cache, &x, padding.as_ref(), coverage);
            }
            x = stack.close(x);
        }
        decoding.length += grid.columns;
        let last = x.view([grid.rows, grid.columns, -1]).select(1, grid.columns - 1);
        self.logits(&last)
    }
}

/// The new positions of all rows in one layer.
struct Step<'a> {
    grid: Grid,
    length: i64,
    sentences: i64,
    adapters: Adapters<'a>,
}

impl Step<'_> {
    fn layer(
        &self,
        layer: &DecoderLayer,
        cache: &mut LayerCache,
        x: &Tensor,
        padding: Option<&Padding>,
        coverage: Option<&mut Coverage>,
    ) -> Tensor {
        let (mode, grid, adapters) = (Mode::Evaluate, self.grid, self.adapters);
        let (residual, attention) = &layer.self_attention;
        let x = residual.around(x, mode, |x| {
            let (heads, inside) = (attention.heads, adapters.in_self_attention());
            let (q, fresh) = parted(&attention.project(x, &inside));
            let q = attention.turned(heads.part(&q, grid), self.length);
            let fresh = match attention.rotary {
                Some(_) => {
                    // Keys are kept as they were turned: their positions do not change.
                    let [k, v] = halves(&fresh);
                    let k = heads.join(&attention.turned(heads.part(&k, grid), self.length));
                    Tensor::cat(&[k, v], -1)
                }
                None => fresh,
            };
            let kept = cache.extend(&fresh.view([grid.rows, grid.columns, -1]), self.length);
            let [k, v] = halves(&kept).map(|part| heads.cut(&part));
            let mask = if grid.columns > 1 { Mask::Causal } else { Mask::None };
            let seen = attention.over([&q, &k, &v], mask, inside.prefix.as_ref(), mode);
            adapters.behind_self_attention(attention.out.forward(&seen))
        });
        let x = match (&layer.cross_attention, &cache.source) {
            (Some(cross), Some(source)) => self.cross(cross, source, &x, padding, coverage),
            _ => x,
        };
        let (residual, feed_forward) = &layer.feed_forward;
        let x = residual.around(&x, mode, |x| adapters.feed_forward(feed_forward, x, mode));
        adapters.behind_layer(x, mode)
    }

    /// The sublayer that sees the source.
    fn cross(
        &self,
        (residual, attention): &(Residual, CrossAttention),
        source: &[Tensor; 2],
        x: &Tensor,
        padding: Option<&Padding>,
        coverage: Option<&mut Coverage>,
    ) -> Tensor {
        residual.around(x, Mode::Evaluate, |x| {
            // All hypotheses of a sentence see the same source: they are so many queries of one row.
            let grid = self.grid;
            let columns = grid.rows * grid.columns / self.sentences.max(1);
            let queries = Grid { rows: self.sentences, columns };
            let inside = self.adapters.in_cross_attention();
            if let Some(coverage) = coverage {
                let weights = attention.weights(x, queries, &source[0], padding, &inside);
                coverage.add(&weights, grid);
            }
            attention.extend(x, queries, source, padding, &inside)
        })
    }
}
