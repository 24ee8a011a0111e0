//! Adapters: what stands inside the layers of a stack on some directions' ways.

use tch::Tensor;

use super::attention::{Inside, LowRank, Prefix, low_rank};
use super::dropout::Mode;
use super::feed_forward::FeedForward;
use super::linear::{Linear, Normaliser};
use super::sublayer::Residual;

/// `h + up relu(down h)`.
#[derive(Debug)]
pub(crate) struct Bottleneck {
    pub(crate) down: Linear,
    pub(crate) up: Linear,
}

impl Bottleneck {
    fn forward(&self, h: &Tensor) -> Tensor {
        h + self.map(h)
    }

    fn map(&self, h: &Tensor) -> Tensor {
        self.up.forward(&self.down.forward(h).relu())
    }
}

/// One adapter in one layer.
#[derive(Debug)]
pub(crate) enum Adapter {
    /// Low-rank maps beside queries and values (Hu et al. 2022).
    LowRankAttention(LowRank),
    /// A low-rank map beside the feed-forward sublayer.
    LowRankFeedForward {
        /// Its two matrices.
        maps: [Tensor; 2],
        /// Scale.
        scale: f64,
    },
    /// Within the feed-forward sublayer's residual (Pfeiffer et al. 2021).
    Pfeiffer(Bottleneck),
    /// Within the residuals of self-attention and of the feed-forward sublayer (Houlsby et al. 2019).
    Houlsby {
        /// After self-attention.
        attention: Bottleneck,
        /// After the feed-forward sublayer.
        feed_forward: Bottleneck,
    },
    /// After the layer (Bapna and Firat 2019).
    Bapna {
        /// Before the bottleneck.
        norm: Normaliser,
        /// The bottleneck.
        map: Bottleneck,
    },
    /// One more feed-forward sublayer after the layer.
    FeedForward(Residual, FeedForward),
    /// Keys and values before those of every attention (Li and Liang 2021).
    Prefix {
        /// Of self-attention.
        own: Prefix,
        /// Of cross-attention, in decoders.
        cross: Option<Prefix>,
    },
}

/// The adapters of one layer, in the order in which it goes through them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Adapters<'a>(pub(crate) &'a [std::rc::Rc<Adapter>]);

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "each place asks for the adapters that stand there"
)]
impl<'a> Adapters<'a> {
    /// What they do inside self-attention.
    pub(crate) fn in_self_attention(self) -> Inside<'a> {
        let (mut low_rank, mut prefixes) = (Vec::new(), Vec::new());
        for adapter in self.0 {
            match &**adapter {
                Adapter::LowRankAttention(maps) => low_rank.push(maps),
                Adapter::Prefix { own, .. } => prefixes.push(own),
                _ => {}
            }
        }
        Inside::new(low_rank, &prefixes)
    }

    /// What they do inside cross-attention.
    pub(crate) fn in_cross_attention(self) -> Inside<'a> {
        let prefixes = self.0.iter().filter_map(|adapter| match &**adapter {
            Adapter::Prefix { cross, .. } => cross.as_ref(),
            _ => None,
        });
        Inside::new(Vec::new(), &prefixes.collect::<Vec<_>>())
    }

    /// What comes behind self-attention, within its residual.
    pub(crate) fn behind_self_attention(self, h: Tensor) -> Tensor {
        self.0.iter().fold(h, |h, adapter| match &**adapter {
            Adapter::Houlsby { attention, .. } => attention.forward(&h),
            _ => h,
        })
    }

    /// The feed-forward sublayer of `x`, with what stands beside and behind it within its residual.
    pub(crate) fn feed_forward(self, own: &FeedForward, x: &Tensor, mode: Mode<'_>) -> Tensor {
        let beside = |h: Tensor, adapter: &Adapter| match adapter {
            Adapter::LowRankFeedForward { maps, scale } => h + low_rank(maps, x, *scale),
            _ => h,
        };
        let h = self.0.iter().fold(own.forward(x, mode), |h, adapter| beside(h, adapter));
        self.0.iter().fold(h, |h, adapter| match &**adapter {
            Adapter::Pfeiffer(map) | Adapter::Houlsby { feed_forward: map, .. } => map.forward(&h),
            _ => h,
        })
    }

    /// What comes behind the layer.
    pub(crate) fn behind_layer(self, x: Tensor, mode: Mode<'_>) -> Tensor {
        self.0.iter().fold(x, |x, adapter| match &**adapter {
            Adapter::Bapna { norm, map } => &x + map.map(&norm.forward(&x)),
            Adapter::FeedForward(residual, own) => {
                residual.around(&x, mode, |x| own.forward(x, mode))
            }
            _ => x,
        })
    }
}
