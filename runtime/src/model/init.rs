//! Initial values of a parameter: a pure function of seed, module and parameter name, alike on every machine.
//!
//! Made in Rust, not by libtorch, so that they depend neither on the order in which modules are made nor on the device.

use mmc_plan::random::{Purpose, Stream, name_key};
use tch::Tensor;

use super::layout::{Init, ParameterSpec};

/// The initial values of a parameter in its shape, 64-bit, on the CPU.
pub fn fill(seed: u64, module: &str, parameter: &ParameterSpec) -> Tensor {
    let key = [name_key(module), name_key(&parameter.name)];
    let mut stream = Stream::new(seed, Purpose::Init, &key);
    let count = usize::try_from(parameter.elements()).unwrap_or(0);
    let values: Vec<f64> = match parameter.init {
        Init::XavierUniform { parts } => {
            let bound = xavier_bound(&parameter.shape, parts);
            (0..count).map(|_| bound * (2.0 * stream.unit() - 1.0)).collect()
        }
        Init::Uniform { inputs } => {
            let bound = root(inputs).recip();
            (0..count).map(|_| bound * (2.0 * stream.unit() - 1.0)).collect()
        }
        Init::Kaiming { inputs } => {
            let std = std::f64::consts::SQRT_2 / root(inputs);
            (0..count).map(|_| std * normal(&mut stream)).collect()
        }
        Init::Normal { std } => (0..count).map(|_| std * normal(&mut stream)).collect(),
        Init::Zeros => vec![0.0; count],
        Init::Ones => vec![1.0; count],
    };
    Tensor::from_slice(&values).view(parameter.shape.as_slice())
}

#[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
fn root(inputs: i64) -> f64 {
    (inputs.max(1) as f64).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
fn xavier_bound(shape: &[i64], parts: i64) -> f64 {
    let (rows, columns) = match shape {
        [rows, columns] => (*rows, *columns),
        _ => (shape.iter().product(), 1),
    };
    (6.0 / (rows / parts.max(1) + columns).max(1) as f64).sqrt()
}

/// A standard normal number (Box and Muller 1958; the cosine branch only).
fn normal(stream: &mut Stream) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - stream.unit())).sqrt();
    radius * libm::cos(std::f64::consts::TAU * stream.unit())
}

#[cfg(test)]
mod tests {
    use mmc_plan::sample::Sample;
    use mmc_plan::{
        Activation, AdapterKind, AdapterSpec, BridgeLayer, BridgeSpec, Initial, LoraPlace,
        Normalisation, Plan, Positions, Sharing, StackSide,
    };

    use super::super::layout::layout;
    use super::*;

    fn parameter(shape: &[i64], init: Init) -> ParameterSpec {
        ParameterSpec { name: "weight".to_owned(), shape: shape.to_vec(), init }
    }

    #[test]
    fn a_parameter_depends_on_seed_and_names_only() {
        let spec = parameter(&[30, 10], Init::Normal { std: 0.5 });
        let first = fill(7, "encoder.0.full", &spec);
        assert!(first.equal(&fill(7, "encoder.0.full", &spec)));
        assert!(!first.equal(&fill(8, "encoder.0.full", &spec)));
        assert!(!first.equal(&fill(7, "encoder.1.full", &spec)));
    }

    #[test]
    fn values_have_their_distribution() {
        let uniform = fill(1, "m", &parameter(&[300, 100], Init::XavierUniform { parts: 3 }));
        let bound = (6.0_f64 / 200.0).sqrt();
        assert!(uniform.abs().max().double_value(&[]) <= bound);
        let expected = bound / 3.0_f64.sqrt();
        assert!((uniform.std(false).double_value(&[]) / expected - 1.0).abs() < 0.02);
        let normal = fill(1, "m", &parameter(&[200, 100], Init::Normal { std: 2.0 }));
        assert!(normal.mean(None).double_value(&[]).abs() < 0.05);
        assert!((normal.std(false).double_value(&[]) / 2.0 - 1.0).abs() < 0.02);
    }
    /// A plan with a module of every kind: all layers of bridges, all adapters on both sides.
    fn broad(init: Initial) -> Plan {
        let mut sample = Sample::new(&["a", "b"], 1, &[&[0]]);
        let model = &mut sample.model;
        (model.dim, model.heads, model.head_dim, model.ffn) = (32, 2, 20, 48);
        (model.activation, model.positions) =
            (Activation::Swiglu, Positions::Learned { length: 50 });
        (model.embeddings.tie_source, model.embeddings.tie_output, model.init) =
            (false, false, init);
        let lora = |on| AdapterKind::Lora { rank: 8, alpha: 8.0, on };
        let kinds = [
            lora(LoraPlace::Attention),
            lora(LoraPlace::FeedForward),
            AdapterKind::Pfeiffer { hidden: 10 },
            AdapterKind::Houlsby { hidden: 10 },
            AdapterKind::Bapna { hidden: 10 },
            AdapterKind::Ff { hidden: 10 },
            AdapterKind::Prefix { length: 10 },
        ];
        let adapters = kinds.iter().enumerate().flat_map(|(at, kind)| {
            [StackSide::Encoder, StackSide::Decoder].map(|side| AdapterSpec {
                name: format!("a{at}_{}", side.word()),
                side,
                stack: 0,
                layers: vec![0],
                kind: *kind,
                sharing: Sharing::Full,
            })
        });
        model.adapters = adapters.collect();
        model.adapters.sort_by(|a, b| a.name.cmp(&b.name));
        model.bridge = Some(BridgeSpec {
            layers: vec![
                BridgeLayer::Transformer,
                BridgeLayer::FeedForward,
                BridgeLayer::Lin,
                BridgeLayer::Simple,
                BridgeLayer::Perceiver,
            ],
            hidden: 24,
            fixed: 9,
            normalisation: Some(Normalisation::LayerNorm),
            sharing: Sharing::Full,
        });
        sample.plan()
    }

