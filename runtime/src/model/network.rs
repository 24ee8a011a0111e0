//! All modules of a rank as layers, and the ways of directions through them.

use std::collections::BTreeMap;
use std::rc::Rc;

use mmc_plan::{ModelSpec, ModuleKind, Norm, Plan, Positions as PositionKind};
use tch::Tensor;

use super::attention::{CrossAttention, Heads, SelfAttention};
use super::decoder::{DecoderLayer, DecoderStack};
use super::direction::Direction;
use super::embedding::{Embedding, Positions};
use super::encoder::{EncoderLayer, EncoderStack};
use super::feed_forward::FeedForward;
use super::linear::{LayerNorm, Linear};
use super::sublayer::Residual;
use super::weights::Weights;
use super::{ModelError, layout};

/// Modules by name, ready to compute with. Parameters are shared with their owner, so its updates take effect at once.
#[derive(Debug)]
pub struct Network {
    modules: BTreeMap<String, Module>,
    positions: Option<Rc<Positions>>,
    dropout: f64,
}

#[derive(Debug, Clone)]
enum Module {
    Embedding(Rc<Embedding>),
    Encoder(Rc<EncoderStack>),
    Decoder(Rc<DecoderStack>),
}

impl Network {
    /// The network of the modules given. Every parameter must be there and have the shape of its [`layout`].
    pub fn build(plan: &Plan, weights: &BTreeMap<String, Weights>) -> Result<Self, ModelError> {
        let mut modules = BTreeMap::new();
        for (name, weights) in weights {
            modules.insert(name.clone(), build_module(plan, name, weights)?);
        }
        let positions = match plan.model.positions {
            PositionKind::Sinusoidal => Some(Rc::new(Positions::new(plan.model.dim))),
            PositionKind::None => None,
            PositionKind::Learned { .. } | PositionKind::Rotary { .. } => {
                return Err(ModelError::NotBuilt(format!("{:?}", plan.model.positions)));
            }
        };
        Ok(Self { modules, positions, dropout: plan.model.dropout })
    }

    /// A direction's way: source embedding and encoder stacks, target embedding, decoder stacks and, when the output is not
    /// tied, the head. Names are looked up here, once.
    pub fn direction(
        &self,
        encoder: &[String],
        decoder: &[String],
    ) -> Result<Direction, ModelError> {
        let (source, encoder) = encoder.split_first().ok_or(ModelError::EmptyPath)?;
        let (target, decoder) = decoder.split_first().ok_or(ModelError::EmptyPath)?;
        let target = self.embedding(target)?;
        let (output, decoder) = match decoder.split_last() {
            Some((last, rest)) if matches!(self.module(last)?, Module::Embedding(_)) => {
                (self.embedding(last)?, rest)
            }
            _ => (Rc::clone(&target), decoder),
        };
        Ok(Direction {
            source: self.embedding(source)?,
            encoder: encoder.iter().map(|name| self.encoder(name)).collect::<Result<_, _>>()?,
            target,
            decoder: decoder.iter().map(|name| self.decoder(name)).collect::<Result<_, _>>()?,
            output,
            positions: self.positions.clone(),
            dropout: self.dropout,
        })
    }

    fn module(&self, name: &str) -> Result<&Module, ModelError> {
        self.modules.get(name).ok_or_else(|| ModelError::NoWeights(name.to_owned()))
    }

    fn embedding(&self, name: &str) -> Result<Rc<Embedding>, ModelError> {
        match self.module(name)? {
            Module::Embedding(embedding) => Ok(Rc::clone(embedding)),
            Module::Encoder(_) | Module::Decoder(_) => Err(misplaced(name, "an embedding")),
        }
    }

    fn encoder(&self, name: &str) -> Result<Rc<EncoderStack>, ModelError> {
        match self.module(name)? {
            Module::Encoder(stack) => Ok(Rc::clone(stack)),
            Module::Embedding(_) | Module::Decoder(_) => Err(misplaced(name, "an encoder stack")),
        }
    }

    fn decoder(&self, name: &str) -> Result<Rc<DecoderStack>, ModelError> {
        match self.module(name)? {
            Module::Decoder(stack) => Ok(Rc::clone(stack)),
            Module::Embedding(_) | Module::Encoder(_) => Err(misplaced(name, "a decoder stack")),
        }
    }
}

fn misplaced(module: &str, wanted: &'static str) -> ModelError {
    ModelError::Kind { module: module.to_owned(), wanted }
}

