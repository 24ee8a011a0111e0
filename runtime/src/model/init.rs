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
}
