//! A module's parameters: names, shapes and initial values, in the order in which they lie in the module's flat storage.

use mmc_plan::{ModelSpec, ModuleKind, Norm, Plan};

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
    super::unbuilt::refuse(plan)?;
    let spec =
        plan.modules.get(module).ok_or_else(|| ModelError::UnknownModule(module.to_owned()))?;
    let model = &plan.model;
    if model.heads == 0 || !model.dim.is_multiple_of(model.heads) {
        return Err(ModelError::Heads { dim: model.dim, heads: model.heads });
    }
    let mut parameters = Parameters { model, listed: Vec::new() };
    match &spec.kind {
        ModuleKind::Embedding { vocabulary } | ModuleKind::Head { vocabulary } => {
            let size = plan.vocabularies.get(vocabulary).ok_or_else(|| {
                let (module, vocabulary) = (module.to_owned(), vocabulary.clone());
                ModelError::UnknownVocabulary { module, vocabulary }
            })?;
            parameters.embedding(i64::from(size.size()));
        }
        ModuleKind::EncoderStack { layers, .. } => parameters.stack(*layers, false),
        ModuleKind::DecoderStack { layers, .. } => parameters.stack(*layers, true),
        ModuleKind::Adapter { .. } | ModuleKind::Bridge => {
            return Err(ModelError::NotBuilt(format!("module `{module}`")));
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

    /// Rows of norm about 1, so that tied logits of normalised states start with variance about 1.
    fn embedding(&mut self, size: i64) {
        let std = f64::from(self.model.dim).sqrt().recip();
        let dim = i64::from(self.model.dim);
        self.push("weight".to_owned(), &[size, dim], Init::Normal { std });
    }

    fn stack(&mut self, layers: u32, decoder: bool) {
        let (d, f) = (i64::from(self.model.dim), i64::from(self.model.ffn));
        for layer in 0..layers {
            let at = format!("layers.{layer}");
            self.norm(&format!("{at}.self_attention_norm"));
            self.linear(&format!("{at}.self_attention.qkv"), d, d, 3);
            self.linear(&format!("{at}.self_attention.out"), d, d, 1);
            if decoder {
                self.norm(&format!("{at}.cross_attention_norm"));
                self.linear(&format!("{at}.cross_attention.query"), d, d, 1);
                self.linear(&format!("{at}.cross_attention.key_value"), d, d, 2);
                self.linear(&format!("{at}.cross_attention.out"), d, d, 1);
            }
            self.norm(&format!("{at}.feed_forward_norm"));
            self.linear(&format!("{at}.feed_forward.inner"), f, d, 1);
            self.linear(&format!("{at}.feed_forward.outer"), d, f, 1);
        }
        if self.model.norm == Norm::Pre {
            self.norm("norm");
        }
    }

    fn norm(&mut self, name: &str) {
        let d = i64::from(self.model.dim);
        self.push(format!("{name}.weight"), &[d], Init::Ones);
        self.push(format!("{name}.bias"), &[d], Init::Zeros);
    }

    fn linear(&mut self, name: &str, outputs: i64, inputs: i64, parts: i64) {
        let shape = [parts * outputs, inputs];
        self.push(format!("{name}.weight"), &shape, Init::XavierUniform { parts });
        self.push(format!("{name}.bias"), &[parts * outputs], Init::Zeros);
    }
}