fn build_module(plan: &Plan, name: &str, weights: &Weights) -> Result<Module, ModelError> {
    for parameter in layout(plan, name)? {
        let found = weights.take(name, &parameter.name)?.size();
        if found != parameter.shape {
            let (module, expected) = (name.to_owned(), parameter.shape);
            return Err(ModelError::Shape { module, parameter: parameter.name, found, expected });
        }
    }
    let spec = plan.modules.get(name).ok_or_else(|| ModelError::UnknownModule(name.to_owned()))?;
    let parts = Parts { model: &plan.model, module: name, weights };
    Ok(match &spec.kind {
        ModuleKind::Embedding { .. } | ModuleKind::Head { .. } => {
            Module::Embedding(Rc::new(Embedding { weight: weights.take(name, "weight")? }))
        }
        ModuleKind::EncoderStack { layers, .. } => {
            let layers = (0..*layers).map(|at| parts.encoder_layer(at));
            let layers = layers.collect::<Result<_, _>>()?;
            Module::Encoder(Rc::new(EncoderStack { layers, norm: parts.closing_norm()? }))
        }
        ModuleKind::DecoderStack { layers, .. } => {
            let layers = (0..*layers).map(|at| parts.decoder_layer(at));
            let layers = layers.collect::<Result<_, _>>()?;
            Module::Decoder(Rc::new(DecoderStack { layers, norm: parts.closing_norm()? }))
        }
        ModuleKind::Adapter { .. } | ModuleKind::Bridge => {
            return Err(ModelError::NotBuilt(format!("module `{name}`")));
        }
    })
}

/// Makes the layers of one module from its weights.
struct Parts<'a> {
    model: &'a ModelSpec,
    module: &'a str,
    weights: &'a Weights,
}

impl Parts<'_> {
    fn take(&self, name: &str) -> Result<Tensor, ModelError> {
        self.weights.take(self.module, name)
    }

    fn linear(&self, name: &str) -> Result<Linear, ModelError> {
        let weight = self.take(&format!("{name}.weight"))?;
        Ok(Linear { weight, bias: self.take(&format!("{name}.bias"))? })
    }

    fn norm(&self, name: &str) -> Result<LayerNorm, ModelError> {
        let weight = self.take(&format!("{name}.weight"))?;
        Ok(LayerNorm { weight, bias: self.take(&format!("{name}.bias"))? })
    }

    fn closing_norm(&self) -> Result<Option<LayerNorm>, ModelError> {
        match self.model.norm {
            Norm::Pre => self.norm("norm").map(Some),
            Norm::Post => Ok(None),
        }
    }

    fn residual(&self, name: &str) -> Result<Residual, ModelError> {
        let norm = self.norm(name)?;
        Ok(Residual { norm, place: self.model.norm, dropout: self.model.dropout })
    }

    fn heads(&self) -> Heads {
        Heads { count: i64::from(self.model.heads), dropout: self.model.attention_dropout }
    }

    fn self_attention(&self, at: &str) -> Result<(Residual, SelfAttention), ModelError> {
        let qkv = self.linear(&format!("{at}.self_attention.qkv"))?;
        let out = self.linear(&format!("{at}.self_attention.out"))?;
        let residual = self.residual(&format!("{at}.self_attention_norm"))?;
        Ok((residual, SelfAttention { qkv, out, heads: self.heads() }))
    }

    fn cross_attention(&self, at: &str) -> Result<(Residual, CrossAttention), ModelError> {
        let query = self.linear(&format!("{at}.cross_attention.query"))?;
        let key_value = self.linear(&format!("{at}.cross_attention.key_value"))?;
        let out = self.linear(&format!("{at}.cross_attention.out"))?;
        let residual = self.residual(&format!("{at}.cross_attention_norm"))?;
        Ok((residual, CrossAttention { query, key_value, out, heads: self.heads() }))
    }

    fn feed_forward(&self, at: &str) -> Result<(Residual, FeedForward), ModelError> {
        let inner = self.linear(&format!("{at}.feed_forward.inner"))?;
        let outer = self.linear(&format!("{at}.feed_forward.outer"))?;
        let (activation, dropout) = (self.model.activation, self.model.dropout);
        let residual = self.residual(&format!("{at}.feed_forward_norm"))?;
        Ok((residual, FeedForward { inner, outer, activation, dropout }))
    }

    fn encoder_layer(&self, at: u32) -> Result<EncoderLayer, ModelError> {
        let at = format!("layers.{at}");
        let self_attention = self.self_attention(&at)?;
        Ok(EncoderLayer { self_attention, feed_forward: self.feed_forward(&at)? })
    }

    fn decoder_layer(&self, at: u32) -> Result<DecoderLayer, ModelError> {
        let at = format!("layers.{at}");
        let self_attention = self.self_attention(&at)?;
        let cross_attention = self.cross_attention(&at)?;
        Ok(DecoderLayer { self_attention, cross_attention, feed_forward: self.feed_forward(&at)? })
    }
}
