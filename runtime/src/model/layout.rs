//! A module's parameters: names, shapes and initial values, in the order in which they lie in the module's flat storage.

use mmc_plan::{
    AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, Initial, LoraPlace, ModelSpec, ModuleKind,
    Normalisation, Plan, Positions, StackSide,
};

use super::ModelError;

/// One parameter of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// Name within the module, e.g. `layers.0.feed_forward.inner.weight`.
    pub name: String,
    /// Shape, outermost first; matrices are `[outputs, inputs]`.
    pub shape: Vec<i64>,
    /// Distribution of its initial values.
    pub init: Init,
}

impl ParameterSpec {
    /// Elements.
    pub fn elements(&self) -> i64 {
        self.shape.iter().product()
    }
}

/// Distribution of initial values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Uniform in `±sqrt(6 / (inputs + outputs))` (Glorot and Bengio 2010, equation 16), with the outputs of one of
    /// `parts` equal matrices that lie below each other in the parameter (queries, keys and values are such parts).
    XavierUniform {
        /// Matrices in the parameter.
        parts: i64,
    },
    /// Uniform in `±1 / sqrt(inputs)`, as torch's linear maps.
    Uniform {
        /// Of the map.
        inputs: i64,
    },
    /// Normal around 0 with variance `2 / inputs` (He et al. 2015, equation 10).
    Kaiming {
        /// Of the map.
        inputs: i64,
    },
    /// Normal around 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
}

/// The parameters of a module in the order of its flat storage; their elements sum to the plan's count.
pub fn layout(plan: &Plan, module: &str) -> Result<Vec<ParameterSpec>, ModelError> {
    let spec =
        plan.modules.get(module).ok_or_else(|| ModelError::UnknownModule(module.to_owned()))?;
    let model = &plan.model;
    let mut parameters = Parameters { model, listed: Vec::new() };
    match &spec.kind {
        ModuleKind::Embedding { vocabulary } | ModuleKind::Head { vocabulary } => {
            let size = plan.vocabularies.get(vocabulary).ok_or_else(|| {
                let (module, vocabulary) = (module.to_owned(), vocabulary.clone());
                ModelError::UnknownVocabulary { module, vocabulary }
            })?;
            parameters.embedding(i64::from(size.size()));
            if let (ModuleKind::Embedding { .. }, Positions::Learned { length }) =
                (&spec.kind, model.positions)
            {
                parameters.rows("positions", i64::from(length));
            }
        }
        ModuleKind::EncoderStack { layers, closed } => parameters.stack(*layers, *closed, false),
        ModuleKind::DecoderStack { layers, closed } => {
            parameters.stack(*layers, *closed, model.has_encoder());
        }
        ModuleKind::Adapter { adapter } => {
            let spec = model.adapters.iter().find(|spec| spec.name == *adapter);
            parameters.adapter(spec.ok_or_else(|| ModelError::UnknownModule(module.to_owned()))?);
        }
        ModuleKind::Bridge => {
            let spec = model.bridge.as_ref();
            parameters.bridge(spec.ok_or_else(|| ModelError::UnknownModule(module.to_owned()))?);
        }
    }
    let laid_out =
        parameters.listed.iter().map(|p| u64::try_from(p.elements()).unwrap_or(0)).sum::<u64>();
    if laid_out != spec.parameters {
        let (module, declared) = (module.to_owned(), spec.parameters);
        return Err(ModelError::Count { module, laid_out, declared });
    }
    Ok(parameters.listed)
}

/// Collects a module's parameters.
struct Parameters<'a> {
    model: &'a ModelSpec,
    listed: Vec<ParameterSpec>,
}

