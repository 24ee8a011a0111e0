//! Layers from a module's weights, by the names that `layout` gives them.

use std::collections::BTreeMap;
use std::rc::Rc;

use mmc_plan::{
    AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, LoraPlace, ModelSpec, Norm, Normalisation,
    StackSide,
};
use tch::Tensor;

use super::ModelError;
use super::adapter::{Adapter, Bottleneck};
use super::attention::{CrossAttention, Heads, LowRank, Prefix, SelfAttention};
use super::bridge::{Bridge, Layer, Perceiver};
use super::decoder::DecoderLayer;
use super::embedding::Rotary;
use super::encoder::EncoderLayer;
use super::feed_forward::FeedForward;
use super::linear::{Linear, Normaliser};
use super::sublayer::Residual;
use super::weights::Weights;

/// Makes the layers of one module.
pub(super) struct Parts<'a> {
    pub(super) model: &'a ModelSpec,
    pub(super) module: &'a str,
    pub(super) weights: &'a Weights,
    /// What turns queries and keys of self-attention.
    pub(super) rotary: Option<&'a Rc<Rotary>>,
}

impl Parts<'_> {
    fn take(&self, name: &str) -> Result<Tensor, ModelError> {
        self.weights.take(self.module, name)
    }

    /// A map; its bias is there if it was laid out.
    fn linear(&self, name: &str) -> Result<Linear, ModelError> {
        let weight = self.take(&format!("{name}.weight"))?;
        Ok(Linear { weight, bias: self.weights.find(&format!("{name}.bias")) })
    }

    fn norm(&self, name: &str, kind: Normalisation) -> Result<Normaliser, ModelError> {
        Ok(match kind {
            Normalisation::LayerNorm => Normaliser::Layer {
                weight: self.take(&format!("{name}.weight"))?,
                bias: self.take(&format!("{name}.bias"))?,
            },
            Normalisation::Rms => Normaliser::Rms { weight: self.take(&format!("{name}.weight"))? },
            Normalisation::RmsPlain => Normaliser::RmsPlain,
        })
    }

    /// The norm behind a closed stack's last layer.
    pub(super) fn closing_norm(&self, closed: bool) -> Result<Option<Normaliser>, ModelError> {
        closed.then(|| self.norm("norm", self.model.normalisation)).transpose()
    }

    fn residual(
        &self,
        name: &str,
        kind: Option<Normalisation>,
        place: Norm,
    ) -> Result<Residual, ModelError> {
        let norm = kind.map(|kind| self.norm(name, kind)).transpose()?;
        Ok(Residual { norm, place, dropout: self.model.dropout })
    }

    /// A residual as the model's layers have them.
    fn own_residual(&self, name: &str) -> Result<Residual, ModelError> {
        self.residual(name, Some(self.model.normalisation), self.model.norm)
    }

    fn heads(&self) -> Heads {
        Heads { count: i64::from(self.model.heads), dropout: self.model.attention_dropout }
    }

    fn self_attention(&self, at: &str) -> Result<SelfAttention, ModelError> {
        Ok(SelfAttention {
            qkv: self.linear(&format!("{at}.qkv"))?,
            out: self.linear(&format!("{at}.out"))?,
            heads: self.heads(),
            rotary: self.rotary.cloned(),
        })
    }

    fn cross_attention(&self, at: &str) -> Result<CrossAttention, ModelError> {
        Ok(CrossAttention {
            query: self.linear(&format!("{at}.query"))?,
            key_value: self.linear(&format!("{at}.key_value"))?,
            out: self.linear(&format!("{at}.out"))?,
            heads: self.heads(),
        })
    }

    fn feed_forward(&self, at: &str) -> Result<FeedForward, ModelError> {
        Ok(FeedForward {
            inner: self.linear(&format!("{at}.inner"))?,
            outer: self.linear(&format!("{at}.outer"))?,
            activation: self.model.activation,
            dropout: self.model.ffn_dropout,
        })
    }

    /// The encoder layer whose parameters begin with `at`.
    pub(super) fn encoder_layer(&self, at: &str) -> Result<EncoderLayer, ModelError> {
        self.encoder_layer_with(at, Some(self.model.normalisation))
    }

    fn encoder_layer_with(
        &self,
        at: &str,
        norm: Option<Normalisation>,
    ) -> Result<EncoderLayer, ModelError> {
        let residual = |name: &str| self.residual(&format!("{at}.{name}"), norm, self.model.norm);
        Ok(EncoderLayer {
            self_attention: (
                residual("self_attention_norm")?,
                self.self_attention(&format!("{at}.self_attention"))?,
            ),
            feed_forward: (
                residual("feed_forward_norm")?,
                self.feed_forward(&format!("{at}.feed_forward"))?,
            ),
        })
    }

    /// The decoder layer whose parameters begin with `at`.
    pub(super) fn decoder_layer(&self, at: &str) -> Result<DecoderLayer, ModelError> {
        let residual = |name: &str| self.own_residual(&format!("{at}.{name}"));
        let cross = || {
            let attention = self.cross_attention(&format!("{at}.cross_attention"))?;
            Ok::<_, ModelError>((residual("cross_attention_norm")?, attention))
        };
        Ok(DecoderLayer {
            self_attention: (
                residual("self_attention_norm")?,
                self.self_attention(&format!("{at}.self_attention"))?,
            ),
            cross_attention: self.model.has_encoder().then(cross).transpose()?,
            feed_forward: (
                residual("feed_forward_norm")?,
                self.feed_forward(&format!("{at}.feed_forward"))?,
            ),
        })
    }

    fn bottleneck(&self, at: &str) -> Result<Bottleneck, ModelError> {
        let down = self.linear(&format!("{at}.down"))?;
        Ok(Bottleneck { down, up: self.linear(&format!("{at}.up"))? })
    }

    fn low_rank(&self, at: &str) -> Result<[Tensor; 2], ModelError> {
        Ok([self.take(&format!("{at}.a"))?, self.take(&format!("{at}.b"))?])
    }

    fn prefix(&self, at: &str) -> Result<Prefix, ModelError> {
        Ok([self.take(&format!("{at}.keys"))?, self.take(&format!("{at}.values"))?])
    }

    /// An adapter's layers by their place in the stack.
    pub(super) fn adapter(
        &self,
        spec: &AdapterSpec,
    ) -> Result<BTreeMap<usize, Rc<Adapter>>, ModelError> {
        let mut layers = BTreeMap::new();
        for &layer in &spec.layers {
            layers.insert(layer as usize, Rc::new(self.adapter_layer(spec, layer)?));
        }
        Ok(layers)
    }

    fn adapter_layer(&self, spec: &AdapterSpec, layer: u32) -> Result<Adapter, ModelError> {
        let at = format!("layers.{layer}");
        let behind_attention = format!("{at}.self_attention");
        let behind_feed_forward = format!("{at}.feed_forward");
        Ok(match spec.kind {
            AdapterKind::Lora { rank, alpha, on } => {
                let scale = alpha / f64::from(rank.max(1));
                match on {
                    LoraPlace::Attention => Adapter::LowRankAttention(LowRank {
                        query: self.low_rank(&format!("{at}.query"))?,
                        value: self.low_rank(&format!("{at}.value"))?,
                        scale,
                    }),
                    LoraPlace::FeedForward => {
                        let maps = self.low_rank(&behind_feed_forward)?;
                        Adapter::LowRankFeedForward { maps, scale }
                    }
                }
            }
            AdapterKind::Pfeiffer { .. } => {
                Adapter::Pfeiffer(self.bottleneck(&behind_feed_forward)?)
            }
            AdapterKind::Houlsby { .. } => Adapter::Houlsby {
                attention: self.bottleneck(&behind_attention)?,
                feed_forward: self.bottleneck(&behind_feed_forward)?,
            },
            AdapterKind::Bapna { .. } => Adapter::Bapna {
                norm: self.norm(&format!("{at}.norm"), Normalisation::LayerNorm)?,
                map: self.bottleneck(&at)?,
            },
            AdapterKind::Ff { .. } => Adapter::FeedForward(
                self.own_residual(&format!("{at}.feed_forward_norm"))?,
                self.feed_forward(&behind_feed_forward)?,
            ),
            AdapterKind::Prefix { .. } => Adapter::Prefix {
                own: self.prefix(&behind_attention)?,
                cross: (spec.side == StackSide::Decoder && self.model.has_encoder())
                    .then(|| self.prefix(&format!("{at}.cross_attention")))
                    .transpose()?,
            },
        })
    }

    /// The bridge's layers.
    pub(super) fn bridge(&self, spec: &BridgeSpec) -> Result<Bridge, ModelError> {
        let layers = spec.layers.iter().enumerate();
        let layers = layers.map(|(at, kind)| self.bridge_layer(spec, at, *kind));
        Ok(Bridge { layers: layers.collect::<Result<_, _>>()? })
    }

    fn bridge_layer(
        &self,
        spec: &BridgeSpec,
        at: usize,
        kind: BridgeLayer,
    ) -> Result<Layer, ModelError> {
        let at = format!("layers.{at}");
        let name = |part: &str| format!("{at}.{part}");
        let norm = || spec.normalisation.map(|kind| self.norm(&name("norm"), kind)).transpose();
        Ok(match kind {
            BridgeLayer::Lin => {
                Layer::Lin(self.linear(&name("first"))?, self.linear(&name("second"))?, norm()?)
            }
            BridgeLayer::Simple => Layer::Simple {
                queries: self.take(&name("queries"))?,
                key: self.linear(&name("key"))?,
                value: self.linear(&name("value"))?,
                norm: norm()?,
            },
            BridgeLayer::Transformer => {
                Layer::Transformer(self.encoder_layer_with(&at, spec.normalisation)?)
            }
            BridgeLayer::Perceiver => {
                let residual = |part: &str| {
                    self.residual(&name(&format!("{part}_norm")), spec.normalisation, Norm::Post)
                };
                let latents = self.take(&name("latents"))?;
                let cross = self.cross_attention(&name("cross_attention"))?;
                // Latents have no order: nothing turns them.
                let own =
                    SelfAttention { rotary: None, ..self.self_attention(&name("self_attention"))? };
                Layer::Perceiver(Box::new(Perceiver {
                    latents,
                    cross_attention: (residual("cross_attention")?, cross),
                    first: (residual("first")?, self.feed_forward(&name("first"))?),
                    self_attention: (residual("self_attention")?, own),
                    second: (residual("second")?, self.feed_forward(&name("second"))?),
                }))
            }
            BridgeLayer::FeedForward => Layer::FeedForward(
                self.linear(&name("inner"))?,
                self.linear(&name("outer"))?,
                norm()?,
            ),
        })
    }
}
