//! All modules of a rank as layers, and the ways of directions through them.

use std::collections::BTreeMap;
use std::rc::Rc;

use mmc_plan::path::ModulePath;
use mmc_plan::{ModuleKind, Plan, Positions as PositionKind, Precision, TaskSpec};
use tch::Kind;

use super::adapter::Adapter;
use super::bridge::Bridge;
use super::decoder::DecoderStack;
use super::direction::Direction;
use super::embedding::{Embedding, Positions, Rotary};
use super::encoder::{EncoderStack, StackAdapters};
use super::parts::Parts;
use super::weights::Weights;
use super::{ModelError, layout};

/// Modules by name, ready to compute with. Parameters are shared with their owner, so its updates take effect at once.
#[derive(Debug)]
pub struct Network {
    modules: BTreeMap<String, Module>,
    positions: Option<Rc<Positions>>,
    dropout: f64,
    kind: Option<Kind>,
}

#[derive(Debug, Clone)]
enum Module {
    Embedding(Rc<Embedding>),
    Encoder(Rc<EncoderStack>),
    Decoder(Rc<DecoderStack>),
    /// By layer.
    Adapter(BTreeMap<usize, Rc<Adapter>>),
    Bridge(Rc<Bridge>),
}

/// The names on a direction's way.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// Source embedding, then encoder stacks; nothing where there is no encoder.
    pub encoder: &'a [String],
    /// Between the two.
    pub bridge: Option<&'a String>,
    /// Target embedding, decoder stacks, then the head when the output is not tied.
    pub decoder: &'a [String],
    /// Stack -> its adapters, in order.
    pub adapters: Option<&'a BTreeMap<String, Vec<String>>>,
}

impl<'a> From<&'a TaskSpec> for Way<'a> {
    fn from(task: &'a TaskSpec) -> Self {
        let TaskSpec { encoder, bridge, decoder, adapters, .. } = task;
        Self { encoder, bridge: bridge.as_ref(), decoder, adapters: Some(adapters) }
    }
}

impl<'a> From<&'a ModulePath> for Way<'a> {
    fn from(path: &'a ModulePath) -> Self {
        let ModulePath { encoder, bridge, decoder, adapters } = path;
        Self { encoder, bridge: bridge.as_ref(), decoder, adapters: Some(adapters) }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a module of any other kind is misplaced")]
impl Network {
    /// The network of the modules given. Every parameter must be there and have the shape of its [`layout`].
    pub fn build(plan: &Plan, weights: &BTreeMap<String, Weights>) -> Result<Self, ModelError> {
        let rotary = match plan.model.positions {
            PositionKind::Rotary { dims, base } => Some(Rc::new(Rotary::new(dims, base))),
            PositionKind::Sinusoidal
            | PositionKind::Fairseq
            | PositionKind::Learned { .. }
            | PositionKind::None => None,
        };
        let mut modules = BTreeMap::new();
        for (name, weights) in weights {
            modules.insert(name.clone(), build_module(plan, name, weights, rotary.as_ref())?);
        }
        let positions = match plan.model.positions {
            PositionKind::Sinusoidal => Some(Rc::new(Positions::new(plan.model.dim))),
            PositionKind::Fairseq => Some(Rc::new(Positions::fairseq(plan.model.dim))),
            PositionKind::Learned { .. } | PositionKind::Rotary { .. } | PositionKind::None => None,
        };
        Ok(Self { modules, positions, dropout: plan.model.dropout, kind: None })
    }

    /// The same network with activations, and so products, in a precision. Otherwise they are of the parameters' kind.
    #[must_use]
    pub fn computing_in(self, precision: Precision) -> Self {
        let kind = match precision {
            Precision::Fp32 => Kind::Float,
            Precision::Fp64 => Kind::Double,
            Precision::Bf16 => Kind::BFloat16,
            Precision::Fp16 => Kind::Half,
        };
        Self { kind: Some(kind), ..self }
    }

    /// A direction's way. Names are looked up here, once.
    pub fn direction<'a>(&self, way: impl Into<Way<'a>>) -> Result<Direction, ModelError> {
        let Way { encoder, bridge, decoder, adapters } = way.into();
        let (source, encoder) = match encoder.split_first() {
            Some((source, encoder)) => (Some(self.embedding(source)?), encoder),
            None => (None, encoder),
        };
        let (target, decoder) = decoder.split_first().ok_or(ModelError::EmptyPath)?;
        let target = self.embedding(target)?;
        let (output, decoder) = match decoder.split_last() {
            Some((last, rest)) if matches!(self.module(last)?, Module::Embedding(_)) => {
                (self.embedding(last)?, rest)
            }
            _ => (Rc::clone(&target), decoder),
        };
        let adapted = |stack: &String| {
            let names = adapters.and_then(|adapters| adapters.get(stack));
            self.adapters(names.map_or(&[][..], Vec::as_slice))
        };
        let bridge = bridge.map(|name| self.bridge(name)).transpose()?;
        let decoder: Vec<(Rc<DecoderStack>, StackAdapters)> = decoder
            .iter()
            .map(|name| Ok((self.decoder(name)?, adapted(name)?)))
            .collect::<Result<_, ModelError>>()?;
        let mut layers = decoder.iter().flat_map(|(stack, _)| &stack.layers);
        if layers.any(|layer| layer.cross_attention.is_some() != source.is_some()) {
            return Err(ModelError::Encoder);
        }
        Ok(Direction {
            source,
            encoder: encoder
                .iter()
                .map(|name| Ok((self.encoder(name)?, adapted(name)?)))
                .collect::<Result<_, ModelError>>()?,
            bridge,
            target,
            decoder,
            output,
            positions: self.positions.clone(),
            dropout: self.dropout,
            kind: self.kind,
        })
    }

    /// The adapters of a stack by layer, each layer's in the order of the names.
    fn adapters(&self, names: &[String]) -> Result<StackAdapters, ModelError> {
        let mut layers = StackAdapters::new();
        for name in names {
            let Module::Adapter(own) = self.module(name)? else {
                return Err(misplaced(name, "an adapter"));
            };
            for (&at, adapter) in own {
                if layers.len() <= at {
                    layers.resize_with(at + 1, Vec::new);
                }
                if let Some(layer) = layers.get_mut(at) {
                    layer.push(Rc::clone(adapter));
                }
            }
        }
        Ok(layers)
    }

    fn bridge(&self, name: &str) -> Result<Rc<Bridge>, ModelError> {
        match self.module(name)? {
            Module::Bridge(bridge) => Ok(Rc::clone(bridge)),
            _ => Err(misplaced(name, "a bridge")),
        }
    }

    fn module(&self, name: &str) -> Result<&Module, ModelError> {
        self.modules.get(name).ok_or_else(|| ModelError::NoWeights(name.to_owned()))
    }

    fn embedding(&self, name: &str) -> Result<Rc<Embedding>, ModelError> {
        match self.module(name)? {
            Module::Embedding(embedding) => Ok(Rc::clone(embedding)),
            _ => Err(misplaced(name, "an embedding")),
        }
    }

    fn encoder(&self, name: &str) -> Result<Rc<EncoderStack>, ModelError> {
        match self.module(name)? {
            Module::Encoder(stack) => Ok(Rc::clone(stack)),
            _ => Err(misplaced(name, "an encoder stack")),
        }
    }

    fn decoder(&self, name: &str) -> Result<Rc<DecoderStack>, ModelError> {
        match self.module(name)? {
            Module::Decoder(stack) => Ok(Rc::clone(stack)),
            _ => Err(misplaced(name, "a decoder stack")),
        }
    }
}