impl Parameters<'_> {
    fn push(&mut self, name: String, shape: &[i64], init: Init) {
        self.listed.push(ParameterSpec { name, shape: shape.to_vec(), init });
    }

    /// Rows of norm about 1, so that tied logits of normalised states start with variance about 1; torch's are larger by a
    /// root of 2.
    fn embedding(&mut self, size: i64) {
        self.rows("weight", size);
    }

    fn rows(&mut self, name: &str, size: i64) {
        let dim = f64::from(self.model.dim);
        let std = match self.model.init {
            Initial::Xavier => dim.recip().sqrt(),
            Initial::Torch | Initial::Kaiming => (2.0 / dim).sqrt(),
            Initial::Normal { std } => std,
        };
        self.push(name.to_owned(), &[size, self.d()], Init::Normal { std });
    }

    /// Rows that stand for states, keys or values.
    fn states(&mut self, name: String, shape: &[i64]) {
        let std = match self.model.init {
            Initial::Xavier | Initial::Torch | Initial::Kaiming => {
                f64::from(self.model.dim).sqrt().recip()
            }
            Initial::Normal { std } => std,
        };
        self.push(name, shape, Init::Normal { std });
    }

    /// With `cross`, every layer sees an encoder.
    fn stack(&mut self, layers: u32, closed: bool, cross: bool) {
        let norm = self.model.normalisation;
        for layer in 0..layers {
            let at = format!("layers.{layer}");
            self.norm(&format!("{at}.self_attention_norm"), norm);
            self.self_attention(&format!("{at}.self_attention"));
            if cross {
                self.norm(&format!("{at}.cross_attention_norm"), norm);
                self.cross_attention(&format!("{at}.cross_attention"));
            }
            self.norm(&format!("{at}.feed_forward_norm"), norm);
            self.feed_forward(&format!("{at}.feed_forward"), i64::from(self.model.ffn));
        }
        if closed {
            self.norm("norm", norm);
        }
    }

    /// Width of all heads together.
    fn q(&self) -> i64 {
        i64::from(self.model.heads) * i64::from(self.model.head_dim)
    }

    fn d(&self) -> i64 {
        i64::from(self.model.dim)
    }

    fn self_attention(&mut self, at: &str) {
        let (d, q, bias) = (self.d(), self.q(), self.model.attention_bias);
        self.linear(&format!("{at}.qkv"), [q, d], 3, bias);
        self.linear(&format!("{at}.out"), [d, q], 1, bias);
    }

    fn cross_attention(&mut self, at: &str) {
        let (d, q, bias) = (self.d(), self.q(), self.model.attention_bias);
        self.linear(&format!("{at}.query"), [q, d], 1, bias);
        self.linear(&format!("{at}.key_value"), [q, d], 2, bias);
        self.linear(&format!("{at}.out"), [d, q], 1, bias);
    }

    fn feed_forward(&mut self, at: &str, f: i64) {
        let (d, bias) = (self.d(), self.model.ffn_bias);
        let parts = if self.model.activation.is_gated() { 2 } else { 1 };
        self.linear(&format!("{at}.inner"), [f, d], parts, bias);
        self.linear(&format!("{at}.outer"), [d, f], 1, bias);
    }

    fn norm(&mut self, name: &str, kind: Normalisation) {
        let d = self.d();
        match kind {
            Normalisation::LayerNorm => {
                self.push(format!("{name}.weight"), &[d], Init::Ones);
                self.push(format!("{name}.bias"), &[d], Init::Zeros);
            }
            Normalisation::Rms => self.push(format!("{name}.weight"), &[d], Init::Ones),
            Normalisation::RmsPlain => {}
        }
    }

    fn linear(&mut self, name: &str, [outputs, inputs]: [i64; 2], parts: i64, bias: bool) {
        let shape = [parts * outputs, inputs];
        let (weight, offset) = match self.model.init {
            Initial::Xavier => (Init::XavierUniform { parts }, Init::Zeros),
            Initial::Torch => {
                let bound = Init::Uniform { inputs };
                (bound, bound)
            }
            Initial::Kaiming => (Init::Kaiming { inputs }, Init::Zeros),
            Initial::Normal { std } => (Init::Normal { std }, Init::Zeros),
        };
        self.push(format!("{name}.weight"), &shape, weight);
        if bias {
            self.push(format!("{name}.bias"), &[parts * outputs], offset);
        }
    }

    /// A map that begins as zero.
    fn silent(&mut self, name: &str, [outputs, inputs]: [i64; 2]) {
        self.push(format!("{name}.weight"), &[outputs, inputs], Init::Zeros);
        self.push(format!("{name}.bias"), &[outputs], Init::Zeros);
    }

    fn bottleneck(&mut self, at: &str, hidden: u32) {
        let (d, hidden) = (self.d(), i64::from(hidden));
        self.linear(&format!("{at}.down"), [hidden, d], 1, true);
        self.silent(&format!("{at}.up"), [d, hidden]);
    }

    fn low_rank(&mut self, at: &str, [outputs, inputs]: [i64; 2], rank: u32) {
        let rank = i64::from(rank);
        // Hu et al. 2022, section 4.1: the first map random, the second zero.
        self.push(format!("{at}.a"), &[rank, inputs], Init::Uniform { inputs });
        self.push(format!("{at}.b"), &[outputs, rank], Init::Zeros);
    }

    fn adapter(&mut self, spec: &AdapterSpec) {
        let (d, q) = (self.d(), self.q());
        for layer in &spec.layers {
            let at = format!("layers.{layer}");
            match spec.kind {
                AdapterKind::Lora { rank, on: LoraPlace::FeedForward, .. } => {
                    self.low_rank(&format!("{at}.feed_forward"), [d, d], rank);
                }
                AdapterKind::Lora { rank, on: LoraPlace::Attention, .. } => {
                    self.low_rank(&format!("{at}.query"), [q, d], rank);
                    self.low_rank(&format!("{at}.value"), [q, d], rank);
                }
                AdapterKind::Pfeiffer { hidden } => {
                    self.bottleneck(&format!("{at}.feed_forward"), hidden);
                }
                AdapterKind::Houlsby { hidden } => {
                    self.bottleneck(&format!("{at}.self_attention"), hidden);
                    self.bottleneck(&format!("{at}.feed_forward"), hidden);
                }
                AdapterKind::Bapna { hidden } => {
                    self.norm(&format!("{at}.norm"), Normalisation::LayerNorm);
                    self.bottleneck(&at, hidden);
                }
                AdapterKind::Ff { hidden } => {
                    self.norm(&format!("{at}.feed_forward_norm"), self.model.normalisation);
                    self.feed_forward(&format!("{at}.feed_forward"), i64::from(hidden));
                    self.quiet(&format!("{at}.feed_forward.outer"));
                }
                AdapterKind::Prefix { length } => {
                    let both = ["self_attention", "cross_attention"];
                    let crossed = spec.side == StackSide::Decoder && self.model.has_encoder();
                    let attentions = if crossed { 2 } else { 1 };
                    for attention in both.iter().take(attentions) {
                        for part in ["keys", "values"] {
                            let name = format!("{at}.{attention}.{part}");
                            self.states(name, &[i64::from(length), q]);
                        }
                    }
                }
            }
        }
    }

    /// Makes the parameters of a map begin as zero.
    fn quiet(&mut self, map: &str) {
        for parameter in &mut self.listed {
            if parameter.name.strip_prefix(map).is_some_and(|rest| rest.starts_with('.')) {
                parameter.init = Init::Zeros;
            }
        }
    }

    fn bridge(&mut self, spec: &BridgeSpec) {
        let (d, u, r) = (self.d(), i64::from(spec.hidden), i64::from(spec.fixed));
        let norms = |parameters: &mut Self, at: &str, names: &[&str]| {
            for name in names {
                if let Some(kind) = spec.normalisation {
                    parameters.norm(&format!("{at}.{name}"), kind);
                }
            }
        };
        for (layer, kind) in spec.layers.iter().enumerate() {
            let at = format!("layers.{layer}");
            match kind {
                BridgeLayer::Lin => {
                    self.linear(&format!("{at}.first"), [u, d], 1, true);
                    self.linear(&format!("{at}.second"), [r, u], 1, true);
                    norms(self, &at, &["norm"]);
                }
                BridgeLayer::Simple => {
                    self.states(format!("{at}.queries"), &[r, u]);
                    self.linear(&format!("{at}.key"), [u, d], 1, true);
                    self.linear(&format!("{at}.value"), [d, d], 1, true);
                    norms(self, &at, &["norm"]);
                }
                BridgeLayer::Transformer => {
                    norms(self, &at, &["self_attention_norm"]);
                    self.self_attention(&format!("{at}.self_attention"));
                    norms(self, &at, &["feed_forward_norm"]);
                    self.feed_forward(&format!("{at}.feed_forward"), i64::from(self.model.ffn));
                }
                BridgeLayer::Perceiver => {
                    self.states(format!("{at}.latents"), &[r, d]);
                    self.cross_attention(&format!("{at}.cross_attention"));
                    self.feed_forward(&format!("{at}.first"), i64::from(self.model.ffn));
                    self.self_attention(&format!("{at}.self_attention"));
                    self.feed_forward(&format!("{at}.second"), i64::from(self.model.ffn));
                    let places = ["cross_attention", "first", "self_attention", "second"];
                    norms(
                        self,
                        &at,
                        &places.map(|place| format!("{place}_norm")).each_ref().map(String::as_str),
                    );
                }
                BridgeLayer::FeedForward => {
                    self.linear(&format!("{at}.inner"), [u, d], 1, true);
                    self.linear(&format!("{at}.outer"), [d, u], 1, true);
                    norms(self, &at, &["norm"]);
                }
            }
        }
    }
}