    /// What values are drawn from.
    #[derive(Debug)]
    enum Draw {
        All(f64),
        /// In `±bound`.
        Uniform(f64),
        /// Of a deviation.
        Normal(f64),
    }

    impl Draw {
        /// What `docs/model.md` says of a parameter by its name and shape, in a map of so many inputs.
        fn of(module: &str, name: &str, shape: &[i64], inputs: i64, init: Initial) -> Self {
            let has = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
            let (adapts, size) = (module.starts_with("adapter."), |n: i64| root(n).powi(2));
            if has(&["norm.weight", "norm.bias"]) {
                return Self::All(if has(&["weight"]) { 1.0 } else { 0.0 });
            }
            let last = ["up.weight", "up.bias", ".b", "feed_forward.outer.weight"];
            if adapts && (has(&last) || has(&["feed_forward.outer.bias"])) {
                return Self::All(0.0);
            }
            if has(&[".a"]) {
                return Self::Uniform(size(inputs).sqrt().recip());
            }
            let of_inputs = |times: f64| (times / size(inputs)).sqrt();
            if has(&["bias"]) {
                let torch = init == Initial::Torch;
                return if torch { Self::Uniform(of_inputs(1.0)) } else { Self::All(0.0) };
            }
            let is_table = ["weight", "positions"].contains(&name);
            if is_table || has(&["keys", "values", "queries", "latents"]) {
                return Self::Normal(match init {
                    Initial::Torch | Initial::Kaiming if is_table => 0.25,
                    Initial::Xavier | Initial::Torch | Initial::Kaiming => 32.0_f64.sqrt().recip(),
                    Initial::Normal { std } => std,
                });
            }
            let parts = match name.rsplit('.').nth(1) {
                Some("qkv") => 3,
                Some("key_value") => 2,
                // Gated, but for a bridge's own.
                Some("inner") if name != "layers.1.inner.weight" => 2,
                _ => 1,
            };
            match init {
                Initial::Xavier => Self::Uniform((6.0 / size(inputs + shape[0] / parts)).sqrt()),
                Initial::Torch => Self::Uniform(of_inputs(1.0)),
                Initial::Kaiming => Self::Normal(of_inputs(2.0)),
                Initial::Normal { std } => Self::Normal(std),
            }
        }

        /// Range and deviation, as far as so many draws tell them.
        fn assert_holds(&self, values: &Tensor, what: &str) {
            let count = f64::from(u32::try_from(values.numel()).expect("small"));
            let most = values.abs().max().double_value(&[]);
            let deviation = values.square().mean(None).double_value(&[]).sqrt();
            let near = |expected: f64| (deviation / expected - 1.0).abs() < 4.0 / count.sqrt();
            let holds = match *self {
                Self::All(value) => values.eq(value).all().double_value(&[]) > 0.0,
                Self::Uniform(bound) => most <= bound && near(bound / 3.0_f64.sqrt()),
                Self::Normal(std) => (count < 200.0 || most > 2.0 * std) && near(std),
            };
            assert!(holds, "{what}: {self:?}, but {most} at most, deviation {deviation}");
        }
    }

    #[test]
    fn parameters_of_every_module_begin_as_the_model_says() {
        for init in
            [Initial::Xavier, Initial::Torch, Initial::Kaiming, Initial::Normal { std: 0.02 }]
        {
            let plan = broad(init);
            for module in plan.modules.keys() {
                let parameters = layout(&plan, module).expect("counts agree with the formulas");
                for parameter in &parameters {
                    let (name, shape) = (parameter.name.as_str(), parameter.shape.as_slice());
                    let weight = name.replace("bias", "weight");
                    let map = parameters.iter().find(|other| other.name == weight);
                    let inputs = map.and_then(|map| map.shape.get(1)).copied().unwrap_or(1);
                    let draw = Draw::of(module, name, shape, inputs, init);
                    draw.assert_holds(&fill(1, module, parameter), &format!("{module} {name}"));
                }
            }
        }
    }
}