fn misplaced(module: &str, wanted: &'static str) -> ModelError {
    ModelError::Kind { module: module.to_owned(), wanted }
}

fn build_module(
    plan: &Plan,
    name: &str,
    weights: &Weights,
    rotary: Option<&Rc<Rotary>>,
) -> Result<Module, ModelError> {
    for parameter in layout(plan, name)? {
        let found = weights.take(name, &parameter.name)?.size();
        if found != parameter.shape {
            let (module, expected) = (name.to_owned(), parameter.shape);
            return Err(ModelError::Shape { module, parameter: parameter.name, found, expected });
        }
    }
    let unknown = || ModelError::UnknownModule(name.to_owned());
    let spec = plan.modules.get(name).ok_or_else(unknown)?;
    let parts = Parts { model: &plan.model, module: name, weights, rotary };
    Ok(match &spec.kind {
        ModuleKind::Embedding { .. } | ModuleKind::Head { .. } => {
            Module::Embedding(Rc::new(Embedding {
                weight: weights.take(name, "weight")?,
                positions: weights.find("positions"),
                scale: plan.model.embeddings.scale,
            }))
        }
        ModuleKind::EncoderStack { layers, closed } => {
            let layers = (0..*layers).map(|at| parts.encoder_layer(&format!("layers.{at}")));
            let layers = layers.collect::<Result<_, _>>()?;
            Module::Encoder(Rc::new(EncoderStack { layers, norm: parts.closing_norm(*closed)? }))
        }
        ModuleKind::DecoderStack { layers, closed } => {
            let layers = (0..*layers).map(|at| parts.decoder_layer(&format!("layers.{at}")));
            let layers = layers.collect::<Result<_, _>>()?;
            Module::Decoder(Rc::new(DecoderStack { layers, norm: parts.closing_norm(*closed)? }))
        }
        ModuleKind::Adapter { adapter } => {
            let spec = plan.model.adapters.iter().find(|spec| spec.name == *adapter);
            Module::Adapter(parts.adapter(spec.ok_or_else(unknown)?)?)
        }
        ModuleKind::Bridge => {
            let spec = plan.model.bridge.as_ref().ok_or_else(unknown)?;
            Module::Bridge(Rc::new(parts.bridge(spec)?))
        }
    })
}
